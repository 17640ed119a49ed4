"""What is in the ledger's file, and the one transaction in which it changes.

Everything here is synchronous and belongs to one thread: the one that opened it. Either a whole group of operations
is committed or nothing of it, and `marks` only ever says what is committed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from time import gmtime, strftime

from gateway.config import LedgerConfig
from gateway.errors import Damaged, LedgerError
from gateway.events.envelope import GENESIS, UNWRITABLE, Event, Fact, checked, seal, writable
from gateway.ledger import inspection, lock, schema
from gateway.ledger.inspection import Inspection
from gateway.ledger.marks import Marks
from gateway.ledger.operations import Append, GiveUp, Operation, PackedAppend
from gateway.ledger.quarantine import Delivered, Quarantine, SetApart
from gateway.ledger.recognition import Recognition
from gateway.ledger.renumber import renumber
from gateway.ledger.retention import Range, Retention
from gateway.ledger.salvage import Saved, remove, salvage, set_aside, successor, take_place
from gateway.ledger.standby import Standby
from gateway.ledger.states import Checkpoint, States
from gateway.ledger.witness import Witness


@dataclass(slots=True, frozen=True)
class OpenedLedger:
    """What the ledger held when it was opened.

    `parts`, `position` and `meta` are the last checkpoint's, `checkpoint_sequence` the newest event that it includes.
    `newer` knows the events behind it. `fresh`: there never was a checkpoint. `clean`: the
    last user of the file closed it in order. `damage`: what was wrong with the file before, which was set aside.
    """

    epoch: str
    sequence: int
    parts: dict[str, bytes]
    position: int
    checkpoint_sequence: int
    meta: dict[str, str]
    newer: Recognition
    published: int
    fresh: bool
    clean: bool
    damage: str = ""


class Store:
    """The file, open. Every method raises `LedgerError` or `sqlite3.Error`; the transaction is then undone."""

    def __init__(self, settings: LedgerConfig, source: str, standby: Path | None = None) -> None:
        self._path = settings.file
        self._standby = Standby(standby) if standby is not None else None
        self._witness = Witness(standby.with_name("witness")) if standby is not None else None
        self._source = source
        self._by_acknowledgement = settings.keep_until == "ack"
        self._settings = settings
        self.marks = Marks()
        self.epoch = ""
        self._prevhash = GENESIS
        self.inspection: Inspection | None = None
        """What is still to be looked at, after an unclean end."""

    def open(self, now: int) -> OpenedLedger:
        """Opens or makes the file and reads what is needed to go on, and after an unclean end what was written last:
        never more the larger the file is. A damaged one is set aside where the configuration says so."""
        self._lock = lock.lock(self._path.with_name(self._path.name + ".lock"), str(self._path))
        try:
            try:
                take_place(self._path)
                if found := inspection.known(self._path):
                    raise schema.damaged(self._path, found)
                opened = self._open(now)
                remove(successor(self._path))  # of an attempt that was broken off, before the file was put right
                return opened
            except Damaged as damage:
                if self._settings.on_damage == "stop":
                    raise
                saved = salvage(self._path)
                self._make_successor(now, saved)
                kept = set_aside(self._path, now)
                take_place(self._path)
                words = f"{damage}. It is kept as {kept.name}; {len(saved)} events of it are published first"
                return replace(self._open(now), damage=words)
        except BaseException:
            os.close(self._lock)
            raise

    def _make_successor(self, now: int, saved: list[Saved]) -> None:
        """The ledger that comes after a damaged one, whole before that is moved: where the disk is full, or the process
        killed, what was saved is still there at the next attempt."""
        path = successor(self._path)
        remove(path)
        try:
            self._connection = schema.connect(path)
            try:
                self._begin_epoch(now, saved)
            finally:
                self._connection.close()
        except sqlite3.Error as error:
            raise schema.explain(error, path) from error

    def _open(self, now: int) -> OpenedLedger:
        self.inspection = None  # of the file that was set aside, if there was one
        try:
            self._connection = schema.connect(self._path)
            self._inode = self._path.stat().st_ino
            try:
                return self._load(now)
            except BaseException:
                self._connection.close()
                if self._standby is not None:
                    self._standby.close()  # the next attempt is to find what is in it
                raise
        except sqlite3.Error as error:
            raise schema.explain(error, self._path) from error

    def close(self) -> None:
        """Marks the file as closed in order, if all of it was looked at, and gives it back."""
        whole = self.inspection is None or (self.inspection.done and not self.inspection.finding)
        try:
            self._connection.execute("UPDATE ledger SET clean = ?, stored = ?", (whole, self.marks.stored))
        finally:
            self.states.close()
            self._connection.close()
            if self._witness is not None:
                self._witness.close()
            os.close(self._lock)

    def write(self, group: Iterable[Operation], published: int, acknowledged: int, now: int) -> bool:
        """Commits `group`, the two marks and some tidying in one transaction; True when there is more to tidy.

        `published` and `acknowledged` never go back: lower values than before change nothing.
        """
        self._look_after_file()
        marks = replace(self.marks)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            prevhash = self._apply(group, marks)
            self._deliver(marks, published, acknowledged)
            more = self.retention.trim(marks, now)
            self._save(marks)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.marks = marks
        self._prevhash = prevhash
        self.states.committed()
        if self._witness is not None:
            self._witness.note(self.epoch, marks.sequence)
        return more

    def _look_after_file(self) -> None:
        """Raises LedgerError where the file was deleted or replaced: what is written then is in no file."""
        try:
            found = self._path.stat().st_ino
        except OSError:
            found = 0
        if found != self._inode:
            raise LedgerError(
                f"{self._path} was deleted or replaced while the gateway had it open: put it back if you can, and "
                f"start the gateway again; without it a new epoch begins, and what was lost is stated"
            )

    def seen(self, sequence: int) -> None:
        """Events up to `sequence` were committed once, as somebody knows who has them: the next `open` looks."""
        if self._witness is not None:
            self._witness.claim(self.epoch, sequence)

    def excess(self) -> Range | None:
        """Events that must be given up because the ledger is over its limit."""
        return self.retention.excess(self.marks)

    def read(self, after: int, limit: int, max_bytes: int) -> list[Event]:
        """Events behind `after` in order, without those in quarantine; one at least, where there is one."""
        events: list[Event] = []
        size = 0
        for sequence, identity, topic, payload in self._connection.execute(
            "SELECT sequence, id, topic, payload FROM event WHERE sequence > ? "
            "AND sequence NOT IN (SELECT sequence FROM quarantine WHERE sequence > ?) ORDER BY sequence LIMIT ?",
            (after, after, limit),
        ):
            size += len(payload)
            if events and size > max_bytes:
                break
            events.append(checked(Event(sequence, identity.hex(), topic, payload), self._source))
        return events

    def committed(self, after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """Sequence numbers and payloads of the events behind `after` in order, those in quarantine too; one at least,
        where there is one."""
        events: list[tuple[int, bytes]] = []
        size = 0
        for sequence, payload in self._connection.execute(
            "SELECT sequence, payload FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
        ):
            size += len(payload)
            if events and size > max_bytes:
                break
            events.append((sequence, payload))
        return events

    def bytes_on_disk(self) -> int:
        """The size of the file and of its write-ahead log."""
        size = 0
        for path in (self._path, f"{self._path}-wal"):
            with contextlib.suppress(OSError):
                size += os.stat(path).st_size
        return size

    def _load(self, now: int) -> OpenedLedger:
        db = self._connection
        if db.execute("SELECT COUNT(*) FROM ledger").fetchone()[0] == 0:
            self._begin_epoch(now, [])
        epoch, source, clean = db.execute("SELECT epoch, source, clean FROM ledger").fetchone()
        if source != self._source:
            raise LedgerError(
                f"{self._path} is the ledger of {source} and this gateway is {self._source}: set site and gateway "
                f"as they were, or give ledger.file another path"
            )
        if not clean:
            inspection.read_tail(db)
        self.epoch = epoch
        self.retention = Retention(db, self._settings)
        self.quarantine = Quarantine(db)
        self.marks = self._read_marks()
        if behind := self._behind(now):
            epoch = self.epoch
        if not clean:
            self.inspection = Inspection(db, self._path, self.marks.sequence)
        db.execute("UPDATE ledger SET clean = 0")
        self.states = States(db, self._standby, epoch)
        state = self.states.load(self.marks.sequence)
        included = state.sequence if state else 0
        newer = db.execute("SELECT sequence, payload FROM event WHERE sequence > ? ORDER BY sequence", (included,))
        return OpenedLedger(
            epoch=epoch,
            sequence=self.marks.sequence,
            parts=state.parts if state else {},
            position=state.position if state else 0,
            checkpoint_sequence=included,
            meta=state.meta if state else {},
            newer=Recognition(newer, self._source),
            published=self.marks.published,
            fresh=state is None,
            clean=bool(clean),
            damage=behind,
        )

    def _behind(self, now: int) -> str:
        """Begins a new epoch where the file is older than what was committed; says so then."""
        seen, claimed = self._witness.seen(self.epoch) if self._witness is not None else (0, False)
        newest = self.marks.sequence
        if seen <= newest and not claimed:
            return ""
        self.epoch = _new_epoch(now)
        number, unread = renumber(self._connection, self._source, self.epoch, self.marks.settled)
        self.marks = self._read_marks()
        ended = "lacked events" if claimed else f"ends at event {newest}"
        return (
            f"{self._path} {ended}, and {seen} had been committed: it was put back from an older copy, or its "
            f"write-ahead log was cut off; {number} events that were not delivered go on with new numbers"
            f"{f', and {unread} cannot be read' if unread else ''}"
        )

    def _begin_epoch(self, now: int, saved: list[Saved]) -> None:
        """A new numbering. Its name sorts by time, for people; the random end keeps two of them apart for sure.

        Events that were saved from the epoch before stand in front of it, up to row 0: they are published first.
        """
        db, before = self._connection, -len(saved)
        rows = ((before + n, identity, topic, t, 0, body) for n, (identity, topic, t, body) in enumerate(saved, 1))
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute(
                "INSERT INTO ledger (only, epoch, source, clean, published, acknowledged, given_up, stored) "
                "VALUES (1, ?, ?, 1, ?, ?, ?, ?)",
                (_new_epoch(now), self._source, before, before, before, len(saved)),
            )
            db.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", rows)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def _read_marks(self) -> Marks:
        db = self._connection
        published, acknowledged, given_up, checkpoint, clean, stored = db.execute(
            "SELECT published, acknowledged, given_up, checkpoint_sequence, clean, stored FROM ledger"
        ).fetchone()
        marks = Marks(published=published, acknowledged=acknowledged, given_up=given_up, checkpoint=checkpoint or 0)
        marks.delivered = acknowledged if self._by_acknowledgement else published
        marks.quarantined = db.execute("SELECT COUNT(*) FROM quarantine").fetchone()[0]
        self.retention.settled_moved(marks, before=0)
        (oldest,) = db.execute("SELECT MIN(sequence) FROM event").fetchone()
        marks.trimmed = min(0, (oldest or 0) - 1)  # those that were saved from an epoch before stand up to 0
        newest = db.execute("SELECT sequence, payload FROM event ORDER BY sequence DESC LIMIT 1").fetchone()
        self._prevhash = GENESIS
        if newest is not None and newest[0] > 0:
            event = Event(newest[0], "", "", newest[1])
            marks.sequence = event.sequence
            self._prevhash = event.hash()
        # An orderly end leaves the count behind.
        marks.stored = stored if clean else inspection.stored(db, marks.sequence)
        return marks

    def _apply(self, group: Iterable[Operation], marks: Marks) -> str:
        """Carries out `group` in order; returns the hash that the next event will refer to."""
        prevhash = self._prevhash
        self.states.begin()
        rows: list[tuple[int, bytes, str, int, int, bytes]] = []
        for operation in group:
            if isinstance(operation, PackedAppend):
                operation = operation.unpack()
            match operation:
                case Append(facts, position):
                    for fact in facts:
                        marks.sequence += 1
                        event = self._sealed(fact, marks.sequence, prevhash)
                        prevhash = event.hash()
                        identity = bytes.fromhex(event.id)
                        rows.append((event.sequence, identity, event.topic, fact.time, position, event.payload))
                case Checkpoint():
                    self.states.save(operation, marks)
                case GiveUp(first, last):
                    self._insert(rows, marks)
                    self.retention.give_up(marks, first, last)
                case SetApart():
                    self._insert(rows, marks)
                    self.quarantine.set_apart(operation, marks)
                case Delivered():
                    self.quarantine.delivered(operation, marks)
        self._insert(rows, marks)
        return prevhash

    def _sealed(self, fact: Fact, sequence: int, prevhash: str) -> Event:
        try:
            return seal(fact, self._source, self.epoch, sequence, prevhash)
        except UNWRITABLE:
            return seal(writable(fact, self._source), self._source, self.epoch, sequence, prevhash)

    def _insert(self, rows: list[tuple[int, bytes, str, int, int, bytes]], marks: Marks) -> None:
        self._connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", rows)
        marks.stored += len(rows)
        rows.clear()

    def _deliver(self, marks: Marks, published: int, acknowledged: int) -> None:
        settled = marks.settled
        marks.published = self._past_quarantine(marks, max(marks.published, published))
        marks.acknowledged = max(marks.acknowledged, acknowledged)
        marks.delivered = marks.acknowledged if self._by_acknowledgement else marks.published
        if marks.settled > settled:
            self.retention.settled_moved(marks, before=settled)

    def _past_quarantine(self, marks: Marks, published: int) -> int:
        """Publishing does not wait for events in quarantine: the mark goes past those that come next."""
        if marks.quarantined:
            for (sequence,) in self._connection.execute(
                "SELECT sequence FROM quarantine WHERE sequence > ? ORDER BY sequence", (published,)
            ):
                if sequence != published + 1:
                    break
                published = sequence
        return published

    def _save(self, marks: Marks) -> None:
        """Writes the marks that changed; an unchanged row costs no page of the log."""
        old = self.marks
        if (marks.published, marks.acknowledged, marks.given_up) != (old.published, old.acknowledged, old.given_up):
            self._connection.execute(
                "UPDATE ledger SET published = ?, acknowledged = ?, given_up = ?",
                (marks.published, marks.acknowledged, marks.given_up),
            )


def _new_epoch(now: int) -> str:
    return f"{strftime('%Y%m%dT%H%M%SZ', gmtime(now / 1e6))}-{secrets.token_hex(4)}"
