"""A log for what others can cause at will: each sentence once a minute with its number, never one line an event."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.api import Log

LOG_EVERY = 60.0
"""Seconds between two log lines that say the same, however often it happens."""

MAX_SAID = 64
"""Different sentences that a sparse log remembers having said; with more, the oldest may be said again."""


class SparseLog:
    """Warnings and errors, each sentence once in `LOG_EVERY` with its number as `times`. `now` is a monotonic clock in
    seconds. Sentences are the same where their event and their `reason` are; or their event and what they are `about`,
    where that is given, which is not logged."""

    def __init__(self, log: Log, now: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._now = now
        self._said: dict[tuple[str, str], list[float]] = {}

    def warning(self, event: str, *, about: str | None = None, **fields: object) -> None:
        """Logs the first of its kind at once, and the later ones of a period together with the first after it."""
        if times := self._times(event, str(fields.get("reason", "")) if about is None else about):
            self._log.warning(event, **fields, times=times)

    def error(self, event: str, *, about: str | None = None, **fields: object) -> None:
        """Logs an error as `warning` does a warning."""
        if times := self._times(event, str(fields.get("reason", "")) if about is None else about):
            self._log.error(event, **fields, times=times)

    def _times(self, event: str, about: str) -> int:
        """How often it has happened since it was logged, 0 where it is not to be logged yet."""
        said = self._said.setdefault((event, about), [-LOG_EVERY, 0])
        said[1] += 1
        now = self._now()
        if now - said[0] < LOG_EVERY:
            return 0
        times = int(said[1])
        said[:] = [now, 0]
        while len(self._said) > MAX_SAID:
            del self._said[next(iter(self._said))]
        return times
