"""The first stage: reads are added up, not sorted.

Every antenna has a dictionary for each window of event time, from EPC to four integers that do not care about order:
number of reads, strongest RSSI, sum of power, and sum of power times time within the window. Integer sums are exact,
so however the reads of a window were interleaved or cut into batches, the result is the same. A window that lies
behind the watermark is closed and handed on; its cells become sightings.

Reads for a window that is closed already are kept in the same form and handed on with the next, marked late.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from operator import itemgetter
from typing import Any, TypeAlias

from drivers.api import Batch
from gateway.clock import SECOND
from gateway.floor.levels import POWER, RANGE, UNITS
from gateway.floor.stats import FloorStats

Cell: TypeAlias = list[int]
"""``[reads, strongest RSSI in steps of its unit, sum of power, sum of power x microseconds into the window]``."""

Cells: TypeAlias = dict[bytes, Cell]
"""One antenna in one window: EPC to cell."""

Store: TypeAlias = dict[tuple[int, int], dict[int, Cells]]
"""Window number and unit code, then antenna port."""

FUTURE = 60 * SECOND
"""A read further ahead of the tick than this, and the lateness, has a wrong time: no clock is corrected that badly."""

PAST = 7 * 86_400 * SECOND
"""A read older than this has a wrong time: no reader holds its reads for a week."""


_NO_CELLS: Cells = {}
_FIRST_SIX = itemgetter(0, 1, 2, 3, 4, 5)


class Mode(StrEnum):
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
        self.mode = Mode.ABSENT
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
        self.ports: dict[int, Cells] = {}

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
        if self.mode is Mode.LIVE or (self.mode is Mode.ABSENT and self.newest):
            return limit
        if self.mode is Mode.HELD:
            return min(limit, self.newest - behind)
        return min(limit, self.newest + 1)

    def take(self, reader: str, limit: int, behind: int) -> Iterator[Closed]:
        """Takes out what is stale, and what is not to wait for more."""
        for (number, unit), ports in self.stale.items():
            for port, cells in ports.items():
                yield Closed(number, reader, port, True, unit, cells)
        self.stale = {}
        bound = self.bound(limit, behind)
        upto = bound if self.mode is Mode.HELD else limit
        for number, unit in [key for key in self.open if key[0] < upto]:
            for port, cells in self.open.pop((number, unit)).items():
                yield Closed(number, reader, port, False, unit, cells)
        self.closed = max(self.closed, bound)
        self.forget()


@dataclass(slots=True, frozen=True, order=True)
class Closed:
    """One antenna's part of a window that was closed. They are looked at in the order of their fields."""

    number: int
    reader: str
    port: int
    late: bool
    unit: int
    cells: Cells = field(compare=False)


class Windows:
    """The open windows of all readers. `count` is how many cells they hold; `now` the newest tick, 0 before the first.

    `width` and `lateness` in microseconds.
    """

    def __init__(self, width: int, lateness: int, readers: Iterable[str], stats: FloorStats) -> None:
        self.width = width
        self.behind = -(-lateness // width)
        self.readers = {reader: ReaderWindows() for reader in sorted(readers)}
        self.count = 0
        self.now = 0
        self._ahead = lateness + FUTURE
        self._stats = stats

    def add(self, batch: Batch) -> None:
        """Adds the reads of a batch. Those of a reader that the configuration does not name are only counted."""
        windows = self.readers.get(batch.reader)
        if windows is None or not batch.rows:
            self._stats.unmapped += len(batch.rows)
            return
        unit = UNITS.index(batch.rssi_unit)
        if unit != windows.unit:
            windows.forget()
        power = POWER[unit]
        offset = batch.offset
        lo, width, ports = windows.lo - offset, windows.hi - windows.lo, windows.ports
        port, cells = -1, _NO_CELLS
        fresh = extra = 0
        for epc, antenna, rssi, _, t, n in map(_FIRST_SIX, batch.rows) if batch.phase else batch.rows:
            into = t - lo
            if not 0 <= into < width:
                t = self._dated(t + offset, batch.arrival)
                width = self.width
                windows.turn(t // width, width, unit)
                into = t - windows.lo
                lo, ports = windows.lo - offset, windows.ports
                port = -1
            if antenna != port:
                port = antenna
                found = ports.get(port)
                cells = ports.setdefault(port, {}) if found is None else found
            try:
                p = power[rssi]
            except IndexError:
                rssi = min(max(rssi, RANGE[unit][0]), RANGE[unit][1])
                p = power[rssi]
            if n != 1:
                p *= n
                extra += n - 1
            cell = cells.get(epc)
            if cell is None:
                cells[epc] = [n, rssi, p, p * into]
                fresh += 1
            else:
                cell[0] += n
                cell[2] += p
                cell[3] += p * into
                if rssi > cell[1]:
                    cell[1] = rssi
        self.count += fresh
        windows.heard = batch.arrival
        windows.reads += len(batch.rows) + extra
        self._stats.reads += len(batch.rows) + extra

    def _dated(self, t: int, arrival: int) -> int:
        """`t`, or where that cannot be when the read was made, its arrival."""
        now = self.now or arrival
        if now - PAST <= t <= now + self._ahead:
            return t
        self._stats.misdated += 1
        return min(arrival, now + self._ahead) if arrival > now - PAST else now

    def close(self, limit: int) -> list[Closed]:
        """Takes out the windows below number `limit`, and everything late, in the order of their time."""
        self._stats.event_time = limit * self.width
        closed = [
            window for reader, windows in self.readers.items() for window in windows.take(reader, limit, self.behind)
        ]
        closed.sort()
        for window in closed:
            self.count -= len(window.cells)
            if window.late:
                late = sum(cell[0] for cell in window.cells.values())
                self.readers[window.reader].late += late
                self._stats.late += late
        return closed

    def redate(self, by: int) -> None:
        """Everything was read `by` microseconds, a multiple of `width`, later than was thought."""
        self.now += by if self.now else 0
        for reader in self.readers.values():
            reader.redate(by // self.width)
            reader.heard += by

    def clear(self) -> None:
        """Forgets what is in open windows."""
        for windows in self.readers.values():
            windows.open, windows.stale = {}, {}
            windows.forget()
        self.count = 0

    def newest(self) -> int:
        """The highest window number that is open, 0 where none is."""
        return max((number for windows in self.readers.values() for number, _ in windows.open), default=0)

    def dump(self) -> dict[str, Any]:
        """The open windows, ready for JSON."""
        return {
            "width": self.width,
            "now": self.now,
            "readers": {reader: _dump(windows) for reader, windows in self.readers.items()},
        }

    def load(self, dump: Any) -> None:
        """Takes over a dump. Where the width of a window has changed, open windows go into the one they begin in."""
        self.now = int(dump["now"])
        width = int(dump["width"])
        for reader, entry in dump["readers"].items():
            windows = self.readers.get(reader)
            if windows is None:
                continue
            windows.mode = Mode(entry["mode"])
            windows.closed = entry["closed"] * width // self.width
            windows.newest = entry["newest"] * width // self.width
            windows.heard, windows.reads, windows.late = entry["heard"], entry["reads"], entry["late"]
            for name in ("open", "stale"):
                for number, unit, port, cells in entry[name]:
                    start = number * width
                    ports = getattr(windows, name).setdefault((start // self.width, unit), {})
                    shift = start % self.width
                    self.count += _merge(ports.setdefault(port, {}), cells, shift)


def _merge(cells: Cells, dump: list[Any], shift: int) -> int:
    """Adds dumped cells, whose window began `shift` into this one. Returns how many are new."""
    before = len(cells)
    for epc, reads, rssi, power, moment in dump:
        cell = cells.setdefault(bytes.fromhex(epc), [0, rssi, 0, 0])
        cell[0] += reads
        cell[1] = max(cell[1], rssi)
        cell[2] += power
        cell[3] += moment + power * shift
    return len(cells) - before


def _dump(windows: ReaderWindows) -> dict[str, Any]:
    def flat(store: Store) -> list[Any]:
        return [
            [number, unit, port, [[epc.hex(), *cell] for epc, cell in cells.items()]]
            for (number, unit), ports in store.items()
            for port, cells in ports.items()
        ]

    return {
        "mode": str(windows.mode),
        "closed": windows.closed,
        "newest": windows.newest,
        "heard": windows.heard,
        "reads": windows.reads,
        "late": windows.late,
        "open": flat(windows.open),
        "stale": flat(windows.stale),
    }
