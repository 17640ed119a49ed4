"""How late reads come, as far as this run has seen: the evidence for how long a window must wait for them.

`floor.lateness` is the longest that a window waits. Most readers deliver within a fraction of that, and everything
that is said waits with the window. So each reader's delays, from the time of a read to its arrival here, are watched,
and the floor is told to wait only as long as the slowest of them has needed lately, and some more. What comes later
than that all the same is counted, used and marked late as ever, and makes the windows wait longer from then on.
"""

from __future__ import annotations

from collections import deque

from drivers.api import Batch, Item, ReaderAlive, ReaderDown, ReaderUp
from drivers.records import Records
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
    """Delays by reader. `observe` every item of the drivers; `look` says, at most once a second, what they ask for."""

    def __init__(self, upper: int) -> None:
        self._upper = upper
        self._spans: dict[str, deque[tuple[int, int]]] = {}  # reader to beginning and longest delay of each span
        self._held: set[str] = set()
        self._next = 0

    def observe(self, item: Item) -> None:
        """Takes notice of what a driver says. Reads that a reader had held back say nothing about its delays."""
        if isinstance(item, Batch):
            if item.reader not in self._held and len(item.rows):
                self._delayed(item)
        elif isinstance(item, ReaderUp | ReaderDown):
            self._spans.pop(item.reader, None)
            self._held.discard(item.reader)
            if isinstance(item, ReaderUp) and item.held:
                self._held.add(item.reader)
        elif isinstance(item, ReaderAlive):
            self._held.discard(item.reader)

    def _delayed(self, batch: Batch) -> None:
        rows = batch.rows
        first = oldest(rows) if type(rows) is Records else min(row[4] for row in rows)
        delay = min(max(batch.arrival - first - batch.offset, 0), self._upper)
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
