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

    @property
    def passes(self) -> bool:
        return self.direction in (Direction.IN, Direction.OUT)

    def overlaps(self, start: int, end: int) -> bool:
        return self.start <= end and start <= self.end


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
