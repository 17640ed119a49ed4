"""The readers in event time: what is presumed of each at the time of the reads that are taken in.

The status of a reader as it is now is in status.py. The same news reach this history when event time has come to them,
together with the reads of that time: which antennas were watching, what the clocks were worth, what was wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

from drivers.api import AntennaStatus, InputChange, ReaderAlive, ReaderClock, ReaderCondition, ReaderDown, ReaderUp
from gateway.clock import NEVER, SECOND, micros, rfc3339
from gateway.config import Config
from gateway.events.envelope import Fact, alarm
from gateway.events.models import Alarm, AlarmState, Quality
from gateway.floor.places import Places
from gateway.floor.readers.antennas import LIT, AntennaClock, DarkCause
from gateway.floor.readers.habits import Habits
from gateway.inputs import Restart

ALARM_AFTER = 60 * SECOND
"""A reader that is down for so long is an alarm; a shorter cut is a line in the log and a loss event."""

TRUST = 60 * SECOND
"""Some readers never send signs of life. After this time without one and without a ReaderDown, the reader is taken to
have been reading all along."""

MAX_CONDITIONS = 32
"""Conditions that are told apart for one reader. Drivers know a handful of fixed words."""


class Presumed(StrEnum):
    """What is presumed of a reader at event time.

    ::

        UNKNOWN ──reads──▶ READS_ONLY
           any ──ReaderUp──▶ UP ──no sign of life──▶ QUIET ──a sign of life, or TRUST without any──▶ UP
           any ──ReaderDown──▶ DOWN ──ALARM_AFTER──▶ ALARMED
    """

    UNKNOWN = "unknown"  # nothing was heard of it
    READS_ONLY = "reads-only"  # its reads are there, but nobody said that it is up: a file, or a test
    UP = "up"
    QUIET = "quiet"  # up, but no sign of life for a while
    DOWN = "down"
    ALARMED = "alarmed"  # down, and that was said


RUNNING = frozenset({Presumed.READS_ONLY, Presumed.UP, Presumed.QUIET})
"""What a reader is presumed to be while its antennas may be watching."""


@dataclass(slots=True)
class ReaderPast:
    """One reader in event time. Times in microseconds UTC, 0 where there is none: `sign` is that of the newest sign of
    life, `down` since when it has been down. `conditions` gives the end of each condition, NEVER while it lasts."""

    presumed: Presumed = Presumed.UNKNOWN
    sign: int = 0
    down: int = 0
    reason: str = ""
    quality: Quality = "unknown"
    offset: int = 0
    conditions: dict[str, int] = field(default_factory=dict)


class ReaderHistory:
    """Takes the news of readers in, in event time, and says when an antenna or a reader is missed."""

    def __init__(self, config: Config, places: Places) -> None:
        self.antenna_clock = AntennaClock()
        self.antenna_clock.grow(len(places.spots), DarkCause.READER)
        self.readers = {reader.id: ReaderPast() for reader in config.readers}
        self.habits = Habits(places)
        self._lost: dict[int, int] = {}  # antennas that are lost, and since when
        self._places = places
        self._patience = min(2 * SECOND, micros(config.presence.shortest) // 2)

    def sign(self, reader: str, t: int) -> None:
        """The reader has reads of time `t`."""
        past = self.readers.get(reader)
        if past is None:
            return  # configured no more
        if past.presumed is Presumed.UNKNOWN:
            past.presumed = Presumed.READS_ONLY
            self.antenna_clock.lighten(self._antennas(reader), DarkCause.READER, t)
        self._alive(reader, past, t)

    def seen(self, reader: str, port: int, t: int) -> list[Fact]:
        """An antenna has reads in a window that began at `t`: if it was lost, and the reader is running, it is back. If
        it was silent against its habit, it is not any more."""
        antenna = self._places.ports[reader].get(port) if reader in self.readers else None
        if antenna is None:
            return []
        facts = []
        if LIT < self.antenna_clock.since[antenna] < t and self.readers[reader].presumed in RUNNING:
            facts = self._antenna(AntennaStatus(reader, t, port, True, "it reads again"))
        was = self.habits.read(antenna, t - self.antenna_clock.dark(antenna, t), t)
        if was is not None:
            facts.append(self._alarm(reader, t, "antenna-silent", "cleared", was.at, "it reads again", antenna=port))
        return facts

    def take(self, item: Any) -> list[Fact]:
        """Takes in what has become of a reader. Of one that is configured no more, nothing is."""
        if isinstance(item, Restart):
            return self._restart(item)
        if item.reader not in self.readers:
            return []
        match item:
            case AntennaStatus():
                return self._antenna(item)
            case InputChange():
                return []
        past = self.readers[item.reader]
        match item:
            case ReaderUp():
                return self._up(item, past)
            case ReaderDown():
                self._down(item.reader, past, item.t, item.t, item.reason)
            case ReaderAlive():
                self.antenna_clock.lighten(self._antennas(item.reader), DarkCause.HELD, item.t)
                self._alive(item.reader, past, item.t)
            case ReaderClock():
                past.quality, past.offset = item.quality.value, item.offset
            case ReaderCondition():
                if item.condition in past.conditions or len(past.conditions) < MAX_CONDITIONS:
                    past.conditions[item.condition] = NEVER if item.active else item.t
        return []

    def _antennas(self, reader: str) -> Iterable[int]:
        return self._places.ports[reader].values()

    def _alive(self, reader: str, past: ReaderPast, t: int) -> None:
        past.sign = max(past.sign, t)
        if past.presumed is Presumed.QUIET:
            past.presumed = Presumed.UP
            self.antenna_clock.annul(self._antennas(reader))

    def _up(self, item: ReaderUp, past: ReaderPast) -> list[Fact]:
        antennas = self._antennas(item.reader)
        alarmed = past.presumed is Presumed.ALARMED
        if past.presumed is not Presumed.QUIET:  # of which the sign of life below makes an end
            past.presumed = Presumed.UP
        if item.held:
            self.antenna_clock.darken(antennas, DarkCause.HELD, item.t)
        else:
            self.antenna_clock.lighten(antennas, DarkCause.HELD, item.t)
        self.antenna_clock.lighten(antennas, DarkCause.READER, item.t)
        self._alive(item.reader, past, item.t)
        down, past.down = past.down, 0
        if not alarmed:
            return []
        return [self._alarm(item.reader, item.t, "reader-down", "cleared", down, past.reason)]

    def _down(self, reader: str, past: ReaderPast, t: int, since: int, reason: str) -> None:
        """Down at `t`; dark `since`, and where it had gone quiet before, since then."""
        antennas = self._antennas(reader)
        self.antenna_clock.darken(antennas, DarkCause.READER, since)
        self.antenna_clock.lighten(antennas, DarkCause.QUIET | DarkCause.HELD, t)
        if past.presumed is not Presumed.ALARMED:
            past.presumed = Presumed.DOWN
        past.down = past.down or t
        past.reason = reason

    def _restart(self, item: Restart) -> list[Fact]:
        for reader, past in self.readers.items():
            if past.presumed is not Presumed.UNKNOWN:
                self._down(reader, past, item.t, item.unknown_from, "the gateway was not running")
        return []

    def lose(self, t: int) -> None:
        """What was read from `t` on is lost: until the readers are up again, silence says nothing."""
        for reader, past in self.readers.items():
            if past.presumed is not Presumed.UNKNOWN:
                self.antenna_clock.darken(self._antennas(reader), DarkCause.READER, t)

    def _antenna(self, item: AntennaStatus) -> list[Fact]:
        antenna = self._places.ports[item.reader].get(item.antenna)
        if antenna is None or item.up != (DarkCause.ANTENNA in self.antenna_clock.causes[antenna]):
            return []  # not one of ours, or no news
        since = self._lost.pop(antenna, item.t)
        if item.up:
            self.antenna_clock.lighten([antenna], DarkCause.ANTENNA, item.t)
        else:
            self._lost[antenna] = since
            self.antenna_clock.darken([antenna], DarkCause.ANTENNA, item.t)
        state: AlarmState = "cleared" if item.up else "raised"
        return [self._alarm(item.reader, item.t, "antenna-down", state, since, item.reason, antenna=item.antenna)]

    @property
    def due(self) -> int:
        """When something is to be said although nothing happened."""
        return min(self.habits.due, min((self._due(past) for past in self.readers.values()), default=NEVER))

    def _due(self, past: ReaderPast) -> int:
        match past.presumed:
            case Presumed.UP:
                return past.sign + self._patience if past.sign else NEVER
            case Presumed.QUIET:
                return past.sign + TRUST if past.sign else NEVER
            case Presumed.DOWN:
                return past.down + ALARM_AFTER
            case Presumed.UNKNOWN | Presumed.READS_ONLY | Presumed.ALARMED:
                return NEVER

    def fire(self, t: int) -> list[Fact]:
        """Says what is due at `t`."""
        facts = []
        for reader, past in sorted(self.readers.items()):
            if self._due(past) > t:
                continue
            if past.presumed is Presumed.DOWN:
                past.presumed = Presumed.ALARMED
                facts.append(self._alarm(reader, t, "reader-down", "raised", past.down, past.reason))
            elif past.presumed is Presumed.QUIET:
                self._alive(reader, past, 0)
                past.sign = 0
            else:
                past.presumed = Presumed.QUIET
                self.antenna_clock.darken(self._antennas(reader), DarkCause.QUIET, past.sign)
        return facts + self._say_silent(t) if self.habits.due <= t else facts

    def _say_silent(self, t: int) -> list[Fact]:
        """Says which antennas are silent against their habit."""
        facts = []
        for antenna in self.habits.found_silent(lambda number: t - self.antenna_clock.dark(number, t), t):
            spot, habit = self._places.spots[antenna], self.habits.of[antenna]
            minutes = (t - self.antenna_clock.dark(antenna, t) - habit.last) // (60 * SECOND)
            usual = f"and never for longer than {habit.widest / SECOND:.0f} s before"
            if habit.misses_others:
                usual = f"and others at its place have read something {habit.others} times meanwhile"
            reason = (
                f"nothing read for {minutes} min of watching, {usual}: "
                "see whether its cable is loose, or what it read was taken away"
            )
            facts.append(self._alarm(spot.reader, t, "antenna-silent", "raised", habit.at, reason, antenna=spot.port))
        return facts

    def words(self, antenna: int) -> str:
        """What an antenna is doing, for people."""
        words = self.antenna_clock.words(antenna)
        return "reads nothing" if words == "watching" and self.habits.silent(antenna) else words

    def silent(self, reader: str) -> dict[str, str]:
        """Antennas of the reader that are silent against their habits: port to the time of the newest read."""
        ports = sorted(self._places.ports[reader].items())
        return {
            str(port): rfc3339(self.habits.of[antenna].at) for port, antenna in ports if self.habits.silent(antenna)
        }

    def _alarm(
        self,
        reader: str,
        t: int,
        kind: Literal["reader-down", "antenna-down", "antenna-silent"],
        state: AlarmState,
        since: int,
        reason: str,
        antenna: int | None = None,
    ) -> Fact:
        """A word about a reader, or one antenna of it, with the zones and portals that it watches."""
        ports = self._places.ports[reader]
        numbers = ports.values() if antenna is None else [ports[antenna]]
        data: Alarm = {
            "alarm": kind,
            "state": state,
            "reader": reader,
            "since": rfc3339(since),
            "reason": reason,
            "places": sorted({self._places.looks_at(number) for number in numbers}),
        }
        if antenna is not None:
            data["antenna"] = antenna
        return alarm(reader, t, data)

    def redate(self, by: int) -> None:
        """Signs of life and outages were `by` microseconds later than was thought."""
        self.antenna_clock.redate(by)
        self.habits.redate(by)
        self._lost = {antenna: since + by for antenna, since in self._lost.items()}
        for past in self.readers.values():
            past.sign += by if past.sign else 0
            past.down += by if past.down else 0
            past.conditions = {name: end + by if end != NEVER else NEVER for name, end in past.conditions.items()}

    def conditions(self, reader: str, since: int) -> list[str]:
        """Conditions of the reader that lasted into the time after `since`."""
        return sorted(name for name, ended in self.readers[reader].conditions.items() if ended >= since)

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {
            "antenna_clock": self.antenna_clock.dump(),
            "habits": self.habits.dump(),
            "lost": sorted(self._lost.items()),
            "readers": {reader: asdict(past) for reader, past in self.readers.items()},
        }

    def load(self, dump: Any, numbers: list[int], t: int) -> None:
        """Takes over, at time `t`, a dump in which antenna i is the one that is now called ``numbers[i]``."""
        self.antenna_clock.grow(len(self._places.spots), DarkCause.RETIRED)
        self.antenna_clock.load(dump["antenna_clock"], numbers, t)
        self.habits.load(dump["habits"], numbers)
        self._lost = {numbers[antenna]: since for antenna, since in dump.get("lost", ())}
        for reader, past in dump["readers"].items():
            if reader in self.readers:
                self.readers[reader] = ReaderPast(**(past | {"presumed": Presumed(past["presumed"])}))
