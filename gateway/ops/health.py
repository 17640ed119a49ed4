"""Whether the gateway does its work: what feeds the watchdog, and what ``/healthz`` answers.

Two questions, two answers. *Progress*: does the pipeline turn, and does the ledger commit what it was given? Without
it only a restart helps, and the watchdog brings one. *Health*: can the gateway see and tell? A reader without power
or a broker without network is no reason to restart, but somebody should know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

TURN_LIMIT = 10.0
"""Seconds without a tick, which comes several times a second. Pauses of a loaded small computer stay well below."""

COMMIT_LIMIT = 30.0
"""Seconds that a commit may take: an SD card that collects its garbage has been seen to hold a sync for several."""


@dataclass(slots=True, frozen=True)
class ReaderState:
    """`detail` says why the reader is not up."""

    reader: str
    up: bool
    detail: str = ""


class Health:
    """Asks its callables only when it is asked itself, apart from `ledger`, which every turn looks at.

    `ledger` says how many facts wait in memory for their commit, and the sequence number of the last one committed.
    `broker` says why the broker is not connected, or nothing; `held_back` why readers are not being read, or nothing.
    """

    def __init__(
        self,
        *,
        ledger: Callable[[], tuple[int, int]],
        readers: Callable[[], Iterable[ReaderState]],
        broker: Callable[[], str],
        held_back: Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._readers = readers
        self._broker = broker
        self._held_back = held_back
        self._monotonic = monotonic
        self._turned = self._moved = monotonic()
        self._committed = -1

    def turned(self) -> None:
        """The pipeline has done a turn. Called at every tick."""
        now = self._turned = self._monotonic()
        waiting, committed = self._ledger()
        if waiting == 0 or committed != self._committed:
            self._committed = committed
            self._moved = now

    def progress(self) -> bool:
        """The pipeline turns, and what was queued for the ledger was committed in time."""
        return not self._stalled()

    def report(self) -> tuple[int, dict[str, Any]]:
        """HTTP status and body of ``/healthz``: 200 ``ok``, 200 ``degraded`` (something needs a person, nothing is
        lost), 503 ``failing`` (the gateway does not see or does not keep what it sees)."""
        readers = list(self._readers())
        down = [state for state in readers if not state.up]
        failing = self._stalled()
        if why := self._held_back():
            failing.append(f"readers are held back: {why}")
        if readers and len(down) == len(readers):
            failing.append("no reader is up")
        degraded = [f"reader {state.reader} is down: {state.detail or 'not connected yet'}" for state in down]
        if why := self._broker():
            degraded.append(f"the broker is away, events are kept: {why}")
        status = "failing" if failing else "degraded" if degraded else "ok"
        body = {
            "status": status,
            "reasons": failing + degraded,
            "readers": {state.reader: "up" if state.up else "down" for state in readers},
        }
        return (503 if failing else 200), body

    def _stalled(self) -> list[str]:
        now = self._monotonic()
        stalled = []
        if now - self._turned > TURN_LIMIT:
            stalled.append(f"the pipeline has not moved for {now - self._turned:.0f} s")
        elif now - self._moved > COMMIT_LIMIT:
            stalled.append(f"the ledger has not committed for {now - self._moved:.0f} s what it was given")
        return stalled
