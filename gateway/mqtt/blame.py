"""What a refusal is about: the pace, or the one event or topic that is refused while all others are taken.

A broker that drops or refuses one event again and again, or every event of one topic, says nothing of how fast the
others may be sent.
"""

from __future__ import annotations

from collections import OrderedDict

FEW = 2
"""Events taken for each of the others that is refused, above which a refusal is about what is refused again."""

MOST = 1_000
"""Events and topics that are remembered as refused."""


class Blame:
    """Counts what is taken and refused. It outlives a connection."""

    def __init__(self) -> None:
        self._taken = self._refused = 0
        self._last: OrderedDict[int | str, tuple[int, int]] = OrderedDict()  # both counts at its last refusal

    def taken(self, sequence: int, topic: str) -> None:
        """The broker has taken an event."""
        self._taken += 1
        self._last.pop(sequence, None)
        self._last.pop(topic, None)

    def refused(self, sequence: int, topic: str) -> bool:
        """The broker has refused an event, or passed it over: whether it may have been too fast."""
        self._refused += 1
        event, its_topic = self._refused_again(sequence), self._refused_again(topic)
        while len(self._last) > MOST:
            self._last.popitem(last=False)
        return not (event or its_topic)

    def _refused_again(self, key: int | str) -> bool:
        """Whether far more was taken than refused since the event or the topic was refused before."""
        last = self._last.pop(key, None)
        self._last[key] = (self._taken, self._refused)
        if last is None:
            return False
        taken, refused = last
        return self._taken > taken + FEW * (self._refused - refused - 1)
