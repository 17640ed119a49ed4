"""The fitting of the learned layer: one hidden layer, symmetric in the sides of the portal.

The net N has three outputs: through, back, still. It is asked twice, with the odd features as they are and with their
signs turned; the first answer is for *in*, the second for *out*, and *back* and *still* are the mean of both. So a pass
and its mirror image get mirrored answers, whatever the weights are.

Every story has the same weight in the loss, so that the softmax of the outputs is a likelihood: what is to be expected
beforehand is the judge's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.learn.samples import SKETCHED, Sample, Story
from gateway.floor.portals.features import EVEN, ODD
from gateway.floor.portals.learned import FURTHEST

Array: TypeAlias = NDArray[np.float64]

HIDDEN = 32
"""Hidden units. Half as many decide a tenth fewer of the worlds that are held out."""

DECAY = 5e-4
"""Weight of the squared weights in the loss."""

RATE, MOMENTUM, VARIANCE = 0.01, 0.9, 0.999
"""Adam (Kingma and Ba, 2015), on all samples at once."""

SETTLES, SLOWER = 0.7, 0.3
"""Share of the epochs after which the rate is so much of what it was."""

WORLD = 3.0
"""A sample of a played world counts for so many of the sketches, of which there are many more."""

DIGITS = 4
"""Decimals of the weights that are kept: other processors then differ in the file no more than they must."""


@dataclass(slots=True)
class Set:
    """Samples as matrices: odd and even features by row, and the number of each row's story."""

    odd: Array
    even: Array
    story: NDArray[np.int64]
    kinds: list[str]


def as_set(samples: Sequence[Sample]) -> Set:
    """The matrices of samples."""
    return Set(
        np.array([sample.features.odd for sample in samples]),
        np.array([sample.features.even for sample in samples]),
        np.array([int(sample.story) for sample in samples]),
        [sample.kind for sample in samples],
    )


class Network:
    """Weights by name, and what features are divided by and shifted by before they are used."""

    def __init__(self, fitted: Set, seed: int) -> None:
        self.odd_scale = np.sqrt((fitted.odd**2).mean(axis=0)) + 1e-6
        self.even_mean = fitted.even.mean(axis=0)
        self.even_scale = fitted.even.std(axis=0) + 1e-6
        random = np.random.default_rng(seed)
        inputs = len(ODD) + len(EVEN)
        self.hidden = random.normal(0, 1 / math.sqrt(inputs), (inputs, HIDDEN))
        self.hidden_bias = np.zeros(HIDDEN)
        self.out = random.normal(0, 1 / math.sqrt(HIDDEN), (HIDDEN, 3))
        self.out_bias = np.zeros(3)
        self.direct = np.zeros((inputs, 3))

    def logits(self, data: Set) -> Array:
        """The logarithm of each story's likelihood, but for a constant, by row."""
        one, other = self._inputs(data)
        return _mirrored(self._answer(one)[1], self._answer(other)[1])

    def likelihoods(self, data: Set) -> Array:
        """Shares of one, by row."""
        return _softmax(self.logits(data))

    def fit(self, data: Set, epochs: int) -> None:
        """Fits the weights to `data`."""
        counted = np.array([1.0 if kind.startswith(SKETCHED) else WORLD for kind in data.kinds])
        weight = counted / np.bincount(data.story, counted, len(Story))[data.story] / len(Story)
        truth = np.eye(len(Story))[data.story]
        one, other = self._inputs(data)
        weights = [self.hidden, self.hidden_bias, self.out, self.out_bias, self.direct]
        means, squares = ([np.zeros_like(w) for w in weights] for _ in range(2))
        for epoch in range(1, epochs + 1):
            rate = RATE if epoch < SETTLES * epochs else SLOWER * RATE
            slopes = self._slopes(one, other, truth, weight)
            for w, slope, mean, square in zip(weights, slopes, means, squares, strict=True):
                mean += (1 - MOMENTUM) * (slope - mean)
                square += (1 - VARIANCE) * (slope**2 - square)
                step = mean / (1 - MOMENTUM**epoch) / (np.sqrt(square / (1 - VARIANCE**epoch)) + 1e-8)
                w -= rate * step

    def joined(self, others: Sequence[Network]) -> Network:
        """One network that answers with the mean of this one and others, which were fitted to the same set: their
        hidden units beside each other."""
        all_of_them = [self, *others]
        number = len(all_of_them)
        found = copy(self)
        found.hidden = np.hstack([one.hidden for one in all_of_them])
        found.hidden_bias = np.hstack([one.hidden_bias for one in all_of_them])
        found.out = np.vstack([one.out for one in all_of_them]) / number
        found.out_bias = np.asarray(sum(one.out_bias for one in all_of_them)) / number
        found.direct = np.asarray(sum(one.direct for one in all_of_them)) / number
        return found

    def _slopes(self, one: Array, other: Array, truth: Array, weight: Array) -> list[Array]:
        """The derivatives of the loss, in the order of the weights."""
        hidden_one, answer_one = self._answer(one)
        hidden_other, answer_other = self._answer(other)
        off = (_softmax(_mirrored(answer_one, answer_other)) - truth) * weight[:, None]
        half = off[:, 2:] / 2
        off_one, off_other = np.hstack([off[:, :1], half]), np.hstack([off[:, 1:2], half])
        back_one = (off_one @ self.out.T) * (1 - hidden_one**2)
        back_other = (off_other @ self.out.T) * (1 - hidden_other**2)
        return [
            one.T @ back_one + other.T @ back_other + DECAY * self.hidden,
            back_one.sum(axis=0) + back_other.sum(axis=0),
            hidden_one.T @ off_one + hidden_other.T @ off_other + DECAY * self.out,
            off_one.sum(axis=0) + off_other.sum(axis=0),
            one.T @ off_one + other.T @ off_other + DECAY * self.direct,
        ]

    def _inputs(self, data: Set) -> tuple[Array, Array]:
        odd = np.clip(data.odd / self.odd_scale, -FURTHEST, FURTHEST)
        even = np.clip((data.even - self.even_mean) / self.even_scale, -FURTHEST, FURTHEST)
        return np.hstack([odd, even]), np.hstack([-odd, even])

    def _answer(self, inputs: Array) -> tuple[Array, Array]:
        hidden = np.tanh(inputs @ self.hidden + self.hidden_bias)
        return hidden, hidden @ self.out + self.out_bias + inputs @ self.direct

    def dump(self) -> dict[str, Any]:
        """The weights, ready for JSON, by the names of the features."""
        names = (*ODD, *EVEN)
        scales = [*self.odd_scale, *self.even_scale]
        means = [0.0] * len(ODD) + list(self.even_mean)
        return {
            "features": {
                name: {
                    "mean": round(float(mean), DIGITS),
                    "scale": round(float(scale), DIGITS),
                    "hidden": _rounded(hidden),
                    "direct": _rounded(direct),
                }
                for name, mean, scale, hidden, direct in zip(
                    names, means, scales, self.hidden, self.direct, strict=True
                )
            },
            "hidden_bias": _rounded(self.hidden_bias),
            "out": [_rounded(row) for row in self.out],
            "out_bias": _rounded(self.out_bias),
        }


def _mirrored(one: Array, other: Array) -> Array:
    """In, out, back and still, from the answers to a pass and to its mirror image."""
    return np.column_stack([one[:, 0], other[:, 0], (one[:, 1:] + other[:, 1:]) / 2])


def _softmax(logits: Array) -> Array:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _rounded(values: Array) -> list[float]:
    return [round(float(value), DIGITS) for value in values]
