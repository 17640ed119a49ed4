"""What each side of a portal saw of one tag, as a profile of received power over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.clock import SECOND

Look = tuple[int, int, int, int, int, int]
"""One antenna's sighting of a tag: start of the window and antenna number, reads, strongest RSSI in hundredths of a
decibel, sum of linear power, and sum of power x microseconds into the window."""


@dataclass(slots=True, frozen=True)
class Bin:
    """One window of one side: seconds since the beginning of the pass, and linear power."""

    t: float
    power: float


@dataclass(slots=True, frozen=True)
class Profile:
    """One side. `power` is the sum of its bins; `centroid` is the power-weighted mean time and `spread` its standard
    deviation, in seconds since the beginning of the pass."""

    bins: tuple[Bin, ...]
    power: float
    centroid: float
    spread: float


def profile(looks: Iterable[Look], origin: int) -> Profile | None:
    """The profile of a side from its looks, which are sorted. None without any."""
    sums: dict[int, list[int]] = {}
    for start, _, _, _, power, moment in looks:
        entry = sums.setdefault(start, [0, 0])
        entry[0] += power
        entry[1] += moment
    if not sums:
        return None
    bins = tuple(
        Bin((start - origin + moment / power) / SECOND, float(power)) for start, (power, moment) in sums.items()
    )
    total = math.fsum(entry.power for entry in bins)
    centroid = math.fsum(entry.power * entry.t for entry in bins) / total
    variance = math.fsum(entry.power * (entry.t - centroid) ** 2 for entry in bins) / total
    return Profile(bins, total, centroid, math.sqrt(variance))


def inside_of(sides: Mapping[int, str]) -> frozenset[int]:
    """The antennas of the inside, of those whose sides are given."""
    return frozenset(number for number, side in sides.items() if side == "inside")


def sides_of(looks: Sequence[Look], inside: frozenset[int], origin: int) -> tuple[Profile | None, Profile | None]:
    """The profiles of both sides; `inside` are the antenna numbers of that side."""
    ordered = sorted(looks)
    return (
        profile((look for look in ordered if look[1] in inside), origin),
        profile((look for look in ordered if look[1] not in inside), origin),
    )
