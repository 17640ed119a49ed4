"""What may leave the history: what ended longer ago than it is kept, a few hundred tags at a time.

What a tag's newest stay says never goes: where it is is known however long it has been there.
"""

from __future__ import annotations

import sqlite3
from typing import Final

TAGS: Final = 500
"""Tags in one transaction: some tens of milliseconds."""

_OF_TAGS: Final = (
    "DELETE FROM stay WHERE uid BETWEEN ? AND ? AND until < ?",
    "DELETE FROM pass WHERE uid BETWEEN ? AND ? AND last < ?",
    "DELETE FROM gate_item WHERE uid BETWEEN ? AND ? AND time < ?",
    "DELETE FROM hand_read WHERE uid BETWEEN ? AND ? AND time < ?",
    "DELETE FROM count_line WHERE uid BETWEEN ? AND ? AND event IN (SELECT event FROM count WHERE ended < ?)",
    "DELETE FROM item WHERE uid BETWEEN ? AND ? AND as_of < ? "
    "AND NOT EXISTS (SELECT 1 FROM stay WHERE stay.uid = item.uid)",
)
_OF_ALL: Final = (
    "DELETE FROM count WHERE ended < ?",
    "DELETE FROM verdict WHERE time < ?",
    "DELETE FROM alarm WHERE cleared < ?",
    "DELETE FROM notice WHERE time < ?",
    "DELETE FROM loss WHERE ended < ?",
    "DELETE FROM access WHERE time < ?",
)
_FORGOTTEN: Final = (
    "DELETE FROM tag WHERE uid BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM stay WHERE stay.uid = tag.uid) "
    "AND NOT EXISTS (SELECT 1 FROM pass WHERE pass.uid = tag.uid) "
    "AND NOT EXISTS (SELECT 1 FROM gate_item WHERE gate_item.uid = tag.uid) "
    "AND NOT EXISTS (SELECT 1 FROM count_line WHERE count_line.uid = tag.uid) "
    "AND NOT EXISTS (SELECT 1 FROM hand_read WHERE hand_read.uid = tag.uid) "
    "AND NOT EXISTS (SELECT 1 FROM alarm WHERE alarm.uid = tag.uid) "
    "AND NOT EXISTS (SELECT 1 FROM item WHERE item.uid = tag.uid)"
)


_FIRST: Final = (
    "SELECT ended FROM count ORDER BY event LIMIT 1",
    "SELECT time FROM verdict ORDER BY event LIMIT 1",
    "SELECT time FROM notice ORDER BY event LIMIT 1",
    "SELECT ended FROM loss ORDER BY event LIMIT 1",
)
"""Where the history begins, roughly: nothing is looked for that no index finds, as long as any of these is there."""

HASTE: Final = 5.0
"""Of the history no more goes at once than this many times as long as the gateway has run since the last time."""


def horizon(db: sqlite3.Connection, now: int, keep: int, ran: int) -> int | None:
    """What ended before this time may go: older than `keep` at the time `now` of the wall clock, microseconds all. A
    clock that is decades ahead must not cost decades: what goes is the beginning of the history, a little beside the
    time `ran` since the last look. None where there is nothing."""
    firsts = [row[0] for statement in _FIRST for row in db.execute(statement)]
    if not firsts:
        firsts = [row[0] for row in db.execute("SELECT min(until) FROM stay") if row[0] is not None]
    return min(now - keep, min(firsts) + round(HASTE * ran)) if firsts else None


def trim(db: sqlite3.Connection, before: int, after: str = "") -> str | None:
    """Deletes what ended before the time `before`, of the next tags behind the UID `after`; returns the last of them,
    None when that were all. Raises `sqlite3.Error` and then changes nothing."""
    uids = [row[0] for row in db.execute("SELECT uid FROM tag WHERE uid > ? ORDER BY uid LIMIT ?", (after, TAGS))]
    db.execute("BEGIN IMMEDIATE")
    try:
        if uids:
            for statement in _OF_TAGS:
                db.execute(statement, (uids[0], uids[-1], before))
            db.execute(_FORGOTTEN, (uids[0], uids[-1]))
        else:
            for statement in _OF_ALL:
                db.execute(statement, (before,))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return uids[-1] if uids else None
