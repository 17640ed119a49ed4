"""Time in the gateway: integers, microseconds since the Unix epoch, UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MILLISECOND = 1_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall() -> int:
    """The system's wall clock in microseconds."""
    return time.time_ns() // 1_000


class SteadyClock:
    """The wall clock, except that it never goes back.

    Where the wall clock is set back by less than a second, time stands still until it has caught up. Where it is set
    back by more, time runs on with a constant `lead` over the wall clock until that has caught up: a clock that was
    set wrong must not stop the floor, and events must not be older than those before them.
    """

    def __init__(self, source: Callable[[], int] = wall) -> None:
        self.lead = 0
        self._source = source
        self._last = 0

    def now(self) -> int:
        """Microseconds; never less than the call before."""
        read = self._source()
        if self.lead and read >= self._last:
            self.lead = 0
        t = read + self.lead
        if t < self._last:
            if self._last - t > SECOND:
                self.lead += self._last - t
            t = self._last
        self._last = t
        return t


def micros(seconds: float) -> int:
    """Seconds as whole microseconds."""
    return round(seconds * SECOND)


def rfc3339(t: int) -> str:
    """`t` microseconds as RFC 3339 with six decimals and ``Z``, such as ``2026-02-14T09:00:00.000250Z``."""
    return (_EPOCH + timedelta(microseconds=t)).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_rfc3339(text: str) -> int:
    """What `rfc3339` wrote, in microseconds. Raises ValueError."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


NEVER = 1 << 62
"""Later than any time."""
