"""The events that wait to be sent, in the order of their sequence: never sent, or to be sent again."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count

from gateway.mqtt.delivery import Delivery, Stage


class Waiting:
    """What is here and no longer waiting, because it was set apart or taken meanwhile, is passed over."""

    def __init__(self) -> None:
        self._fresh: deque[Delivery] = deque()
        self._again: list[tuple[int, int, Delivery]] = []
        self._count = count()  # one event may be here twice: as it was passed over, and from quarantine

    def __len__(self) -> int:
        return len(self._fresh) + len(self._again)

    @property
    def unsent(self) -> int:
        """Events that have never been sent."""
        return len(self._fresh)

    def add(self, delivery: Delivery) -> None:
        """An event behind all that were added before."""
        self._fresh.append(delivery)

    def again(self, delivery: Delivery) -> None:
        """An event that is to be sent again."""
        heappush(self._again, (delivery.event.sequence, next(self._count), delivery))

    def head(self) -> Delivery | None:
        """The event with the lowest sequence."""
        while self._again and self._again[0][2].stage is not Stage.WAITING:
            heappop(self._again)
        while self._fresh and self._fresh[0].stage is not Stage.WAITING:
            self._fresh.popleft()
        fresh = self._fresh[0] if self._fresh else None
        if self._again and (fresh is None or self._again[0][0] < fresh.event.sequence):
            return self._again[0][2]
        return fresh

    def every(self) -> list[Delivery]:
        """Every event that waits, in no order."""
        every = [*(delivery for _, _, delivery in self._again), *self._fresh]
        return [delivery for delivery in every if delivery.stage is Stage.WAITING]

    def pop(self, head: Delivery) -> None:
        """Takes off the head. One from the middle is passed over later, as it is no longer waiting."""
        if self._again and self._again[0][2] is head:
            heappop(self._again)
        elif self._fresh and self._fresh[0] is head:
            self._fresh.popleft()
