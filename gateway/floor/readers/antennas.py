"""Antenna clocks: the time for which each antenna was really watching, in microseconds.

Silence says something about a tag only while the antenna that saw it last could have seen it. So every antenna has a
clock that stands still while it is dark: its reader down or still delivering what it held, the antenna lost, or the
gateway itself not running. Dark times are kept as a running total; `dark(antenna, t)` is that total at time `t`.

Between two signs of life nobody knows yet whether a reader is reading: such an antenna is dark for the time being
(QUIET). The next sign of life annuls that, since reads come in order; the news that the reader is down makes it true.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag
from typing import Any


class DarkCause(IntFlag):
    """Why an antenna is dark."""

    READER = 1  # not up, or never heard of
    HELD = 2  # the reader is still delivering held reads
    ANTENNA = 4
    RETIRED = 8  # not in the configuration any more
    QUIET = 16  # no sign of life for a while


_WORDS = {
    DarkCause.RETIRED: "not configured",
    DarkCause.READER: "reader down",
    DarkCause.ANTENNA: "antenna down",
    DarkCause.HELD: "catching up",
}

LIT = -1
"""In `since`: the antenna is watching."""


class AntennaClock:
    """`total` holds the finished dark times of each antenna in microseconds, `since` when it went dark, or LIT."""

    def __init__(self) -> None:
        self.total: list[int] = []
        self.since: list[int] = []
        self.causes: list[DarkCause] = []
        self.lit_again: list[int] = []  # antennas that were dark; whoever waits for them empties it

    def grow(self, count: int, cause: DarkCause) -> None:
        """Adds antennas up to `count`, dark since ever."""
        missing = count - len(self.total)
        self.total += [0] * missing
        self.since += [0] * missing
        self.causes += [cause] * missing

    def darken(self, antennas: Iterable[int], cause: DarkCause, t: int) -> None:
        """The antennas stop watching at `t`, for a cause."""
        for antenna in antennas:
            self.causes[antenna] |= cause
            if self.since[antenna] == LIT:
                self.since[antenna] = t

    def lighten(self, antennas: Iterable[int], cause: DarkCause, t: int) -> None:
        """A cause ends at `t`; antennas that have no other are watching again."""
        for antenna in antennas:
            self.causes[antenna] &= ~cause
            if not self.causes[antenna] and self.since[antenna] != LIT:
                self.total[antenna] += max(0, t - self.since[antenna])
                self._light(antenna)

    def annul(self, antennas: Iterable[int]) -> None:
        """The antennas were watching all the while that they were QUIET."""
        for antenna in antennas:
            if self.causes[antenna] == DarkCause.QUIET:
                self._light(antenna)
            self.causes[antenna] &= ~DarkCause.QUIET

    def skip(self, by: int) -> None:
        """Event time jumps by `by` microseconds, in which nobody was watching. Who is dark is dark meanwhile too."""
        for antenna, since in enumerate(self.since):
            if since == LIT:
                self.total[antenna] += by

    def redate(self, by: int) -> None:
        """Antennas that are dark went dark `by` microseconds later than was thought."""
        self.since = [since if since == LIT else since + by for since in self.since]

    def _light(self, antenna: int) -> None:
        self.since[antenna] = LIT
        self.lit_again.append(antenna)

    def dark(self, antenna: int, t: int) -> int:
        """Microseconds for which the antenna was dark up to `t`."""
        since = self.since[antenna]
        return self.total[antenna] + (t - since if LIT < since < t else 0)

    def lit(self, antenna: int) -> bool:
        """Whether the antenna is watching."""
        return self.since[antenna] == LIT

    def words(self, antenna: int) -> str:
        """What the antenna is doing, for people."""
        causes = self.causes[antenna]
        for cause, words in _WORDS.items():
            if cause in causes:
                return words
        return "watching"

    def dump(self) -> list[list[int]]:
        """The state for a checkpoint, ready for JSON."""
        return [self.total, self.since, [int(cause) for cause in self.causes]]

    def load(self, dump: Any, numbers: list[int], t: int) -> None:
        """Takes over, at time `t`, a dump in which antenna i is the one that is now called ``numbers[i]``; of several
        that are one now, the first, which was configured. One that was not configured and is again stays dark until its
        reader comes up with it."""
        first = {new: old for old, new in reversed(list(enumerate(numbers)))}
        for new, old in sorted(first.items()):
            retired = self.causes[new] & DarkCause.RETIRED
            self.total[new] = int(dump[0][old])
            self.since[new] = int(dump[1][old])
            self.causes[new] = DarkCause(dump[2][old])
            if retired:
                self.darken([new], retired, t)
            elif DarkCause.RETIRED in self.causes[new]:
                self.causes[new] = DarkCause.READER | self.causes[new] & DarkCause.ANTENNA
