"""The first stage: reads are added up, not sorted.

Every antenna has a dictionary for each window of event time, from EPC to four integers that do not care about order:
number of reads, strongest RSSI, sum of power, and sum of power times time within the window. Integer sums are exact,
so however the reads of a window were interleaved or cut into batches, the result is the same. A window that lies
behind the watermark is closed and handed on: what it holds are sightings.

Where much is read the same sums are made by whole columns instead (columns.py); a window's sightings are then found
there.

Reads for a window that is closed already are added up likewise and handed on with the next, marked late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from operator import itemgetter
from typing import Any, cast

import numpy as np

from drivers.api import Batch
from drivers.records import Records
from gateway.clock import SECOND
from gateway.floor import columns
from gateway.floor.columns import Block, BlockSightings, Columns, dumped, merge
from gateway.floor.levels import POWER, RANGE, UNITS
from gateway.floor.reader_windows import ORDER, AntennaSightings, ClosedWindow, ReaderWindows, Store, WindowMode
from gateway.floor.sighting_columns import (
    MAX_READERS,
    PORT_SHIFT,
    Limits,
    add_sighting,
    dictionaries,
    distinct,
    group,
    key_of,
    parts_of,
)
from gateway.floor.stats import FloorStats

FUTURE = 60 * SECOND
"""A read further ahead of the tick than this, and the lateness, has a wrong time: no clock is corrected that badly."""

PAST = 7 * 86_400 * SECOND
"""A read older than this has a wrong time: no reader holds its reads for a week."""


RAW = 2
"""The code of the unit that only serial readers have; it is never taken in as columns."""

_NO_SIGHTINGS: AntennaSightings = {}
_FIRST_SIX = itemgetter(0, 1, 2, 3, 4, 5)


class Windows:
    """The open windows of all readers. `now` is the newest tick, 0 before the first.

    `width` and `lateness` in microseconds, `bound` the number of sightings from which windows are to be closed early.
    `apart` are the antennas, as reader and port, whose reads are never taken in as columns.
    """

    def __init__(
        self,
        width: int,
        lateness: int,
        readers: Iterable[str],
        stats: FloorStats,
        bound: int = 1 << 62,
        apart: Iterable[tuple[str, int]] = (),
    ) -> None:
        self.width = width
        self.behind = -(-lateness // width)
        self.readers = {reader: ReaderWindows() for reader in sorted(readers)}
        self.names = list(self.readers)
        self.now = 0
        self._bound = bound
        self._sightings = 0  # in dictionaries
        self._columns = Columns()
        self._numbers = {reader: number for number, reader in enumerate(self.names[:MAX_READERS])}
        known = [(self._numbers[reader], port) for reader, port in apart if reader in self._numbers]
        self._apart = sorted(key_of(number, port, 0) >> PORT_SHIFT for number, port in known)
        self._since = self._before = 0  # reads since the last tick, and between the two before
        self._upper = self._lateness = max(lateness, 0)
        self._ahead = lateness + FUTURE
        self._stats = stats

    @property
    def lateness(self) -> int:
        """The microseconds for which a window waits for late reads; never longer than the configuration says."""
        return self._lateness

    @lateness.setter
    def lateness(self, lateness: int) -> None:
        """How late a read may come and be counted in its place, microseconds; between nothing and the upper bound."""
        self._lateness = min(max(lateness, 0), self._upper)

    @property
    def count(self) -> int:
        """How many sightings are open; an upper bound of it below `bound`."""
        upper = self._sightings + self._columns.upper
        if upper >= self._bound and self._columns.upper:
            self._digest()
            self._columns.compact()
            upper = self._sightings + self._columns.upper
        if upper >= self._bound and self._columns.upper:
            # A sighting may be in part in a column and in part in a dictionary: only together they are counted once.
            self._spill(range(len(self.names)))
            upper = self._sightings
        return upper

    def turn(self, t: int) -> int:
        """Time has come to `t`, or is later already. Returns what `now` is."""
        self._digest()
        self._before, self._since = self._since, 0
        self.now = max(self.now, t)
        return self.now

    def add(self, batch: Batch) -> None:
        """Adds the reads of a batch. Those of a reader that the configuration does not name are only counted."""
        windows, rows = self.readers.get(batch.reader), batch.rows
        count = len(rows)
        if windows is None or not count:
            self._stats.unmapped += count
            return
        windows.heard = batch.arrival
        unit = UNITS.index(batch.rssi_unit)
        number = self._numbers.get(batch.reader)
        self._since += count
        much = max(self._since, self._before) >= columns.FEW_READS
        fits = much and type(rows) is Records and self.now and unit < RAW and windows.mode is not WindowMode.HELD
        if not fits or number is None or not self._columns.add(batch, cast(Records, rows), number, unit):
            self._take(windows, batch)
        elif self._columns.is_full:
            self._digest()

    def _digest(self) -> None:
        """Takes in what waits to be added up as columns; reads that are odd go the plain way."""
        if not self._columns.upper:
            return
        closed = [windows.closed for windows in self.readers.values()]
        limits = Limits(self.width, self.now - PAST, self.now + self._ahead, closed, np.array(self._apart, np.uint32))
        for batches, found in self._columns.digest(limits):
            if found is None:
                for _, batch in batches:
                    self._take(self.readers[batch.reader], batch)
                continue
            for (_, batch), reads, newest in zip(batches, found.reads, found.newest, strict=True):
                windows = self.readers[batch.reader]
                windows.newest = max(windows.newest, newest)
                windows.reads += reads
            self._stats.reads += sum(found.reads)
            for at, odd in found.batches():
                batch = batches[at][1]
                all_rows = list(batch.rows)
                self._fill(self.readers[batch.reader], replace(batch, rows=[all_rows[row] for row in odd]))
            for number, rows in found.windows(late=True):
                self._put(number, dictionaries(group(rows)), late=True)

    def _put(self, number: int, sightings: dict[int, AntennaSightings], *, late: bool = False) -> None:
        """Adds sightings of a window, by key, to dictionaries."""
        for key, found in sightings.items():
            reader, port, unit = parts_of(key)
            windows = self.readers[self.names[reader]]
            store = windows.stale if late else windows.open
            into = store.setdefault((number, unit), {}).setdefault(port, {})
            self._sightings += sum([add_sighting(into, epc, sums) for epc, sums in found.items()])

    def _take(self, windows: ReaderWindows, batch: Batch) -> None:
        """Adds the reads of a batch to dictionaries, and counts them."""
        reads = self._fill(windows, batch)
        windows.reads += reads
        self._stats.reads += reads

    def _fill(self, windows: ReaderWindows, batch: Batch) -> int:
        """Adds the rows of a batch to dictionaries. Returns how many reads they stand for."""
        unit = UNITS.index(batch.rssi_unit)
        if unit != windows.unit:
            windows.forget()
        power = POWER[unit]
        offset = batch.offset
        lo, width, ports = windows.lo - offset, windows.hi - windows.lo, windows.ports
        port, sightings = -1, _NO_SIGHTINGS
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
                sightings = ports.setdefault(port, {}) if found is None else found
            try:
                p = power[rssi]
            except IndexError:
                rssi = min(max(rssi, RANGE[unit][0]), RANGE[unit][1])
                p = power[rssi]
            if n != 1:
                p *= n
                extra += n - 1
            sums = sightings.get(epc)
            if sums is None:
                sightings[epc] = [n, rssi, p, p * into]
                fresh += 1
            else:
                sums[0] += n
                sums[2] += p
                sums[3] += p * into
                if rssi > sums[1]:
                    sums[1] = rssi
        self._sightings += fresh
        return len(batch.rows) + extra

    def _dated(self, t: int, arrival: int) -> int:
        """`t`, or where that cannot be when the read was made, its arrival."""
        now = self.now or arrival
        if now - PAST <= t <= now + self._ahead:
            return t
        self._stats.misdated += 1
        return min(arrival, now + self._ahead) if arrival > now - PAST else now

    def heard(self, antennas: Iterable[tuple[str, int]]) -> set[bytes]:
        """The tags in the open windows of some antennas, each given as reader and port."""
        found: set[bytes] = set()
        for reader, port in antennas:
            for ports in self.readers[reader].open.values():
                found.update(ports.get(port, ()))
        return found

    def close(self, limit: int) -> list[ClosedWindow]:
        """Takes out the windows below number `limit`, and everything late, in the order of their time."""
        self._stats.event_time = limit * self.width
        self._digest()
        held = [self._numbers[name] for name, windows in self.readers.items() if windows.mode is WindowMode.HELD]
        if held and self._columns.upper:
            self._spill(held)
        closed = [
            window for reader, windows in self.readers.items() for window in windows.take(reader, limit, self.behind)
        ]
        for window in closed:
            self._sightings -= len(window.sightings)
            if window.late:
                late = sum(sums[0] for sums in window.sightings.values())
                self.readers[window.reader].late += late
                self._stats.late += late
        closed += self._close_columns(limit, closed)
        closed.sort(key=ORDER)
        return closed

    def _close_columns(self, limit: int, closed: list[ClosedWindow]) -> list[ClosedWindow]:
        """The windows that are columns. What has sightings in a dictionary too is added to those."""
        found = []
        for number, sightings in self._columns.close(limit):
            plain = {
                key_of(self._numbers[window.reader], window.port, window.unit): cast(AntennaSightings, window.sightings)
                for window in closed
                if window.number == number and not window.late and window.reader in self._numbers
            }
            if plain:
                sightings = merge(plain, sightings)
            block = Block(sightings)
            for key in distinct(sightings.keys).tolist() if len(sightings) else ():
                reader, port, unit = parts_of(key)
                found.append(ClosedWindow(number, self.names[reader], port, False, unit, BlockSightings(block, key)))
        return found

    def _spill(self, readers: Collection[int]) -> None:
        """Puts what some readers have in columns into dictionaries."""
        for number, sightings in self._columns.spill(readers):
            self._put(number, sightings)

    def redate(self, by: int) -> None:
        """Everything was read `by` microseconds, a multiple of `width`, later than was thought."""
        self._digest()
        self._columns.redate(by // self.width)
        self.now += by if self.now else 0
        for reader in self.readers.values():
            reader.redate(by // self.width)
            reader.heard += by

    def clear(self) -> None:
        """Forgets what is in open windows."""
        for windows in self.readers.values():
            windows.open, windows.stale = {}, {}
            windows.forget()
        self._sightings = 0
        self._columns.clear()

    def newest(self) -> int:
        """The highest window number that is open, 0 where none is."""
        self._digest()
        numbers = (number for windows in self.readers.values() for number, _ in windows.open)
        return max(self._columns.newest(), max(numbers, default=0))

    def dump(self) -> dict[str, Any]:
        """The open windows but for those that are columns, ready for JSON."""
        self._digest()
        readers = {reader: _dump(windows) for reader, windows in self.readers.items()}
        return {"width": self.width, "now": self.now, "lateness": self._lateness, "readers": readers}

    def dump_columns(self) -> bytes:
        """The open windows that are columns: the numbers in them are those of the readers in the order of `dump`."""
        self._digest()
        return self._columns.dump()

    def load(self, dump: Any, columns: bytes) -> None:
        """Takes over a dump. Where the width of a window has changed, open windows go into the one they begin in.
        Raises ValueError where the columns are not what `dump_columns` gave."""
        entries = dict(enumerate(dump["readers"].values()))
        for number, key, epc, sums in dumped(columns):
            reader, port, unit = parts_of(key)
            if reader not in entries:
                raise ValueError(f"there is no reader {reader} in it")
            entries[reader]["open"].append([number, unit, port, [[epc.hex(), *sums]]])
        self.now = int(dump["now"])
        width = int(dump["width"])
        self.lateness = int(dump.get("lateness", self._upper))
        for reader, entry in dump["readers"].items():
            windows = self.readers.get(reader)
            if windows is None:
                continue
            windows.mode = WindowMode(entry["mode"])
            windows.closed = entry["closed"] * width // self.width
            windows.newest = entry["newest"] * width // self.width
            windows.heard, windows.reads, windows.late = entry["heard"], entry["reads"], entry["late"]
            for name in ("open", "stale"):
                for number, unit, port, sightings in entry[name]:
                    start = number * width
                    ports = getattr(windows, name).setdefault((start // self.width, unit), {})
                    shift = start % self.width
                    self._sightings += _merge(ports.setdefault(port, {}), sightings, shift)


def _merge(sightings: AntennaSightings, dump: list[Any], shift: int) -> int:
    """Adds dumped sightings, whose window began `shift` into this one. Returns how many are new."""
    before = len(sightings)
    for epc, reads, rssi, power, moment in dump:
        sums = sightings.setdefault(bytes.fromhex(epc), [0, rssi, 0, 0])
        sums[0] += reads
        sums[1] = max(sums[1], rssi)
        sums[2] += power
        sums[3] += moment + power * shift
    return len(sightings) - before


def _dump(windows: ReaderWindows) -> dict[str, Any]:
    def flat(store: Store) -> list[Any]:
        return [
            [number, unit, port, [[epc.hex(), *sums] for epc, sums in sightings.items()]]
            for (number, unit), ports in store.items()
            for port, sightings in ports.items()
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
