"""The history's file: its tables, and how it is opened for writing and for reading.

Times are microseconds UTC. An `event` is a number that orders events of all epochs: `EPOCH_SPAN` × the number of the
epoch + the event's sequence. Every table is keyed by what its rows are about, so that equal events give equal rows in
whatever portions they came. UIDs and places are text: whoever opens the file with another program can read it.

One connection writes and checkpoints; others are opened read-only and do neither. This matters: SQLite up to 3.51.2
can corrupt a write-ahead log that two connections write or checkpoint at the same time.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from gateway.errors import HistoryError

APPLICATION_ID: Final = 0x52464853  # "RFHS"

VERSION: Final = 5
"""Layout of the tables. What MIGRATIONS cannot bring here is made again from the ledger."""

MIGRATIONS: Final = {
    # Alarms of photo-eyes have the word that settings and events have.
    4: """
        UPDATE OR REPLACE alarm SET kind = 'photo-eye-stuck' WHERE kind = 'beam-stuck';
        UPDATE notice SET kind = 'photo-eye-stuck' WHERE kind = 'beam-stuck';
    """,
}
"""Layout to what makes the next one of it, in place: the ledger keeps events for months, and the history for years."""

EPOCH_SPAN: Final = 10**12
"""Events that an epoch may have: a thousand a second for thirty years."""

LENGTHS: Final = (60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000)
"""Upper bounds in seconds of the classes of stays by length. A stay that is over is in the first class whose bound it
does not reach, or in class `LONG`; one that goes on is in class `OPEN`. Who was in a zone at a time is then found by
one range of `since` for each class, no wider than the class's bound, however many stays the zone has seen."""

LONG: Final = len(LENGTHS)
OPEN: Final = LONG + 1

TABLES: Final = """
CREATE TABLE epoch (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sequence INTEGER NOT NULL) STRICT;

-- Events that the history was never given: the ledger no longer had them.
CREATE TABLE gap (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;

-- Events that could not be understood. The rest went on.
CREATE TABLE unread (event INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;

-- Where evidence comes from, numbered in the order of its first use. `antennas` is a list, written with spaces.
CREATE TABLE origin (
    number INTEGER PRIMARY KEY, antennas TEXT NOT NULL, rssi_unit TEXT NOT NULL, clock TEXT NOT NULL,
    algorithm TEXT NOT NULL, config TEXT NOT NULL
) STRICT;

-- What was known of a tag from one movement to the next. `state`: present in the zone; unseen, so probably still in it;
-- away, and then there is no zone. `until` is null while it holds. `length` is its class of LENGTHS.
CREATE TABLE stay (
    uid TEXT NOT NULL, event INTEGER NOT NULL,
    zone TEXT, state TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER, length INTEGER NOT NULL,
    movement TEXT NOT NULL, before TEXT, portal TEXT, confidence REAL NOT NULL,
    reads INTEGER NOT NULL, rssi REAL NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, origin INTEGER NOT NULL,
    PRIMARY KEY (uid, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX stay_zone ON stay (zone, length, since, until, state) WHERE zone IS NOT NULL;

CREATE TABLE pass (
    uid TEXT NOT NULL, event INTEGER NOT NULL, portal TEXT NOT NULL, direction TEXT NOT NULL, before TEXT, after TEXT,
    confidence REAL NOT NULL, "group" TEXT, reason TEXT NOT NULL,
    reads INTEGER NOT NULL, rssi REAL NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, origin INTEGER NOT NULL,
    PRIMARY KEY (uid, event)
) STRICT, WITHOUT ROWID;

-- What the gate decided about a package: while loading (`kind` item) and in the verdict (`kind` verdict). What
-- named persons said of it is there too (`kind` overridden; destroyed, which has no dock).
CREATE TABLE gate_item (
    uid TEXT NOT NULL, event INTEGER NOT NULL, kind TEXT NOT NULL, time INTEGER NOT NULL, dock TEXT NOT NULL,
    session TEXT NOT NULL, manifest TEXT, delivery TEXT, status TEXT, previous TEXT, verdict TEXT NOT NULL,
    reasons TEXT NOT NULL,
    PRIMARY KEY (uid, event)
) STRICT, WITHOUT ROWID;

CREATE TABLE verdict (
    event INTEGER PRIMARY KEY, time INTEGER NOT NULL, dock TEXT NOT NULL, session TEXT NOT NULL,
    manifest TEXT, delivery TEXT, outcome TEXT NOT NULL, counts TEXT NOT NULL, opened INTEGER NOT NULL,
    opened_by TEXT NOT NULL, closed INTEGER NOT NULL, closed_by TEXT NOT NULL
) STRICT;
CREATE INDEX verdict_manifest ON verdict (manifest);

-- A count; `expected`, `missing`, `extra` and `elsewhere` are numbers of tags, null where nothing was expected.
CREATE TABLE count (
    event INTEGER PRIMARY KEY, zone TEXT NOT NULL, cause TEXT NOT NULL, request TEXT, started INTEGER NOT NULL,
    ended INTEGER NOT NULL, population INTEGER NOT NULL, seen INTEGER NOT NULL, not_seen INTEGER NOT NULL,
    expected INTEGER, found INTEGER, missing INTEGER, extra INTEGER, elsewhere INTEGER, duty REAL NOT NULL,
    confidence REAL NOT NULL, source TEXT, by TEXT, note TEXT
) STRICT;
CREATE INDEX count_zone ON count (zone, event);

-- What a count said of a tag: present, not_seen, missing, extra, elsewhere. Periodic counts leave only the last three.
CREATE TABLE count_line (
    uid TEXT NOT NULL, event INTEGER NOT NULL, said TEXT NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY (uid, event, said)
) STRICT, WITHOUT ROWID;
CREATE INDEX count_line_event ON count_line (event, said);

-- What handhelds read: that a tag was near one, and for which count, and not in which zone it is.
CREATE TABLE hand_read (
    uid TEXT NOT NULL, event INTEGER NOT NULL, time INTEGER NOT NULL, reader TEXT NOT NULL, how TEXT NOT NULL,
    by TEXT NOT NULL, session TEXT, zones TEXT NOT NULL, reads INTEGER NOT NULL,
    PRIMARY KEY (uid, event)
) STRICT, WITHOUT ROWID;

-- The life of an alarm. `subject` tells alarms of one kind apart; `repeats` counts how often it was said again.
CREATE TABLE alarm (
    kind TEXT NOT NULL, subject TEXT NOT NULL, raised_event INTEGER NOT NULL,
    place TEXT NOT NULL, uid TEXT, since INTEGER NOT NULL, raised INTEGER NOT NULL, said INTEGER NOT NULL,
    repeats INTEGER NOT NULL, reason TEXT NOT NULL, places TEXT NOT NULL,
    acknowledged INTEGER, acknowledged_by TEXT, note TEXT,
    cleared INTEGER, cleared_event INTEGER, cleared_reason TEXT,
    PRIMARY KEY (kind, subject, raised_event)
) STRICT, WITHOUT ROWID;
CREATE INDEX alarm_open ON alarm (raised_event) WHERE cleared IS NULL;
CREATE INDEX alarm_uid ON alarm (uid, raised_event) WHERE uid IS NOT NULL;
CREATE INDEX alarm_raised ON alarm (raised);

-- Every word about an alarm, in order: for whoever is to be told of each.
CREATE TABLE notice (
    event INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL,
    place TEXT NOT NULL, uid TEXT, since INTEGER NOT NULL, reason TEXT NOT NULL, places TEXT NOT NULL, by TEXT
) STRICT;

CREATE TABLE loss (
    event INTEGER PRIMARY KEY, reader TEXT NOT NULL, cause TEXT NOT NULL, started INTEGER NOT NULL,
    ended INTEGER NOT NULL, certain INTEGER NOT NULL
) STRICT;
CREATE INDEX loss_ended ON loss (ended);

-- Doors opened and badges shown, as an access-control system told.
CREATE TABLE access (
    event INTEGER PRIMARY KEY, time INTEGER NOT NULL, door TEXT NOT NULL, person TEXT NOT NULL, action TEXT NOT NULL,
    source TEXT NOT NULL
) STRICT;
CREATE INDEX access_time ON access (time);

-- What is known of a package beside where it is. The newest facts by `as_of` stay.
CREATE TABLE item (
    uid TEXT PRIMARY KEY, identifier TEXT, product TEXT, batch TEXT, category TEXT, quantity REAL, unit TEXT,
    expires TEXT, source TEXT NOT NULL, as_of INTEGER NOT NULL, event INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX item_batch ON item (batch COLLATE NOCASE) WHERE batch IS NOT NULL;
CREATE INDEX item_product ON item (product COLLATE NOCASE) WHERE product IS NOT NULL;
CREATE INDEX item_identifier ON item (identifier) WHERE identifier IS NOT NULL;

-- Every tag there is, to be found by its last digits.
CREATE TABLE tag (uid TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE INDEX tag_end ON tag (substr(uid, -4));
"""

DATA: Final = (
    "epoch", "gap", "unread", "origin", "stay", "pass", "gate_item", "verdict", "count", "count_line", "hand_read",
    "alarm", "notice", "loss", "access", "item", "tag",
)  # fmt: skip
"""Every table, for whoever compares two histories."""

_CACHE_KIB = 32_768


def open_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes, in autocommit mode. Raises `HistoryError` for a file that is no history of this
    version, and `sqlite3.Error`."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        # A power cut may take back the last commits, which the ledger then gives again; nothing is damaged.
        for pragma in (
            "journal_mode = WAL", "synchronous = NORMAL", f"cache_size = -{_CACHE_KIB}", "temp_store = MEMORY",
            "wal_autocheckpoint = 4000", "journal_size_limit = 33554432",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}").fetchall()
        if connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0] == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
                f"{TABLES} COMMIT;"
            )
        owner, version = _told(connection)
        while owner == APPLICATION_ID and version in MIGRATIONS:
            connection.executescript(
                f"BEGIN IMMEDIATE; {MIGRATIONS[version]}; PRAGMA user_version = {version + 1}; COMMIT;"
            )
            version += 1
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only ask, while another writes. Raises `HistoryError` where there is nothing to ask."""
    if not path.is_file():
        raise HistoryError(f"there is no history at {path}: start the gateway, which makes it from its ledger")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise HistoryError(f"the history {path} cannot be opened ({error}): run as the gateway's user") from error
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.row_factory = sqlite3.Row
        _check(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise HistoryError(f"the history {path} cannot be read ({error}): run as the gateway's user") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    owner, version = _told(connection)
    if owner != APPLICATION_ID:
        raise HistoryError(f"{path} is a SQLite file but not a history: give history.file another path")
    if version != VERSION:
        raise HistoryError(f"{path} has the layout {version} and this gateway uses {VERSION}: it is made again")


def _told(connection: sqlite3.Connection) -> tuple[int, int]:
    """Whose file it is, and the version of its layout."""
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return owner, version
