"""Intervals and calibration, against worked examples."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy.figures import calibration_error, quantile, reliability, wilson
from tests.support.claims import some


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (99, 100, 0.9455, 0.9982), (32, 32, 0.8928, 1.0)],
)
def test_wilson(hits, total, low, high):
    assert wilson(hits, total) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


@given(st.integers(0, 500), st.integers(0, 500))
def test_wilson_holds_the_share(hits, misses):
    low, high = wilson(hits, hits + misses)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low - 1e-9 <= hits / (hits + misses) <= high + 1e-9


def test_every_decision_is_in_one_bin():
    decisions = [(n / 100, True) for n in range(101)]
    bins = reliability(decisions)
    assert sum(one.number for one in bins) == 101
    assert all(one.low <= one.confidence <= one.high for one in some(bins))
    assert reliability([(1.0, True)])[0].high == 1.0


def test_a_calibrated_judge_has_a_small_error_and_a_boastful_one_a_large_one():
    random = Random(1)
    honest = [(p, random.random() < p) for p in (random.uniform(0.5, 1.0) for _ in range(20_000))]
    boastful = [(0.999, random.random() < 0.8) for _ in range(2_000)]
    assert calibration_error(reliability(honest)) < 0.015
    assert calibration_error(reliability(boastful)) == pytest.approx(0.2, abs=0.03)
    assert calibration_error([]) == 0


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 2), (0.75, 3), (0.9, 4), (1.0, 4)])
def test_quantile(share, value):
    assert quantile([3, 1, 4, 2], share) == value
    assert math.isnan(quantile([], share))
