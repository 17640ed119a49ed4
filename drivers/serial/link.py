"""An open port as a stream of checked frames, and who is listening to it.

Several readers may share one link (an RS-485 bus): each takes the line for one exchange at a time with `turn`, and
frames go to whoever has it. A reader alone on its port holds it in the same way and never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from drivers.api import DriverError
from drivers.serial.framing import Framer, Framing
from drivers.serial.transport import Transport, open_transport

SEEN_BYTES = 512
"""How much of what came first is kept to say what sits on the port: enough for a login prompt or two GPS sentences."""

GLITCH = 8
"""Bytes that may come before the echo of what was sent: a transceiver that is switched over disturbs the line."""

FrameSink = Callable[[list[bytes]], None]


class Link:
    """One open port. `lost` becomes done, with the reason, when the port fails or is closed."""

    def __init__(self, where: str, framing: Framing, *, echo: bool = False) -> None:
        self.where = where
        self.framer = Framer(framing)
        self.seen = b""
        self.received = 0
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._echo = echo
        self._echoes = b""  # of what was sent, still to be heard
        self._may_be_echo = b""  # the beginning of it, as far as it has come
        self._before_echo = 0  # bytes that came since it was sent
        self._turn = asyncio.Lock()
        self._listener: FrameSink | None = None
        self._transport: Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def open(self, baud: int) -> None:
        """Raises `DriverError`."""
        self._transport = await open_transport(self.where, baud, self.feed, self.fail)

    def close(self) -> None:
        """Ends the link."""
        if self._timer:
            self._timer.cancel()
        if self._transport:
            self._transport.close()
        self.fail(f"{self.where}: closed")

    def fail(self, reason: str) -> None:
        """The link is lost, for a reason."""
        if not self.lost.done():
            self.lost.set_result(reason)

    @asynccontextmanager
    async def turn(self, listener: FrameSink) -> AsyncIterator[None]:
        """Have the line: nobody else sends, and every frame goes to `listener`, also afterwards until the next turn:
        a reader alone on its port sends unasked, and one on a bus may be late."""
        async with self._turn:
            self._listener = listener
            yield

    def send(self, data: bytes) -> None:
        """Raises `DriverError` when the port is lost."""
        if self.lost.done():
            raise DriverError(self.lost.result())
        if self._echo:
            self._echoes += data
        assert self._transport is not None
        self._transport.write(data)

    def expect_no_echo(self) -> None:
        """What has not been echoed by now will not be: the next exchange begins."""
        self._echoes = self._may_be_echo = b""
        self._before_echo = 0

    def feed(self, data: bytes) -> None:
        """Bytes from the port."""
        self.received += len(data)
        if len(self.seen) < SEEN_BYTES:
            self.seen = (self.seen + data)[:SEEN_BYTES]
        if self._echoes:
            data = self._without_echo(data)
        self._deliver(self.framer.feed(data, self._clock()))
        if self._timer is None and self.framer.deadline is not None:
            self._arm()

    def _clock(self) -> int:
        return int(self._loop.time() * 1_000_000)

    def _without_echo(self, data: bytes) -> bytes:
        """`data` less what the transceiver heard of our own sending, whole and behind no more than a GLITCH; else there
        is no echo, or a damaged one, and everything is the reader's."""
        data, echo = self._may_be_echo + data, self._echoes
        self._may_be_echo = b""
        for at in range(min(len(data), GLITCH - self._before_echo) + 1):
            begins = data[at : at + len(echo)]
            if begins == echo:
                self._echoes = b""
                return data[:at] + data[at + len(echo) :]
            if echo.startswith(begins) and at + len(begins) == len(data):
                self._may_be_echo, self._before_echo = begins, self._before_echo + at
                return data[:at]
        self._echoes = b""
        return data

    def _deliver(self, frames: list[bytes]) -> None:
        if frames and self._listener:
            self._listener(frames)

    def _arm(self) -> None:
        deadline = self.framer.deadline
        self._timer = None
        if deadline is not None:
            self._timer = self._loop.call_at(deadline / 1_000_000, self._silence)

    def _silence(self) -> None:
        self._deliver(self.framer.expire(self._clock()))
        self._arm()
