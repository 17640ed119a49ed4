"""A manifest from CSV: one line for each package, with a header. Columns that are left out are facts not known.

Columns are ours (see `COLUMNS`) or what the configuration calls them. Flags are ``true`` or ``false``; an empty one is
not known. A date of expiry is a limit that a package may have: without one it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.clock import rfc3339
from gateway.errors import Refused
from gateway.floor.gate.manifest import MAX_LINES
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.table import Row, Table
from gateway.sources.times import read_time
from gateway.text import printable

COLUMNS = (
    "manifest", "version", "direction", "delivery", "dock", "recipient", "as_of",
    "uid", "product", "category", "quantity", "unit", "batch",
    "lab_state", "location", "expires", "hold", "recall", "investigation", "finished", "destroyed",
    "coa_passed", "coa_released", "coa_revoked", "coa_expires", "coa_document",
)  # fmt: skip

_NEEDED = ("manifest", "delivery", "uid")
_FLAGS = ("hold", "recall", "investigation", "finished", "destroyed")
_ONCE = ("manifest", "version", "direction", "as_of")
"""Of the manifest, not of the line: the same in every line."""

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class _Line:
    """A line of the file by our names for its columns."""

    def __init__(self, row: Row, columns: Mapping[str, str]) -> None:
        self.number = row.number
        self._row = row
        self._columns = columns

    def text(self, name: str) -> str:
        """The cell, empty where there is none."""
        return self._row.text(self._columns.get(name, name))

    def identifier(self, name: str) -> str:
        """The cell, freed of what spreadsheets do to identifiers. Raises Refused where that cannot be undone."""
        return self._row.identifier(self._columns.get(name, name))

    def flag(self, name: str) -> bool | None:
        """True or false; None where the cell is empty. Raises Refused for anything else."""
        text = self.text(name).lower()
        if text and text not in _WORDS:
            raise Refused(f"line {self.number}: {name} is {printable(text, 40)!r}: write true or false")
        return _WORDS.get(text)

    def number_of(self, name: str) -> float | None:
        """A number; None where the cell is empty. Raises Refused for anything else."""
        text = self.text(name)
        try:
            return float(text) if text else None
        except ValueError:
            raise Refused(f"line {self.number}: {name} is {printable(text, 40)!r}: write a number") from None

    def time(self, name: str, zone: str) -> str | None:
        """A time; None where there is none. Raises Refused for anything else."""
        try:
            moment = read_time(self.text(name), zone)
        except Refused as refusal:
            raise Refused(f"line {self.number}: {name}: {refusal}") from None
        return None if moment is None else rfc3339(moment)


def read_csv(
    content: bytes, *, modified: int, zone: str, columns: Mapping[str, str], identifiers: IdentifierMap
) -> dict[str, Any]:
    """The arguments of the command `manifest`. `columns` maps our names to the file's; `modified` as for JSON. Raises
    Refused, naming the line."""
    rows = _rows(content, columns)
    if not rows:
        raise Refused("there is no line under the header")
    first = rows[0]
    for row in rows:
        for name in _ONCE:
            if row.text(name) != first.text(name):
                raise Refused(f"line {row.number}: {name} differs from the first line: a file holds one manifest")
    as_of = first.time("as_of", zone) or rfc3339(modified)
    version = first.text("version") or str(modified // 1000)
    if not version.isascii() or not version.isdigit() or len(version) > 15:
        raise Refused(f"line {first.number}: version is {printable(version, 40)!r}: write a whole number")
    deliveries: dict[str, dict[str, Any]] = {}
    for row in rows:
        stop = deliveries.setdefault(
            row.text("delivery"),
            {
                "delivery": row.text("delivery"),
                "dock": row.text("dock") or None,
                "recipient": row.text("recipient"),
                "lines": [],
            },
        )
        stop["lines"].append(_line(row, as_of, zone, identifiers))
    return {
        "manifest": first.text("manifest"),
        "version": int(version),
        "direction": first.text("direction") or "out",
        "as_of": as_of,
        "source": "folder",
        "deliveries": list(deliveries.values()),
    }


def _rows(content: bytes, columns: Mapping[str, str]) -> list[_Line]:
    table = Table(content, MAX_LINES)
    for name in COLUMNS:
        table.once(columns.get(name, name))
    for name in _NEEDED:
        table.need(columns.get(name, name))
    return [_Line(row, columns) for row in table.rows()]


def _line(row: _Line, as_of: str, zone: str, identifiers: IdentifierMap) -> dict[str, Any]:
    label = row.identifier("uid")
    try:
        uid = identifiers.uid(label)
    except Refused as refusal:
        raise Refused(f"line {row.number}: {refusal}") from None
    lab_state = row.text("lab_state") or None
    return {
        "uid": uid,
        "identifier": None if uid == label.upper() else label,
        "product": row.text("product"),
        "category": row.text("category"),
        "quantity": row.number_of("quantity"),
        "unit": row.text("unit"),
        "batch": row.text("batch"),
        "lab_state": lab_state,
        "record": {
            "as_of": as_of,
            "lab_state": lab_state,
            "expires": row.time("expires", zone),
            "location": row.text("location") or None,
            **{name: row.flag(name) for name in _FLAGS},
        },
        "lab": _lab(row, as_of, zone),
    }


def _lab(row: _Line, as_of: str, zone: str) -> dict[str, Any] | None:
    """The certificate as one result that stands for all that is required; None where the file says nothing of it."""
    if not row.text("coa_passed"):
        return None
    result = {
        "test": "COA",
        "passed": row.flag("coa_passed"),
        "released": row.flag("coa_released"),
        "revoked": row.flag("coa_revoked"),
        "expires": row.time("coa_expires", zone),
        "document": row.text("coa_document") or None,
    }
    return {"as_of": as_of, "required": [], "results": [result]}
