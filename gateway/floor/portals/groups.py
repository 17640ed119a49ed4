"""Which passes belong together: a pallet, a cart, an armful.

Tags that pass the same way within LINK of the next one, and within SPAN of the first, are a group. Its members are
told apart from those that were read meanwhile and did not move with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.clock import SECOND
from gateway.floor.passes import Direction

LINK = 1 * SECOND
"""Time between two packages of one load: a metre at a walk. The crossing of one tag is found to about half of it."""

SPAN = 4 * SECOND
"""Time in which a load crosses: a pallet and its jack, two metres, at half a metre a second."""

KERNEL = 3
"""Passes with a direction of their own that make a load on which others can be: two may be two persons."""

KIN = 9.0
"""Of ten tags that come with a load, cross with it and go with it, and lean its way, nine are on it."""


@dataclass(slots=True)
class Judged:
    """A pass that is decided and waits for those that may belong to it. Times in microseconds UTC.

    `data` is what will be published, but for the group."""

    uid: str
    direction: Direction
    start: int
    end: int
    crossing: int
    confidence: float
    closed: int
    data: dict[str, Any]
    strongest: int = -32_768  # hundredths of a decibel
    leaning: Direction | None = None  # of one that is undetermined, and may be decided by its load

    @property
    def passes(self) -> bool:
        return self.direction in (Direction.IN, Direction.OUT)

    def overlaps(self, start: int, end: int) -> bool:
        return self.start <= end and start <= self.end


def with_their_load(load: list[Judged], others: Iterable[Judged], needed: float) -> Iterator[tuple[Judged, float]]:
    """Undetermined passes that belong to a load, and how certain their direction is with that known."""
    if len(load) < KERNEL:
        return
    direction = load[0].direction
    first, last = load[0].crossing - LINK, load[-1].crossing + LINK
    start, end = min(judged.start for judged in load) - LINK, max(judged.end for judged in load) + LINK
    for judged in others:
        beside = first <= judged.crossing <= last and start <= judged.start and judged.end <= end
        if judged.leaning is direction and beside:
            odds = judged.confidence / (1 - judged.confidence) * KIN
            if odds / (1 + odds) >= needed:
                yield judged, odds / (1 + odds)


def loads(passes: Iterable[Judged]) -> Iterator[list[Judged]]:
    """Passes with a direction, put together by load."""
    for direction in (Direction.IN, Direction.OUT):
        load: list[Judged] = []
        for judged in sorted(
            (judged for judged in passes if judged.direction is direction), key=lambda j: (j.crossing, j.uid)
        ):
            if load and (judged.crossing - load[-1].crossing > LINK or judged.crossing - load[0].crossing > SPAN):
                yield load
                load = []
            load.append(judged)
        if load:
            yield load
