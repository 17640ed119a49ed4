"""Parts of a checkpoint: a version, a checksum and a body, so that damage is found before it is believed."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import fields, replace
from typing import Any

from drivers.api import AntennaStatus, InputChange, ReaderAlive, ReaderClock, ReaderCondition, ReaderDown, ReaderUp
from gateway.errors import LedgerError
from gateway.inputs import Command, Restart

VERSION = 2

_HEADER = struct.Struct("<2sHI")
_MAGIC = b"FL"

_NEWS = {
    kind.__name__: kind
    for kind in (
        AntennaStatus,
        Command,
        InputChange,
        ReaderAlive,
        ReaderClock,
        ReaderCondition,
        ReaderDown,
        ReaderUp,
        Restart,
    )
}


def seal(body: bytes) -> bytes:
    """A part with this body."""
    return _HEADER.pack(_MAGIC, VERSION, zlib.crc32(body)) + body


def unseal(name: str, part: bytes) -> bytes:
    """The body of a part. Raises LedgerError where it is not one, is damaged, or is of another version."""
    if len(part) < _HEADER.size:
        raise LedgerError(f"checkpoint part {name!r} is cut off: restore the ledger from a copy")
    magic, version, checksum = _HEADER.unpack_from(part)
    body = bytes(part[_HEADER.size :])
    if magic != _MAGIC or checksum != zlib.crc32(body):
        raise LedgerError(f"checkpoint part {name!r} is damaged: restore the ledger from a copy")
    if version != VERSION:
        cure = "update it" if version > VERSION else "go on with the release that wrote it, or begin a new ledger"
        raise LedgerError(f"checkpoint part {name!r} has version {version}, this gateway reads {VERSION}: {cure}")
    return body


def seal_json(content: Any) -> bytes:
    return seal(json.dumps(content, separators=(",", ":")).encode())


def unseal_json(name: str, part: bytes) -> Any:
    return json.loads(unseal(name, part))


def dump_news(item: Any) -> list[Any]:
    """An input that waits for its time, ready for JSON."""
    return [type(item).__name__, *(getattr(item, field.name) for field in fields(item))]


def redate_news(item: Any, by: int) -> Any:
    """An input that waits for its time, `by` microseconds later."""
    if isinstance(item, Restart):
        return replace(item, t=item.t + by, since=item.since + by)
    return replace(item, t=item.t + by)


def load_news(dump: list[Any]) -> Any:
    return _NEWS[dump[0]](*dump[1:])
