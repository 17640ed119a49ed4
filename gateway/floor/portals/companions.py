"""The prior of a tag given its companions, the tags that came and went with it: packages of one load go one way.

Each companion has been weighed by itself. Their likelihoods are multiplied, story by story, each tempered by ALIKE and
floored by LEAST; the prior of the tag is a mixture of that product (TOGETHER) and of its prior without companions.

A pallet is held against itself, every tag against every other one: whole columns at a time (`TraceTable`). What is
summed are integers, so that no sum depends on its order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gateway.clock import SECOND
from gateway.floor.portals.walk_model import Likelihood

if TYPE_CHECKING:
    import numpy.typing as npt

TOGETHER = 0.9
"""Of ten tags that come and go with others, nine are of their load."""

LOAD, OF_LOAD = 12, 0.94
"""So many companions are a pallet or a cart, beside which fewer tags are on business of their own: of a hundred that
come and go with them, ninety-four are of the load."""

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
"""Decibels by which a tag and its companions must be louder, on the average, in the portal that they are said to have
passed than in another one that heard them, and the tag itself not as much the other way: half the power is what fading
makes. One tag counts for MOST_LOUDER at most, as does what the other portal did not hear at all."""


NEWS = 2**32
"""Units of a logarithm in which companions' news are added up: of thousands there is no more than a billionth lost."""

STORIES = 4

Ints: TypeAlias = "npt.NDArray[np.int64]"


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
    news: tuple[int, ...] = field(init=False, compare=False)  # to others: of each story, a logarithm in units of NEWS

    def __post_init__(self) -> None:
        story = self.likelihood
        shares = (story.inward, story.outward, story.turned_back, story.standing)
        news = tuple(round(ALIKE * math.log(share + LEAST) * NEWS) for share in shares)
        object.__setattr__(self, "news", news)

    def overlaps(self, start: int, end: int) -> bool:
        """Whether the tag was there at some time between the two."""
        return self.start <= end and start <= self.end

    def redated(self, by: int) -> Trace:
        """The trace, `by` microseconds later."""
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


Hears: TypeAlias = Callable[[Trace], int]
"""The power with which another portal heard a tag meanwhile."""


class TraceTable:
    """The tags that were in the portal lately, as columns: what each of them is held against.

    `traces` are those tags; a tag that was there twice is there twice.
    """

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.traces = traces
        self._first = np.array([trace.start for trace in traces], np.int64)
        self._last = np.array([trace.end for trace in traces], np.int64)
        self._tells = np.array([not (trace.standing or trace.mute) for trace in traces], bool)
        self._news = np.array([trace.news for trace in traces], np.int64).reshape(-1, STORIES)
        self._own: dict[bytes, list[int]] = {}
        for row, trace in enumerate(traces):
            self._own.setdefault(trace.epc, []).append(row)
        self._louder: dict[Hears, Ints] = {}

    def beside(self, one: Trace) -> Companions:
        """The companions of a tag: those of the others that carry evidence and came and went as it did, so that the
        shorter of the two stays lies within the longer."""
        if one.standing:
            return alone()
        start, end = one.start, one.end
        length = end - start
        longest, shortest = TIMES_AS_LONG * length + AND_LONGER, (length - AND_LONGER) / TIMES_AS_LONG
        as_long = self._last - self._first
        common = np.minimum(self._last, end) - np.maximum(self._first, start) + SLACK
        chosen = self._tells & (self._last >= start - SLACK) & (self._first <= end + SLACK)
        chosen &= (as_long >= shortest) & (as_long <= longest) & ((common >= length) | (common >= as_long))
        chosen[self._own.get(one.epc, [])] = False
        rows = np.flatnonzero(chosen)
        return Companions(len(rows), tuple(self._news[rows].sum(axis=0).tolist()), self, rows) if len(rows) else alone()

    def louder(self, rows: Ints, heard: Hears) -> int:
        """By how many thousandths of a decibel the tags of some rows were louder here than in the portal which `heard`
        them, together."""
        if heard not in self._louder:
            levels = [_louder(trace.power, heard(trace)) for trace in self.traces]
            self._louder[heard] = np.array([round(1000 * level) for level in levels], np.int64)
        return int(self._louder[heard][rows].sum())


@dataclass(slots=True, frozen=True)
class Companions:
    """The `number` of companions of one tag, and the sum of what they tell of each story; `rows` of `table` are
    they."""

    number: int
    news: tuple[int, ...]
    table: TraceTable
    rows: Ints

    @property
    def traces(self) -> list[Trace]:
        """The traces of the companions."""
        return [self.table.traces[row] for row in self.rows]


@cache
def alone() -> Companions:
    """The companions of a tag that has none."""
    return Companions(0, (0,) * STORIES, TraceTable([]), np.zeros(0, np.int64))


def with_companions(prior: Likelihood, companions: Companions) -> Likelihood:
    """The prior of a tag with its companions, from its prior without them; shares of one."""
    if not companions.number:
        return prior
    before = astuple(prior)
    logs = [math.log(share) + news / NEWS for share, news in zip(before, companions.news, strict=True)]
    together = [math.exp(log - max(logs)) for log in logs]
    total = math.fsum(together)
    of_them = share_together(companions.number)
    return Likelihood(
        *(of_them * share / total + (1 - of_them) * alone for share, alone in zip(together, before, strict=True))
    )


def share_together(companions: int) -> float:
    """The share of tags that belong to those with which they come and go, by the number of these."""
    return OF_LOAD if companions >= LOAD else TOGETHER


def nearer(one: Trace, companions: Companions, heard: Hears) -> bool:
    """Whether a tag may as well have passed through another portal, which `heard` each with so much power. A tag can
    pass through one at a time."""
    there = heard(one)
    if not there:
        return False
    own = _louder(one.power, there)
    together = 1000 * own + companions.table.louder(companions.rows, heard)
    return own < -LOUDER_HERE or together / 1000 / (1 + companions.number) < LOUDER_HERE


def _louder(here: int, there: int) -> float:
    decibels = 10 * math.log10(here / there) if there else MOST_LOUDER
    return min(max(decibels, -MOST_LOUDER), MOST_LOUDER)
