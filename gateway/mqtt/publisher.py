"""The publisher: empties the ledger into the broker, in order, nothing left out.

Events are sent in the order of their sequence numbers with a window of PUBACKs outstanding. The ledger's mark moves
over the unbroken run of acknowledged events only, and a new connection starts at the mark: an event may come twice,
and never not at all. One task does it, woken by commits and PUBACKs; the ledger is read ahead while it sends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from drivers.api import Log
from gateway.clock import MILLISECOND, rfc3339
from gateway.errors import LinkError
from gateway.events.envelope import Event
from gateway.mqtt.interface import Connection, Outbox, Outcome, Properties
from gateway.mqtt.stats import MqttStats

READ_AHEAD = 1_000
"""Events read from the ledger at once: enough for a tenth of a second at full speed."""

READ_BYTES = 4 << 20
"""Bytes read at once. At most three times as much is in memory: being sent, waiting, and read ahead."""

LONGEST_WINDOW = 1_000
"""The largest that the configuration allows, see `gateway.config.MqttConfig.window`."""

PUBACK_SECONDS = 60.0
"""A broker that answers pings but acknowledges nothing for so long gets a new connection."""

STAMP_EVERY = 10 * MILLISECOND
"""How exact `published` is. A burst shares its properties, which are dear to encode."""

CONTENT_TYPE = "application/cloudevents+json"


class Publisher:
    """One for the life of the service. `serve` is called for each connection; `wake` when events were committed."""

    def __init__(
        self, outbox: Outbox, base: str, window: int, now: Callable[[], int], log: Log, stats: MqttStats
    ) -> None:
        self._outbox = outbox
        self._base = base
        self._window = window
        self._now = now
        self._log = log
        self._stats = stats
        self._progress = asyncio.Event()
        self._moved = asyncio.Event()  # what is pending in the ledger may have become less
        self._unread = True  # the ledger may hold events beyond those that were read
        self._read_to = 0
        self._buffer: deque[Event] = deque()
        self._outstanding: deque[tuple[Event, asyncio.Future[Outcome]]] = deque()
        self._reading: asyncio.Task[list[Event]] | None = None
        self._sent_to: int | None = None
        self._stamped = 0
        self._fresh = self._again = Properties(CONTENT_TYPE)

    def wake(self) -> None:
        """Events were committed. Call it on the event loop."""
        self._unread = True
        self._progress.set()
        self._moved.set()

    async def drained(self) -> None:
        """Waits until the broker has taken or refused every event in the ledger."""
        while self._outbox.stats().pending:
            self._moved.clear()
            await self._moved.wait()

    async def serve(self, connection: Connection) -> NoReturn:
        """Publishes over this connection until it ends. Raises `LinkError` when the broker goes silent."""
        self._begin()
        window = max(1, min(self._window, connection.window))
        try:
            while True:
                self._read_ahead()
                self._send(connection, window)
                await self._wait()
                self._take_read()
                self._settle()
        finally:
            if self._reading is not None:
                self._reading.cancel()
                self._reading = None
            self._stats.outstanding = 0

    def _begin(self) -> None:
        self._buffer.clear()
        self._outstanding.clear()
        standing = self._outbox.stats()
        self._read_to = standing.published
        self._unread = True
        if self._sent_to is None:
            # What was sent before the last stop is not known; these may have been, and are marked so.
            self._sent_to = min(standing.sequence, self._read_to + LONGEST_WINDOW)

    def _read_ahead(self) -> None:
        if self._unread and self._reading is None and len(self._buffer) < READ_AHEAD // 2:
            self._unread = False
            self._reading = asyncio.create_task(
                self._outbox.read(self._read_to, READ_AHEAD, READ_BYTES), name="mqtt-read-ledger"
            )
            self._reading.add_done_callback(self._on_progress)

    def _take_read(self) -> None:
        if self._reading is None or not self._reading.done():
            return
        events = self._reading.result()
        self._reading = None
        if events:
            self._buffer.extend(events)
            self._read_to = events[-1].sequence
            self._unread = True

    def _send(self, connection: Connection, window: int) -> None:
        if not self._buffer or len(self._outstanding) >= window:
            return
        self._stamp()
        sent_to = self._sent_to or 0
        while self._buffer and len(self._outstanding) < window:
            event = self._buffer.popleft()
            again = event.sequence <= sent_to
            outcome = connection.send(
                self._base + event.topic, event.payload, qos=1, properties=self._again if again else self._fresh
            )
            self._outstanding.append((event, outcome))
            if again:
                self._stats.resent += 1
            else:
                sent_to = event.sequence
        self._sent_to = sent_to
        self._stats.outstanding = len(self._outstanding)

    def _stamp(self) -> None:
        now = self._now()
        if abs(now - self._stamped) > STAMP_EVERY:
            self._stamped = now
            published = ("published", rfc3339(now))
            self._fresh = Properties(CONTENT_TYPE, (published,))
            self._again = Properties(CONTENT_TYPE, (published, ("resent", "true")))

    async def _wait(self) -> None:
        """Until the oldest outstanding event is settled, a read is done or events were committed."""
        oldest = self._outstanding[0][1] if self._outstanding else None
        if oldest is not None:
            oldest.add_done_callback(self._on_progress)
        try:
            async with asyncio.timeout(PUBACK_SECONDS if oldest is not None else None):
                await self._progress.wait()
        except TimeoutError:
            raise LinkError(f"the MQTT broker has acknowledged nothing for {PUBACK_SECONDS:.0f} s") from None
        finally:
            self._progress.clear()
            if oldest is not None:
                oldest.remove_done_callback(self._on_progress)

    def _on_progress(self, done: asyncio.Future[Outcome] | asyncio.Task[list[Event]]) -> None:
        self._progress.set()

    def _settle(self) -> None:
        """Moves the mark over the events at the front of the window whose outcome is known."""
        taken = 0
        while self._outstanding and self._outstanding[0][1].done():
            event, outcome = self._outstanding[0][0], self._outstanding[0][1].result()
            if outcome.accepted:
                taken = event.sequence
                self._stats.published += 1
            else:
                if taken:
                    self._advance(taken)
                taken = 0
                if outcome.lost:  # this one and those behind it are sent again over the next connection
                    raise LinkError(f"the connection to the MQTT broker has ended: {outcome.reason}")
                self._refuse(event, outcome)
            self._outstanding.popleft()
        if taken:
            self._advance(taken)
            self._stats.last_published = self._now()
        self._stats.outstanding = len(self._outstanding)

    def _advance(self, sequence: int) -> None:
        self._outbox.published(sequence)
        self._moved.set()

    def _refuse(self, event: Event, outcome: Outcome) -> None:
        reason = f"{outcome.reason} (0x{outcome.code:02x})"
        self._stats.refused += 1
        self._log.error(
            "the MQTT broker refused an event; it is kept in the ledger as refused and not sent again",
            sequence=event.sequence,
            id=event.id,
            topic=self._base + event.topic,
            reason=reason,
        )
        self._outbox.refuse(event.sequence, reason)
        self._advance(event.sequence)
