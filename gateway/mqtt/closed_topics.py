"""Topics at which the broker ends connections: what its access rules forbid, where it does not say so.

AWS IoT Core and others hang up at an event that their rules do not allow. To find that out costs connections for each
event, and everything else waits meanwhile. So where `MANY` events of a topic were found to be the cause one after the
other, and none of it was ever taken, the later ones are set apart unsent for a while; then one is tried again. Of a
topic that the broker has taken events of it must be `MORE`. Times are seconds of any one clock.
"""

from __future__ import annotations

from dataclasses import dataclass

MANY, MORE = 3, 20
"""Events of a topic at which connections end before the topic is called the cause."""

FIRST_PAUSE, LONGEST_PAUSE = 30.0, 1_800.0
"""Seconds until one event is tried again, as somebody may have mended the broker's access rules: doubled each time, up
to the longest."""

MOST = 1_000
"""Topics that are remembered."""


@dataclass(slots=True)
class _Guilty:
    number: int = 0  # of events found to be the cause
    pause: float = 0.0
    until: float = 0.0


class ClosedTopics:
    """Counts events at which connections end, by topic. It outlives a connection."""

    def __init__(self) -> None:
        self._guilty: dict[str, _Guilty] = {}
        self._open: set[str] = set()  # topics of which the broker has taken events

    def guilty(self, topic: str, now: float) -> None:
        """Connections end at an event of this topic."""
        found = self._guilty[topic] = self._guilty.pop(topic, _Guilty())
        found.number += 1
        if found.number >= self._enough(topic):
            found.pause = min(max(FIRST_PAUSE, 2 * found.pause), LONGEST_PAUSE)
            found.until = now + found.pause
        if len(self._guilty) > MOST:
            del self._guilty[next(iter(self._guilty))]

    def taken(self, topic: str) -> None:
        """The broker has taken an event of this topic."""
        self._guilty.pop(topic, None)
        if len(self._open) < MOST:
            self._open.add(topic)

    def forgive(self) -> None:
        """One event of each topic is tried again."""
        for found in self._guilty.values():
            found.until = 0.0

    def closed(self, topic: str, now: float) -> bool:
        """Whether events of this topic are not to be sent."""
        return topic in self._guilty and now < self._guilty[topic].until

    def _enough(self, topic: str) -> int:
        return MORE if topic in self._open else MANY
