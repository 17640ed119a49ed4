"""The perpetual cycle-count plan: what is due when, what is overdue, and why.

::

    waiting --due, and the zone is being read--> counting --read well enough--> waiting for the next time
    waiting --due, and nobody reads the zone--> overdue --tried again, now it is read--> counting
    counting --hardly read meanwhile--> overdue
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from gateway.clock import NEVER, SECOND, micros_of, rfc3339, utc
from gateway.config.base import zone_info
from gateway.config.counts import CountsConfig, PlannedCount


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
        day = utc(t).astimezone(self._zone).date() - timedelta(days=1)
        return next(due for due in self._from(day) if due > t)

    def _from(self, day: date) -> Iterator[int]:
        day += timedelta(days=(self._first - day).days % self._days)
        while True:
            for moment in self._times:
                local = datetime.combine(day, moment, self._zone)
                yield micros_of(local) // SECOND * SECOND
            day += timedelta(days=self._days)


RETRY = 60 * SECOND
"""An overdue zone is tried again so often until somebody reads it: soon enough for a person who waits for it."""

RETRY_POOR = 900 * SECOND
"""A count that could not be trusted is taken again after this: whatever was wrong should be over."""

GOOD_DUTY = 0.5
"""The share of the time for which a zone has to be watched, so that a count of it is one at all."""


@dataclass(slots=True)
class Task:
    """One zone. Times in microseconds, 0 where there is none: when it is due (it stays so until it was counted), when
    it is tried next (NEVER while it is counted), when it was counted last. `why` it is overdue; empty if it is not."""

    entry: list[Any]
    due: int
    attempt: int
    done: int = 0
    why: str = ""


class Plan:
    """The planned zones of a configuration, and how it stands with each."""

    def __init__(self, config: CountsConfig, zones: set[str]) -> None:
        self._entries = {entry.zone: entry for entry in config.plan if entry.zone in zones}
        self._calendars = {zone: Calendar(entry, config.time_zone) for zone, entry in self._entries.items()}
        self._tasks: dict[str, Task] = {}
        self._done: dict[str, int] = {}  # when zones were counted last whose plan has changed

    def begin(self, t: int) -> None:
        """From `t` on there is a plan for the zones that had none."""
        for zone in self._entries:
            if zone not in self._tasks:
                due = self._calendars[zone].after(t)
                self._tasks[zone] = Task(self._signature(zone), due, due, self._done.pop(zone, 0))

    def skip(self, t: int) -> None:
        """Nobody was counting up to `t`: what was due meanwhile is tried then."""
        for task in self._tasks.values():
            if task.attempt < t:
                task.attempt = t
                task.why = "the gateway was not running when it was due"

    @property
    def attempt(self) -> int:
        """When something is tried next."""
        return min((task.attempt for task in self._tasks.values()), default=NEVER)

    def ready(self, t: int) -> list[tuple[str, int]]:
        """The zones to be counted at `t`, and when they were due."""
        return sorted((zone, task.due) for zone, task in self._tasks.items() if task.attempt <= t)

    def started(self, zone: str) -> None:
        """A planned count of the zone has begun."""
        self._tasks[zone].attempt = NEVER

    def overdue(self, zone: str, due: int, why: str, again: int) -> None:
        """The zone was due at `due` and was not counted; it is tried again at the time `again`."""
        task = self._tasks.get(zone)
        if task is not None and task.due == due:
            task.why = why
            task.attempt = again

    def counted(self, zone: str, start: int, end: int) -> None:
        """The zone was counted well from `start` to `end`; before it is due that does not matter."""
        task = self._tasks.get(zone)
        if task is None or start < task.due:
            return
        task.due = task.attempt = self._calendars[zone].after(end)
        task.done = end
        task.why = ""

    @property
    def overdue_zones(self) -> dict[str, str]:
        """The zones that are overdue, and why."""
        return {zone: task.why for zone, task in sorted(self._tasks.items()) if task.why}

    @property
    def due(self) -> dict[str, int]:
        """When each zone is due; in the past for those that are overdue or being counted."""
        return {zone: task.due for zone, task in sorted(self._tasks.items())}

    def state(self, zone: str) -> dict[str, Any] | None:
        """When a zone is due, and whether its count is overdue and why, ready for JSON; None where it is not in the
        plan."""
        entry, task = self._entries.get(zone), self._tasks.get(zone)
        if entry is None or task is None:
            return None
        return {
            "every": entry.every,
            "at": entry.at,
            "time_zone": self._calendars[zone].zone_name,
            "due": rfc3339(task.due),
            "overdue": bool(task.why),
            "why": task.why,
            "last_done": rfc3339(task.done) if task.done else None,
        }

    def _signature(self, zone: str) -> list[Any]:
        entry = self._entries[zone]
        return [entry.every, entry.at, entry.first, self._calendars[zone].zone_name]

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {zone: asdict(task) for zone, task in self._tasks.items()}

    def load(self, dump: Mapping[str, Any], counting: set[str]) -> None:
        """Takes over what is planned as it was; of a zone whose plan has changed, only when it was counted last, for
        `begin`. `counting` are the zones of which a count on the calendar is running."""
        for zone, entry in dump.items():
            if zone not in self._entries:
                continue
            task = Task(**entry)
            if task.entry != self._signature(zone):
                self._done[zone] = task.done
                continue
            if task.attempt == NEVER and zone not in counting:
                task.attempt = task.due
            self._tasks[zone] = task
