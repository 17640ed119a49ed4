"""Blocks of a raw recording: inputs as they were taken, packed (Zstandard, RFC 8878), and back.

A recording as JSON lines takes some 120 bytes a read, and a raw one a tenth of that: reads that are still their
reader's bytes are kept as those bytes. Everything else is in it as the lines that `read` describes.

A file is a row of blocks. Block: header, then the packed body. Header (60 bytes, little-endian): magic, version, 3
bytes of zero, the journal whose positions follow, the first and the last position, the size of the body before and
after it was packed, CRC-32 of the header up to here, and CRC-32 of the packed body. Body: records, each with a kind
and a length. Kind 0: lines. Kind 1: a batch; position, arrival, offset, code of the unit, whether it has phases, the
lengths of the reader's name and of the format's key, both, and the reader's bytes.

Nothing in it is believed before it is checked: a file may come from anywhere.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import zstandard

from drivers.api import Batch, RssiUnit
from drivers.records import RecordFormat, Records
from gateway.inputs import Input
from gateway.recording.write import Gap, encode

MAGIC = b"RFIDRAW1"

_HEADER = struct.Struct("<8sB3x16sQQIII")
_RECORD = struct.Struct("<BI")
_BATCH = struct.Struct("<QqqBBHH")
_LINES, _RAW = 0, 1

HEADER_BYTES = _HEADER.size + 4
_VERSION = 1

MOST = 64 << 20
"""Bytes in the body of a block: what a second of the fastest site comes to, ten times over."""

_USUAL = 4 << 20
"""Bytes from which on a block is full."""

_LEVEL = 3

_UNSAID = -1
"""What zstandard says of a frame that does not name the size of its content."""

_EPC_BYTES = 62
"""The longest EPC that Gen2 knows."""

_UNITS = tuple(RssiUnit)


class Broken(Exception):
    """What is wrong with a block."""


@dataclass(slots=True, frozen=True)
class Header:
    """What a block says of itself: the journal, first and last position, and sizes in bytes."""

    journal: str
    first: int
    last: int
    size: int
    packed: int


def encode_blocks(chunk: Iterable[tuple[int, Input | Gap]], journal: str) -> bytes:
    """Inputs with their positions as blocks: one, or more where they are large."""
    done: list[bytes] = []
    body = bytearray()
    first = last = 0
    for position, item in chunk:
        first, last = first if body else position, position
        if type(item) is Batch and type(item.rows) is Records and not item.tids:
            body += _raw(position, item, item.rows)
        elif lines := encode(item, position):
            body += _RECORD.pack(_LINES, len(lines)) + lines
        if len(body) > _USUAL:
            done.append(_block(body, first, last, journal))
            body.clear()
    if last and (body or not done):
        done.append(_block(body, first, last, journal))
    return b"".join(done)


def _block(body: bytes | bytearray, first: int, last: int, journal: str) -> bytes:
    packed = zstandard.ZstdCompressor(_LEVEL).compress(body)
    name = bytes.fromhex(journal).ljust(16, b"\0")[:16]
    head = _HEADER.pack(MAGIC, _VERSION, name, first, last, len(body), len(packed), zlib.crc32(packed))
    return head + struct.pack("<I", zlib.crc32(head)) + packed


def _raw(position: int, batch: Batch, rows: Records) -> bytes:
    reader, key = batch.reader.encode("utf-8", "replace"), rows.format.key
    head = _BATCH.pack(
        position, batch.arrival, batch.offset, _UNITS.index(batch.rssi_unit), batch.phase, len(reader), len(key)
    )
    length = len(head) + len(reader) + len(key) + len(rows.body)
    return _RECORD.pack(_RAW, length) + head + reader + key + rows.body


def decode_header(data: bytes) -> Header:
    """Raises `Broken` where the bytes are not the header of a block that this release reads."""
    if len(data) < HEADER_BYTES:
        raise Broken("it is cut off")
    magic, version, journal, first, last, size, packed, _ = _HEADER.unpack_from(data)
    if magic != MAGIC or zlib.crc32(data[: _HEADER.size]) != struct.unpack_from("<I", data, _HEADER.size)[0]:
        raise Broken("it is not one of a recording")
    if version != _VERSION:
        raise Broken(f"it is of version {version}: a newer release wrote it")
    if max(size, packed) > MOST:
        raise Broken(f"it is larger than {MOST >> 20} MB")
    return Header(journal.hex(), first, last, size, packed)


def decode_body(head: bytes, packed: bytes) -> Iterator[bytes | tuple[int, Batch]]:
    """What the block with this header holds: lines, one or more at a time, and batches with their positions. Raises
    `Broken`."""
    header = decode_header(head)
    if len(packed) != header.packed:
        raise Broken("it is cut off")
    if zlib.crc32(packed) != _HEADER.unpack_from(head)[7]:
        raise Broken("it is not what was written")
    try:
        # Of a frame that names its size so much is made room for, whatever is asked for.
        if zstandard.frame_content_size(packed) not in (header.size, _UNSAID):
            raise Broken("its size is wrong")
        body = zstandard.ZstdDecompressor().decompress(packed, max_output_size=header.size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Broken(str(error)) from error
    if len(body) != header.size:
        raise Broken("its size is wrong")
    at = 0
    while at < len(body):
        if at + _RECORD.size > len(body):
            raise Broken("a record in it is cut off")
        kind, length = _RECORD.unpack_from(body, at)
        at += _RECORD.size
        record = body[at : at + length]
        if len(record) < length:
            raise Broken("a record in it is cut off")
        at += length
        if kind == _LINES:
            yield record
        elif kind == _RAW:
            yield _batch(record)
        else:
            raise Broken(f"a record in it is of the kind {kind}")


def _batch(record: bytes) -> tuple[int, Batch]:
    if len(record) < _BATCH.size:
        raise Broken("a batch in it is cut off")
    position, arrival, offset, unit, phase, reader, key = _BATCH.unpack_from(record)
    at = _BATCH.size
    name, text, body = record[at : at + reader], record[at + reader : at + reader + key], record[at + reader + key :]
    try:
        format = RecordFormat.from_key(text)
        batch = Batch(name.decode(), arrival, Records(format, body), offset, _UNITS[unit], bool(phase))
    except (ValueError, IndexError) as error:
        raise Broken(f"a batch in it cannot be read: {error}") from error
    if not format.size or len(body) % format.size or format.phase != batch.phase:
        raise Broken("a batch in it is not whole")
    if any(not _fits(name, code) for name, _, code in format.fields):
        raise Broken("a batch in it has columns that no reader has")
    return position, batch


def _fits(column: str, code: str) -> bool:
    if column == "epc":
        return int(code[:-1]) <= _EPC_BYTES
    return column == "time" or code != "Q"


def blocks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Header and packed body of each block. Raises `Broken` where the file does not go on with one, and `OSError`."""
    while head := file.read(HEADER_BYTES):
        yield head, file.read(decode_header(head).packed)
