"""A ledger that is older than what was committed: the events that nobody has yet go on in a new epoch, from 1.

Their ids stay, since they say the same; their numbers do not, since the old ones may be on other events by now.
"""

from __future__ import annotations

import sqlite3

import orjson

from gateway.clock import parse_rfc3339
from gateway.events.envelope import GENESIS, Fact, seal

_UNDELIVERED = (
    "SELECT sequence, id, topic, time, position, payload FROM event "
    "WHERE sequence > ? OR sequence IN (SELECT sequence FROM quarantine) ORDER BY sequence"
)


def renumber(db: sqlite3.Connection, source: str, epoch: str, settled: int) -> tuple[int, int]:
    """Gives the undelivered events, those behind `settled` and in quarantine, their places in `epoch`, in one
    transaction; returns how many they are, and how many are gone because they cannot be read."""
    (checkpoint,) = db.execute("SELECT checkpoint_sequence FROM ledger").fetchone()
    number = included = unread = 0
    prevhash = GENESIS
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("CREATE TEMP TABLE renumbered AS SELECT * FROM event WHERE 0")
        for sequence, identity, topic, time, position, payload in db.execute(_UNDELIVERED, (settled,)):
            try:
                old = orjson.loads(payload)
                fact = Fact(old["type"], old["subject"], parse_rfc3339(old["time"]), old["data"])
            except (ValueError, KeyError, TypeError):
                unread += 1
                continue
            number += 1
            included = number if checkpoint is not None and sequence <= checkpoint else included
            event = seal(fact, source, epoch, number, prevhash)
            prevhash = event.hash()
            db.execute(
                "INSERT INTO renumbered VALUES (?, ?, ?, ?, ?, ?)",
                (number, identity, topic, time, position, event.payload),
            )
        db.execute("DELETE FROM quarantine")
        db.execute("DELETE FROM event")
        db.execute("INSERT INTO event SELECT * FROM renumbered")
        db.execute("DROP TABLE renumbered")
        db.execute("UPDATE ledger SET epoch = ?, published = 0, acknowledged = 0, given_up = 0, clean = 0", (epoch,))
        if checkpoint is not None:
            db.execute("UPDATE ledger SET checkpoint_sequence = ?", (included,))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return number, unread
