"""One file of the journal: a header, then records.

Header (48 bytes, little-endian): magic, layout of the inputs, Python and marshal version, the journal's id, the
position of the first record, CRC-32 of all that. Record: length and CRC-32 of the body, then the body. The CRC starts
from the record's position, so that zeros or a record of another place do not pass.

Reads that are still their reader's bytes are kept as those bytes, with the format of a record beside them: journalling
them costs no more than a checksum and a copy.

Bodies are `marshal`: it is several times faster than anything else. Every Python reads the marshal of older ones; a
segment with the input classes of an older release is read by the layout of that release (layouts.py).
"""

from __future__ import annotations

import marshal
import struct
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from drivers.api import (
    AntennaStatus,
    Batch,
    ClockQuality,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderDown,
    ReaderLoss,
    ReaderUp,
    RssiUnit,
)
from drivers.records import RecordFormat, Records
from gateway.inputs import ClockStep, Command, Dropped, Input, Lateness, Restart, Room, Tick
from gateway.ledger.layouts import RELEASED, Layout

_MAGIC = b"RFIDJRN1"
_HEADER = struct.Struct("<8sIBBBx16sQ4xI")
_RECORD = struct.Struct("<II")

HEADER_BYTES: Final = _HEADER.size

# The place of a class in this tuple is its code in a record.
_CLASSES: tuple[type[Any], ...] = (
    Batch,
    ReaderUp,
    ReaderDown,
    ReaderAlive,
    ReaderClock,
    AntennaStatus,
    InputChange,
    ReaderCondition,
    ReaderLoss,
    Tick,
    Command,
    Restart,
    Dropped,
    ClockStep,
    Lateness,
    Room,
)
_CODES = {cls: code for code, cls in enumerate(_CLASSES)}
_NAMES = {cls: tuple(field.name for field in fields(cls) if field.init) for cls in _CLASSES}
_BATCH, _CLOCK, _COMMAND = _CODES[Batch], _CODES[ReaderClock], _CODES[Command]
_BY_NAME = {cls.__name__: cls for cls in _CLASSES}

PRESENT: Final = Layout(rows=2, classes=tuple((cls.__name__, _NAMES[cls]) for cls in _CLASSES))

# By checksum: changes when an input class gains, loses or renames a field, so that no record is misread.
_LAYOUTS = {layout.checksum: layout for layout in (*RELEASED, PRESENT)}


class Damaged(Exception):
    """A segment cannot be used; the message says why. The caller says what that means for the journal."""


@dataclass(slots=True, frozen=True)
class Header:
    """Which journal a segment belongs to, the position of its first record, and how its records are laid out."""

    journal: bytes
    first: int
    layout: Layout = PRESENT
    foreign: bool = False  # of another Python: to be read, not to be written on


def encode_header(header: Header) -> bytes:
    """The header of a segment that this Python and this release write."""
    major, minor = sys.version_info[:2]
    head = _HEADER.pack(_MAGIC, PRESENT.checksum, major, minor, marshal.version, header.journal, header.first, 0)[:-4]
    return head + struct.pack("<I", zlib.crc32(head))


def decode_header(data: bytes) -> Header:
    """Raises `Damaged` for anything but a header of this version of Python and of the inputs, or of an older one."""
    if len(data) < HEADER_BYTES:
        raise Damaged("its header is cut off")
    magic, layout, major, minor, version, journal, first, crc = _HEADER.unpack_from(data)
    if magic != _MAGIC or crc != zlib.crc32(data[: HEADER_BYTES - 4]):
        raise Damaged("its header is not one of a journal")
    if version > marshal.version:
        raise Damaged(f"it was written under Python {major}.{minor}, whose format this one does not know")
    if layout not in _LAYOUTS:
        raise Damaged("it was written by a newer version of the gateway")
    return Header(journal, first, _LAYOUTS[layout], (major, minor) != sys.version_info[:2])


def encode_record(position: int, item: Input) -> bytes:
    """`item` as a record at `position`. Raises `ValueError` for values that are no plain data."""
    body = marshal.dumps(_plain(item))
    return _RECORD.pack(len(body), zlib.crc32(body, position & 0xFFFFFFFF)) + body


def _plain(item: Input) -> tuple[Any, ...]:
    """Code and field values, without enumerations and mappings that `marshal` does not know."""
    if type(item) is Batch:
        tids = dict(item.tids) if item.tids else None
        rows: Any = item.rows
        if type(rows) is Records:
            rows = (rows.format.key, rows.body)
        elif type(rows) is not list:
            rows = list(rows)
        return (_BATCH, item.reader, item.arrival, rows, item.offset, item.rssi_unit.value, item.phase, tids)
    if type(item) is ReaderClock:
        return (_CLOCK, item.reader, item.t, item.quality.value, item.offset)
    if type(item) is Command:
        return (_COMMAND, item.t, item.name, dict(item.args))
    return (_CODES[type(item)], *(getattr(item, name) for name in _NAMES[type(item)]))


def _item(values: tuple[Any, ...], layout: Layout) -> Input:
    code, *rest = values
    if layout != PRESENT:
        return _older(code, rest, layout)
    if code == _BATCH:
        reader, arrival, rows, offset, unit, phase, tids = rest
        return Batch(reader, arrival, _rows(rows), offset, RssiUnit(unit), phase, tids or {})
    if code == _CLOCK:
        reader, t, quality, offset = rest
        return ReaderClock(reader, t, ClockQuality(quality), offset)
    item: Input = _CLASSES[code](*rest)
    return item


def _rows(rows: Any) -> Any:
    """The rows of a batch: a list of tuples, or the format and the bytes of `Records`."""
    if type(rows) is tuple:
        key, body = rows
        return Records(RecordFormat.from_key(key), body)
    return rows


_KINDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "rssi_unit": RssiUnit,
    "quality": ClockQuality,
    "tids": lambda tids: tids or {},
    "rows": _rows,
}


def _older(code: int, values: list[Any], layout: Layout) -> Input:
    """A record of an older layout: fields by their names, new ones by their defaults."""
    name, names = layout.classes[code]
    known = dict(zip(names, values, strict=True))
    if layout.rows == 1 and "rows" in known:
        known["rows"] = list(known["rows"])
    item: Input = _BY_NAME[name](**{field: _KINDS.get(field, _same)(value) for field, value in known.items()})
    return item


def _same(value: Any) -> Any:
    return value


class Segment:
    """The records of one file. Read it to the end before asking for `end` and `torn`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = path.read_bytes()
        self.header = decode_header(self._data)
        self.end = HEADER_BYTES  # where the last whole record ends

    @property
    def torn(self) -> int:
        """Bytes behind the last whole record: what a killed process had begun to write."""
        return len(self._data) - self.end

    def bodies(self) -> Iterator[tuple[int, memoryview]]:
        """Position and body of each whole record. Raises `Damaged` where one is whole and wrong."""
        data = memoryview(self._data)
        position, at = self.header.first, HEADER_BYTES
        self.end = at
        while at + _RECORD.size <= len(data):
            length, crc = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            if at + length > len(data):
                return
            body = data[at : at + length]
            if not length or zlib.crc32(body, position & 0xFFFFFFFF) != crc:
                raise Damaged(f"record {position} is not what was written")
            at += length
            self.end = at
            yield position, body
            position += 1

    def items(self) -> Iterator[tuple[int, Input]]:
        """Position and input of each whole record."""
        for position, body in self.bodies():
            yield position, _item(marshal.loads(body), self.header.layout)
