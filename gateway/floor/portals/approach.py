"""Whether one side of a portal was left while the other was approached: by phases and Doppler shifts, and by how the
level of each antenna ran. These are features of a whole pass (features.py)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from gateway.clock import SECOND
from gateway.floor.portals.phases import Pairs
from gateway.floor.portals.track import Sighting

UNSURE, ENOUGH, UNIT = 2, 30, 10
"""Pairs of phases by which the share that turned forwards is drawn to nothing, pairs of a side beyond which more are no
news (the way is the same), and pairs that count as one unit of knowledge."""

TREND_FROM, STEEPEST = 3, 6.0
"""Windows of an antenna that make a trend, and the most standard errors that one counts for."""

_Signs: TypeAlias = Sequence[tuple[int, int]]
"""Of the inside and the outside: number of signs, and how many more of them are positive than negative."""


def of_phases(pairs: Sequence[Pairs], inside: frozenset[int], odd: dict[str, float], even: dict[str, float]) -> None:
    """Whether one side was left while the other was approached, all the time or in turns: by phases, which do not say
    which one, and by Doppler shifts, which do."""
    if not pairs:
        return
    middle = (min(entry[0] for entry in pairs) + max(entry[0] for entry in pairs)) / 2
    halves = [[[0] * 5 for _ in range(2)] for _ in range(2)]  # sums of Pairs, of the inside and the outside
    for start, antenna, *found in pairs:
        sums = halves[start > middle][antenna not in inside]
        for column, value in enumerate(found):
            sums[column] += value
    whole = [[a + b for a, b in zip(*sides, strict=True)] for sides in zip(*halves, strict=True)]
    turned = [[(side[0], side[2]) for side in sides] for sides in (whole, *halves)]
    apart, even["phase_alike"], even["phase_turned"], known = _turns(*turned)
    even["phase_apart"], even["phase_pairs"] = abs(apart), known
    number, near = (whole[0][column] + whole[1][column] for column in range(2))
    even["phase_steady"] = near / (number + UNSURE) if known else 0.0
    shifted = [[(side[3], side[4]) for side in sides] for sides in (whole, *halves)]
    apart, _, even["doppler_turned"], even["doppler_reads"] = _turns(*shifted)  # alike is what the reader is off by
    odd["doppler"], even["doppler_apart"] = apart, abs(apart)


def _turns(whole: _Signs, *halves: _Signs) -> tuple[float, float, float, float]:
    """By how much more the inside was approached than the outside, or the other way round; how much both were, or
    neither; how much the difference changed from the first to the second half; and how much is known of that."""
    one, other = _shares(whole)
    (first, first_other), (last, last_other) = map(_shares, halves)
    known = math.sqrt(min(*(number for number, _ in whole), ENOUGH) / UNIT)
    changed = abs((last - last_other) - (first - first_other)) / 2
    return (one - other) * known, abs(one + other) * known, changed * known, known


def _shares(sides: _Signs) -> tuple[float, float]:
    """By how much more of the signs of each side are positive than negative, as a share of their number."""
    one, other = (more / (number + UNSURE) for number, more in sides)
    return one, other


def of_trends(
    sightings: Iterable[Sighting], inside: frozenset[int], odd: dict[str, float], even: dict[str, float]
) -> None:
    """How the level of each antenna ran, and whether those of one side ran alike and against those of the other."""
    points: dict[int, list[tuple[float, float]]] = {}
    for start, antenna, reads, _, power, moment in sightings:
        points.setdefault(antenna, []).append(((start + moment / power) / SECOND, 10 * math.log10(power / reads)))
    trends = {antenna: _trend(those) for antenna, those in sorted(points.items())}
    inwards = math.fsum(trend for antenna, trend in trends.items() if antenna in inside)
    outwards = math.fsum(trend for antenna, trend in trends.items() if antenna not in inside)
    together = (inwards - outwards) / len(trends)
    odd["antennas_trend"] = together
    even["antennas_agree"] = abs(together) / (math.fsum(map(abs, trends.values())) / len(trends) + 1.0)


def _trend(points: list[tuple[float, float]]) -> float:
    """By how many standard errors a level rose, bounded."""
    number = len(points)
    if number < TREND_FROM:
        return 0.0
    middle_t, middle = (math.fsum(column) / number for column in zip(*points, strict=True))
    tt = math.fsum((t - middle_t) ** 2 for t, _ in points)
    ll = math.fsum((level - middle) ** 2 for _, level in points)
    tl = math.fsum((t - middle_t) * (level - middle) for t, level in points)
    left = max(ll - tl * tl / (tt + 1e-9), 0.0) + number  # a decibel of each is noise anyway
    return max(-STEEPEST, min(STEEPEST, tl / math.sqrt((tt + 1e-9) * left / number)))
