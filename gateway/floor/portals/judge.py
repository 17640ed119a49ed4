"""Which way a tag went, and how sure that is.

::

    broken off (reader down)                                         → undetermined
    one side only        → in, out    where photo-eyes say so and the tag came and went with what they saw
                         → static     where it was there for the longest time a pass takes
                         → undetermined
    both sides           → in, out    where the order of the sides is certain enough
                         → returned   where one side's curve lies within the other's: before it and after it
                         → static     where it was there for the longest time a pass takes, and neither came first
                         → undetermined

A tag that is known to stand there passes only where its level fell on one side and rose on the other by LEG: a
person who stands in the way for a while lowers one side and raises none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.clock import SECOND
from gateway.floor.passes import Direction
from gateway.floor.portals.beams import Crossing
from gateway.floor.portals.profile import Comparison, Profile, certainty, compare

BEAM_ODDS = 19.0
"""Of twenty times that beams are broken in an order while a tag is beside them, it is once something else that went."""

BESIDE = 2 * SECOND
"""How far a tag's loudest time may be from what the beams saw, for it to be the same thing."""

DOMINANT = 0.8
"""Nine tenths of the area between the curves must have one sign: a tag that comes slowly and goes back five times as
fast makes as much as five sixths of one."""

LEADS = 0.5
"""The first side has the larger share at the beginning, and the second at the end: one that turned ends as it began."""

BEYOND_DOUBT = 0.98
"""From here on the ends are not asked: a pass that is quick has no more than a window or two there."""

LEG = 6.0
"""Decibels that a standing tag must fall on one side and rise on the other: a body in the way costs as much."""

SWELL = 4.0
"""By which factor (6 dB) a tag that comes and goes is louder in between than at both ends."""

FEWEST = 4
"""Windows that a side must have seen the tag in: a second is the least in which something is seen to come and go."""

FLAT = 0.5
"""Share of its width by which the centres of a standing tag's sides may be apart: a walk makes it twice that."""

MOST = 0.999
"""Nothing that rests on radio is certain."""

MISSED = 0.1
"""How often a pass is missed or left undetermined. Two passes the same way need one that was missed in between."""


@dataclass(slots=True, frozen=True)
class Case:
    """What is known of a pass: times in microseconds UTC, `whole` the share of the portal's antennas that worked.
    `full`: it lasted as long as a pass may take. `stood`: it is known to stand there."""

    start: int
    end: int
    inside: Profile | None
    outside: Profile | None
    crossings: Sequence[Crossing]
    whole: float
    cut: str
    full: bool
    stood: bool


@dataclass(slots=True, frozen=True)
class Verdict:
    """`leaning` is the likelier direction where it is not certain enough, `reason` says in a word or two what decided
    or was missing. `crossing` in microseconds UTC."""

    direction: Direction
    confidence: float
    crossing: int
    reason: str
    leaning: Direction | None = None
    comparison: Comparison | None = None
    beams: Direction | None = None


def judge(case: Case, needed: float) -> Verdict:
    """`needed` is how certain a direction must be to be said."""
    if case.cut:
        return Verdict(Direction.UNDETERMINED, 0.0, case.end, case.cut)
    if case.inside is None or case.outside is None:
        return _one_side(case, needed)
    return _both_sides(case, case.inside, case.outside, needed)


def _one_side(case: Case, needed: float) -> Verdict:
    side = case.inside or case.outside
    if side is None:
        return Verdict(Direction.UNDETERMINED, 0.0, case.end, "no reads")
    loudest = case.start + round(side.centroid * SECOND)
    beams = None if case.stood or case.full else _by_beams(case, loudest)
    confidence = BEAM_ODDS / (1 + BEAM_ODDS) * case.whole
    if beams in (Direction.IN, Direction.OUT) and _swells(side) and confidence >= needed:
        return Verdict(beams, confidence, loudest, "photo-eyes", beams=beams)
    if case.full:
        return Verdict(Direction.STATIC, 0.95, case.end, "one side only, all the time")
    return Verdict(Direction.UNDETERMINED, 0.5, case.end, "one side only", beams=beams)


def _both_sides(case: Case, inside: Profile, outside: Profile, needed: float) -> Verdict:
    found = compare(inside, outside, (case.end - case.start) / SECOND)
    way = Direction.OUT if found.difference > 0 else Direction.IN
    crossing = min(max(case.start + round(found.crossing * SECOND), case.start), case.end)
    sure = certainty(found, case.whole)
    beams = None if case.stood or case.full else _by_beams(case, crossing)
    if beams in (Direction.IN, Direction.OUT):
        odds = sure / (1 - sure) * (BEAM_ODDS if beams is way else 1 / BEAM_ODDS)
        sure = odds / (1 + odds)
        if sure < 0.5:
            way, sure = beams, 1 - sure
    sure = 1 - min(0.5, (1 - min(sure, MOST)) / max(case.whole, 0.1) ** 2)
    transfer = abs(found.dominance) >= DOMINANT and (found.ends > LEADS or sure >= BEYOND_DOUBT)
    agreed = beams is way or transfer
    enough = min(len(inside.bins), len(outside.bins)) >= FEWEST
    moved = found.legs >= LEG or not (case.stood or case.full)
    if beams is not Direction.RETURNED and sure >= needed and agreed and enough and moved:
        return Verdict(way, sure, crossing, "both sides", None, found, beams)
    if case.full or case.stood:
        flat = abs(found.difference) < FLAT * found.spread
        if flat:
            return Verdict(Direction.STATIC, 1 - (2 * sure - 1) ** 2, case.end, "neither side first", None, found)
    elif enough and (back := _turned(found, beams)) >= needed:
        return Verdict(Direction.RETURNED, back, crossing, "one side before and after", None, found, beams)
    return Verdict(Direction.UNDETERMINED, sure, crossing, "too close to call", way, found, beams)


def _turned(found: Comparison, beams: Direction | None) -> float:
    """The probability that one side saw the tag both before and after the other: that the smaller area is no chance.

    Each of the two areas has half the variance of their difference.
    """
    if abs(found.dominance) >= DOMINANT:
        return 0.0
    sure = min(0.5 * math.erfc(-found.contrary / found.error), MOST)
    if beams is Direction.RETURNED:
        odds = sure / (1 - sure) * BEAM_ODDS
        sure = odds / (1 + odds)
    return min(sure, MOST)


def _by_beams(case: Case, t: int) -> Direction | None:
    """What the photo-eyes saw while the tag was near, where they saw one thing only."""
    ways = {crossing.direction for crossing in case.crossings if crossing.start - BESIDE <= t <= crossing.end + BESIDE}
    return ways.pop() if len(ways) == 1 else None


def _swells(side: Profile) -> bool:
    """Whether the tag came nearer and went away again."""
    powers = [entry.power for entry in side.bins]
    return len(powers) >= FEWEST and max(powers) >= SWELL * max(powers[0], powers[-1])


def again(confidence: float) -> float:
    """How certain a direction is when the tag's last pass went the same way: it must have come back unseen."""
    odds = confidence / (1 - confidence) * MISSED
    return odds / (1 + odds)
