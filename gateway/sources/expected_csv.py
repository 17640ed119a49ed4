"""Expected sets from CSV, as a spreadsheet saves them: comma, semicolon or tab, with or without a byte order mark.

A file has a header. The column of UIDs is named by the configuration; with a column of zones it holds the sets of
several, without one it is of the zone that it is named after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.config.sources import ExpectedColumns
from gateway.errors import Refused
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.table import Row, Table
from gateway.text import did_you_mean, printable

MAX_LINES = 200_000
"""Lines of a file: twice the tags that a gateway holds, for exports that list other places as well."""

MAX_NAMED = 5
"""Unknown places that are named in the log; the others are counted."""


@dataclass(slots=True, frozen=True)
class Found:
    """UIDs by zone, and the lines left out because their place is no zone: place to number of lines."""

    sets: dict[str, list[str]]
    left_out: dict[str, int]

    def remark(self) -> str:
        """What was left out, in words; empty where nothing was."""
        if not self.left_out:
            return ""
        named = ", ".join(repr(printable(place, 40)) for place in sorted(self.left_out)[:MAX_NAMED])
        more = f" and {len(self.left_out) - MAX_NAMED} more" if len(self.left_out) > MAX_NAMED else ""
        return f"{sum(self.left_out.values())} lines left out, of places that are no zone: {named}{more}"


def read_csv(
    content: bytes,
    *,
    stem: str,
    columns: ExpectedColumns,
    zones: Mapping[str, str],
    identifiers: IdentifierMap,
) -> Found:
    """The sets in a file. `stem` is its name without ``.csv``; `zones` maps what a zone may be called, in lower case,
    to its id. Raises Refused, naming the line."""
    table = Table(content, MAX_LINES)
    remedy = "correct it, or expected.columns of the configuration"
    for column in (columns.uid, columns.zone):
        if column is not None:
            table.need(column, remedy)
    fixed = None if columns.zone is not None else _zone_of_name(stem, zones)
    sets: dict[str, dict[str, None]] = {} if fixed is None else {fixed: {}}
    left_out: dict[str, int] = {}
    for row in table.rows():
        zone = fixed
        if columns.zone is not None:
            place = row.text(columns.zone)
            zone = zones.get(place.lower())
            if zone is None:
                left_out[place] = left_out.get(place, 0) + 1
                continue
        if zone is not None:
            sets.setdefault(zone, {})[_uid(row, columns.uid, identifiers)] = None
    if not sets:
        raise Refused(
            f"no line is of a zone of this gateway: {Found({}, left_out).remark() or 'there is no line'}; name the "
            "places in expected.zones of the configuration"
        )
    return Found({zone: sorted(uids) for zone, uids in sorted(sets.items())}, left_out)


def _zone_of_name(stem: str, zones: Mapping[str, str]) -> str:
    zone = zones.get(stem.lower())
    if zone is None:
        raise Refused(
            f"the file has no column of zones, and there is no zone {printable(stem, 60)!r}: "
            f"{did_you_mean(stem, set(zones.values()))} Name the file after its zone, or the column in "
            "expected.columns.zone of the configuration"
        )
    return zone


def _uid(row: Row, column: str, identifiers: IdentifierMap) -> str:
    text = row.identifier(column)
    if not text:
        raise Refused(f"line {row.number}: has no UID")
    try:
        return identifiers.uid(text)
    except Refused as refusal:
        raise Refused(f"line {row.number}: {refusal}") from None
