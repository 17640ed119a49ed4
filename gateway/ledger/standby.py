"""The standby: the newest checkpoint in memory-backed storage, in front of the one on disk.

A checkpoint every ten seconds keeps the journal short, but what it writes is soon old, and disks wear out. So most
checkpoints go to a second SQLite file beside the journal, which outlives the process as the journal does, and only now
and then to the ledger. A reboot clears it: then the checkpoint on disk and the events behind it are what is left.

It follows the ledger: it is written after the commit of the events that its state includes, and it names the
checkpoint on disk that it builds on. Where that is another one, as after a backup was put back, it is not believed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_TABLES = """
CREATE TABLE part (key TEXT PRIMARY KEY, value BLOB NOT NULL, changed INTEGER NOT NULL) STRICT;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    format INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    base_sequence INTEGER NOT NULL,
    base_position INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL
) STRICT;
"""

_FORMAT = 1
"""Of the tables. A standby of another format is not read: the ledger has a checkpoint that every release reads."""

_PRAGMAS = (
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = OFF",  # a killed process leaves what it wrote; a power cut leaves nothing anyway
    "journal_size_limit = 4194304",
    "temp_store = MEMORY",
)


@dataclass(slots=True, frozen=True)
class Base:
    """The checkpoint on disk that a standby builds on: the ledger's epoch, its newest event and its position."""

    epoch: str
    sequence: int
    position: int


@dataclass(slots=True, frozen=True)
class Stand:
    """A checkpoint in the standby: the newest event and the position up to which it holds, and what it says of
    itself."""

    sequence: int
    position: int
    meta: Mapping[str, str]


class Standby:
    """The file at `path`, for one thread. Every method raises `sqlite3.Error` or `OSError` where it cannot."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def find(self, base: Base, newest: int) -> Stand | None:
        """What it holds, where that builds on `base` and on no event behind `newest`; None otherwise."""
        if not self._path.exists():
            return None
        db = self._open()
        row = db.execute(
            "SELECT sequence, position FROM state WHERE format = ? AND epoch = ? AND base_sequence = ? "
            "AND base_position = ? AND sequence <= ?",
            (_FORMAT, base.epoch, base.sequence, base.position, newest),
        ).fetchone()
        if row is None or db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            return None
        return Stand(row[0], row[1], dict(db.execute("SELECT key, value FROM meta")))

    def begin(self) -> None:
        """Begins with nothing, whatever there was."""
        self.forget()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._open().executescript(_TABLES)

    def forget(self) -> None:
        """Closes the file and removes it."""
        self.close()
        for end in ("", "-wal", "-shm", "-journal"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Every part, packed."""
        return iter(self._open().execute("SELECT key, value FROM part"))

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """The parts that changed since the checkpoint on disk, packed."""
        return iter(self._open().execute("SELECT key, value FROM part WHERE changed"))

    def write(self, saves: Iterable[tuple[Mapping[str, bytes], bool]], stand: Stand, base: Base) -> None:
        """In one transaction: packed parts that replace those of the same key, in order, each time with whether the
        disk has them and all before them, and what holds after the last."""
        if not self._path.exists():
            raise FileNotFoundError(f"{self._path} was deleted")
        db = self._open()
        db.execute("BEGIN IMMEDIATE")
        try:
            for parts, on_disk in saves:
                db.executemany("INSERT OR REPLACE INTO part VALUES (?, ?, 1)", parts.items())
                if on_disk:
                    db.execute("UPDATE part SET changed = 0 WHERE changed")
            db.execute("DELETE FROM meta")
            db.executemany("INSERT INTO meta VALUES (?, ?)", stand.meta.items())
            db.execute(
                "INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?, ?, ?)",
                (_FORMAT, base.epoch, base.sequence, base.position, stand.sequence, stand.position),
            )
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Gives the file back; it stays."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=5)
            for pragma in _PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
        return self._connection
