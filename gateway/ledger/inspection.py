"""The inspection: every event of a ledger that was not closed in order, read through beside the work.

A start must not wait for a large file to be read, so after a kill or a power cut it reads what was written last, and
the rest is looked at a few events at a time in the ledger's thread, whenever that has nothing else to do. Damage to the
file's structure is noted beside it, so that the next start is refused, or sets the file aside; a single event that is
not what was written is only said.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import orjson

from gateway.errors import Damaged
from gateway.ledger.marks import Marks
from gateway.ledger.schema import explain

SLICE = 500
"""Events looked at in one go: some 5 ms."""

PACE = 0.05
"""Seconds between two slices: a million events in a hundred seconds, for a tenth of a processor."""

TAIL = 1_000
"""The newest events, which a start itself reads: what a power cut may have torn is among them."""

_MARKER = "-damaged"


class Inspection:
    """A look at every event up to `upto` in `db`, the ledger at `path`, by one thread. `finding` says what is wrong,
    in words for the operator, as soon as something is."""

    def __init__(self, db: sqlite3.Connection, path: Path, upto: int) -> None:
        self._db = db
        self._path = path
        self._upto = upto
        self._first = oldest(db)
        self._at: int | None = None
        self._hash = ""
        self.finding = ""
        self.done = False

    def step(self, marks: Marks) -> None:
        """Looks at the next events. Raises nothing."""
        try:
            rows = self._rows()
            for sequence, payload in rows:
                self._look(sequence, payload, max(marks.trimmed, marks.given_up, self._first - 1))
        except sqlite3.Error as error:
            self._found(f"behind event {self._at or 0} it cannot be read ({error})")
            if isinstance(explain(error, self._path), Damaged):
                note(self._path, self.finding)
            self.done = True
            return
        self.done = len(rows) < SLICE or rows[-1][0] >= self._upto

    def _rows(self) -> list[tuple[int, bytes]]:
        return self._db.execute(
            "SELECT sequence, payload FROM event WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?",
            (-1 if self._at is None else self._at, self._upto, SLICE),
        ).fetchall()

    def _look(self, sequence: int, payload: bytes, gone: int) -> None:
        try:
            before = str(orjson.loads(payload)["prevhash"])
        except (ValueError, KeyError, TypeError):
            self._found(f"event {sequence} is not what was written")
            before = ""
        if self._at is not None and sequence == self._at + 1:
            if sequence > 1 and before and before != self._hash:
                self._found(f"event {self._at} or the one behind it is not what was written")
        elif self._at is not None and sequence - 1 > gone:
            self._found(f"events {self._at + 1} to {sequence - 1} are missing")
        self._at, self._hash = sequence, hashlib.sha256(payload).hexdigest()

    def _found(self, what: str) -> None:
        self.finding = self.finding or (
            f"{self._path} is damaged: {what}. What is read and published goes on; keep a copy of the file, and see "
            f"RfidGatewayStartRefused"
        )


def oldest(db: sqlite3.Connection) -> int:
    """The oldest event that only retention keeps in the file; behind it none is missing but what was given up."""
    row = db.execute(
        "SELECT sequence FROM event WHERE sequence NOT IN (SELECT sequence FROM quarantine) ORDER BY sequence LIMIT 1"
    ).fetchone()
    return int(row[0]) if row is not None else 0


def stored(db: sqlite3.Connection, newest: int) -> int:
    """How many events there are, reckoned from their numbers: counting reads the whole file. Where some were given up
    behind older ones, too many by those."""
    if db.execute("SELECT 1 FROM event LIMIT 1").fetchone() is None:
        return 0
    first = oldest(db)
    if first == 0 and db.execute("SELECT 1 FROM event WHERE sequence = 0").fetchone() is None:
        return int(db.execute("SELECT COUNT(*) FROM quarantine").fetchone()[0])
    kept = db.execute("SELECT COUNT(*) FROM quarantine WHERE sequence < ?", (first,)).fetchone()[0]
    return newest - first + 1 + int(kept)


def read_tail(db: sqlite3.Connection) -> None:
    """Reads what was written last. Raises `sqlite3.Error` where it is torn."""
    for _ in db.execute("SELECT sequence, payload FROM event ORDER BY sequence DESC LIMIT ?", (TAIL,)):
        pass
    db.execute("SELECT * FROM quarantine ORDER BY sequence DESC LIMIT ?", (TAIL,)).fetchall()


def known(path: Path) -> str:
    """What an inspection has found at the structure of this very file, or nothing."""
    marker = path.with_name(path.name + _MARKER)
    try:
        inode, found = marker.read_text().split("\n", 1)
        return found if inode == str(path.stat().st_ino) else ""
    except (OSError, ValueError):
        return ""


def note(path: Path, finding: str) -> None:
    """Keeps what is wrong with the structure of the file, so that the next start need not find it."""
    with contextlib.suppress(OSError):
        path.with_name(path.name + _MARKER).write_text(f"{path.stat().st_ino}\n{finding}")
