"""Resending: events that the broker has had, sent again from the ledger because a consumer asks for them.

The ids and the bytes are the same; in MQTT 5 the user property `replayed` says so. They go beside the stream of new
events, in order, a piece at a time, and the ledger's mark does not move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.errors import LedgerError
from gateway.mqtt.interface import Outbox
from gateway.mqtt.outgoing import Outgoing

PIECE = 200
"""Events read at once: new events need not wait behind more."""

PIECE_BYTES = 1 << 20
PAUSE = 5.0
"""Seconds until a ledger whose disk fails is asked again."""


class Resend:
    """The range that is being resent, of which there is one at most: a second request widens it."""

    def __init__(self, outbox: Outbox, outgoing: Outgoing, wake: Callable[[], None]) -> None:
        self._outbox = outbox
        self._outgoing = outgoing
        self._wake = wake
        self._after = 0
        self._last = 0
        self._reading: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether there is anything left to send again."""
        return self._after < self._last

    def ask(self, first: int, last: int) -> None:
        """Events `first` to `last` are to be sent again."""
        self._after = min(self._after, first - 1) if self.active else first - 1
        self._last = max(self._last, last) if self.active else last
        self._wake()

    def stop(self) -> None:
        """The connection has ended: what was read stays with `outgoing`, and the rest goes on later."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def look(self) -> None:
        """Starts to read the next piece when the one before is through."""
        if self._reading is not None and self._reading.done():
            reading, self._reading = self._reading, None
            reading.result()
        if self.active and self._reading is None and not self._outgoing.errands:
            self._reading = asyncio.create_task(self._read(), name="mqtt-resend")
            self._reading.add_done_callback(lambda _: self._wake())

    async def _read(self) -> None:
        try:
            events = await self._outbox.read(self._after, PIECE, PIECE_BYTES)
        except LedgerError:
            await asyncio.sleep(PAUSE)
            return
        wanted = [event for event in events if event.sequence <= self._last]
        self._after = wanted[-1].sequence if wanted and len(wanted) == len(events) else self._last
        self._outgoing.add_quarantined(wanted, replayed=True)
