"""The shape of a whole pass in some fifty numbers: what the learned layer of a portal looks at.

Exchanging the sides of a portal changes the sign of the *odd* features and leaves the *even* ones as they are. So
whatever is learned of passes inwards holds for passes outwards.

Levels are in decibels, times in seconds. Each feature is brought to a range of a few units and bounded, so that one
odd read cannot outweigh all the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.clock import MILLISECOND, SECOND
from gateway.floor.portals.approach import of_phases, of_trends
from gateway.floor.portals.phases import Pairs
from gateway.floor.portals.track import Sighting
from gateway.floor.portals.walk_model import Likelihood

STEP = 250 * MILLISECOND
"""Microseconds of one step. Shorter windows are put together."""

ODD = (
    "centroids",
    "centroids_soft",
    "centroids_share",
    "antennas_order",
    "antennas_trend",
    "profiles_order",
    "peaks_order",
    "first_read",
    "last_read",
    "level_trend",
    "level_ends",
    "own_ends",
    "reads_ends",
    "walk",
    "doppler",
)
"""Features that change their sign with the sides; positive where the tag was outside first."""

EVEN = (
    "walk_or_turned_back",
    "walk_or_standing",
    "turned_back_or_standing",
    "duration",
    "steps",
    "fewest_steps",
    "read_share",
    "gone",
    "one_side",
    "centroids_apart",
    "trend_fit",
    "trend_straight",
    "sides_exchanged",
    "own_exchanged",
    "imbalance",
    "swell",
    "before",
    "after",
    "spread",
    "range",
    "overlap",
    "order_broken",
    "antennas_apart",
    "antennas_agree",
    "way_straight",
    "way_length",
    "rise",
    "fall",
    "phase_apart",
    "phase_alike",
    "phase_turned",
    "phase_pairs",
    "phase_steady",
    "doppler_apart",
    "doppler_turned",
    "doppler_reads",
)
"""Features that do not change with the sides."""

SOFT = 0.4
"""Power of received power by which soft centroids and antennas are weighted: between counting reads and taking the
loudest."""

LEAST_SPREAD = 0.15
"""Seconds. What both sides saw within less than that is not told apart: it is about the time of one step."""

APART, OVERLAPS, OFTEN_ENOUGH = 2.9, 0.05, math.log(9)
"""From when on the sides took turns: apart and exchanged nearly as far as these features go, hardly anything heard by
both at a time, and in eight steps or more by each: two seconds."""

BELOW = 3.0
"""Decibels below the weakest step at which a side is put that did not read the tag."""


@dataclass(slots=True, frozen=True)
class Features:
    """The values of ODD and of EVEN."""

    odd: tuple[float, ...]
    even: tuple[float, ...]


@dataclass(slots=True)
class _Step:
    """One step: received power and number of reads of the inside and of the outside, linear."""

    inside: float = 0.0
    outside: float = 0.0
    reads_inside: int = 0
    reads_outside: int = 0


class _Side:
    """Times and powers of the windows in which one side read the tag."""

    def __init__(self) -> None:
        self.windows: dict[int, list[int]] = {}

    def add(self, start: int, power: int, moment: int) -> None:
        entry = self.windows.setdefault(start, [0, 0])
        entry[0] += power
        entry[1] += moment

    def points(self, origin: int) -> list[tuple[float, float]]:
        """Time since `origin` and power of each window."""
        return [
            ((start - origin + moment / power) / SECOND, float(power))
            for start, (power, moment) in sorted(self.windows.items())
        ]


def features(
    sightings: Sequence[Sighting], pairs: Sequence[Pairs], inside: frozenset[int], story: Likelihood, *, gone: bool
) -> Features:
    """The features of a pass: of its sightings and the pairs of its phases. `story` is what the model of the walk makes
    of it, `gone` says that it is over."""
    sides = (_Side(), _Side())
    steps: dict[int, _Step] = {}
    for start, antenna, reads, _, power, moment in sightings:
        step = steps.get(start // STEP)
        if step is None:
            step = steps[start // STEP] = _Step()
        if antenna in inside:
            sides[0].add(start, power, moment)
            step.inside += power
            step.reads_inside += reads
        else:
            sides[1].add(start, power, moment)
            step.outside += power
            step.reads_outside += reads
    numbers = sorted(steps)
    row = [steps[number] for number in numbers]
    length = (numbers[-1] - numbers[0] + 1) * STEP / SECOND
    odd = dict.fromkeys(ODD, 0.0)
    even = dict.fromkeys(EVEN, 0.0)
    _of_story(story, odd, even)
    fewest = min(len(side.windows) for side in sides)
    even["duration"] = math.log(length + 0.5)
    even["steps"] = math.log(len(row) + 1)
    even["fewest_steps"] = math.log(fewest + 1)
    even["read_share"] = len(row) * STEP / SECOND / length
    even["gone"] = float(gone)
    even["one_side"] = float(not fewest)
    of_phases(pairs, inside, odd, even)
    if fewest:
        spread = _of_times(sides, numbers[0] * STEP, length, odd, even)
        floor = _of_levels(numbers, row, odd, even)
        of_trends(sightings, inside, odd, even)
        _of_antennas(sightings, inside, numbers, spread, floor, odd, even)
    return Features(tuple(odd.values()), tuple(even.values()))


def took_turns(found: Features) -> bool:
    """Whether one side had heard nearly all of what it heard of the tag before the other one began."""
    even = dict(zip(EVEN, found.even, strict=True))
    apart = even["centroids_apart"] >= APART and even["own_exchanged"] >= APART
    return apart and even["overlap"] < OVERLAPS and even["fewest_steps"] >= OFTEN_ENOUGH


def _of_story(story: Likelihood, odd: dict[str, float], even: dict[str, float]) -> None:
    """What the model of the walk says."""
    through = max(story.inward, story.outward)
    odd["walk"] = _log_ratio(story.inward, story.outward)
    even["walk_or_turned_back"] = _log_ratio(through, story.turned_back)
    even["walk_or_standing"] = _log_ratio(through, story.standing)
    even["turned_back_or_standing"] = _log_ratio(story.turned_back, story.standing)


def _of_times(
    sides: tuple[_Side, _Side], origin: int, length: float, odd: dict[str, float], even: dict[str, float]
) -> float:
    """When the sides saw the tag. Returns how long a side saw it: the standard deviation, in seconds."""
    inside, outside = (side.points(origin) for side in sides)
    (c_in, s_in), (c_out, s_out) = _centroid(inside, 1.0), _centroid(outside, 1.0)
    spread = math.sqrt((s_in**2 + s_out**2) / 2) + LEAST_SPREAD
    odd["centroids"] = _bound((c_in - c_out) / spread, 3)
    odd["centroids_share"] = _bound((c_in - c_out) / length, 1)
    even["centroids_apart"] = abs(odd["centroids"])
    even["spread"] = spread / (length + 0.5)
    (c_in, s_in), (c_out, s_out) = _centroid(inside, SOFT), _centroid(outside, SOFT)
    odd["centroids_soft"] = _bound((c_in - c_out) / (math.sqrt((s_in**2 + s_out**2) / 2) + LEAST_SPREAD), 3)
    peak_in, peak_out = (max(points, key=lambda point: point[1])[0] for point, points in ((0, inside), (0, outside)))
    odd["peaks_order"] = _bound((peak_in - peak_out) / (length + 0.5), 1)
    odd["first_read"] = _bound((inside[0][0] - outside[0][0]) / 3, 1)
    odd["last_read"] = _bound((inside[-1][0] - outside[-1][0]) / 3, 1)
    return spread


def _of_levels(numbers: list[int], row: list[_Step], odd: dict[str, float], even: dict[str, float]) -> float:
    """How the levels of the sides ran. Returns the level at which a side is put that read nothing."""
    heard = [_db(power) for step in row for power in (step.inside, step.outside) if power]
    floor, loudest = min(heard) - BELOW, max(heard)
    even["range"] = (loudest - floor) / 20
    in_all, out_all = math.fsum(step.inside for step in row), math.fsum(step.outside for step in row)
    even["imbalance"] = abs(_difference(in_all, out_all, floor)) / 10
    # The difference of the sides against time: its correlation, with loud steps counting more.
    weights = [(step.inside + step.outside) ** (SOFT / 2) for step in row]
    levels = [
        (_db(step.inside) if step.inside else floor) - (_db(step.outside) if step.outside else floor) for step in row
    ]
    total = math.fsum(weights)
    mean_t = math.fsum(w * n for w, n in zip(weights, numbers, strict=True)) / total
    mean_level = math.fsum(w * level for w, level in zip(weights, levels, strict=True)) / total
    tt = tl = ll = 0.0
    for w, n, level in zip(weights, numbers, levels, strict=True):
        dt, dl = n - mean_t, level - mean_level
        tt += w * dt * dt
        tl += w * dt * dl
        ll += w * dl * dl
    fit = tl / math.sqrt((tt + 0.01) * (ll + 1.0))
    sure = math.sqrt(min(len(row), 40) / 10)
    odd["level_trend"] = fit * sure
    even["trend_fit"] = fit * fit * sure
    even["trend_straight"] = _straight(numbers, weights, levels)
    # The cumulated shares of the sides: which was ahead, and whether it changed.
    ahead = most = least = overlap = 0.0
    for step in row:
        share_in, share_out = step.inside / in_all, step.outside / out_all
        ahead += share_out - share_in
        most, least = max(most, ahead), min(least, ahead)
        overlap += min(share_in, share_out)
    odd["profiles_order"] = most + least
    even["order_broken"] = min(most, -least)
    even["overlap"] = overlap
    _of_thirds(numbers, row, floor, odd, even)
    even["before"] = _bound(loudest - _mean_level(_part(numbers, row, 0.0, 0.12), floor), 30) / 10
    even["after"] = _bound(loudest - _mean_level(_part(numbers, row, 0.88, 1.0), floor), 30) / 10
    return floor


def _straight(numbers: list[int], weights: list[float], levels: list[float]) -> float:
    """How far the difference of the sides went from the first to the last quarter, as a share of the way it took."""
    span = numbers[-1] - numbers[0] + 1
    sums = [[0.0, 0.0] for _ in range(4)]
    for number, weight, level in zip(numbers, weights, levels, strict=True):
        quarter = sums[4 * (number - numbers[0]) // span]
        quarter[0] += weight * level
        quarter[1] += weight
    means = [total / weight for total, weight in sums if weight]
    taken = math.fsum(abs(after - before) for before, after in pairwise(means))
    return abs(means[-1] - means[0]) / (taken + 2.0)


def _of_thirds(
    numbers: list[int], row: list[_Step], floor: float, odd: dict[str, float], even: dict[str, float]
) -> None:
    """What the first, the middle and the last third of the pass have of each other."""
    thirds = [_part(numbers, row, low, high) for low, high in ((0.0, 0.34), (0.33, 0.67), (0.66, 1.0))]
    first, _, last = ((math.fsum(s.inside for s in part), math.fsum(s.outside for s in part)) for part in thirds)
    begins, ends = _difference(*first, floor), _difference(*last, floor)
    odd["level_ends"] = (ends - begins) / 10
    even["sides_exchanged"] = _bound(-begins * ends / 30, 3)
    # The same as if both sides heard equally well: each against its own loudest.
    louder = math.sqrt(max(step.inside for step in row) / max(step.outside for step in row))
    begins, ends = (_difference(one / louder, other * louder, floor) for one, other in (first, last))
    odd["own_ends"] = (ends - begins) / 10
    even["own_exchanged"] = _bound(-begins * ends / 30, 3)
    rises = [_difference(late, early, floor) / 10 for early, late in zip(first, last, strict=True)]
    even["rise"], even["fall"] = max(rises), min(rises)
    odd["reads_ends"] = _read_balance(thirds[2]) - _read_balance(thirds[0])
    before, middle, after = (_mean_level(part, floor) for part in thirds)
    even["swell"] = _bound(middle - max(before, after), 15) / 10


def _of_antennas(
    sightings: Iterable[Sighting],
    inside: frozenset[int],
    numbers: list[int],
    spread: float,
    floor: float,
    odd: dict[str, float],
    even: dict[str, float],
) -> None:
    """In which order the single antennas saw the tag, and whether the end was like the beginning."""
    origin, length = numbers[0] * STEP, (numbers[-1] - numbers[0] + 1) * STEP
    sums: dict[int, list[float]] = {}
    thirds: tuple[dict[int, list[float]], ...] = ({}, {}, {})
    for start, antenna, reads, _, power, _ in sightings:
        weight = power**SOFT
        entry = sums.setdefault(antenna, [0.0, 0.0, 0.0])
        entry[0] += weight
        entry[1] += weight * (start - origin) / SECOND
        entry[2] += reads
        level = thirds[min(3 * (start - origin) // length, 2)].setdefault(antenna, [0.0, 0.0])
        level[0] += reads * _db(power / reads)
        level[1] += reads
    centroids = [(antenna, entry[1] / entry[0], entry[2]) for antenna, entry in sorted(sums.items())]
    order = order_weight = apart = apart_weight = 0.0
    for number, (one, when, reads_one) in enumerate(centroids):
        for other, then, reads_other in centroids[number + 1 :]:
            weight = min(reads_one, reads_other)
            later = math.tanh(2 * (when - then) / spread)
            if (one in inside) is (other in inside):
                apart += weight * abs(later)
                apart_weight += weight
            else:
                order += weight * (later if one in inside else -later)
                order_weight += weight
    odd["antennas_order"] = order / order_weight
    even["antennas_apart"] = apart / apart_weight if apart_weight else 0.0
    begun, half, ended = (
        [level[antenna][0] / level[antenna][1] if antenna in level else floor for antenna in sorted(sums)]
        for level in thirds
    )
    straight = _distance(begun, ended)
    even["way_straight"] = straight / (_distance(begun, half) + _distance(half, ended) + 2.0)
    even["way_length"] = straight / 10


def _part(numbers: list[int], row: list[_Step], low: float, high: float) -> list[_Step]:
    """The steps between two shares of the time."""
    span = max(numbers[-1] - numbers[0], 1)
    return [step for number, step in zip(numbers, row, strict=True) if low <= (number - numbers[0]) / span <= high]


def _centroid(points: list[tuple[float, float]], exponent: float) -> tuple[float, float]:
    """Mean time and its standard deviation, weighted by a power of the received power."""
    weights = [power**exponent for _, power in points]
    total = math.fsum(weights)
    mean = math.fsum(weight * t for weight, (t, _) in zip(weights, points, strict=True)) / total
    variance = math.fsum(weight * (t - mean) ** 2 for weight, (t, _) in zip(weights, points, strict=True)) / total
    return mean, math.sqrt(variance)


def _difference(one: float, other: float, floor: float) -> float:
    """Decibels by which one power is above another, with `floor` under both, bounded."""
    least = 10 ** (floor / 10)
    return _bound(_db((one + least) / (other + least)), 15)


def _mean_level(part: list[_Step], floor: float) -> float:
    """The mean level of both sides together, in decibels."""
    return _db(math.fsum(step.inside + step.outside for step in part) / max(len(part), 1) + 10 ** (floor / 10))


def _read_balance(part: list[_Step]) -> float:
    """From -1, all reads by the outside, to 1."""
    inside, outside = sum(step.reads_inside for step in part), sum(step.reads_outside for step in part)
    return (inside - outside) / (inside + outside) if inside + outside else 0.0


def _distance(one: list[float], other: list[float]) -> float:
    """Root mean square of the differences, in decibels."""
    return math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / len(one))


def _log_ratio(one: float, other: float) -> float:
    """The logarithm of a ratio of likelihoods, bounded: they are known to six decimals."""
    return _bound(math.log((one + 1e-6) / (other + 1e-6)), 8)


def _db(power: float) -> float:
    return 10 * math.log10(power)


def _bound(value: float, most: float) -> float:
    return max(-most, min(most, value))
