"""Shares with their intervals, and calibration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Z = 1.96
"""Standard deviations of an interval of 95 %."""

BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The interval of 95 % of a share (Wilson 1927), which holds near 0 and 1 too. (0, 1) where nothing was tried."""
    if total == 0:
        return 0.0, 1.0
    share = hits / total
    middle = share + Z * Z / (2 * total)
    spread = Z * math.sqrt(share * (1 - share) / total + Z * Z / (4 * total * total))
    scale = 1 + Z * Z / total
    return max((middle - spread) / scale, 0.0), min((middle + spread) / scale, 1.0)


@dataclass(slots=True, frozen=True)
class Bin:
    """The decisions published with a confidence from `low` up to, but for the last one, `high`."""

    low: float
    high: float
    number: int
    right: int
    confidence: float  # their mean


def reliability(decisions: Iterable[tuple[float, bool]]) -> list[Bin]:
    """(confidence, right) in bins; those without any are left out."""
    sums = [[0, 0, 0.0] for _ in BINS[1:]]
    for confidence, right in decisions:
        number = next((n for n, high in enumerate(BINS[1:]) if confidence < high), len(BINS) - 2)
        sums[number][0] += 1
        sums[number][1] += right
        sums[number][2] += confidence
    return [
        Bin(low, high, int(number), int(right), total / number)
        for low, high, (number, right, total) in zip(BINS, BINS[1:], sums, strict=False)
        if number
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: how far, on average, the share right is from the confidence (Naeini 2015)."""
    total = sum(one.number for one in bins)
    return sum(abs(one.right - one.confidence * one.number) for one in bins) / total if total else 0.0


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed; not a number where there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1 if share else 0]
