"""The identifier map: which EPC carries which identifier of the state system.

A Metrc label is the EPC in hex itself. BioTrack's 16 digits and Leaf's names are not: sites there keep a CSV file with
the columns ``epc`` and ``identifier``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gateway.config.files import read_plain
from gateway.errors import Refused
from gateway.sources.table import Table
from gateway.text import printable

MAX_ENTRIES = 500_000
"""Tags of a large site in a year; some 100 MB in memory."""

MAX_BYTES = 64 << 20
"""Of the file: some 100 bytes for each of the most entries."""

_EPC = re.compile(r"(?:[0-9A-F]{4}){1,31}")
"""An EPC is whole words of 16 bits."""

_BIOTRACK = re.compile(r"[0-9]{16}")
_LISTS = {"watch": "uids", "expected": "uids", "reads": "uids", "count": "expected"}
"""The argument of a command that lists UIDs."""

_ENTRIES = {"book": "packages", "stock": "items"}
"""The argument of a command that lists packages, each with a `uid`."""

_METRC = re.compile(r"[0-9A-F]{24}")
_HEX = re.compile(r"[0-9A-Fa-f]+")


class IdentifierMap:
    """Identifier to UID, the EPC in capital hex. An empty map takes identifiers for the EPC itself, unless it is empty
    because its file could not be read: `unreadable` says why, and then nothing but a Metrc label is known."""

    def __init__(self, uids: Mapping[str, str] | None = None, unreadable: str = "") -> None:
        self._uids = dict(uids or {})
        self.unreadable = unreadable

    def uid(self, identifier: str) -> str:
        """The UID of an identifier. Raises Refused where there is none."""
        known = self._uids.get(identifier)
        if known is not None:
            return known
        text = identifier.upper()
        if not self._uids and not self.unreadable:
            _refuse_unreadable(text)
        if (_METRC if self._uids or self.unreadable else _EPC).fullmatch(text):
            return text
        if self.unreadable:
            raise Refused(f"{printable(identifier, 60)!r} is not known: {self.unreadable}")
        raise Refused(f"{printable(identifier, 60)!r} is no EPC and not in the identifier map: add it to the file")

    def known(self, identifier: str) -> str | None:
        """The UID of an identifier that is in the map."""
        return self._uids.get(identifier)

    def apply(self, args: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a command `manifest` with a UID in each line that only has an identifier."""
        deliveries = args.get("deliveries")
        if not isinstance(deliveries, list):
            return args
        return args | {"deliveries": [self._delivery(delivery) for delivery in deliveries]}

    def resolve(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a command with UIDs in place of what the state system calls its packages.

        Raises Refused for an identifier that is in no map and can be no tag's EPC: it would never be found, and a watch
        list or a count would look right all the same.
        """
        if name == "manifest":
            return self.apply(args)
        if name == "destroy":
            return dict(self._package(args))
        entries = _ENTRIES.get(name, "")
        if isinstance(args.get(entries), list):
            return args | {entries: [self._package(package) for package in args[entries]]}
        key = _LISTS.get(name)
        given = args.get(key) if key is not None else None
        if key is None or not isinstance(given, list):
            return args
        return args | {key: [self._resolve(one) for one in given]}

    def _package(self, package: Any) -> Any:
        """What names a package by its `uid`, with the UID of the tag in its place."""
        if not isinstance(package, dict) or "uid" not in package:
            return package
        return package | {"uid": self._resolve(package["uid"])}

    def _resolve(self, given: Any) -> Any:
        """What is wrong in another way is left for the command itself to refuse."""
        if not isinstance(given, str):
            return given
        if (known := self._uids.get(given)) is not None:
            return known
        _refuse_unreadable(given)
        return given

    def _delivery(self, delivery: Any) -> Any:
        if not isinstance(delivery, dict) or not isinstance(delivery.get("lines"), list):
            return delivery
        return delivery | {"lines": [self._line(line) for line in delivery["lines"]]}

    def _line(self, line: Any) -> Any:
        if not isinstance(line, dict) or "uid" in line or not isinstance(line.get("identifier"), str):
            return line
        return line | {"uid": self.uid(line["identifier"])}


def _refuse_unreadable(identifier: str) -> None:
    """Raises Refused for what looks like an EPC and can be no tag's."""
    if _BIOTRACK.fullmatch(identifier):
        raise Refused(
            f"{identifier} is an identifier of 16 digits and no EPC, so that no tag could ever match it: "
            f"give manifests.identifiers_file, which says which tag carries it"
        )
    if len(identifier) % 4 and _HEX.fullmatch(identifier):
        raise Refused(
            f"{printable(identifier, 60)} has {len(identifier)} hex digits, and the EPC of a tag is whole words of "
            f"four, so that no tag could ever match it: write all of its digits"
        )


def read_identifiers(path: Path) -> IdentifierMap:
    """The map in a CSV file. Raises Refused, naming the line, where it is not one."""
    try:
        content = read_plain(path, MAX_BYTES)
    except OSError as error:
        raise Refused(f"the identifier map {path} cannot be read: {error}") from error
    try:
        return IdentifierMap(_entries(Table(content, MAX_ENTRIES), path))
    except Refused as refusal:
        raise Refused(f"the identifier map {path}: {refusal}") from None


def _entries(table: Table, path: Path) -> dict[str, str]:
    for column in ("epc", "identifier"):
        table.need(column, "the identifier map needs the columns epc and identifier")
    uids: dict[str, str] = {}
    for row in table.rows():
        identifier, epc = row.identifier("identifier"), row.identifier("epc").upper()
        if not identifier or len(identifier) > 100 or not _EPC.fullmatch(epc):
            raise Refused(f"line {row.number}: needs an EPC in hex and an identifier")
        if uids.setdefault(identifier, epc) != epc:
            raise Refused(f"line {row.number}: {printable(identifier, 60)!r} has two EPCs: correct one")
    _no_shared(uids.items(), path)
    return uids


def _no_shared(pairs: Iterable[tuple[str, str]], path: Path) -> None:
    seen: dict[str, str] = {}
    for identifier, epc in pairs:
        if epc in seen:
            raise Refused(f"EPC {epc} has two identifiers, {seen[epc]!r} and {identifier!r}: correct one")
        seen[epc] = identifier
