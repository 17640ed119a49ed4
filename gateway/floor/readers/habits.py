"""Antennas that read nothing against their own habit: a cable that came off, which no reader reports.

Two silences of each antenna are measured, both only while it is watching: the time since its newest read, and how
many bursts others at its place (a zone, or a portal) have read since. A burst is DENSE windows with reads within BRIEF
after a PAUSE without any: what comes, as a load does. What stands there all night is one burst however long it is read,
and a stray now and then is none. The widest of each silence so far is its habit, which fades within WEEK. A silence is
one against the habit where it is WIDER times as wide, and lasted for PATIENCE:

- in time, where the antenna is *steady*: it never was silent for longer than STEADY, as before a shelf with stock; and
  only while the zone still holds tags, since a shelf may be emptied;
- in what others read meanwhile, at any place: an antenna of a door that hears nothing of two dozen loads.

Nothing is said of an antenna whose reads span less than LEARNING of watching, and nothing of what others read before
they span DAY, which has a night.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from typing import Any

from gateway.clock import NEVER, SECOND
from gateway.floor.places import NO_ZONE, Places

LEARNING = 4 * 3600 * SECOND
PATIENCE = 900 * SECOND
STEADY = 3600 * SECOND
WIDER = 4

DAY = 24 * 3600 * SECOND

PAUSE, BRIEF, DENSE = 60 * SECOND, 30 * SECOND, 8
"""What makes a burst: a hand cart that goes by gives some twenty windows in five seconds."""

FEWEST_OTHERS = 24
"""Bursts of others that are too few to say anything."""

EVERY, SELDOM = 60 * SECOND, 3600 * SECOND
"""Microseconds of event time from one inspection to the next: at first, and where nothing is read meanwhile."""

IDLE = 64
"""Where nothing has been read for more than so many hours, that time divided by it is what passes until the next
inspection: event time that jumps by decades has some hundreds of them to make up for, and not one for every hour."""

WEEK = 7 * 86_400 * SECOND


@dataclass(slots=True)
class Habit:
    """What is known of one antenna. `began` and `last` are its first and newest read in microseconds for which it was
    watching, `at` the newest in event time; `others` counts bursts of others at its place since then. `widest` and
    `widest_others` are the widest silences so far. `silent`: that was said. `burst` is when its own reads began after
    the newest pause, in event time, and `dense` how many windows they have, up to DENSE."""

    began: int
    last: int
    at: int
    others: int = 0
    widest: float = 0.0
    widest_others: float = 0.0
    silent: bool = False
    burst: int = 0
    dense: int = 0

    def read(self, watched: int, t: int) -> bool:
        """Notes a read at `t`, after `watched` microseconds of watching in all. Returns whether it begins a burst."""
        if t - self.at > PAUSE or not self.burst:
            self.burst, self.dense = t, 0
        is_burst = self.dense + 1 == DENSE and t - self.burst <= BRIEF
        self.dense = min(self.dense + 1, DENSE)
        self.widest = max(self.widest, watched - self.last)
        self.widest_others = max(self.widest_others, self.others)
        self.last, self.at, self.others = max(self.last, watched), t, 0
        return is_burst

    @property
    def misses_others(self) -> bool:
        """Whether it hears nothing of what others at its place read, and more of that than ever before."""
        return self.others > max(FEWEST_OTHERS, WIDER * self.widest_others)

    def against(self, watched: int, *, holds: bool) -> bool:
        """Whether it is silent against its habit; `holds`: its place is known to hold something to be read."""
        silence = watched - self.last
        if self.last - self.began < LEARNING or silence < PATIENCE:
            return False
        steady = holds and self.widest <= STEADY and silence > WIDER * self.widest
        known = self.last - self.began >= DAY
        return steady or (known and self.misses_others)


class Habits:
    """The habits of all antennas by number, each from its first read on. `holds` says of the number of a zone whether
    it is known to hold tags. `due` is when they are to be looked at next."""

    def __init__(self, places: Places) -> None:
        self.of: dict[int, Habit] = {}
        self.due = NEVER
        self.holds: Callable[[int], bool] = lambda zone: True
        self._step = EVERY
        self._looked = 0
        self._places = places
        self._antennas = {antenna for ports in places.ports.values() for antenna in ports.values()}
        self._beside: dict[int, list[int]] = {}

    def read(self, antenna: int, watched: int, t: int) -> Habit | None:
        """An antenna has reads in the window at `t`, when it had been watching for `watched`. Returns what its habit
        was where it had been called silent. Reads that come after newer ones say nothing more."""
        habit = self.of.get(antenna)
        if habit is not None and t <= habit.at:
            return None
        if self._step > EVERY or self.due == NEVER:
            self._step, self.due = EVERY, (t // EVERY + 1) * EVERY
            self._looked = self._looked or t
        if habit is None:
            self.of[antenna] = Habit(watched, watched, t, burst=t, dense=1)
            return None
        was = replace(habit) if habit.silent else None
        habit.silent = False
        if habit.read(watched, t):
            for other in self._neighbours(antenna):
                if (beside := self.of.get(other)) is not None:
                    beside.others += 1
        return was

    def found_silent(self, watched: Callable[[int], int], t: int) -> list[int]:
        """The antennas that are found at `t` to be silent against their habits. `watched` says for how long an antenna
        has been watching in all."""
        faded = math.exp((self._looked - t) / WEEK)
        found = []
        newest = max((habit.at for habit in self.of.values()), default=t)
        for antenna in sorted(self._antennas & self.of.keys()):
            habit = self.of[antenna]
            habit.widest *= faded
            habit.widest_others *= faded
            zone = self._places.zone_of[antenna]
            if not habit.silent and habit.against(watched(antenna), holds=zone != NO_ZONE and self.holds(zone)):
                habit.silent = True
                found.append(antenna)
        self._looked, self.due = t, t + self._step
        self._step = min(2 * self._step, max(SELDOM, (t - newest) // IDLE))
        return found

    def silent(self, antenna: int) -> bool:
        """Whether the antenna is silent against its habit."""
        habit = self.of.get(antenna)
        return habit is not None and habit.silent

    def redate(self, by: int) -> None:
        """Reads were `by` microseconds later than was thought."""
        self._looked += by if self._looked else 0
        self.due += by if self.due != NEVER else 0
        for habit in self.of.values():
            habit.began, habit.last, habit.at = habit.began + by, habit.last + by, habit.at + by
            habit.burst += by if habit.burst else 0

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        habits = [
            [antenna, self._places.looks_at(antenna), *astuple(habit)]
            for antenna, habit in sorted(self.of.items())
            if antenna in self._antennas
        ]
        return {"due": self.due, "step": self._step, "looked": self._looked, "habits": habits}

    def load(self, dump: Any, numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``. Of one that is gone, or
        looks at another place now, nothing is known."""
        self.due, self._step, self._looked = dump["due"], dump["step"], dump["looked"]
        for antenna, place, *values in dump["habits"]:
            number = numbers[antenna]
            if number in self._antennas and self._places.looks_at(number) == place:
                self.of[number] = Habit(*values)

    def _neighbours(self, antenna: int) -> list[int]:
        """The other antennas of the same zone, or of the same portal."""
        if not self._beside:
            by_place: dict[str, list[int]] = {}
            for known in sorted(self._antennas):
                by_place.setdefault(self._places.looks_at(known), []).append(known)
            for here in by_place.values():
                self._beside |= {known: [other for other in here if other != known] for known in here}
        return self._beside.get(antenna, [])
