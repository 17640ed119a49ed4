"""Time in the gateway: integers, microseconds since the Unix epoch, UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MILLISECOND = 1_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall() -> int:
    """The system's wall clock in microseconds."""
    return time.time_ns() // 1_000


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
