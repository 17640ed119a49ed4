"""How large a payload the broker takes, as far as the ends of connections show it.

MQTT 3.1.1 has no word for it, and some brokers of MQTT 5 say nothing either: the connection ends at what is too large.
An event at which connections end alone is sent once more in parts of half its size, then of a quarter, and so on. What
the broker takes is its limit from then on. Where the smallest parts end connections too, it is not the size.
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
        self._deadly = math.inf  # bytes of the smallest event that ended connections in parts too

    def room_for(self, delivery: Delivery) -> float:
        """Bytes of the largest payload with which an event is sent now."""
        return min(self.room, delivery.room)

    def is_deadly(self, delivery: Delivery) -> bool:
        """Whether connections have ended at an event of this size."""
        return min(delivery.size, self.room_for(delivery)) >= self._deadly

    def halve(self, delivery: Delivery) -> bool:
        """Has an event at which connections end sent in smaller parts; False where that is no use."""
        room = min(delivery.size, self.room_for(delivery))
        if room <= SMALLEST or self._deadly < math.inf:
            return False
        delivery.room = max(room // 2, SMALLEST)
        return True

    def condemned(self, delivery: Delivery) -> None:
        """An event was set apart because connections end at it."""
        self._deadly = min(self._deadly, delivery.size)

    def taken(self, delivery: Delivery) -> None:
        """The broker has taken an event."""
        if self.is_deadly(delivery):
            self._deadly = math.inf  # it was not the size
        self.room = self.room_for(delivery)
