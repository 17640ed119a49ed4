"""Whether what a reader reports can be read: a reader of whose reports nothing is understood is not watching.

One odd report among good ones, or alone, is only worth a warning. Where odd ones keep coming and no good one does for
`limit`, the reader is lively and useless, which nothing else would show: heartbeats and answers go on.
"""

from __future__ import annotations

import math

UNREADABLE_REPORTS = "unreadable-reports"
"""The condition of a reader of whose reports some cannot be read."""

PATIENCE = 10.0
"""Seconds of odd reports, of which none is understood, after which the connection is given up."""

RECENT = 2.0
"""Seconds for which a report that was read shows that others will be, whatever odd ones come beside them."""


class Comprehension:
    """Times in seconds of one monotonic clock. `odd` counts the reports not understood since the last good one."""

    def __init__(self, limit: float = PATIENCE) -> None:
        self._limit = limit
        self._first: float | None = None  # odd report since the last good one
        self._last = 0.0
        self._read = -math.inf  # when a report was read
        self.odd = 0
        self.example = ""

    def understood(self, at: float) -> None:
        """A report was read."""
        self._first, self.odd, self._read = None, 0, at

    def puzzled(self, at: float, example: str, count: int = 1) -> None:
        """`count` reports could not be read; `example` says what was wrong with one."""
        if self._first is None or at - self._last > self._limit:
            self._first, self.odd, self.example = at, 0, example
        self._last = at
        self.odd += count

    def in_doubt(self, at: float) -> bool:
        """No sign of life counts now: odd reports came, no good one since, and nobody knows what the reader sees. A
        single one is forgotten after `limit`."""
        return self._first is not None and at - self._last <= self._limit and at - self._read > RECENT

    def defer(self, seconds: float) -> None:
        """Nothing was taken from the reader for so long: that time does not count."""
        if self._first is not None:
            self._first += seconds
            self._last += seconds

    @property
    def verdict(self) -> str | None:
        """The sentence for the operator once nothing has been understood for too long."""
        if self._first is None or self._last - self._first < self._limit:
            return None
        return (
            f"none of its {self.odd} reports of the last {self._last - self._first:.0f} s is understood "
            f"({self.example}): it is not watching as far as anybody can tell; look for a firmware update or other "
            "report settings"
        )
