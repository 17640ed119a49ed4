"""Second tries: events leave quarantine by themselves once what kept them there is mended, or by command.

For each topic with events that may be tried again, the oldest is sent after a pause that doubles with each refusal;
once it is taken, those behind it follow in their order, and then the topic is open again. Events that a command has
released are sent as soon as there is a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from gateway.errors import LedgerError
from gateway.events.envelope import Event
from gateway.mqtt.delivery import Delivery, Stage
from gateway.mqtt.interface import Outbox
from gateway.mqtt.outgoing import Outgoing

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""Seconds between two tries of a topic: doubled at each refusal, up to the longest."""

BATCH = 100
"""Events taken from quarantine at once when the way is free again."""


AGAIN = 1.0
"""Seconds until events that the mark has not passed are asked for again."""


@dataclass(slots=True)
class _Topic:
    due: float
    pause: float
    set_apart: int = 0  # events set apart so far: what was asked before is out of date
    free: bool = False  # the last try was taken
    after: int = 0  # the event that was refused last: the next try is with the one behind it


class SecondTries:
    """Brings events from the quarantine of `outbox` to `outgoing` when it is time."""

    def __init__(self, outbox: Outbox, outgoing: Outgoing, wake: Callable[[], None]) -> None:
        self._outbox = outbox
        self._outgoing = outgoing
        self._wake = wake
        self._topics: dict[str, _Topic] = {}
        self._known = False  # the topics of earlier runs have been asked for
        self._released = True
        self._asking: asyncio.Task[None] | None = None
        self._under_way: set[int] = set()

    def begin(self, now: float) -> None:
        """A new connection: what waits for its time is tried soon, as it may be another broker now."""
        for topic in self._topics.values():
            topic.due = min(topic.due, now + FIRST_PAUSE)
        self._released = True

    def stop(self) -> None:
        """The connection has ended. What was under way stays with `outgoing`."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def released(self) -> None:
        """A command has released events."""
        self._released = True

    def set_apart(self, delivery: Delivery, now: float) -> None:
        """An event went to quarantine, or back to it."""
        self._under_way.discard(delivery.event.sequence)
        if delivery.stage is not Stage.SET_APART:
            return
        topic = self._topics.get(delivery.event.topic)
        if topic is None:
            topic = self._topics[delivery.event.topic] = _Topic(now + FIRST_PAUSE, FIRST_PAUSE)
        elif delivery.quarantined:
            topic.pause = min(topic.pause * 2, LONGEST_PAUSE)
            topic.due, topic.free, topic.after = now + topic.pause, False, delivery.event.sequence
        topic.set_apart += 1

    def succeeded(self, event: Event, now: float) -> None:
        """The broker has taken an event that was in quarantine."""
        self._under_way.discard(event.sequence)
        topic = self._topics.get(event.topic)
        if topic is not None:
            topic.pause, topic.free, topic.after = FIRST_PAUSE, True, 0
            if not self._under_way:
                topic.due = now

    def wait(self, other: float | None, now: float) -> float | None:
        """The shorter of `other` and the seconds until something is due here."""
        dues = [topic.due - now for topic in self._topics.values()]
        if self._released:
            dues.append(0.0)
        if self._asking is not None or self._under_way or not dues:
            return other
        wait = max(0.0, min(dues))
        return wait if other is None else min(wait, other)

    def look(self, now: float) -> None:
        """Starts to fetch what is due, one thing at a time."""
        if self._asking is not None:
            if not self._asking.done():
                return
            asking, self._asking = self._asking, None
            asking.result()
        if self._under_way:
            return
        if not self._known:
            self._ask(partial(self._ask_for_topics, now))
        elif self._released:
            self._released = False
            self._ask(self._fetch_released)
        else:
            due = [(topic.due, name) for name, topic in self._topics.items() if topic.due <= now]
            if due:
                self._ask(partial(self._fetch, min(due)[1]))

    def _ask(self, question: Callable[[], Awaitable[None]]) -> None:
        self._asking = asyncio.create_task(self._patiently(question), name="mqtt-second-tries")
        self._asking.add_done_callback(lambda _: self._wake())

    async def _patiently(self, question: Callable[[], Awaitable[None]]) -> None:
        """A ledger whose disk fails says so elsewhere; it is asked again later."""
        try:
            await question()
        except LedgerError:
            await asyncio.sleep(FIRST_PAUSE)

    async def _ask_for_topics(self, now: float) -> None:
        for name in await self._outbox.quarantined_topics():
            self._topics.setdefault(name, _Topic(now, FIRST_PAUSE))
        self._known = True

    async def _fetch_released(self) -> None:
        whole = await self._add(await self._outbox.released(BATCH))
        self._released = self._released or not whole or len(self._under_way) == BATCH

    async def _fetch(self, name: str) -> None:
        topic = self._topics[name]
        before = topic.set_apart
        events = await self._outbox.quarantined_on(name, topic.after, BATCH if topic.free else 1)
        if events:
            await self._add(events)
        elif topic.after:
            topic.after = 0
        elif topic.set_apart == before:
            del self._topics[name]
            self._outgoing.denied.discard(name)

    async def _add(self, events: list[Event]) -> bool:
        """Hands events on; whether all of them were new. Those that were set apart in front of the mark are not, and
        nothing would be heard of them: they are asked for again once the mark may have passed them."""
        new = self._outgoing.add_quarantined(events)
        self._under_way |= new
        if not new and events:
            await asyncio.sleep(AGAIN)
        return len(new) == len(events)
