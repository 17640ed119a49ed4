"""A checkpoint: the state of the floor in sealed parts, opened section by section in today's format.

A part has a version, a checksum and a body, so that damage is found before it is believed. A section (migrations.py)
is made of one or more parts; the part ``floor`` says in which version each section was written, and by which release.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import orjson

import gateway
from gateway.errors import LedgerError
from gateway.floor.migrations import STEPS, Content, migrated, version

VERSION = 2
"""Of the header of a part and of how parts make up sections, not of what is in them."""

_HEADER = struct.Struct("<2sHI")
_MAGIC = b"FL"

_TIME = ("antennas", "zones", "windows", "readers", "reader_history", "pending", "number", "position")
_TIME_1 = ("timeline",)  # what the section had in its first version
_SINCE = ("owed",)  # what it has where the checkpoint is not older than that
_GATE = ("manifests", "shipped", "watch", "docks")


class Unreadable(LedgerError):
    """A section of a checkpoint is damaged, or of a format that this release cannot read."""

    def __init__(self, section: str, why: str) -> None:
        super().__init__(f"the checkpoint's section {section!r} cannot be read: {why}")
        self.section = section


class Newer(LedgerError):
    """A checkpoint was written by a newer release than this one."""

    def __init__(self, what: str, written: int, known: int, release: str) -> None:
        name = f"release {release}" if release else "a newer release"
        super().__init__(
            f"the checkpoint's {what} was written by {name} (format {written}, this one knows {known}): install that "
            f"release again; to go on with this one, move the ledger aside and keep it: the gateway then begins a new "
            f"epoch, knows no tags, and events that were not yet published are only in the file that you kept"
        )


def seal(body: bytes) -> bytes:
    """A part with this body."""
    return _HEADER.pack(_MAGIC, VERSION, zlib.crc32(body)) + body


def unseal(name: str, part: bytes) -> bytes:
    """The body of a part. Raises `ValueError` where it is not one, is damaged, or is of an older version, and
    `Newer` where it is of a newer one."""
    if len(part) < _HEADER.size:
        raise ValueError(f"part {name!r} is cut off")
    magic, number, checksum = _HEADER.unpack_from(part)
    body = bytes(part[_HEADER.size :])
    if magic != _MAGIC or checksum != zlib.crc32(body):
        raise ValueError(f"part {name!r} is damaged")
    if number > VERSION:
        raise Newer(f"part {name!r}", number, VERSION, "")
    if number < VERSION:
        raise ValueError(f"part {name!r} has version {number}, this gateway reads {VERSION}")
    return body


def seal_json(content: Any) -> bytes:
    """A part whose body is `content` as JSON."""
    try:
        return seal(orjson.dumps(content))
    except TypeError:  # a number beyond 64 bits
        return seal(json.dumps(content, separators=(",", ":")).encode())


def rivals_part(number: int) -> str:
    """The part that holds a piece of the rivals of contested tags."""
    return f"rivals/{number:06d}"


def versions() -> dict[str, Any]:
    """What the part ``floor`` says about the format: the version of each section, and the release."""
    return {"release": gateway.__version__, "versions": {section: version(section) for section in STEPS}}


class Checkpoint:
    """The parts of one checkpoint. Parts that say nothing of their sections' versions are of the first."""

    def __init__(self, parts: Mapping[str, bytes]) -> None:
        self._parts = parts

    @contextmanager
    def reading(self, section: str) -> Iterator[Content]:
        """The content of a section in today's version, for a block that loads it.

        Raises `Unreadable` where it cannot be opened, migrated or loaded, and `Newer` where it is of a newer release.
        """
        try:
            written = self._floor.get("versions", {}).get(section, 1)
            if written > version(section):
                raise Newer(f"section {section!r}", written, version(section), self._floor.get("release", ""))
            yield migrated(section, self._open(section), written)
        except (Newer, Unreadable):
            raise
        except KeyError as error:
            raise Unreadable(section, f"{error} is missing") from error
        except (LedgerError, ValueError, TypeError, IndexError, AttributeError, struct.error) as error:
            raise Unreadable(section, str(error)) from error

    @cached_property
    def _floor(self) -> dict[str, Any]:
        content: dict[str, Any] = self._json("floor")
        return content

    def _open(self, section: str) -> Content:
        floor = self._floor
        match section:
            case "time":
                columns = self._body("windows") if "windows" in self._parts else b""
                kept = (*_TIME, *_TIME_1, *_SINCE)
                return {name: floor[name] for name in kept if name in floor} | {"columns": columns}
            case "presence":
                tags = [self._body(f"tags/{chunk:06d}") for chunk in range(floor["chunks"])]
                waiting = self._body("waiting")
                pieces = [rivals_part(number) for number in range(floor.get("rivals", 0))]
                if "rivals" not in floor and "rivals" in self._parts:
                    pieces = ["rivals"]  # before they were kept in pieces
                rivals = b"".join(map(self._body, pieces))
                tables = {"tags": tags, "waiting": waiting, "rivals": rivals}
                return {"presence": floor["presence"], "foreign": floor["foreign"]} | tables
            case "counts":
                expected = self._json("expected") if floor["counts"]["expected"] else None
                return {"counts": floor["counts"], "expected": expected}
            case "books":
                names = ("content", "differences")
                return {name: self._json(f"books/{name}") for name in names} if "books/content" in self._parts else {}
            case "gate":
                return {name: self._json(f"gate/{name}") for name in _GATE} if "gate/docks" in self._parts else {}
        return {section: floor[section]}

    def _body(self, name: str) -> bytes:
        return unseal(name, self._parts[name])

    def _json(self, name: str) -> Any:
        return json.loads(self._body(name))
