"""How large a payload the broker takes, as far as its refusals and the ends of connections show it.

MQTT 3.1.1 has no word for it, and some brokers of MQTT 5 say no limit either: they refuse what is too large, or end the
connection. Such an event is sent once more in parts of half its size, then of a quarter, and so on. What the broker
takes is its limit from then on. Where the smallest parts end connections too, it is not the size.
"""

from __future__ import annotations

import math

from gateway.mqtt.delivery import Delivery

SMALLEST = 800
"""Bytes of a part below which its envelope leaves next to nothing for the event."""


class Sizes:
    """The limit, and the sizes at which connections end whatever is done. It outlives a connection."""

    def __init__(self) -> None:
        self.room = math.inf  # bytes of a payload; a larger event is sent in parts
        self.unfit = math.inf  # bytes of the smallest payload that was called too large and cannot go in smaller parts
        self._deadly = math.inf  # bytes of the smallest event that ended connections in parts too

    @property
    def any_deadly(self) -> bool:
        """Whether connections have ended at an event in the smallest parts too."""
        return self._deadly < math.inf

    def room_for(self, delivery: Delivery) -> float:
        """Bytes of a payload above which an event goes in parts now."""
        return min(self.room, delivery.room)

    def sent(self, delivery: Delivery) -> float:
        """Bytes of the largest payload with which an event is sent now, in parts or whole."""
        return min(delivery.size, self.room_for(delivery))

    def is_deadly(self, delivery: Delivery) -> bool:
        """Whether connections have ended at an event of this size."""
        return self.sent(delivery) >= self._deadly

    def halve(self, delivery: Delivery) -> bool:
        """Has an event sent in smaller parts; False where there are none. Where an event did not fit in the smallest
        parts, they are what is tried."""
        room = min(delivery.size, delivery.sent)
        if self.room_for(delivery) < room:
            return True  # it is known meanwhile what the broker takes
        if room <= SMALLEST:
            return False
        delivery.room = SMALLEST if self.unfit < math.inf else max(room // 2, SMALLEST)
        return True

    def refused(self, delivery: Delivery) -> bool:
        """The broker calls an event too large: has it sent in smaller parts; False where there are none."""
        if self.halve(delivery):
            return True
        self.unfit = min(self.unfit, delivery.sent)
        return False

    def condemned(self, delivery: Delivery) -> None:
        """An event was set apart because connections end at it."""
        self._deadly = min(self._deadly, delivery.size)

    def taken(self, delivery: Delivery) -> None:
        """The broker has taken an event."""
        if self.is_deadly(delivery):
            self._deadly = math.inf  # it was not the size
        if min(delivery.sent, delivery.size) >= self.unfit:
            self.unfit = self.room = math.inf  # somebody has raised the limit
        else:
            self.room = self.room_for(delivery)
