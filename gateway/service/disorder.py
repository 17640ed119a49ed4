"""How late reads come, as far as this run has seen: the evidence for how long a window must wait for them.

`floor.lateness` is the longest that a window waits. Most readers deliver within a fraction of that, and everything
that is said waits with the window. Only a tick closes windows, so a read is late by the time that it was made before
the newest tick that came without it. These delays are watched for each reader, and the floor is told to wait only as
long as the slowest of them has needed lately, and some more. What comes later than that all the same is counted, used
and marked late as ever, and makes the windows wait longer from then on.
"""

from __future__ import annotations

from collections import deque

from drivers.api import Batch, Item, ReaderAlive, ReaderDown, ReaderUp
from drivers.records import RecordFormat, Records
from gateway.clock import MILLISECOND, SECOND
from gateway.floor.sighting_columns import oldest

SPAN = 5 * SECOND
"""Time over which the longest delay of a reader is one number."""

SPANS, ENOUGH = 6, 2
"""How many of those are remembered, and from how many on they are evidence: a reader that has just come up, or never
said much, may be as late as the configuration allows."""

LEAST = 100 * MILLISECOND
"""A window waits at least this long: half of it is what one slow turn of the event loop takes."""

_GRAIN = 10 * MILLISECOND


class Disorder:
    """Delays by reader. `observe` every item of the drivers, and every tick with `ticked`; `look` says, at most once a
    second, what they ask for."""

    def __init__(self, upper: int) -> None:
        self._upper = upper
        self._spans: dict[str, deque[tuple[int, int]]] = {}  # reader to beginning and longest delay of each span
        self._held: set[str] = set()
        self._next = 0
        self._tick = 0  # the newest
        self._waiting: list[Batch] = []  # since then, to be looked at together

    def observe(self, item: Item) -> None:
        """Takes notice of what a driver says. Reads that a reader had held back say nothing about its delays."""
        if isinstance(item, Batch):
            if item.reader not in self._held and len(item.rows):
                self._waiting.append(item)
        elif isinstance(item, ReaderUp | ReaderDown):
            self._weigh()
            self._spans.pop(item.reader, None)
            self._held.discard(item.reader)
            if isinstance(item, ReaderUp) and item.held:
                self._held.add(item.reader)
        elif isinstance(item, ReaderAlive):
            self._held.discard(item.reader)

    def ticked(self, t: int) -> None:
        """Time has come to `t`: what was observed before is in time for that."""
        self._weigh()
        self._tick = t

    def _weigh(self) -> None:
        """Notes the delays of the batches since the newest tick."""
        waiting, self._waiting = self._waiting, []
        alike: dict[RecordFormat, list[tuple[Batch, Records]]] = {}
        for batch in waiting:
            if type(batch.rows) is Records:
                alike.setdefault(batch.rows.format, []).append((batch, batch.rows))
            else:
                self._delayed(batch, min(row[4] for row in batch.rows))
        for parts in alike.values():
            for (batch, _), first in zip(parts, oldest([records for _, records in parts]), strict=True):
                self._delayed(batch, first)

    def _delayed(self, batch: Batch, first: int) -> None:
        delay = min(max(self._tick - first - batch.offset, 0), self._upper)
        spans = self._spans.get(batch.reader)
        if spans is None:
            spans = self._spans[batch.reader] = deque(maxlen=SPANS)
        if spans and batch.arrival < spans[-1][0] + SPAN:
            if delay > spans[-1][1]:
                spans[-1] = (spans[-1][0], delay)
        else:
            spans.append((batch.arrival, delay))

    def look(self, now: int, present: int) -> int | None:
        """How long windows should wait, in microseconds, where that differs enough from the `present` value."""
        if now < self._next:
            return None
        self._next = now + SECOND
        wanted = max(map(_wanted, self._spans.values()), default=None)
        lateness = self._upper if wanted is None else min(max(wanted, LEAST), self._upper)
        return lateness if lateness > present or lateness < present * 4 // 5 else None


def _wanted(spans: deque[tuple[int, int]]) -> int:
    """What the delays of one reader ask for; more than any bound where they are not yet evidence."""
    if len(spans) < ENOUGH:
        return 1 << 62
    longest = max(delay for _, delay in spans)
    return (longest * 5 // 4 // _GRAIN + 3) * _GRAIN
