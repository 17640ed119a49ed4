"""Events at the beginning of an epoch that the history has from an earlier one.

A ledger that was put back from an older copy begins a new epoch with the events that it had not delivered, under new
numbers (ledger/renumber.py). The history may have taken them in before: they are its oldest of that epoch, in the order
that they had, so that looking for them ends at the first that it has not.
"""

from __future__ import annotations

import sqlite3

from gateway.history.project import Row, Rows
from gateway.history.schema import EPOCH_SPAN

STEP = (
    "uid", "event", "zone", "state", "since", "movement", "before", "portal", "confidence", "reads", "rssi",
    "first", "last", "origin",
)  # fmt: skip
"""What an event says of a stay; `until` and `length` follow from the next."""

_TABLES = ("stay", "pass", "gate_item", "verdict", "count", "count_line", "hand_read", "loss", "access", "notice")
"""Tables with rows of one event each."""


class Repeats:
    """Looks for what an epoch repeats, in the tables of `db`, until something is new."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._over = 0  # the number of the epoch in which something was new

    def leave_out(self, epoch: int, rows: Rows) -> None:
        """Takes out of `rows`, of a portion of the epoch numbered `epoch`, those of events that are there."""
        if epoch in (1, self._over):
            return
        of: dict[int, list[tuple[str, Row]]] = {}
        for table in _TABLES:
            at = self._columns(table).index("event")
            for row in rows[table]:
                of.setdefault(row[at], []).append((table, row))
        known = set()
        for event in sorted(of):
            if not all(self._has(table, row, epoch) for table, row in of[event]):
                self._over = epoch
                break
            known.add(event)
        for table in _TABLES if known else ():
            at = self._columns(table).index("event")
            rows[table] = [row for row in rows[table] if row[at] not in known]

    def _columns(self, table: str) -> tuple[str, ...]:
        """The columns of a row in their order."""
        if table == "stay":
            return STEP
        return tuple(name for _, name, *_ in self._db.execute(f"PRAGMA table_info({table})"))

    def _has(self, table: str, row: Row, epoch: int) -> bool:
        """Whether an earlier epoch has said the very same."""
        said = [(name, value) for name, value in zip(self._columns(table), row, strict=True) if name != "event"]
        same = " AND ".join(f'"{name}" IS ?' for name, _ in said)
        values = [value for _, value in said]
        found = self._db.execute(
            f"SELECT 1 FROM {table} WHERE {same} AND event < ? LIMIT 1", (*values, epoch * EPOCH_SPAN)
        )
        return found.fetchone() is not None
