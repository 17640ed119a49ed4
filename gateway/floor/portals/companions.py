"""The prior of a tag given its companions, the tags that came and went with it: packages of one load go one way.

Each companion has been weighed by itself. Their likelihoods are multiplied, story by story, each tempered by ALIKE and
floored by LEAST; the prior of the tag is a mixture of that product (TOGETHER) and of its prior without companions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from gateway.clock import SECOND
from gateway.floor.portals.walk_model import Likelihood

TOGETHER = 0.9
"""Of ten tags that come and go with others, nine are of their load."""

ALIKE = 0.6
"""Exponent of a companion's likelihood. Packages of one load share the cart, the bodies beside it and its way: what one
shows is only in part independent of the others."""

LEAST = 0.1
"""Floor of a companion's likelihood: what is behind goods is misread as often as that, and one companion that is must
not outweigh seven that agree."""

SLACK = 1 * SECOND
"""Time by which a companion may be read before and after the tag: half a load's length at a slow walk."""

TIMES_AS_LONG, AND_LONGER = 2, 4 * SECOND
"""A tag that is read for more than so many times as long as another, and so much longer, is no companion: it stands
there."""

LOUDER_HERE, MOST_LOUDER = 3.0, 20.0
"""Decibels by which a tag and its company must be louder, on the average, in the portal that they are said to have
passed than in another one that heard them, and the tag itself not as much the other way: half the power is what fading
makes. One tag counts for MOST_LOUDER at most, as does what the other portal did not hear at all."""


@dataclass(slots=True, frozen=True)
class Trace:
    """A tag that was in the portal from `start` to `end` (microseconds UTC). `power` is the sum of what was received;
    `standing`: it is known to stand there, and goes nowhere with others. `mute`: seen by one side only, so that it
    carries no evidence about its companions; a side that does not hear a tag has not seen that it stayed away."""

    epc: bytes
    start: int
    end: int
    likelihood: Likelihood
    power: int
    standing: bool
    mute: bool = False
    news: tuple[float, ...] = field(init=False, compare=False)  # to others: of each story, a logarithm

    def __post_init__(self) -> None:
        story = self.likelihood
        news = tuple(ALIKE * math.log(share + LEAST) for share in astuple(story))
        object.__setattr__(self, "news", news)

    def overlaps(self, start: int, end: int) -> bool:
        """Whether the tag was there at some time between the two."""
        return self.start <= end and start <= self.end

    def redated(self, by: int) -> Trace:
        """The same, `by` microseconds later."""
        return replace(self, start=self.start + by, end=self.end + by)

    def dump(self) -> list[Any]:
        """The state for a checkpoint, ready for JSON."""
        story = self.likelihood
        return [
            self.epc.hex(),
            self.start,
            self.end,
            *astuple(story),
            self.power,
            self.standing,
            self.mute,
        ]

    @classmethod
    def load(cls, dump: list[Any]) -> Trace:
        """The trace of a dump."""
        epc, start, end, *shares, power, standing, mute = dump
        return cls(bytes.fromhex(epc), start, end, Likelihood(*shares), power, standing, mute)


def beside(one: Trace, others: Iterable[Trace]) -> list[Trace]:
    """The companions of a tag: those of the others that carry evidence and came and went as it did, so that the shorter
    of the two stays lies within the longer."""
    if one.standing:
        return []
    start, end, epc = one.start, one.end, one.epc
    length = end - start
    longest, shortest = TIMES_AS_LONG * length + AND_LONGER, (length - AND_LONGER) / TIMES_AS_LONG
    found = []
    for other in others:  # of every pair in a pallet: without calls
        first, last = other.start, other.end
        if last < start - SLACK or first > end + SLACK or other.standing or other.mute or other.epc == epc:
            continue
        as_long = last - first
        common = (last if last < end else end) - (first if first > start else start) + SLACK
        if shortest <= as_long <= longest and (common >= length or common >= as_long):
            found.append(other)
    return found


def with_companions(prior: Likelihood, companions: Iterable[Trace]) -> Likelihood:
    """The prior of a tag with its companions, from its prior without them; shares of one."""
    news = [other.news for other in companions]
    if not news:
        return prior
    before = astuple(prior)
    logs = [math.log(share) + math.fsum(shares) for share, shares in zip(before, zip(*news, strict=True), strict=True)]
    together = [math.exp(log - max(logs)) for log in logs]
    total = math.fsum(together)
    return Likelihood(
        *(TOGETHER * share / total + (1 - TOGETHER) * alone for share, alone in zip(together, before, strict=True))
    )


def nearer(one: Trace, companions: Iterable[Trace], heard: Callable[[Trace], int]) -> bool:
    """Whether a tag may as well have passed through another portal, which `heard` each with so much power. A tag can
    pass through one at a time."""
    there = heard(one)
    if not there:
        return False
    louder = [_louder(one.power, there), *(_louder(other.power, heard(other)) for other in companions)]
    return louder[0] < -LOUDER_HERE or math.fsum(louder) / len(louder) < LOUDER_HERE


def _louder(here: int, there: int) -> float:
    decibels = 10 * math.log10(here / there) if there else MOST_LOUDER
    return min(max(decibels, -MOST_LOUDER), MOST_LOUDER)
