"""Tag reports of the emulated LLRP reader: how a read becomes bytes, and where reads wait until they can be sent."""

from __future__ import annotations

import binascii
from collections import deque
from collections.abc import Callable, Iterable
from operator import itemgetter
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

from drivers.emulators.llrp.identity import IMPINJ
from drivers.emulators.scene import Seen, tid_of
from drivers.llrp.protocol.element import Element

REPORT_LIMIT = 500
"""Most TagReportData in one RO_ACCESS_REPORT when a backlog goes out: 50 kB at most, far below any client's cap."""

_TAG_REPORT_DATA = 240
_EPC_DATA = 241
_CUSTOM = 1023
_TV = 0x80

# What a part of the layout is filled with: an index into the values of a read, or a constant.
_VALUES = ("epc", "antenna", "dbm", "centi_dbm", "channel", "time", "phase", "doppler", "pc", "crc", "tid")
_Part: TypeAlias = tuple[str, int | str]  # (struct format, constant or name of a value)


class Layout:
    """The TagReportData of one AISpec. `encode` costs one `struct` call for a read."""

    def __init__(
        self, report_spec: Element, *, rospec: int, spec_index: int, parameter_spec: int, has_utc: bool
    ) -> None:
        selector = report_spec.need("TagReportContentSelector")
        memory = selector.find("C1G2EPCMemorySelector")
        vendor = _impinj_switches([*report_spec.children, *selector.children])
        first, last = (2, 4) if has_utc else (3, 5)
        parts: list[tuple[bool, list[_Part]]] = [
            (selector["EnableROSpecID"], [("B", _TV | 9), ("I", rospec)]),
            (selector["EnableSpecIndex"], [("B", _TV | 14), ("H", spec_index)]),
            (selector["EnableInventoryParameterSpecID"], [("B", _TV | 10), ("H", parameter_spec)]),
            (selector["EnableAntennaID"], [("B", _TV | 1), ("H", "antenna")]),
            (selector["EnablePeakRSSI"], [("B", _TV | 6), ("b", "dbm")]),
            (selector["EnableChannelIndex"], [("B", _TV | 7), ("H", "channel")]),
            (selector["EnableFirstSeenTimestamp"], [("B", _TV | first), ("Q", "time")]),
            (selector["EnableLastSeenTimestamp"], [("B", _TV | last), ("Q", "time")]),
            (selector["EnableTagSeenCount"], [("B", _TV | 8), ("H", 1)]),
            (memory is not None and memory["EnablePCBits"], [("B", _TV | 12), ("H", "pc")]),
            (memory is not None and memory["EnableCRC"], [("B", _TV | 11), ("H", "crc")]),
            (selector["EnableAccessSpecID"], [("B", _TV | 16), ("I", 0)]),
            ("tid" in vendor, [*_custom(55, 14), ("H", 6), ("12s", "tid")]),
            ("phase" in vendor, [*_custom(56, 2), ("H", "phase")]),
            ("rssi" in vendor, [*_custom(57, 2), ("h", "centi_dbm")]),
            ("doppler" in vendor, [*_custom(68, 2), ("h", "doppler")]),
        ]
        self._parts = [part for enabled, group in parts if enabled for part in group]
        used = {source for _, source in self._parts}
        self._tid = "tid" in used
        self._memory = bool({"pc", "crc"} & used)
        self._packers: dict[int, Callable[[tuple[Any, ...]], bytes]] = {}

    def encode(self, seen: Seen, time: int) -> bytes:
        """The TagReportData of a read; `time` in microseconds by the clock that the reader has."""
        epc, antenna, rssi, channel, _, phase, doppler = seen
        pack = self._packers.get(len(epc))
        if pack is None:
            pack = self._packers[len(epc)] = _packer(_epc_parts(len(epc)), self._parts)
        dbm = max(-128, min(127, (rssi + 50) // 100))
        pc = crc = 0
        if self._memory:
            pc = len(epc) // 2 << 11
            crc = binascii.crc_hqx(pc.to_bytes(2, "big") + epc, 0xFFFF) ^ 0xFFFF
        tid = tid_of(epc) if self._tid else b""
        return pack((epc, antenna, dbm, rssi, channel, time, phase, doppler, pc, crc, tid))


def _impinj_switches(children: Iterable[Element]) -> set[str]:
    """Which of Impinj's additions the client has switched on."""
    switches = {
        "ImpinjEnableSerializedTID": ("SerializedTIDMode", "tid"),
        "ImpinjEnableRFPhaseAngle": ("RFPhaseAngleMode", "phase"),
        "ImpinjEnablePeakRSSI": ("PeakRSSIMode", "rssi"),
        "ImpinjEnableRFDopplerFrequency": ("RFDopplerFrequencyMode", "doppler"),
    }
    chosen = set()
    for selector in children:
        if selector.name == "ImpinjTagReportContentSelector":
            for child in selector.children:
                field, what = switches.get(child.name, ("", ""))
                if field and child[field]:
                    chosen.add(what)
    return chosen


def _custom(subtype: int, size: int) -> list[_Part]:
    return [("H", _CUSTOM), ("H", 12 + size), ("I", IMPINJ), ("I", subtype)]


def _epc_parts(size: int) -> list[_Part]:
    if size == 12:
        return [("B", _TV | 13), ("12s", "epc")]
    return [("H", _EPC_DATA), ("H", 6 + size), ("H", 8 * size), (f"{size}s", "epc")]


def _packer(epc: list[_Part], rest: list[_Part]) -> Callable[[tuple[Any, ...]], bytes]:
    body = [*epc, *rest]
    size = 4 + Struct(">" + "".join(form for form, _ in body)).size
    parts: list[_Part] = [("H", _TAG_REPORT_DATA), ("H", size), *body]
    constants: tuple[int, ...] = tuple(source for _, source in parts if isinstance(source, int))
    places = iter(range(len(_VALUES), len(_VALUES) + len(constants)))
    pick = itemgetter(*(next(places) if isinstance(source, int) else _VALUES.index(source) for _, source in parts))
    pack = Struct(">" + "".join(form for form, _ in parts)).pack
    return lambda values: pack(*pick(values + constants))


class Record(NamedTuple):
    """One read, encoded, that waits to be sent."""

    data: bytes
    rospec: int


class ReportBuffer:
    """Reads that were made and not yet sent, oldest first, and how many of them are due in which reports.

    Holds `capacity` reads: the memory that a reader has for them. A read that comes when it is full is lost.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.appended = 0
        self._records: deque[Record] = deque()
        self._due: deque[int] = deque()
        self._released = 0

    def __len__(self) -> int:
        return len(self._records)

    @property
    def passed(self) -> int:
        """How many of the reads ever appended have left; reads that were put back have not."""
        return self.appended - len(self._records)

    @property
    def unreleased(self) -> int:
        """How many records no trigger has released yet."""
        return len(self._records) - self._released

    @property
    def released_mark(self) -> int:
        """`passed` will have this value once everything that is due now has left."""
        return self.passed + self._released

    def append(self, record: Record) -> bool:
        """False when there is no room."""
        if len(self._records) >= self.capacity:
            return False
        self._records.append(record)
        self.appended += 1
        return True

    def release(self, count: int) -> None:
        """The next `count` reads go out as one report."""
        self._due.append(count)
        self._released += count

    def release_all(self) -> None:
        """Everything goes out, in reports of `REPORT_LIMIT` at most."""
        while rest := min(self.unreleased, REPORT_LIMIT):
            self.release(rest)

    def withhold(self) -> None:
        """Nothing is due any more; the reads stay."""
        self._due.clear()
        self._released = 0

    def take(self) -> list[Record]:
        """Removes and returns the reads of the next report that is due; empty when none is."""
        if not self._due:
            return []
        count = self._due.popleft()
        self._released -= count
        return [self._records.popleft() for _ in range(count)]

    def put_back(self, records: list[Record]) -> None:
        """Reads that were taken and could not be sent go back to the front, as one report."""
        self._records.extendleft(reversed(records))
        self._due.appendleft(len(records))
        self._released += len(records)

    def discard(self, rospec: int | None = None) -> int:
        """Throws away what waits, or what waits of one ROSpec; says how many reads. The rest becomes due."""
        kept = deque(record for record in self._records if rospec is not None and record.rospec != rospec)
        gone = len(self._records) - len(kept)
        if gone:
            self._records = kept
            self.withhold()
            self.release_all()
        return gone
