"""Event time: it runs with the monotonic clock, follows a wall clock that is set forward, and never goes back.

What the operating system calls the time may be set at any moment: by NTP a minute after a boot in 1970, by a person,
by a virtual machine that was moved. Event time is therefore never the wall clock alone. It is the monotonic clock with
an offset, and `look` compares the two clocks and says how far the wall clock was set. Set forward, event time jumps
with it; set back, event time goes on in its own time, ahead of the wall clock by `lead`, and repays that at the pace at
which NTP slews a clock. Drivers see none of it: `steady` is a scale that no step touches, and `dated` brings what they
say to event time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from drivers.api import Batch, Item, ReaderClock, ReaderLoss
from gateway.clock import MILLISECOND, wall
from gateway.inputs import ClockStep, StepCause

STEP = 100 * MILLISECOND
"""A wall clock that moved so far against the monotonic one was set. NTP slews both alike; what two readings of the
clocks lie apart is some microseconds, on a machine that swaps some milliseconds."""

SLEW = 2_000
"""Event time that is off the wall clock comes nearer by one part in so many: 500 ppm, the pace of adjtime(3). A lead
of 20 s is repaid in eleven hours, and no interval is wrong by more than reader clocks are."""

SAME = 10 * MILLISECOND
"""Event time that is no further off than this stays as it is: two readings of the clocks are never quite the same, and
reads must not be dated by that noise. Once it is further off, it comes all the way (hysteresis)."""

ASLEEP = 9 / 10
"""Share of a step that the boot-time clock must show for the machine to have been asleep meanwhile."""

_ATTEMPTS = 3
_CLOSE = MILLISECOND
"""Readings of the two clocks that lie further apart than this say nothing about a step."""


def monotonic() -> int:
    """The monotonic clock in microseconds: nobody can set it, and it stands while the machine is asleep."""
    return time.monotonic_ns() // 1_000


def boot_time() -> int:
    """The monotonic clock in microseconds, with the time for which the machine was asleep."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000


class EventClock:
    """Event time in microseconds UTC. `look` at every tick; `seed` once, at the start.

    `grain` is the step in which event time jumps: the width of a window, so that open windows stay whole.
    """

    def __init__(
        self,
        wall: Callable[[], int] = wall,
        monotonic: Callable[[], int] = monotonic,
        boot_time: Callable[[], int] = boot_time,
    ) -> None:
        self.grain = 1
        self._read_wall, self._monotonic, self._boot_time = wall, monotonic, boot_time
        apart, _ = self._apart()
        self._wall = self._steady = self._offset = apart  # each less the monotonic clock
        self._slept = boot_time() - monotonic()
        self._slewed = monotonic()
        self._slewing = False
        self._last = 0
        self._aged = 0

    def now(self) -> int:
        """Event time; never less than the call before."""
        self._last = max(self._last, self._monotonic() + self._offset)
        return self._last

    def steady(self) -> int:
        """The time for drivers: UTC as it was known at the start, and the monotonic clock since."""
        return self._monotonic() + self._steady

    @property
    def lead(self) -> int:
        """Microseconds by which event time is ahead of the wall clock."""
        return self._offset - self._wall

    def seed(self, last: int) -> ClockStep | None:
        """Event time goes on behind `last`, where the run before ended. The step, if the wall clock is behind that."""
        behind = last - self._monotonic() - self._offset
        if behind <= 0:
            return None
        self._offset += behind
        return ClockStep(last, -behind, 0, "behind") if behind >= STEP else None

    def age(self) -> int:
        """The time by which events are old: it has run while the gateway ran, whatever the clocks were set to, so that
        no step makes old what is not. 0 before `seed_age`."""
        return self._aged + self._monotonic() if self._aged else 0

    def seed_age(self, last: int) -> None:
        """Age goes on from `last`, where the run before ended."""
        self._aged = last - self._monotonic()

    def look(self) -> ClockStep | None:
        """Compares the clocks; the step, if the wall clock was set since the last look or the machine was asleep."""
        apart, closely = self._apart()
        if not closely:
            return None  # the machine is too busy to tell: the next look will
        self._slew(apart)
        by = apart - self._wall
        if abs(by) < STEP:
            return None
        slept = self._boot_time() - self._monotonic()
        asleep, self._slept = slept - self._slept, slept
        self._wall = apart
        jump = max(0, apart - self._offset) // self.grain * self.grain
        self._offset += jump
        cause: StepCause = "suspended" if asleep >= by * ASLEEP > 0 else "set"
        return ClockStep(self.now(), by, jump, cause)

    def dated(self, item: Item) -> Item:
        """What a driver said by `steady`, in event time. A batch is changed in place."""
        shift = self._offset - self._steady
        if not shift:
            return item
        if isinstance(item, Batch):
            item.arrival += shift
            item.offset += shift
            return item
        if isinstance(item, ReaderClock):
            return replace(item, t=item.t + shift, offset=item.offset + shift)
        if isinstance(item, ReaderLoss):
            return replace(item, t=item.t + shift, start=item.start + shift, end=item.end + shift)
        return replace(item, t=item.t + shift)

    def _apart(self) -> tuple[int, bool]:
        """Wall less monotonic clock, and whether the two were read close enough to each other."""
        best, apart = 1 << 62, 0
        for _ in range(_ATTEMPTS):
            before = self._monotonic()
            read = self._read_wall()
            took = self._monotonic() - before
            if took < best:
                best, apart = took, read - before - took // 2
            if best <= _CLOSE:
                return apart, True
        return apart, False

    def _slew(self, apart: int) -> None:
        """Comes nearer to the wall clock, as far as the time since the last look allows."""
        now = self._monotonic()
        most = (now - self._slewed) // SLEW
        self._slewed += most * SLEW
        off = apart - self._offset
        if self._slewing or abs(off) > SAME:
            self._offset += min(max(off, -most), most)
            self._slewing = abs(off) > most
