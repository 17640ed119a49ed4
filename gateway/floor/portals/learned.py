"""The learned layer of the portals: how well each story explains the shape of a whole pass.

A small neural network over the features of a pass (features.py). It is asked twice, with the odd features as they are
and with their signs turned: the first answer is for *in*, the second for *out*, so exchanging the sides of a portal
exchanges its answers. Its weights in ``learned.json`` were fitted by ``make train`` to simulated doors, with every
story as frequent as the others; what it says are therefore likelihoods, and not what is to be expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pkgutil import get_data
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import orjson

from gateway.floor.portals.features import EVEN, ODD, Features
from gateway.floor.portals.walk_model import DIGITS, Likelihood

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[np.float64]"

WEIGHTS = "learned.json"
"""The file, in this package: as much a part of the code as any constant."""

FURTHEST = 4.0
"""Standard deviations from the mean beyond which a feature is taken to be there: nothing of the kind was learned."""

NAMED = 3
"""Features that are named as those that decided."""


class Learned:
    """The network, from its weights as they stand in the file."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        entries = [weights["features"][name] for name in (*ODD, *EVEN)]
        self._mean = np.array([entry["mean"] for entry in entries])
        self._scale = np.array([entry["scale"] for entry in entries])
        self._hidden = np.array([entry["hidden"] for entry in entries])
        self._direct = np.array([entry["direct"] for entry in entries])
        self._hidden_bias = np.array(weights["hidden_bias"])
        self._out = np.array(weights["out"])
        self._out_bias = np.array(weights["out_bias"])
        self._mirror = np.array([-1.0] * len(ODD) + [1.0] * len(EVEN))

    def likelihood(self, found: Features) -> Likelihood:
        """How well in, out, back and still explain a pass: shares of one, to DIGITS decimals."""
        logits = self._logits(self._inputs(found)[np.newaxis])[0]
        shares = np.exp(logits - logits.max())
        return Likelihood(*(round(float(share), DIGITS) for share in shares / shares.sum()))

    def decided_by(self, found: Features) -> dict[str, float]:
        """The NAMED features that did most for the likeliest story against the next one, each with the logarithm of the
        odds that would be missing if it had been as usual."""
        inputs = self._inputs(found)
        rows = np.vstack([inputs, inputs * (1 - np.eye(len(inputs)))])
        logits = self._logits(rows)
        first, second = np.argsort(-logits[0], kind="stable")[:2]
        odds = logits[:, first] - logits[:, second]
        missing = {
            name: round(float(odds[0] - without), 2) for name, without in zip((*ODD, *EVEN), odds[1:], strict=True)
        }
        return dict(sorted(missing.items(), key=lambda item: (-item[1], item[0]))[:NAMED])

    def _inputs(self, found: Features) -> Array:
        values = (np.array([*found.odd, *found.even]) - self._mean) / self._scale
        return np.asarray(np.clip(values, -FURTHEST, FURTHEST))

    def _logits(self, inputs: Array) -> Array:
        """In, out, back and still of each row."""
        one, other = self._answer(inputs), self._answer(inputs * self._mirror)
        return np.column_stack([one[:, 0], other[:, 0], (one[:, 1:] + other[:, 1:]) / 2])

    def _answer(self, inputs: Array) -> Array:
        """Through, back and still of each row."""
        hidden = np.tanh(inputs @ self._hidden + self._hidden_bias)
        return np.asarray(hidden @ self._out + self._out_bias + inputs @ self._direct)


@cache
def learned() -> Learned:
    """The network of the file. Raises FileNotFoundError, KeyError or ValueError where the installation is damaged."""
    content = get_data(__package__, WEIGHTS)
    return Learned(orjson.loads(content or b""))
