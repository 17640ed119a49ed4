"""The tag buffer of modules that do not stream: what a round put there, as the module hands it out.

An answer to GET_BUFFER has its metadata word, mostly an option and a count, and then the records; old firmware leaves
option and count out, and some the word as well. Records must fill an answer to the byte, which tells the forms apart.
"""

from __future__ import annotations

import struct

from drivers.serial.mercury.frames import META, TagRead, layout_of

READ = META
"""What we ask of each record, as of the stream."""

_HEADS = ((4, True), (3, True), (2, True), (0, False))
"""Bytes before the records, and whether they begin with the metadata word."""


def read_round(milliseconds: int, *, plain: bool) -> bytes:
    """Read for so long on the antennas that are set, into the buffer. `plain`: as the oldest firmware wants it."""
    timeout = struct.pack(">H", milliseconds)
    return timeout if plain else b"\x10\x00\x13" + timeout + READ.to_bytes(2, "big")


def read_count(data: bytes) -> int:
    """How many records wait: the answer has where writing and reading stand. Raises `ValueError`."""
    if len(data) != 4:
        raise ValueError(f"a buffer count has {len(data)} bytes instead of 4")
    read, write = struct.unpack(">HH", data)
    return int(write - read) & 0xFFFF


def read_records(data: bytes) -> list[TagRead]:
    """The records of an answer. Raises `ValueError` when they fit no form."""
    reason = "empty"
    for head, has_meta in _HEADS:
        if len(data) < head or (has_meta and len(data) < 2):
            continue
        meta = data[0] << 8 | data[1] if has_meta else 0
        try:
            found = _records(data, head, meta)
        except ValueError as error:
            reason = str(error)
            continue
        if head == 4 and data[3] != len(found):
            reason = f"{len(found)} records where {data[3]} are said"
            continue
        return found
    raise ValueError(f"tag buffer not understood: {reason}")


def _records(data: bytes, at: int, meta: int) -> list[TagRead]:
    layout = layout_of(meta)
    found = []
    while at < len(data):
        tag, at = layout.read_at(data, at)
        found.append(tag)
    return found
