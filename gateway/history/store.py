"""Events into the history's tables, a portion in one transaction with the mark of how far it has come.

Everything here belongs to one thread. Long portions are handed to SQLite as one JSON text for each table and sorted
out by SQL, so that this thread holds Python's lock for a few microseconds an event and the ledger's thread goes on.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import orjson

from gateway.history import retention, schema
from gateway.history.project import Origins, Portion, Row, Rows, project
from gateway.history.repeats import STEP, Repeats
from gateway.history.schema import EPOCH_SPAN, LENGTHS, LONG, OPEN

_WIDTH = {
    "gap": 2, "unread": 2, "origin": 6, "pass": 14, "gate_item": 12, "verdict": 12, "count": 19, "count_line": 4,
    "hand_read": 9, "loss": 6, "access": 6, "notice": 11,
}  # fmt: skip
"""Columns of the tables whose rows are put in as they are."""


def _fields(width: int) -> str:
    return ", ".join(f"json_extract(value, '$[{n}]')" for n in range(width))


def _class_of(length: str) -> str:
    """SQL for the class of LENGTHS of a stay that is over; `length` is SQL for microseconds."""
    cases = " ".join(f"WHEN {length} < {bound}000000 THEN {n}" for n, bound in enumerate(LENGTHS))
    return f"CASE {cases} ELSE {LONG} END"


_INSERTS = {
    table: f"INSERT INTO {table} SELECT {_fields(width)} FROM json_each(?)" for table, width in _WIDTH.items()
} | {"tag": f"INSERT OR IGNORE INTO tag SELECT {_fields(1)} FROM json_each(?)"}

_INSERT_ITEM = f"""
INSERT INTO item SELECT {_fields(11)} FROM json_each(?) WHERE true
ON CONFLICT (uid) DO UPDATE SET
    identifier = coalesce(excluded.identifier, identifier), product = coalesce(excluded.product, product),
    batch = coalesce(excluded.batch, batch), category = coalesce(excluded.category, category),
    quantity = coalesce(excluded.quantity, quantity), unit = coalesce(excluded.unit, unit),
    expires = coalesce(excluded.expires, expires), source = excluded.source, as_of = excluded.as_of,
    event = excluded.event
WHERE excluded.as_of >= item.as_of
"""

_STEPS = (
    f"CREATE TEMP TABLE IF NOT EXISTS step ({', '.join(STEP)}, until)",
    "DELETE FROM step",
)

_FILL_STEPS = f"""
INSERT INTO step SELECT *, LEAD(since) OVER (PARTITION BY uid ORDER BY event)
FROM (SELECT {", ".join(f"json_extract(value, '$[{n}]') AS {name}" for n, name in enumerate(STEP))} FROM json_each(?))
"""

_CLOSE_STAYS = f"""
UPDATE stay SET until = next.since, length = {_class_of("(next.since - stay.since)")}
FROM (SELECT uid, since, min(event),
             (SELECT max(event) FROM stay AS own WHERE own.uid = step.uid) AS newest FROM step GROUP BY uid) AS next
WHERE stay.uid = next.uid AND stay.event = next.newest
"""

_OPEN_STAYS = f"""
INSERT INTO stay (uid, event, zone, state, since, until, length, {", ".join(STEP[5:])})
SELECT uid, event, zone, state, since, until,
       CASE WHEN until IS NULL THEN {OPEN} ELSE {_class_of("(until - since)")} END, {", ".join(STEP[5:])}
FROM step ORDER BY uid, event
"""


Fill: TypeAlias = Callable[[int, Portion, Origins, Rows], None]

_WRONG = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, OverflowError)
"""What SQLite says of values that do not fit: one event must not hold up the others."""


def _unread(error: Exception) -> Fill:
    def fill(epoch: int, portion: Portion, origins: Origins, rows: Rows) -> None:
        rows["unread"] += [(epoch * EPOCH_SPAN + sequence, str(error)[:200]) for sequence, _ in portion]

    return fill


class Store:
    """The file, open for writing. Every method raises `HistoryError` or `sqlite3.Error` and then changes nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = schema.open_writer(path)
        self.noticed = 0
        """The newest event taken in that says something of alarms or losses; 0 for none yet."""
        self._numbers = dict(self._connection.execute("SELECT name, number FROM epoch"))
        self._origins = Origins(self._connection.execute("SELECT * FROM origin ORDER BY number"))
        self._repeats = Repeats(self._connection)
        for statement in _STEPS:
            self._connection.execute(statement)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def sequence(self, epoch: str) -> int:
        """The newest event of `epoch` that the history holds; 0 for none."""
        row = self._connection.execute("SELECT sequence FROM epoch WHERE name = ?", (epoch,)).fetchone()
        return 0 if row is None else int(row[0])

    def horizon(self, now: int, keep: int, ran: int) -> int | None:
        """What ended before this time may go: see `retention.horizon`."""
        return retention.horizon(self._connection, now, keep, ran)

    def trim(self, before: int, after: str = "") -> str | None:
        """Deletes what ended before the time `before`, of some tags: see `retention.trim`."""
        return retention.trim(self._connection, before, after)

    def take(self, epoch: str, portion: Portion) -> int:
        """Takes in events of `epoch`, in order and newer than `sequence(epoch)`; returns the newest sequence."""
        if not portion:
            return self.sequence(epoch)
        try:
            self._take(epoch, portion, project)
        except _WRONG as error:
            if len(portion) == 1:
                self._take(epoch, portion, _unread(error))
            else:
                for event in portion:
                    self.take(epoch, [event])
        return portion[-1][0]

    def _take(self, epoch: str, portion: Portion, fill: Fill) -> None:
        rows: Rows = defaultdict(list)
        known = self.sequence(epoch)
        number = self._numbers.get(epoch, len(self._numbers) + 1)
        first, last = portion[0][0], portion[-1][0]
        if first > known + 1:
            rows["gap"].append((number * EPOCH_SPAN + known + 1, number * EPOCH_SPAN + first - 1))
        db = self._connection
        try:
            fill(number, portion, self._origins, rows)
            self._repeats.leave_out(number, rows)
            rows["origin"] = self._origins.new
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "INSERT INTO epoch VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE SET sequence = excluded.sequence",
                (number, epoch, last),
            )
            self._put(rows)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._origins.undone()
            raise
        self._origins.kept()
        self._numbers[epoch] = number
        if rows["notice"] or rows["loss"]:
            self.noticed = last

    def _put(self, rows: Rows) -> None:
        db = self._connection
        for table, statement in _INSERTS.items():
            if rows[table]:
                db.execute(statement, (_text(rows[table]),))
        if rows["item"]:
            db.execute(_INSERT_ITEM, (_text(rows["item"]),))
        if rows["stay"]:
            db.execute(_FILL_STEPS, (_text(rows["stay"]),))
            db.execute(_CLOSE_STAYS)
            db.execute(_OPEN_STAYS)
            db.execute("DELETE FROM step")
        for said in rows["notice"]:
            self._alarm(*said)

    def _alarm(
        self, event: int, time: int, kind: str, subject: str, state: str, place: str, uid: str | None, since: int,
        reason: str, places: str, by: str | None,
    ) -> None:  # fmt: skip
        """One more word about an alarm: its life begins, goes on, is taken note of, or ends."""
        life = self._connection.execute(
            "SELECT raised_event FROM alarm WHERE kind = ? AND subject = ? AND cleared IS NULL "
            "ORDER BY raised_event DESC LIMIT 1",
            (kind, subject),
        ).fetchone()
        key = (kind, subject, life[0] if life else event)
        if state == "raised" and life is None:
            self._connection.execute(
                "INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, NULL, NULL, NULL, NULL, NULL, NULL)",
                (*key, place, uid, since, time, time, reason, places),
            )
        elif life is None:
            return  # acknowledged or cleared, and raised before this history begins
        elif state == "raised":
            self._set(key, "said = ?, repeats = repeats + 1, reason = ?, place = ?, places = ?",
                      time, reason, place, places)  # fmt: skip
        elif state == "acknowledged":
            self._set(key, "acknowledged = ?, acknowledged_by = ?, note = ?", time, by or "", reason)
        else:
            self._set(key, "cleared = ?, cleared_event = ?, cleared_reason = ?", time, event, reason)

    def _set(self, key: tuple[str, str, int], assignments: str, *values: object) -> None:
        self._connection.execute(
            f"UPDATE alarm SET {assignments} WHERE kind = ? AND subject = ? AND raised_event = ?", (*values, *key)
        )


def _text(rows: list[Row]) -> str:
    return orjson.dumps(rows).decode()
