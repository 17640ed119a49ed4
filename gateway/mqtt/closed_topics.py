"""Topics at which the broker ends connections: what its access rules forbid, where it does not say so.

AWS IoT Core and others hang up at an event that their rules do not allow. To find that out costs connections for each
event, and everything else waits meanwhile. So where `MANY` events of a topic were found to be the cause one after the
other, and none of it was ever taken, the later ones are set apart unsent, for `LEFT_OUT` seconds; then one is tried
again. Of a topic that the broker has taken events of it must be `MORE`. Times are seconds of any one clock.
"""

from __future__ import annotations

MANY, MORE = 3, 20
"""Events of a topic at which connections end before the topic is called the cause."""

LEFT_OUT = 1_800.0
"""Seconds after which one event is tried again: somebody may have mended the broker's access rules."""

MOST = 1_000
"""Topics that are remembered."""


class ClosedTopics:
    """Counts events at which connections end, by topic. It outlives a connection."""

    def __init__(self) -> None:
        self._guilty: dict[str, tuple[int, float]] = {}  # events found to be the cause, and when the last was
        self._open: set[str] = set()  # topics of which the broker has taken events

    def guilty(self, topic: str, now: float) -> None:
        """Connections end at an event of this topic."""
        number, _ = self._guilty.pop(topic, (0, now))
        self._guilty[topic] = (number + 1, now)
        if len(self._guilty) > MOST:
            del self._guilty[next(iter(self._guilty))]

    def taken(self, topic: str) -> None:
        """The broker has taken an event of this topic."""
        self._guilty.pop(topic, None)
        if len(self._open) < MOST:
            self._open.add(topic)

    def forgive(self) -> None:
        """One event of each topic is tried again."""
        for topic, (number, at) in self._guilty.items():
            self._guilty[topic] = (min(number, self._enough(topic) - 1), at)

    def closed(self, topic: str, now: float) -> bool:
        """Whether events of this topic are not to be sent."""
        number, at = self._guilty.get(topic, (0, now))
        enough = self._enough(topic)
        if number >= enough and now - at > LEFT_OUT:
            self._guilty[topic] = (enough - 1, at)
            return False
        return number >= enough

    def _enough(self, topic: str) -> int:
        return MORE if topic in self._open else MANY
