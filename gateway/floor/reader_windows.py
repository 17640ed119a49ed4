"""The open windows of one reader as dictionaries, how they close, and what a closed one is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import TypeAlias

from gateway.floor.columns import BlockSightings

Sums: TypeAlias = list[int]
"""``[reads, strongest RSSI in steps of its unit, sum of power, sum of power x microseconds into the window]``."""

AntennaSightings: TypeAlias = dict[bytes, Sums]
"""One antenna in one window: EPC to sighting."""

ReadSightings: TypeAlias = Mapping[bytes, Sums]
"""The same, to be looked at only."""

Store: TypeAlias = dict[tuple[int, int], dict[int, AntennaSightings]]
"""Window number and unit code, then antenna port."""


class WindowMode(StrEnum):
    """How the windows of a reader close."""

    ABSENT = "absent"  # never heard of: nothing is late yet
    LIVE = "live"  # with the watermark of all
    HELD = "held"  # behind its own newest read: it is still delivering what it held
    DOWN = "down"  # with the watermark of all, but what it may hold for later is not late


class ReaderWindows:
    """The windows of one reader.

    `closed` is a window number: reads for windows below it are late. `newest` is the highest window that was read.
    `heard` is the arrival of the newest batch, `reads` and `late` count reads.
    `lo`, `hi` (microseconds UTC), `unit` and `ports` are the window that took the last read; most often it takes the
    next one too.
    """

    __slots__ = ("closed", "heard", "hi", "late", "lo", "mode", "newest", "open", "ports", "reads", "stale", "unit")

    def __init__(self) -> None:
        self.mode = WindowMode.ABSENT
        self.closed = 0
        self.newest = 0
        self.heard = 0
        self.reads = 0
        self.late = 0
        self.open: Store = {}
        self.stale: Store = {}  # windows that were closed before
        self.forget()

    def forget(self) -> None:
        """No window is at hand for the next read."""
        self.lo, self.hi, self.unit = 1, 0, -1
        self.ports: dict[int, AntennaSightings] = {}

    def turn(self, number: int, width: int, unit: int) -> None:
        """Puts window `number` at hand, opening it where it is not open."""
        if number > self.newest:
            self.newest = number
        store = self.stale if number < self.closed else self.open
        self.ports = store.setdefault((number, unit), {})
        self.lo = number * width
        self.hi = self.lo + width
        self.unit = unit

    def redate(self, windows: int) -> None:
        """Everything was read so many windows later than was thought."""
        self.open = {(number + windows, unit): ports for (number, unit), ports in self.open.items()}
        self.stale = {(number + windows, unit): ports for (number, unit), ports in self.stale.items()}
        if self.newest:
            self.newest += windows
        self.closed += windows
        self.forget()

    def bound(self, limit: int, behind: int) -> int:
        """Below which window nothing more is expected in time, where `limit` is that of a live reader."""
        if self.mode is WindowMode.LIVE or (self.mode is WindowMode.ABSENT and self.newest):
            return limit
        if self.mode is WindowMode.HELD:
            return min(limit, self.newest - behind)
        return min(limit, self.newest + 1)

    def take(self, reader: str, limit: int, behind: int) -> Iterator[ClosedWindow]:
        """Takes out what is stale, and what is not to wait for more."""
        for (number, unit), ports in self.stale.items():
            for port, sightings in ports.items():
                yield ClosedWindow(number, reader, port, True, unit, sightings)
        self.stale = {}
        bound = self.bound(limit, behind)
        upto = bound if self.mode is WindowMode.HELD else limit
        for number, unit in [key for key in self.open if key[0] < upto]:
            for port, sightings in self.open.pop((number, unit)).items():
                yield ClosedWindow(number, reader, port, False, unit, sightings)
        self.closed = max(self.closed, bound)
        self.forget()


@dataclass(slots=True, frozen=True)
class ClosedWindow:
    """The sightings of one antenna in a window that was closed. Closed windows are looked at in `ORDER`."""

    number: int
    reader: str
    port: int
    late: bool
    unit: int
    sightings: ReadSightings = field(compare=False)

    def among(self, epcs: Set[bytes]) -> list[bytes]:
        """The EPCs of this window that are among `epcs`, sorted."""
        if type(self.sightings) is BlockSightings and self.sightings.block.found.isdisjoint(epcs):
            return []
        return sorted(epcs & self.sightings.keys())


ORDER = attrgetter("number", "reader", "port", "late", "unit")
"""The sort key of closed windows."""
