"""The ledger's file: its tables, how an older file becomes a newer one, and how it is opened.

A migration that has been released is never edited: the next one is added behind it. `PRAGMA user_version` counts
those that a file has been through.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.errors import Damaged, LedgerError

APPLICATION_ID = 0x52464C47  # "RFLG": tells the ledger from any other SQLite file

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE ledger (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        epoch TEXT NOT NULL,
        source TEXT NOT NULL,
        published INTEGER NOT NULL DEFAULT 0,
        acknowledged INTEGER NOT NULL DEFAULT 0,
        given_up INTEGER NOT NULL DEFAULT 0,
        checkpoint_sequence INTEGER,
        checkpoint_position INTEGER NOT NULL DEFAULT 0,
        clean INTEGER NOT NULL DEFAULT 0,
        stored INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE event (
        sequence INTEGER PRIMARY KEY,
        id BLOB NOT NULL,
        topic TEXT NOT NULL,
        time INTEGER NOT NULL,
        position INTEGER NOT NULL,
        payload BLOB NOT NULL
    ) STRICT;
    CREATE TABLE part (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE quarantine (sequence INTEGER PRIMARY KEY, reason TEXT NOT NULL, time INTEGER NOT NULL) STRICT;
    """,
    """
    ALTER TABLE quarantine ADD COLUMN topic TEXT NOT NULL DEFAULT '';
    ALTER TABLE quarantine ADD COLUMN final INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE quarantine ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
    UPDATE quarantine SET
        topic = COALESCE((SELECT topic FROM event WHERE event.sequence = quarantine.sequence), ''),
        final = reason LIKE '%0x95%';
    CREATE INDEX quarantine_by_topic ON quarantine (topic, sequence) WHERE final = 0;
    CREATE INDEX quarantine_released ON quarantine (sequence) WHERE released = 1;
    """,
    """
    ALTER TABLE part ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;
    """,
)

_OLDEST_SQLITE = (3, 37, 0)  # STRICT tables

# A frame of the write-ahead log is one page; at 2,000 a page that changes in every commit is written back to the
# database about once for 8 MB of log, not once for 4, which is what wears an SD card.
_AUTOCHECKPOINT_PAGES = 2_000
_WAL_BYTES = 16 << 20


def connect(path: Path) -> sqlite3.Connection:
    """Opens or makes the file at `path`, and brings its tables up to date.

    The connection is in autocommit mode (transactions are begun by hand) and belongs to the calling thread. It holds
    the file exclusively: SQLite 3.7.0 to 3.51.2 can corrupt a write-ahead log that two connections use.
    Raises `LedgerError`.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise LedgerError(
            f"the ledger needs SQLite 3.37 or later and this Python has {sqlite3.sqlite_version}: "
            f"use a Python that is built with a newer one"
        )
    if path.exists() and not (path.is_file() or path.is_dir()):  # SQLite would wait for whoever writes to a FIFO
        raise LedgerError(f"{path} is a FIFO or a device: correct ledger.file")
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    except sqlite3.Error as error:
        raise explain(error, path) from error
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        version = _version(connection, path)
        _configure(connection)
        _migrate(connection, version)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    for pragma in (
        "journal_mode = WAL",
        # With NORMAL a power cut can roll back what has been committed: events that are published already.
        "synchronous = FULL",
        f"wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}",
        f"journal_size_limit = {_WAL_BYTES}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """How many migrations the file has been through. Raises `LedgerError` for one that is not ours to change."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0])
    if tables and owner != APPLICATION_ID:
        raise LedgerError(f"{path} is a SQLite database but not a ledger: give ledger.file another path")
    if version > len(MIGRATIONS):
        raise LedgerError(
            f"{path} was written by a newer gateway (format {version}, this one knows {len(MIGRATIONS)}): "
            f"install that version again, or give ledger.file another path"
        )
    return version


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        # executescript commits first whatever is open, so the transaction is part of the script.
        connection.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; {script}; PRAGMA user_version = {number}; "
            f"COMMIT;"
        )


def damaged(path: Path, detail: str) -> Damaged:
    """Nothing is repaired, and moved aside only where the configuration says so (`ledger.on_damage`)."""
    return Damaged(
        f"{path} is damaged ({detail}): stop the gateway, move {path.name} and {path.name}-wal to another place and "
        f"keep them, then start again; a new epoch begins, and events that were not yet published are only in the "
        f"files that you kept. `ledger.on_damage: set-aside` does this by itself, and publishes what can be read"
    )


def explain(error: sqlite3.Error, path: Path) -> LedgerError:
    """What SQLite says, as what an operator can do about it."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(path, str(error))
    if primary == sqlite3.SQLITE_FULL:
        return LedgerError(f"{path}: the disk is full: free some space; nothing has been lost")
    if primary == sqlite3.SQLITE_IOERR:
        return LedgerError(f"{path}: the disk fails or is full ({error}): free space, look at the kernel's log")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LedgerError(f"{path} is open in another program: close it; the gateway needs the file for itself")
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return LedgerError(f"{path} cannot be written ({error}): give the gateway's user write access to it")
    return LedgerError(f"{path}: {error}")
