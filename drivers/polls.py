"""Connections that are not read as something comes but all in one go, once for each tick of the gateway.

Waking up for each of many connections costs more than what is then done with their bytes. Reads decide nothing before
the next tick, so whoever has many small messages to give may wait for it in the kernel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LONGEST = 0.3
"""Seconds after which connections are read although nobody asked: more than from one tick to the next, but kernels do
not take in without end."""


class Polls:
    """Who is to be read at the next `poll`. All methods belong to the event loop."""

    def __init__(self) -> None:
        self._takers: set[Callable[[], None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def join(self, take: Callable[[], None]) -> None:
        """Calls `take` at every poll from now on."""
        self._takers.add(take)
        if self._timer is None:
            self._set_timer()

    def leave(self, take: Callable[[], None]) -> None:
        """Calls `take` no more."""
        self._takers.discard(take)

    def poll(self) -> None:
        """Reads everybody, before a tick."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._takers:
            self._set_timer()
            for take in list(self._takers):
                take()

    def _set_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LONGEST, self.poll)
