"""A sheet as spreadsheets save it: comma, semicolon or tab; UTF-8, UTF-16 or what Windows writes; with ``sep=`` or not.

The one reader of CSV: what is a good file as an expected set is one as a manifest and as an identifier map too.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gateway.errors import Refused
from gateway.text import printable

SHEETS = (".csv", ".tsv", ".txt")
"""Endings of files that may be one."""

_DELIMITERS = ",;\t"
_SEP = re.compile(r"(\"?)sep=(.)\1(?:\r\n|\r|\n)", re.IGNORECASE)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)


_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def plain_name(text: str) -> str:
    """The name of a door or a device as an identifier of ours: ``Vault door 1`` as ``Vault-door-1``."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return _UNFIT.sub("-", plain).strip("-._")[:64]


class Row:
    """A line under the header. `number` is its line in the file."""

    __slots__ = ("_cells", "_columns", "number")

    def __init__(self, number: int, columns: Mapping[str, int], cells: list[str]) -> None:
        self.number = number
        self._columns = columns
        self._cells = cells

    @contextmanager
    def named(self) -> Iterator[None]:
        """What is refused meanwhile says in which line that is."""
        try:
            yield
        except Refused as refusal:
            raise Refused(f"line {self.number}: {refusal}") from None

    def text(self, column: str) -> str:
        """The cell below the column of that name, empty where there is none."""
        at = self._columns.get(column.lower())
        return "" if at is None else self._cells[at].strip()

    def identifier(self, column: str) -> str:
        """A cell that must not have been through a spreadsheet's hands: freed of ``="…"`` and of a leading quote mark.
        Raises Refused where it was rounded."""
        text = self.text(column)
        formula = _FORMULA.fullmatch(text)
        text = formula[1].strip() if formula else text.lstrip("'")
        if _ROUNDED.fullmatch(text):
            raise Refused(
                f"line {self.number}: {text!r} was rounded by the spreadsheet: format the column as text, fill it "
                "again, save"
            )
        return text


class Table:
    """A file with a header. `line` is that of the header, `names` are its columns as they are written."""

    def __init__(self, content: bytes, max_lines: int) -> None:
        """Raises Refused where the content is no text, or its cells are separated by something else."""
        self._lines = _split(_decoded(content), max_lines)
        self.line, header = next(self._lines, (1, []))
        self.names = [name.strip() for name in header]
        folded = [name.lower() for name in self.names]
        self._columns = {name: at for at, name in enumerate(folded)}
        self._twice = {name for name, count in Counter(folded).items() if count > 1}

    def __contains__(self, column: str) -> bool:
        return column.lower() in self._columns

    def once(self, column: str) -> None:
        """Raises Refused where the column is there twice."""
        if column.lower() in self._twice:
            raise Refused(f"line {self.line}: two columns are named {printable(column, 40)!r}: rename one")

    def need(self, column: str, remedy: str = "the header names the columns") -> None:
        """Raises Refused where there is no such column, or two; `remedy` says what to do in the first case."""
        self.once(column)
        if column not in self:
            has = ", ".join(repr(printable(name, 40)) for name in self.names[:20]) or "no column"
            raise Refused(f"line {self.line}: no column {column!r}; the header has {has}: {remedy}")

    def rows(self) -> Iterator[Row]:
        """The lines under the header that are not empty. Raises Refused, naming the line."""
        for number, cells in self._lines:
            if len(cells) != len(self.names):
                raise Refused(
                    f"line {number}: has {len(cells)} cells and the header {len(self.names)}: save the file again"
                )
            yield Row(number, self._columns, cells)


def _decoded(content: bytes) -> str:
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


def _split(text: str, max_lines: int) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, each with its number, split by the delimiter that the header has most of."""
    skipped = 0
    said = _SEP.match(text)
    if said:
        delimiter, text, skipped = said[2], text[said.end() :], 1
    else:
        head = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").split("\n", 1)[0])
        delimiter = max(_DELIMITERS, key=head.count)
    if delimiter not in _DELIMITERS:
        raise Refused(f"line 1: {printable(delimiter, 4)!r} does not separate cells: use a comma, semicolon or tab")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found = 0
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            found += 1
            if found > max_lines + 1:  # the header is one
                raise Refused(f"more than {max_lines} lines: split the file")
            yield reader.line_num + skipped, cells
    except csv.Error as error:
        raise Refused(f"line {reader.line_num + skipped}: not CSV: {error}") from None
