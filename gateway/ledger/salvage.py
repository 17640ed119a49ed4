"""A damaged ledger that is set aside: what nobody has of it yet and can still be read is carried over to the next."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from time import gmtime, strftime
from typing import TypeAlias

import orjson

Saved: TypeAlias = tuple[bytes, str, int, bytes]
"""Id, topic, time and payload of an event of the epoch before. The payload has that epoch's name and number."""

MOST = 200_000
"""Events carried over: five hours at ten a second, some 200 MB."""

_ATTEMPTS = 64
"""Places in the file that cannot be read and are stepped over, each time twice as far."""


_QUARANTINED = (
    "SELECT sequence, id, topic, time, payload FROM event "
    "WHERE sequence <= ? AND sequence IN (SELECT sequence FROM quarantine) ORDER BY sequence LIMIT ?"
)


def salvage(path: Path) -> list[Saved]:
    """The events that the broker has not taken, in order, as far as the file gives them: those in quarantine, and those
    that were not published yet."""
    saved: list[Saved] = []
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as connection:
        after = _published(connection)
        with contextlib.suppress(sqlite3.Error):
            for sequence, identity, topic, time, payload in connection.execute(_QUARANTINED, (after, MOST)):
                if _whole(sequence, identity, payload):
                    saved.append((identity, topic, time, payload))
        for attempt in range(_ATTEMPTS):
            try:
                for sequence, identity, topic, time, payload in connection.execute(
                    "SELECT sequence, id, topic, time, payload FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?",
                    (after, MOST - len(saved)),
                ):
                    after = sequence
                    if _whole(sequence, identity, payload):
                        saved.append((identity, topic, time, payload))
                break
            except sqlite3.Error:
                after += 1 << min(attempt, 20)
    return saved


def set_aside(path: Path, now: int) -> Path:
    """Renames the file and its write-ahead log, so that nobody takes them for the ledger. Returns the new name."""
    name = f"{path.name}.damaged-{strftime('%Y%m%dT%H%M%SZ', gmtime(now / 1e6))}"
    for suffix in ("", "-wal", "-shm", "-damaged"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(path.with_name(name + suffix))
    return path.with_name(name)


def successor(path: Path) -> Path:
    """Where the ledger is made that comes after the one at `path`."""
    return path.with_name(f"{path.name}.next")


def take_place(path: Path) -> None:
    """Puts the successor in the place of a ledger that was set aside, where that is not done yet."""
    if not path.exists() and successor(path).exists():
        successor(path).rename(path)


def remove(path: Path) -> None:
    """Removes a file, with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _published(connection: sqlite3.Connection) -> int:
    try:
        return int(connection.execute("SELECT published FROM ledger").fetchone()[0])
    except (sqlite3.Error, TypeError, ValueError):
        return 0


def _whole(sequence: int, identity: bytes, payload: bytes) -> bool:
    """Whether an event is what was written, as far as it says itself."""
    try:
        event = orjson.loads(payload)
        # What was saved before, from another file, stands up to 0 and has the number of its own epoch.
        return bool((sequence <= 0 or event["sequence"] == sequence) and event["id"] == identity.hex())
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
