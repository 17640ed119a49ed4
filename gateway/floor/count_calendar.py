"""When a zone is due for a count: local time of the day, every so many days or hours, as microseconds UTC.

A time that a change of the clocks leaves out (02:30 on a night in spring) comes by so much later; one that happens
twice counts the first time. Nothing here knows what time it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from gateway.clock import SECOND
from gateway.config.base import zone_info
from gateway.config.counts import PlannedCount

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Calendar:
    """The due times of one zone. `time_zone` holds where the entry names none."""

    def __init__(self, entry: PlannedCount, time_zone: str) -> None:
        self.zone_name = entry.time_zone or time_zone
        self._zone = zone_info(self.zone_name)
        self._first = date.fromisoformat(entry.first)
        number = int(entry.every[:-1])
        self._days = number if entry.every.endswith("d") else 1
        hour, minute = map(int, entry.at.split(":"))
        hours = [hour] if entry.every.endswith("d") else sorted((hour + step) % 24 for step in range(0, 24, number))
        self._times = [time(hour, minute) for hour in hours]

    def after(self, t: int) -> int:
        """The first due time later than `t`."""
        # A day early: by local time the day may have begun before, or a change of the clocks have put it off.
        day = (_EPOCH + timedelta(microseconds=t)).astimezone(self._zone).date() - timedelta(days=1)
        return next(due for due in self._from(day) if due > t)

    def _from(self, day: date) -> Iterator[int]:
        day += timedelta(days=(self._first - day).days % self._days)
        while True:
            for moment in self._times:
                local = datetime.combine(day, moment, self._zone)
                yield (local.astimezone(UTC) - _EPOCH) // timedelta(seconds=1) * SECOND
            day += timedelta(days=self._days)
