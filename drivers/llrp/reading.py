"""How bytes are taken from a connection: not while the gateway holds the reader back, and from a chatty reader once for
each tick.

A reader that reports every read by itself sends a segment a millisecond. Waking up for each costs more than all that is
then done with the read, at a few reads a second as at a thousand, so such a connection is paused, its messages gather
in the kernel, and the polls of the gateway read them. One that says something now and then is read at once, as ever.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from drivers.llrp.remains import MOST
from drivers.polls import LONGEST, Polls

CHATTER = LONGEST
"""Seconds between two chunks below which a connection is chatty: nearly every poll finds something to take."""

PLENTY = 64 * 1024
"""Bytes at a time from which a connection needs no gathering, and the kernel's buffer could fill."""

QUIET = 10
"""Polls in a row that find nothing after which a connection is chatty no more."""


class Reading:
    """Pauses, resumes and polls one transport. Only this class may do so.

    `take` gets the bytes that a poll found, `broken` the error that it met. What cannot be read past its transport
    (TLS) is resumed by a poll until the next chunk has come.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        polls: Polls,
        take: Callable[[bytes], None],
        broken: Callable[[OSError], None],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._polls = polls
        self._take = take
        self._broken = broken
        self._is_held = False
        self._is_gathering = False
        self._last = float("-inf")  # when bytes came, or would have come
        self._in_vain = 0  # polls in a row that found nothing
        socket = transport.get_extra_info("socket")
        is_plain = socket is not None and transport.get_extra_info("sslcontext") is None
        self._file = socket.fileno() if is_plain else -1

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
        self.hurry()

    def came(self, size: int) -> None:
        """A chunk of `size` bytes of reports came that may be looked at a little later: a chatty connection is read
        at the next poll."""
        if self._is_gathering:
            return
        now = self._loop.time()
        if now - self._last < CHATTER and size < PLENTY:
            self._is_gathering, self._in_vain = True, 0
            self._polls.join(self._poll)
            self._apply()
        self._last = now

    def hurry(self) -> None:
        """What comes is taken at once."""
        self.stop()
        self._apply()

    def stop(self) -> None:
        """Waits for no poll any more."""
        if self._is_gathering:
            self._is_gathering = False
            self._polls.leave(self._poll)

    def _poll(self) -> None:
        if self._is_held or self._transport.is_closing():
            return
        if self._file < 0:
            self._last = self._loop.time()
            self.hurry()
            return
        try:
            data = os.read(self._file, MOST)
        except BlockingIOError:
            self._in_vain += 1
            if self._in_vain >= QUIET:
                self.hurry()
        except OSError as error:
            self._broken(error)
        else:
            self._in_vain = 0
            if len(data) >= PLENTY or not data:  # an end is for the transport to find
                self.hurry()
            if data:
                self._take(data)

    def _apply(self) -> None:
        wanted = not self._is_held and not self._is_gathering
        if wanted != self._transport.is_reading() and not self._transport.is_closing():
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
