"""When a site is open, and when it is closed: in its own time zone, by days of the week."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from gateway.clock import utc
from gateway.config.base import Section, TimeZone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(?P<first>[a-z]{3})(-(?P<last>[a-z]{3}))? (?P<from>[0-9]{2}:[0-9]{2})-(?P<to>[0-9]{2}:[0-9]{2})")
_MINUTES_OF_A_DAY = 24 * 60


def _readable(text: str) -> str:
    _minutes(text)
    return text


def _minutes(text: str) -> tuple[frozenset[int], int, int]:
    """Days of the week, and minutes of the day from and to. Raises ValueError."""
    found = _HOURS.fullmatch(text)
    if found is None or found["first"] not in DAYS or (found["last"] or "mon") not in DAYS:
        raise ValueError("write hours such as `mon-fri 07:00-19:00` or `sat 08:00-12:30`")
    first, last = DAYS.index(found["first"]), DAYS.index(found["last"] or found["first"])
    days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
    start, end = (int(value[:2]) * 60 + int(value[3:]) for value in (found["from"], found["to"]))
    if not 0 <= start < end <= _MINUTES_OF_A_DAY or int(found["from"][3:]) > 59 or int(found["to"][3:]) > 59:
        raise ValueError("the hours end before they begin: write a night as two, such as 22:00-24:00 and 00:00-06:00")
    return days, start, end


class HoursConfig(Section):
    """When the site is open; at any other time it is closed, and nothing may move."""

    time_zone: TimeZone
    open: Annotated[list[Annotated[str, AfterValidator(_readable)]], Field(min_length=1, max_length=50)]


class Hours:
    """Whether a site is open at a time; without a configuration always."""

    def __init__(self, config: HoursConfig | None) -> None:
        self._zone = None if config is None else ZoneInfo(config.time_zone)
        self._open = [] if config is None else [_minutes(text) for text in config.open]

    def closed(self, t: int) -> bool:
        """Whether it is closed at `t`, microseconds UTC."""
        if self._zone is None:
            return False
        local = utc(t).astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        return not any(local.weekday() in days and start <= minute < end for days, start, end in self._open)
