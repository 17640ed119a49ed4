"""Whether bytes are taken from a connection now: not while the gateway holds the reader back, nor for a moment while a
chatty reader's messages gather in the kernel.

A reader that reports every read by itself sends a segment a millisecond. Taking each as it comes costs more than all
that is then done with the read, so such a connection is read once every GATHER seconds instead. One that says
something now and then is read at once, as ever.
"""

from __future__ import annotations

import asyncio

GATHER = 0.08
"""Seconds for which messages gather: less than a tick, so that a read is hardly later in what is said about it."""

CHATTER = 0.01
"""Seconds between two chunks below which a connection is chatty: a reader that makes 100 reports a second or more."""

PLENTY = 32 * 1024
"""Bytes in a chunk from which it needs no gathering; and when so much comes at once, the kernel's buffer could fill."""


class Reading:
    """Pauses and resumes one transport. Only this class may do so."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._is_held = False
        self._timer: asyncio.TimerHandle | None = None
        self._last = float("-inf")  # when bytes came, or would have come

    @property
    def is_held(self) -> bool:
        """Whether the gateway holds the reader back."""
        return self._is_held

    def hold(self) -> None:
        """Takes no more bytes until `release`: TCP then holds the reader back."""
        self._is_held = True
        self._apply()

    def release(self) -> None:
        """Takes bytes again, at once."""
        self._is_held = False
        self.stop()
        self._apply()

    def came(self, size: int) -> None:
        """A chunk of `size` bytes of reports came: from a chatty connection the next is taken a little later."""
        now = self._loop.time()
        if now - self._last < CHATTER and size < PLENTY and self._timer is None:
            self._timer = self._loop.call_later(GATHER, self._gathered)
            self._apply()
        self._last = now

    def stop(self) -> None:
        """Waits for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _gathered(self) -> None:
        self._timer = None
        self._last = self._loop.time()
        self._apply()

    def _apply(self) -> None:
        wanted = not self._is_held and self._timer is None
        if wanted != self._transport.is_reading() and not self._transport.is_closing():
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
