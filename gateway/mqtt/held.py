"""Topics that wait after a refusal: the oldest event of each is sent again after a pause, the others stay behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from heapq import heappop, heappush

from gateway.mqtt.delivery import Delivery, Stage, Step
from gateway.mqtt.patience import FIRST_PAUSE, LONG, LONGEST_PAUSE


@dataclass(slots=True)
class _Held:
    until: float
    pause: float
    since: float
    taken: int  # events that the broker had taken by the last refusal
    reason: str = ""  # of that
    queue: list[tuple[int, Delivery]] = field(default_factory=list)
    asking: bool = False  # the oldest event is under way

    @property
    def oldest(self) -> float:
        return self.queue[0][0] if self.queue and not self.asking else -math.inf


class HeldTopics:
    """The topics by name. What it returns are events that wait no longer."""

    def __init__(self) -> None:
        self.events_taken = 0
        self._topics: dict[str, _Held] = {}

    def __len__(self) -> int:
        return len(self._topics)

    @property
    def refusal(self) -> str:
        """Why the broker has taken nothing since it refused an event again and again; else nothing."""
        topics = self._topics.values()
        return next((held.reason for held in topics if held.pause >= LONG and held.taken == self.events_taken), "")

    def holds(self, delivery: Delivery) -> bool:
        """Whether an event has to wait: its topic does, and it is not the one that is asked about."""
        held = self._topics.get(delivery.event.topic)
        return held is not None and not (held.asking and delivery.refusals)

    def keep(self, delivery: Delivery) -> None:
        """Puts an event to those of its topic."""
        delivery.go(Step.TOPIC_WAITS)
        heappush(self._topics[delivery.event.topic].queue, (delivery.event.sequence, delivery))

    def refused(self, delivery: Delivery, now: float, at_once: bool = False) -> None:
        """An event was refused, and its topic waits, longer each time, or only until this event is through where it is
        sent again `at_once`."""
        held = self._topics.get(delivery.event.topic)
        if held is None:
            held = self._topics[delivery.event.topic] = _Held(now, 0.0, now, self.events_taken, asking=True)
        if held.asking:
            if not at_once:
                held.pause = min(max(FIRST_PAUSE, held.pause * 2), LONGEST_PAUSE)
            held.until, held.since, held.asking = now + (0.0 if at_once else held.pause), now, False
        held.taken, held.reason = self.events_taken, delivery.reason
        heappush(held.queue, (delivery.event.sequence, delivery))

    def due(self, now: float) -> list[Delivery]:
        """The events to ask with. While nothing at all is taken it is the oldest one alone, so that everything goes on
        in its order afterwards."""
        due = [topic for topic, held in self._topics.items() if not held.asking and held.until <= now]
        if self._all_refused(self.events_taken):
            oldest = min(self._topics, key=lambda topic: self._topics[topic].oldest)
            due = [topic for topic in due if topic == oldest]
        return [delivery for topic in due if (delivery := self._ask(topic)) is not None]

    def _ask(self, topic: str) -> Delivery | None:
        held = self._topics[topic]
        while held.queue:
            _, delivery = heappop(held.queue)
            if delivery.stage is Stage.DEFERRED:
                held.asking = True
                return delivery
        del self._topics[topic]
        return None

    def taken(self, delivery: Delivery) -> list[Delivery]:
        """The broker took an event: its topic is free. Where nothing had been taken since the refusals, what was mended
        for one is mended for all."""
        self.events_taken += 1
        held = self._topics.get(delivery.event.topic)
        if held is None or delivery.sent_at < held.since:
            return []
        topics = list(self._topics) if self._all_refused(self.events_taken - 1) else [delivery.event.topic]
        return [freed for topic in topics for freed in self.free(topic)]

    def _all_refused(self, taken: int) -> bool:
        return len(self._topics) > 1 and all(held.taken == taken for held in self._topics.values())

    def free(self, topic: str) -> list[Delivery]:
        """The topic waits no longer."""
        held = self._topics.pop(topic, None)
        return [one for _, one in held.queue if one.stage is Stage.DEFERRED] if held is not None else []

    def cut(self) -> None:
        """The connection has ended, and nothing is under way."""
        for held in self._topics.values():
            held.asking = False
