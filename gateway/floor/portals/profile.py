"""What each side of a portal saw of one tag, as a profile of received power over time.

A side's profile is normalised by its own total, so that unequal antennas count alike. Between the two profiles stands
one statistic: with ``F`` the share of a side's power that was received up to a time, the area between the two curves
is the difference of the power-weighted mean times (centroids)::

    difference = centroid(outside) - centroid(inside) = integral of (F_inside - F_outside) dt

A tag that goes from the inside to the outside moves its power from one side to the other once: ``F_inside`` stays
above ``F_outside`` all the time, and all the area has one sign. One that turns around, or stands there, makes curves
that cross.

How far chance can move a centroid is worked out from the pass itself: a centroid moves by as much as fading changes
the weights of its windows. How strong fading is, is seen in how rough the profiles are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.clock import SECOND

Look = tuple[int, int, int, int, int, int]
"""One antenna's sighting of a tag: start of the window and antenna number, reads, strongest RSSI in hundredths of a
decibel, sum of linear power, and sum of power x microseconds into the window."""

RAYLEIGH = 5.57**2
"""Variance in square decibels of a signal that has no line of sight: the most that fading alone makes."""

PRIOR = 3.0
"""Windows for which the fading is taken to be that of no line of sight before the profile itself shows it."""

LEAST = 0.05
"""Variance of a window's power relative to its square that is always reckoned with: RSSI in steps, nulls, noise."""

SHADOW = 0.3
"""Share of the width of a profile by which its centroid may be off for lasting reasons: half of the way shaded by
4 dB (a person, a pallet, an orientation) moves it by that."""

END = 0.1
"""Share of the power that is the beginning of a pass, and its end."""

NEAR = 1.0
"""Seconds between windows up to which the profile between them is taken to be straight."""


@dataclass(slots=True, frozen=True)
class Bin:
    """One window of one side: seconds since the beginning of the pass, linear power, and how many antennas saw it."""

    t: float
    power: float
    antennas: int


@dataclass(slots=True, frozen=True)
class Profile:
    """One side. Times in seconds since the beginning of the pass; `looks` is how many windows the power is spread
    over, in effect."""

    bins: tuple[Bin, ...]
    power: float
    centroid: float
    spread: float
    looks: float


@dataclass(slots=True, frozen=True)
class Comparison:
    """The two sides. `difference` in seconds is positive where the inside came first, `error` its standard error.

    `dominance` is from -1 to 1: what is left of the area between the curves when what has the other sign is taken
    off; `contrary` is the smaller of the two areas in seconds. `ends` is the lesser of two shares: of the first side
    in the first END of all power, and of the second side in the last. `legs` in decibels is by how much, at least, the
    first side fell and the second rose from the first third of the pass to the last. `crossing` in seconds since the
    beginning of the pass.
    """

    difference: float
    error: float
    degrees: float
    dominance: float
    contrary: float
    legs: float
    ends: float
    crossing: float
    spread: float


def profile(looks: Iterable[Look], origin: int) -> Profile | None:
    """The profile of a side from its looks, which are sorted. None without any."""
    sums: dict[int, list[int]] = {}
    for start, _, _, _, power, moment in looks:
        entry = sums.setdefault(start, [0, 0, 0])
        entry[0] += power
        entry[1] += moment
        entry[2] += 1
    if not sums:
        return None
    bins = tuple(
        Bin((start - origin + moment / power) / SECOND, float(power), antennas)
        for start, (power, moment, antennas) in sums.items()
    )
    total = math.fsum(entry.power for entry in bins)
    centroid = math.fsum(entry.power * entry.t for entry in bins) / total
    variance = math.fsum(entry.power * (entry.t - centroid) ** 2 for entry in bins) / total
    looks_in_effect = total**2 / math.fsum(entry.power**2 for entry in bins)
    return Profile(bins, total, centroid, math.sqrt(variance), looks_in_effect)


def compare(inside: Profile, outside: Profile, length: float) -> Comparison:
    """Holds the two sides of a pass of `length` seconds against each other."""
    difference = outside.centroid - inside.centroid
    spread = math.sqrt((inside.spread**2 + outside.spread**2) / 2 + difference**2 / 4)
    fading = _fading((inside, outside))
    variance = _variance(inside, outside, fading, spread) + _variance(outside, inside, fading, spread)
    variance += (SHADOW * spread) ** 2
    ahead, behind = _areas(inside, outside)
    both = ahead + behind
    crossing = (inside.centroid + outside.centroid) / 2
    return Comparison(
        difference=difference,
        error=math.sqrt(variance),
        degrees=max(1.0, inside.looks + outside.looks - 2),
        dominance=(ahead - behind) / both if both else 0.0,
        contrary=min(ahead, behind),
        legs=_legs(inside, outside, length) if difference > 0 else _legs(outside, inside, length),
        ends=min(_head(inside, outside, ahead > behind), _tail(inside, outside, ahead > behind)),
        crossing=crossing,
        spread=spread,
    )


def _fading(sides: Iterable[Profile]) -> float:
    """The variance of a window's power relative to its square, from 0 to 1.

    Each window is held against the straight line between its neighbours, in decibels: noise of variance v in each of
    the three makes the square of that distance ``v (1 + a^2 + (1 - a)^2)`` on the average, ``a`` being where between
    the two it lies.
    """
    total, count = PRIOR * RAYLEIGH, PRIOR
    for side in sides:
        for before, here, after in zip(side.bins, side.bins[1:], side.bins[2:], strict=False):
            gap = after.t - before.t
            if not 0 < gap <= NEAR:
                continue
            a = (here.t - before.t) / gap
            expected = (1 - a) * _decibel(before.power) + a * _decibel(after.power)
            total += (_decibel(here.power) - expected) ** 2 / (1 + a**2 + (1 - a) ** 2)
            count += 1
    return min(1.0, max(LEAST, total / count / RAYLEIGH))


def _variance(side: Profile, other: Profile, fading: float, spread: float) -> float:
    """How far chance moves a centroid, squared: by fading, and by how few looks there were at all.

    A side that saw the tag for a moment only, while the other saw it for long, may have seen it at any moment: its
    looks count by the share of the other's width that they cover.
    """
    by_fading = fading * math.fsum(
        (entry.power / side.power * (entry.t - side.centroid)) ** 2 / entry.antennas for entry in side.bins
    )
    covered = min(1.0, side.spread / other.spread) if other.spread > 0 else 1.0
    few = spread / max(side.looks * covered, 0.5)
    return by_fading + (few / 2) ** 2


def _areas(inside: Profile, outside: Profile) -> tuple[float, float]:
    """The area between the curves where the inside is ahead, and where the outside is."""
    steps = _steps(inside, outside)
    ahead = behind = lead = 0.0
    last = steps[0][0]
    for t, one, other in steps:
        if lead > 0:
            ahead += lead * (t - last)
        else:
            behind -= lead * (t - last)
        lead += one - other
        last = t
    return ahead, behind


def _steps(inside: Profile, outside: Profile) -> list[tuple[float, float, float]]:
    """Both profiles by time: seconds, and the share of its side's power for the inside and for the outside."""
    steps = [(entry.t, entry.power / inside.power, 0.0) for entry in inside.bins]
    steps += [(entry.t, 0.0, entry.power / outside.power) for entry in outside.bins]
    steps.sort()
    return steps


def _head(inside: Profile, outside: Profile, inside_first: bool) -> float:
    """The share of the side that came first in the first END of all power."""
    return _share(_steps(inside, outside), inside_first)


def _tail(inside: Profile, outside: Profile, inside_first: bool) -> float:
    """The share of the side that came second in the last END of all power."""
    return _share(reversed(_steps(inside, outside)), not inside_first)


def _share(steps: Iterable[tuple[float, float, float]], of_inside: bool) -> float:
    inside = outside = 0.0
    for _, a, b in steps:
        inside += a
        outside += b
        if inside + outside >= 2 * END:
            break
    return (inside if of_inside else outside) / (inside + outside)


def _legs(first: Profile, second: Profile, length: float) -> float:
    return min(_fall(first, length), -_fall(second, length))


def _fall(side: Profile, length: float) -> float:
    """By how many decibels a side has less power in the last third of the pass than in the first, within 30."""
    before = math.fsum(entry.power for entry in side.bins if entry.t <= length / 3)
    after = math.fsum(entry.power for entry in side.bins if entry.t >= length * 2 / 3)
    if before <= 0 or after <= 0:
        return 30.0 if before > after else -30.0
    return max(-30.0, min(30.0, _decibel(before) - _decibel(after)))


def _decibel(power: float) -> float:
    return 10 * math.log10(power)


def certainty(comparison: Comparison, looks: float) -> float:
    """The probability that the sign of the difference is the true one: Student's t, area of the wrong sign counted
    twice. `looks` is the share of the portal's antennas that were at work: fewer see less.

    Abramowitz and Stegun 26.7.8 turns t into a normal deviate.
    """
    z = abs(comparison.difference) / comparison.error * math.sqrt(looks)
    z *= max(0.0, _agreement(comparison.dominance))
    n = comparison.degrees
    z *= (1 - 1 / (4 * n)) / math.sqrt(1 + z * z / (2 * n))
    return min(0.5 * math.erfc(-z / math.sqrt(2)), 1 - 1e-9)


def _agreement(dominance: float) -> float:
    """What is left of the difference when the area of the wrong sign is taken off once more.

    With areas a and b and dominance d = (a - b) / (a + b) it is ``(a - 2 b) / (a - b) = (3 d - 1) / (2 d)``.
    """
    d = abs(dominance)
    return (3 * d - 1) / (2 * d) if d else 0.0


def sides_of(looks: Sequence[Look], inside: frozenset[int], origin: int) -> tuple[Profile | None, Profile | None]:
    """The profiles of both sides; `inside` are the antenna numbers of that side."""
    ordered = sorted(looks)
    return (
        profile((look for look in ordered if look[1] in inside), origin),
        profile((look for look in ordered if look[1] not in inside), origin),
    )
