"""What became of the readers, in event time: which antennas were watching, what the clocks were worth, what was wrong.

The status of a reader as it is now is in status.py; here the same news are taken in when event time has come to
them, together with the reads of that time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from drivers.api import AntennaStatus, InputChange, ReaderAlive, ReaderClock, ReaderCondition, ReaderDown, ReaderUp
from gateway.clock import NEVER, SECOND, micros, rfc3339
from gateway.config import Config
from gateway.events.envelope import Fact, alarm
from gateway.events.models import Alarm, AlarmState, Quality
from gateway.floor.places import Places
from gateway.floor.readers.antennas import LIT, Cause, Watch
from gateway.inputs import Restart

ALARM_AFTER = 60 * SECOND
"""A reader that is down for so long is an alarm; a shorter cut is a line in the log and a loss event."""

TRUST = 60 * SECOND
"""A reader that gave no sign of life for so long, and still is not called down, does not give any: believe the time."""

MAX_CONDITIONS = 32
"""Conditions that are told apart for one reader. Drivers know a handful of fixed words."""


@dataclass(slots=True)
class Course:
    """One reader. Times in microseconds, 0 where there is none."""

    announced: bool = False  # it was said to be up or down: not just reads in a file
    up: bool = False
    sign: int = 0  # newest sign of life
    quiet: bool = False  # no sign of life for a while
    down: int = 0  # since when it has been down
    alarm: bool = False  # that it is down was said
    reason: str = ""
    quality: Quality = "unknown"
    offset: int = 0
    conditions: dict[str, int] = field(default_factory=dict)  # condition to when it ended; NEVER while it lasts


class Timeline:
    """Takes the news of readers in, in event time, and says when an antenna or a reader is missed."""

    def __init__(self, config: Config, places: Places) -> None:
        self.watch = Watch()
        self.watch.grow(len(places.spots), Cause.READER)
        self.courses = {reader.id: Course() for reader in config.readers}
        self._places = places
        self._patience = min(2 * SECOND, micros(config.presence.shortest) // 2)

    def sign(self, reader: str, t: int) -> None:
        """The reader has reads of time `t`."""
        course = self.courses[reader]
        if not course.up and not course.announced:
            course.up = True
            self.watch.lighten(self._antennas(reader), Cause.READER, t)
        self._alive(reader, course, t)

    def seen(self, reader: str, port: int, t: int) -> list[Fact]:
        """An antenna has reads in a window that began at `t`: if it was lost, and the reader is running, it is back."""
        antenna = self._places.ports[reader].get(port)
        if antenna is None or not LIT < self.watch.since[antenna] < t or not self.courses[reader].up:
            return []
        return self._antenna(AntennaStatus(reader, t, port, True, "it reads again"))

    def take(self, item: Any) -> list[Fact]:
        """Takes in what has become of a reader."""
        match item:
            case Restart():
                return self._restart(item)
            case AntennaStatus():
                return self._antenna(item)
            case InputChange():
                return []
        course = self.courses[item.reader]
        match item:
            case ReaderUp():
                return self._up(item, course)
            case ReaderDown():
                self._down(item.reader, course, item.t, item.t, item.reason)
            case ReaderAlive():
                self.watch.lighten(self._antennas(item.reader), Cause.HELD, item.t)
                self._alive(item.reader, course, item.t)
            case ReaderClock():
                course.quality, course.offset = item.quality.value, item.offset
            case ReaderCondition():
                if item.condition in course.conditions or len(course.conditions) < MAX_CONDITIONS:
                    course.conditions[item.condition] = NEVER if item.active else item.t
        return []

    def _antennas(self, reader: str) -> Iterable[int]:
        return self._places.ports[reader].values()

    def _alive(self, reader: str, course: Course, t: int) -> None:
        course.sign = max(course.sign, t)
        if course.quiet:
            course.quiet = False
            self.watch.annul(self._antennas(reader))

    def _up(self, item: ReaderUp, course: Course) -> list[Fact]:
        antennas = self._antennas(item.reader)
        course.up = course.announced = True
        if item.held:
            self.watch.darken(antennas, Cause.HELD, item.t)
        else:
            self.watch.lighten(antennas, Cause.HELD, item.t)
        self.watch.lighten(antennas, Cause.READER, item.t)
        self._alive(item.reader, course, item.t)
        down, course.down = course.down, 0
        if not course.alarm:
            return []
        course.alarm = False
        return [self._alarm(item.reader, item.t, "reader-down", "cleared", down, course.reason)]

    def _down(self, reader: str, course: Course, t: int, since: int, reason: str) -> None:
        """Down at `t`; dark `since`, and where it had gone quiet before, since then."""
        antennas = self._antennas(reader)
        self.watch.darken(antennas, Cause.READER, since)
        self.watch.lighten(antennas, Cause.QUIET | Cause.HELD, t)
        course.up = course.quiet = False
        course.announced = True
        course.down = course.down or t
        course.reason = reason

    def _restart(self, item: Restart) -> list[Fact]:
        for reader, course in self.courses.items():
            if course.announced or course.up:
                self._down(reader, course, item.t, item.since, "the gateway was not running")
        return []

    def _antenna(self, item: AntennaStatus) -> list[Fact]:
        antenna = self._places.ports[item.reader].get(item.antenna)
        if antenna is None or item.up != (Cause.ANTENNA in self.watch.causes[antenna]):
            return []  # not one of ours, or no news
        since = item.t
        if item.up:
            since = self.watch.since[antenna]
            self.watch.lighten([antenna], Cause.ANTENNA, item.t)
        else:
            self.watch.darken([antenna], Cause.ANTENNA, item.t)
        state: AlarmState = "cleared" if item.up else "raised"
        return [self._alarm(item.reader, item.t, "antenna-down", state, since, item.reason, antenna=item.antenna)]

    @property
    def due(self) -> int:
        """When something is to be said although nothing happened."""
        return min((self._due(course) for course in self.courses.values()), default=NEVER)

    def _due(self, course: Course) -> int:
        if course.up:
            if not course.announced:
                return NEVER
            patience = TRUST if course.quiet else self._patience
            return course.sign + patience if course.sign else NEVER
        return NEVER if course.alarm or not course.down else course.down + ALARM_AFTER

    def fire(self, t: int) -> list[Fact]:
        """Says what is due at `t`."""
        facts = []
        for reader, course in sorted(self.courses.items()):
            if self._due(course) > t:
                continue
            if not course.up:
                course.alarm = True
                facts.append(self._alarm(reader, t, "reader-down", "raised", course.down, course.reason))
            elif course.quiet:
                self._alive(reader, course, 0)
                course.sign = 0
            else:
                course.quiet = True
                self.watch.darken(self._antennas(reader), Cause.QUIET, course.sign)
        return facts

    def _alarm(
        self,
        reader: str,
        t: int,
        kind: Literal["reader-down", "antenna-down"],
        state: AlarmState,
        since: int,
        reason: str,
        antenna: int | None = None,
    ) -> Fact:
        """A word about a reader, or one antenna of it, with the zones and portals that it watches."""
        ports = self._places.ports[reader]
        looks = ports.values() if antenna is None else [ports[antenna]]
        data: Alarm = {
            "alarm": kind,
            "state": state,
            "reader": reader,
            "since": rfc3339(since),
            "reason": reason,
            "places": sorted({self._places.looks_at(number) for number in looks}),
        }
        if antenna is not None:
            data["antenna"] = antenna
        return alarm(reader, t, data)

    def redate(self, by: int) -> None:
        """Signs of life and outages were `by` microseconds later than was thought."""
        self.watch.redate(by)
        for course in self.courses.values():
            course.sign += by if course.sign else 0
            course.down += by if course.down else 0

    def conditions(self, reader: str, since: int) -> list[str]:
        """Conditions of the reader that lasted into the time after `since`."""
        return sorted(name for name, ended in self.courses[reader].conditions.items() if ended >= since)

    def dump(self) -> dict[str, Any]:
        return {
            "watch": self.watch.dump(),
            "courses": {reader: asdict(course) for reader, course in self.courses.items()},
        }

    def load(self, dump: Any, numbers: list[int], t: int) -> None:
        self.watch.grow(len(self._places.spots), Cause.RETIRED)
        self.watch.load(dump["watch"], numbers, t)
        for reader, course in dump["courses"].items():
            if reader in self.courses:
                self.courses[reader] = Course(**course)
