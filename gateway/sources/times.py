"""Times as the state system writes them: with an offset or without, and ``0001-01-01`` for "none"."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.clock import LATEST, micros_of
from gateway.errors import Refused

_NONE_YEAR = 1
"""Of ``0001-01-01T00:00:00``, the smallest date there is: what a database writes for a date that it does not have."""


def read_time(value: Any, zone: str) -> int | None:
    """Microseconds UTC, or None where there is no time. One without an offset is local time in `zone`; a date alone
    is its beginning. Raises Refused for anything else."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 40:
        raise Refused(f"{str(value)[:40]!r} is not a time")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Refused(f"{value!r} is not a time: write one such as 2026-02-14T14:05:11Z") from None
    if moment.year == _NONE_YEAR:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return min(micros_of(moment), LATEST)
