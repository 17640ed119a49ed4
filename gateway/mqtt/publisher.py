"""The publisher: empties the ledger into the broker, in order, nothing left out, nothing stuck behind one event.

`outgoing` decides what is sent when and what an answer means; here are the connection, the ledger and the clock. The
ledger's mark moves over the unbroken run of events that the broker has or that are set apart; a new connection goes on
with those that it has not: an event may come twice, and never not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from drivers.api import Log
from gateway.clock import MILLISECOND, rfc3339
from gateway.errors import LinkError
from gateway.events.envelope import Event
from gateway.mqtt.answers import Answer, classify
from gateway.mqtt.delivery import Delivery, Stage
from gateway.mqtt.interface import Connection, Outbox, Outcome, Properties
from gateway.mqtt.notices import Notices
from gateway.mqtt.outgoing import Outgoing
from gateway.mqtt.pace import Pace
from gateway.mqtt.parts import split
from gateway.mqtt.resend import Resend
from gateway.mqtt.second_tries import SecondTries
from gateway.mqtt.stats import MqttStats

READ_AHEAD = 1_000
"""Events read from the ledger at once: enough for a tenth of a second at full speed."""

READ_BYTES = 4 << 20
"""Bytes read at once. At most three times as much is in memory: being sent, waiting, and read ahead."""

MOST_WAITING = 3 * READ_AHEAD
"""Events in memory above which none are read: some wait for their topic while others pass them."""

LONGEST_WINDOW = 1_000
"""The largest that the configuration allows, see `gateway.config.MqttConfig.window`."""

PUBACK_SECONDS = 60.0
"""A broker that answers pings but acknowledges nothing for so long gets a new connection."""

MOST_GIVEN_UP = 1_000
"""Messages that a broker never answered over one connection: their packet ids are taken until it ends."""

STAMP_EVERY = 10 * MILLISECOND
"""How exact `published` is. A burst shares its properties, which are dear to encode."""

CONTENT_TYPE = "application/cloudevents+json"
OVERHEAD = 128
"""Bytes of a PUBLISH around topic and payload: header, packet id and our properties."""


class Publisher:
    """One for the life of the service. `serve` is called for each connection; `wake` when events were committed."""

    def __init__(
        self,
        outbox: Outbox,
        base: str,
        window: int,
        now: Callable[[], int],
        log: Log,
        stats: MqttStats,
        acknowledged: Callable[[], int] | None = None,
        announce: Callable[[Connection], None] = lambda connection: None,
    ) -> None:
        self._announce = announce  # tells the broker up to which number events may come
        self._acknowledged = acknowledged  # the backend's mark, where events are kept until then
        self._outbox = outbox
        self._base = base
        self._now = now
        self._stats = stats
        self.outgoing = Outgoing(Pace(window))
        self._notices = Notices(log, base)
        self._progress = asyncio.Event()
        self._second_tries = SecondTries(outbox, self.outgoing, self._progress.set)
        self.resend = Resend(outbox, self.outgoing, self._progress.set)
        self._moved = asyncio.Event()  # what is pending in the ledger may have become less
        self._unread = True  # the ledger may hold events beyond those that were read
        self._read_to = outbox.stats().published
        self._reading: asyncio.Task[list[Event]] | None = None
        self._unanswered: set[int] = set()  # numbers of the copies sent over this connection
        self._sent_to: int | None = None
        self._stamped = 0
        self._fresh = self._again = self._replayed = Properties(CONTENT_TYPE)

    def wake(self) -> None:
        """Events were committed. Call it on the event loop."""
        self._unread = True
        self._progress.set()
        self._moved.set()

    def released(self) -> None:
        """Events in quarantine are to be sent again."""
        self.outgoing.closed_topics.forgive()
        self._second_tries.released()
        self._progress.set()

    async def drained(self) -> None:
        """Waits until every event in the ledger is with the broker or set apart."""
        while self._outbox.stats().pending:
            self._moved.clear()
            await self._moved.wait()

    async def serve(self, connection: Connection) -> NoReturn:
        """Publishes over this connection until it ends. Raises `LinkError` when the broker goes silent."""
        self._begin()
        try:
            while True:
                now = self._time()
                self._read_ahead()
                self._second_tries.look(now)
                self.resend.look()
                self.outgoing.look(now)
                self._send(connection)
                self._settle(now)
                self._check(connection, now)
                await self._wait()
                self._take_read(connection)
        finally:
            self.outgoing.cut(connection.ended)
            self._settle(self._time())
            self._second_tries.stop()
            self.resend.stop()
            if self._reading is not None:
                self._reading.cancel()
                self._reading = None
                self._unread = True
            self._stats.outstanding = 0

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    def _begin(self) -> None:
        self._unread = True
        self._unanswered.clear()
        if self._sent_to is None:
            # What was sent before the last stop is not known; these may have been, and are marked so.
            self._sent_to = min(self._outbox.stats().sequence, self._read_to + LONGEST_WINDOW)
        self._second_tries.begin(self._time())
        if self._acknowledged is not None and (mark := self._acknowledged()) < self._read_to:
            self.resend.ask(mark + 1, self._read_to)

    def _read_ahead(self) -> None:
        few = self.outgoing.unsent < READ_AHEAD // 2 and self.outgoing.waiting < MOST_WAITING
        if self._unread and self._reading is None and few:
            self._unread = False
            self._reading = asyncio.create_task(
                self._outbox.read(self._read_to, READ_AHEAD, READ_BYTES), name="mqtt-read-ledger"
            )
            self._reading.add_done_callback(lambda _: self._progress.set())

    def _take_read(self, connection: Connection) -> None:
        if self._reading is None or not self._reading.done():
            return
        events = self._reading.result()
        self._reading = None
        if events:
            self._announce(connection)
            self.outgoing.add(events)
            self._read_to = events[-1].sequence
            self._unread = self._unread or self._read_to < self._outbox.stats().sequence

    def _send(self, connection: Connection) -> None:
        if connection.lost.done():
            return
        self._stamp()
        now = self._time()
        room = connection.window - connection.unacknowledged
        while room > 0 and (delivery := self.outgoing.next(now)) is not None:
            again = delivery.copies > 1 or delivery.quarantined or delivery.event.sequence <= (self._sent_to or 0)
            properties = self._replayed if delivery.replayed else self._again if again else self._fresh
            outcome = self._transmit(connection, delivery, properties)
            self._unanswered.add(delivery.number)
            outcome.add_done_callback(partial(self._answered, delivery, delivery.number))
            if again:
                self._stats.resent += 1
            if not delivery.quarantined:
                self._sent_to = max(self._sent_to or 0, delivery.event.sequence)
            room = connection.window - connection.unacknowledged
        self._stats.outstanding = self.outgoing.in_flight

    def _transmit(self, connection: Connection, delivery: Delivery, properties: Properties) -> asyncio.Future[Outcome]:
        """Sends an event, in parts where the whole is too large for the broker and it fits in parts."""
        event = delivery.event
        topic = self._base + event.topic
        room = int(min(connection.max_packet - len(topic.encode()) - OVERHEAD, self.outgoing.sizes.room_for(delivery)))
        if len(event.payload) > room:
            parts = split(event, room)
            if parts is not None:
                return _all([connection.send(topic, part, qos=1, properties=properties) for part in parts])
        return connection.send(topic, event.payload, qos=1, properties=properties)

    def _stamp(self) -> None:
        now = self._now()
        if abs(now - self._stamped) > STAMP_EVERY:
            self._stamped = now
            published = ("published", rfc3339(now))
            self._fresh = Properties(CONTENT_TYPE, (published,))
            self._again = Properties(CONTENT_TYPE, (published, ("resent", "true")))
            self._replayed = Properties(CONTENT_TYPE, (published, ("replayed", "true")))

    def _answered(self, delivery: Delivery, number: int, future: asyncio.Future[Outcome]) -> None:
        self._unanswered.discard(number)
        outcome = future.result()
        answer = classify(outcome.code)
        self.outgoing.answered(delivery, number, answer, str(outcome), self._time())
        if answer is Answer.TAKEN:
            self._stats.published += 1
        elif delivery.stage is Stage.DEFERRED and answer is not Answer.TOO_LARGE:
            self._notices.refused(delivery, answer, str(outcome))
        self._progress.set()

    async def _wait(self) -> None:
        """Until an answer came, a read is done, events were committed, or it is time to look."""
        wait = self.outgoing.wait(self._time())
        wait = self._second_tries.wait(wait, self._time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._progress.wait()
        self._progress.clear()

    def _settle(self, now: float) -> None:
        """Tells the ledger what is set apart, what left quarantine, and how far the mark moves."""
        settled, self.outgoing.settled = self.outgoing.settled, []
        for delivery in settled:
            event = delivery.event
            if delivery.stage is Stage.ACKNOWLEDGED:
                self._outbox.delivered(event)
                self._second_tries.succeeded(event, now)
            else:
                self._stats.refused += not delivery.quarantined
                self._outbox.set_apart(event, delivery.reason, delivery.stage is Stage.SET_APART_FOR_GOOD)
                self._second_tries.set_apart(delivery, now)
                self._notices.set_apart(delivery)
        mark = self.outgoing.advance()
        if mark is not None:
            self._outbox.published(mark)
            self._moved.set()
            self._stats.last_published = self._now()
        self._stats.outstanding = self.outgoing.in_flight
        self._notices.look(self.outgoing, now)

    def _check(self, connection: Connection, now: float) -> None:
        if connection.lost.done():
            raise LinkError(f"the connection to the MQTT broker has ended: {connection.lost.result()}")
        if self.outgoing.silent_for(now) > PUBACK_SECONDS:
            raise LinkError(f"the MQTT broker has acknowledged nothing for {PUBACK_SECONDS:.0f} s")
        given_up = len(self._unanswered) - self.outgoing.in_flight
        if given_up >= max(1, min(MOST_GIVEN_UP, connection.window // 2)):
            raise LinkError(f"the MQTT broker has left {given_up} messages unanswered: a new connection frees them")


def _all(outcomes: list[asyncio.Future[Outcome]]) -> asyncio.Future[Outcome]:
    """The outcome of an event that went in parts: the worst of theirs, once all are known."""
    whole: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    missing = len(outcomes)

    def done(_: asyncio.Future[Outcome]) -> None:
        nonlocal missing
        missing -= 1
        if not missing and not whole.done():
            results = [outcome.result() for outcome in outcomes]
            bad = [result for result in results if not result.accepted]
            whole.set_result(bad[0] if bad else results[0])

    for outcome in outcomes:
        outcome.add_done_callback(done)
    return whole
