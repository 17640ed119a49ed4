"""Expected sets from CSV, as a spreadsheet saves them: comma, semicolon or tab, with or without a byte order mark.

A file has a header. The column of UIDs is named by the configuration; with a column of zones it holds the sets of
several, without one it is of the zone that it is named after.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.config.sources import ExpectedColumns
from gateway.errors import Refused
from gateway.sources.identifiers import IdentifierMap
from gateway.text import did_you_mean, printable

MAX_LINES = 200_000
"""Lines of a file: twice the tags that a gateway holds, for exports that list other places as well."""

MAX_NAMED = 5
"""Unknown places that are named in the log; the others are counted."""

_DELIMITERS = ",;\t"
_SEP = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)


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
    rows = _rows(_text(content))
    number, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    uid_at = _column(names, columns.uid, number)
    zone_at = None if columns.zone is None else _column(names, columns.zone, number)
    fixed = None if zone_at is not None else _zone_of_name(stem, zones)
    sets: dict[str, dict[str, None]] = {} if fixed is None else {fixed: {}}
    left_out: dict[str, int] = {}
    for number, cells in rows:
        if len(cells) != len(names):
            raise Refused(f"line {number}: has {len(cells)} cells and the header {len(names)}: save the file again")
        zone = fixed
        if zone_at is not None:
            place = cells[zone_at].strip()
            zone = zones.get(place.lower())
            if zone is None:
                left_out[place] = left_out.get(place, 0) + 1
                continue
        if zone is not None:
            sets.setdefault(zone, {})[_uid(cells[uid_at], number, identifiers)] = None
    if not sets:
        raise Refused(
            f"no line is of a zone of this gateway: {Found({}, left_out).remark() or 'there is no line'}; name the "
            "places in expected.zones of the configuration"
        )
    return Found({zone: sorted(uids) for zone, uids in sorted(sets.items())}, left_out)


def _text(content: bytes) -> str:
    """The text of a file: UTF-16 where it says so, else UTF-8, else what spreadsheets on Windows write."""
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise Refused("not a text: it has NUL bytes; save the sheet as CSV, an .xlsx file that is renamed is none")
    return text


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, each with its number, split by the delimiter that the header has most of."""
    skipped = 0
    said = _SEP.match(text)
    if said:
        delimiter, text, skipped = said[1], text[said.end() :], 1
    else:
        head = re.sub(r'"[^"]*"', "", text.split("\n", 1)[0])
        delimiter = max(_DELIMITERS, key=head.count)
    if delimiter not in _DELIMITERS:
        raise Refused(f"line 1: {printable(delimiter, 4)!r} does not separate cells: use a comma, semicolon or tab")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if reader.line_num > MAX_LINES:
                raise Refused(f"more than {MAX_LINES} lines: split the file")
            if any(cell.strip() for cell in cells):
                yield reader.line_num + skipped, cells
    except csv.Error as error:
        raise Refused(f"line {reader.line_num + skipped}: not CSV: {error}") from None


def _column(names: list[str], wanted: str, line: int) -> int:
    folded = [name.lower() for name in names]
    if folded.count(wanted.lower()) > 1:
        raise Refused(f"line {line}: two columns are named {wanted!r}: rename one")
    if wanted.lower() not in folded:
        has = ", ".join(repr(printable(name, 40)) for name in names[:20]) or "no column"
        raise Refused(
            f"line {line}: no column {wanted!r}; the header has {has}: correct it, or expected.columns of the "
            "configuration"
        )
    return folded.index(wanted.lower())


def _zone_of_name(stem: str, zones: Mapping[str, str]) -> str:
    zone = zones.get(stem.lower())
    if zone is None:
        raise Refused(
            f"the file has no column of zones, and there is no zone {printable(stem, 60)!r}: "
            f"{did_you_mean(stem, set(zones.values()))} Name the file after its zone, or the column in "
            "expected.columns.zone of the configuration"
        )
    return zone


def _uid(cell: str, line: int, identifiers: IdentifierMap) -> str:
    text = cell.strip()
    formula = _FORMULA.fullmatch(text)
    text = formula[1].strip() if formula else text.lstrip("'")
    if not text:
        raise Refused(f"line {line}: has no UID")
    if _ROUNDED.fullmatch(text):
        raise Refused(
            f"line {line}: {text!r} was rounded by the spreadsheet: format the column as text, fill it again, save"
        )
    try:
        return identifiers.uid(text)
    except Refused as refusal:
        raise Refused(f"line {line}: {refusal}") from None
