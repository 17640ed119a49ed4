"""Time in the gateway: integers, microseconds since the Unix epoch, UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MILLISECOND = 1_000

CLOCK_AHEAD = 300 * SECOND
"""How far the clock of whoever dates what he sends (a handheld, a door, a feed) may run before ours."""

_SINCE_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def wall() -> int:
    """The system's wall clock in microseconds."""
    return time.time_ns() // 1_000


def micros(seconds: float) -> int:
    """Seconds as whole microseconds."""
    return round(seconds * SECOND)


def utc(t: int) -> datetime:
    """The moment `t`, microseconds since the epoch, in UTC."""
    return _SINCE_1970 + timedelta(microseconds=t)


def micros_of(moment: datetime) -> int:
    """A moment with an offset as microseconds since the epoch."""
    return (moment - _SINCE_1970) // _MICROSECOND


def rfc3339(t: int) -> str:
    """`t` microseconds as RFC 3339 with six decimals and ``Z``, such as ``2026-02-14T09:00:00.000250Z``."""
    return utc(t).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_rfc3339(text: str) -> int:
    """What `rfc3339` wrote, in microseconds. Raises ValueError or TypeError."""
    return micros_of(datetime.fromisoformat(text))


EARLIEST = micros_of(datetime(1, 1, 2, tzinfo=UTC))
LATEST = micros_of(datetime(9999, 12, 30, tzinfo=UTC))
"""The first and the last time that can be written down in every time zone."""


def read_rfc3339(value: object) -> int:
    """A time that others wrote, RFC 3339 with an offset, in microseconds. Raises ValueError with what to write."""
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError("write a time such as 2026-02-14T14:05:11Z")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("the time has no offset: add Z or +00:00")
    t = micros_of(moment)
    if not 0 <= t <= LATEST:
        raise ValueError("the time is before 1970 or after 9999-12-30")
    return t


NEVER = 1 << 62
"""Later than any time."""
