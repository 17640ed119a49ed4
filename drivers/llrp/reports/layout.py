"""The layout of one TagReportData, learned from a sample, and the bulk unpacking of records that share it.

The records that one ROSpec reports nearly always have one layout: the same parameters of the same lengths in the same
order. So the bytes that say what comes where (types, lengths, vendor numbers) are constants, and everything else is at
a fixed place. A whole report is verified with one strided slice for each constant byte, and unpacked by one `struct`.
"""

from __future__ import annotations

import struct
from typing import Literal, TypeAlias

from drivers.api import ProtocolError, Row, RssiUnit
from drivers.llrp.protocol.codec import tv_size
from drivers.llrp.protocol.tables import CUSTOM
from drivers.llrp.protocol.tables_vendors import IMPINJ, ZEBRA
from drivers.records import DEFAULTS, RecordFormat

Clock: TypeAlias = Literal["utc", "uptime", "none"]

TAG_REPORT_DATA = 240

NOTHING_SAID: Row = DEFAULTS[:6]
"""A row's values where the reader has never said any."""

START = 5
"""The first bytes of a record, by which layouts are looked up: type, length, and what comes first."""

_EPC_DATA = 241
_ACCESS_SPEC = 16
_ACCESS_RESULTS = frozenset([15, *range(349, 356), 360, 361, 362])
"""Results of reading, writing, killing, locking, erasing and recommissioning a tag (LLRP 1.1, section 17.2.3.9), and
of what a client was asked for."""
_TLV = struct.Struct(">HH")
_VENDOR = struct.Struct(">II")
MAX_PARAMETERS = 64
"""Parameters in one record. A full one has 17 and the results of an AccessSpec; a layout grows with their number."""

_COLUMNWISE_FROM = 4  # below so many records, comparing each record's constants at once is faster than slicing columns

# What is read, by the parameter that carries it: the name here, and the format of the value.
_TV_FIELDS = {
    1: ("antenna", "H"),
    2: ("first_utc", "Q"),
    3: ("first_uptime", "Q"),
    4: ("last_utc", "Q"),
    5: ("last_uptime", "Q"),
    6: ("rssi", "b"),
    7: ("channel", "H"),
    8: ("count", "H"),
    13: ("epc", "12s"),
}
_VENDOR_FIELDS = {
    (IMPINJ, 56): ("phase", "H"),  # 1/4096 turn
    (IMPINJ, 57): ("rssi_centi", "h"),
    (IMPINJ, 68): ("doppler", "h"),  # 1/16 Hz
    (ZEBRA, 709): ("phase_zebra", "H"),  # 1/65536 turn, signed; modulo one turn that is the same as unsigned
}
_TID = (IMPINJ, 55)

# The best source of each column of a row that the record has. The newest time is the one that the report is about:
# a row with a count above one ends there.
_SOURCES = {
    "epc": ("epc",),
    "antenna": ("antenna",),
    "rssi": ("rssi_centi", "rssi"),
    "channel": ("channel",),
    "time": ("last_utc", "first_utc", "last_uptime", "first_uptime"),
    "count": ("count",),
    "phase": ("phase", "phase_zebra"),
    "doppler": ("doppler",),
}


class _Walk:
    """Goes once over a sample record and notes where its values and its constant bytes are."""

    def __init__(self, record: bytes) -> None:
        self.record = record
        self.values: dict[str, tuple[int, str]] = {}  # name: (offset, format); the first of a name counts
        self.constants: list[int] = []  # offsets
        self.access = False  # the record has the result of an AccessSpec
        self.access_spec = 0
        self._fix(0, _TLV.size)
        at, count = _TLV.size, 0
        while at < len(record):
            count += 1
            if count > MAX_PARAMETERS:
                raise ProtocolError(f"a record of more than {MAX_PARAMETERS} parameters")
            at = self._short(at) if record[at] & 0x80 else self._long(at)

    def _fix(self, at: int, count: int) -> None:
        self.constants.extend(range(at, at + count))

    def _value(self, name: str, at: int, form: str) -> None:
        self.values.setdefault(name, (at, form))

    def _short(self, at: int) -> int:
        number = self.record[at] & 0x7F
        self._fix(at, 1)
        size = tv_size(number)
        if size is None:
            return len(self.record)  # no telling how long it is; what follows cannot be found
        stop = at + 1 + size
        if stop > len(self.record):
            raise ProtocolError(f"parameter type {number} at byte {at} of its record is cut off")
        if number == _ACCESS_SPEC:
            self._fix(at + 1, size)
            self.access_spec = int.from_bytes(self.record[at + 1 : stop], "big")
        elif number in _TV_FIELDS:
            name, form = _TV_FIELDS[number]
            self._value(name, at + 1, form)
        return stop

    def _long(self, at: int) -> int:
        left = len(self.record) - at
        number: int
        length: int
        number, length = _TLV.unpack_from(self.record, at) if left >= _TLV.size else (0, 0)
        if not _TLV.size <= length <= left:
            raise ProtocolError(f"a parameter of {length} bytes at byte {at} of its record, {left} left")
        self._fix(at, _TLV.size)
        number &= 0x3FF
        if number in _ACCESS_RESULTS:
            self.access = True
        if number == _EPC_DATA:
            self._epc_data(at, length)
        elif number == CUSTOM:
            self._custom(at, length)
        return at + length

    def _epc_data(self, at: int, length: int) -> None:
        bits = int.from_bytes(self.record[at + 4 : at + 6], "big")
        size = (bits + 7) // 8
        if length < 6 + size:
            raise ProtocolError(f"EPCData of {length} bytes says that it holds an EPC of {bits} bits")
        self._fix(at + 4, 2)
        self._value("epc", at + 6, f"{size}s")

    def _custom(self, at: int, length: int) -> None:
        if length < 12:
            raise ProtocolError(f"a vendor's parameter of {length} bytes has no vendor")
        self._fix(at + 4, 8)
        vendor = _VENDOR.unpack_from(self.record, at + 4)
        if vendor in _VENDOR_FIELDS and length >= 14:
            name, form = _VENDOR_FIELDS[vendor]
            self._value(name, at + 12, form)
        elif vendor == _TID and length >= 14:
            words = int.from_bytes(self.record[at + 12 : at + 14], "big")
            if words and length >= 14 + 2 * words:
                self._fix(at + 12, 2)
                self._value("tid", at + 14, f"{2 * words}s")


class RecordLayout:
    """The layout of a record. `absent` are the columns of a row for which it has no value.

    `access_spec` is the AccessSpec whose result the records carry, None where they carry none.
    `format` says where the others are. `raw` says that the bytes say all that the rows would: no TID beside them, no
    value that needs work.
    """

    def __init__(self, sample: bytes) -> None:
        """Learns from one whole TagReportData, header included. Raises ProtocolError when it is malformed."""
        walk = _Walk(sample)
        self.size = len(sample)
        self.access_spec = walk.access_spec if walk.access or walk.access_spec else None
        self._learn_constants(sample, walk.constants)
        chosen = {
            column: next((source for source in sources if source in walk.values), "")
            for column, sources in _SOURCES.items()
        }
        if not chosen["epc"]:
            raise ProtocolError("a TagReportData without an EPC")
        self.rssi_unit = RssiUnit.CENTI_DBM if chosen["rssi"] == "rssi_centi" else RssiUnit.DBM
        self.clock: Clock = "none" if not chosen["time"] else "utc" if chosen["time"].endswith("utc") else "uptime"
        self.format = RecordFormat(
            self.size, [(column, *walk.values[source]) for column, source in chosen.items() if source]
        )
        self.phase = self.format.phase
        self.absent = self.format.absent
        self._zebra = chosen["phase"] == "phase_zebra"
        self._tid = _values_of(walk, self.size, "epc", "tid") if "tid" in walk.values else None
        self.raw = not (self._zebra or self._tid or {"antenna", "rssi", "time"} & set(self.absent))

    def _learn_constants(self, sample: bytes, offsets: list[int]) -> None:
        self._constants = [(slice(at, None, len(sample)), sample[at : at + 1]) for at in offsets]
        # The same again as one struct that yields the constant bytes of a record, for records one at a time.
        form, at = ">", 0
        for offset in offsets:
            form += f"{offset - at}xB" if offset > at else "B"
            at = offset + 1
        self._constant_struct = struct.Struct(f"{form}{self.size - at}x")
        self._constant_values = self._constant_struct.unpack(sample)
        self.start = sample[:START]

    def fits(self, body: bytes) -> bool:
        """Whether `body` is nothing but records of this layout, at least one."""
        size = self.size
        if len(body) == size:
            return self._constant_struct.unpack(body) == self._constant_values
        count, rest = divmod(len(body), size)
        if rest or not body.startswith(self.start):
            return False
        if count < _COLUMNWISE_FROM:
            values = self._constant_values
            return list(self._constant_struct.iter_unpack(body)) == [values] * count
        for column, constant in self._constants:  # noqa: SIM110 a generator expression would be slower
            if body[column] != constant * count:
                return False
        return True

    def fits_at(self, body: bytes, at: int) -> bool:
        """Whether the record at byte `at`, known to be `size` long, has this layout."""
        return self._constant_struct.unpack_from(body, at) == self._constant_values

    def rows(self, body: bytes, previous: Row, tids: dict[bytes, bytes]) -> list[Row]:
        """The rows of a body that fits. Columns that the layout lacks are taken from `previous`; TIDs go to `tids`."""
        if self._tid is not None:
            form, is_tid_first = self._tid
            pairs = form.iter_unpack(body)
            tids.update((pair[::-1] for pair in pairs) if is_tid_first else pairs)
        rows = self.format.rows(body, previous[:6])
        if self._zebra:
            rows = [(*row[:6], row[6] >> 4, row[7]) for row in rows]
        return rows


def _values_of(walk: _Walk, size: int, first: str, second: str) -> tuple[struct.Struct, bool]:
    """A struct that yields two values of a record, and whether the second of them comes before the first."""
    form, at = ">", 0
    for offset, code in sorted([walk.values[first], walk.values[second]]):
        form += f"{offset - at}x{code}"
        at = offset + struct.calcsize(f">{code}")
    return struct.Struct(f"{form}{size - at}x"), walk.values[second] < walk.values[first]
