"""The folder of a book: a CSV file with all of it becomes the command `book`."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from drivers.api import Log
from gateway.clock import rfc3339
from gateway.config.books import BookColumns, CsvBook
from gateway.errors import Refused
from gateway.floor.books.commands import MAX_PACKAGES
from gateway.inputs import Submit
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.table import SHEETS, Row, Table
from gateway.sources.watched_folder import Contents, Purpose, WatchedFile, WatchedFolder

MAX_DONE = 100
"""Files kept in ``done/``; the oldest go."""

_TEXTS = ("status", "location", "sublocation", "unit", "product", "batch", "expires")


def book_folder(
    config: CsvBook, submit: Submit, identifiers: IdentifierMap, log: Log, now: Callable[[], float]
) -> WatchedFolder:
    """The folder, ready to run. `now` is a monotonic clock in seconds."""
    purpose = Purpose(
        one="a book",
        many=f"the book {config.name}",
        section="books",
        endings=SHEETS,
        keep=MAX_DONE,
        read=partial(_read, config=config, identifiers=identifiers),
    )
    return WatchedFolder(config, purpose, submit, log, now)


def _read(file: WatchedFile, content: bytes, *, config: CsvBook, identifiers: IdentifierMap) -> Contents:
    table = Table(content, MAX_PACKAGES)
    table.need(config.columns.uid, "correct it, or the columns of the book in the configuration")
    for name in _TEXTS:
        table.once(getattr(config.columns, name))
    packages = [_package(row, table, config.columns, identifiers) for row in table.rows()]
    if not packages:
        raise Refused("there is no line with a package: an empty book is a mistake")
    args = {"book": config.name, "by": file.by, "as_of": rfc3339(file.modified), "packages": packages}
    return Contents([("book", args)], {"packages": len(packages)})


def _package(row: Row, table: Table, columns: BookColumns, identifiers: IdentifierMap) -> dict[str, Any]:
    with row.named():
        package: dict[str, Any] = {"uid": identifiers.uid(row.identifier(columns.uid))}
    for name in _TEXTS:
        text = row.text(getattr(columns, name))
        if text:
            package[name] = text[:200]
    quantity = row.text(columns.quantity)
    if quantity:
        package["quantity"] = _number(quantity, row.number)
    return package


def _number(text: str, line: int) -> float:
    """A quantity as spreadsheets write it: ``48``, ``2.5``, ``1,204.5``."""
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        raise Refused(f"line {line}: {text[:40]!r} is not a quantity") from None
    if not math.isfinite(number):
        raise Refused(f"line {line}: {text[:40]!r} is not a quantity")
    return number
