"""Tables as CSV that a spreadsheet opens right: UTF-8 with a mark, UIDs as text, and no cell that is a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from starlette.responses import Response

_NUMERIC = re.compile(r"[0-9.,]{12,}|[0-9]+E[0-9]+|0[0-9]+|[0-9]{1,4}([-/.])[0-9]{1,2}(\1[0-9]{1,4})?", re.IGNORECASE)
"""Text that a spreadsheet would make something else of: long runs of digits and hexadecimal with one E (rounded), zeros
in front (dropped), and what looks like a date."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that a spreadsheet may carry out (OWASP, CSV Injection)."""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The table. Numbers stay numbers; text is text, whatever it looks like."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")


def answer(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """The table as a file that a browser keeps as ``name.csv``."""
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(f'{name}.csv', safe='')}"}
    return Response(table(columns, rows), media_type="text/csv; charset=utf-8", headers=headers)


def cell(value: object) -> object:
    """A value as a cell: an apostrophe before text that would not be taken for text."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = value.replace("\x00", "")
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) or _NUMERIC.fullmatch(text.strip()) else text
