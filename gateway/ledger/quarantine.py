"""The quarantine: events that the broker did not take, kept by name with the reason, until it does.

Every function runs in the thread that owns the ledger's file. What changes rows along with the marks runs inside the
caller's transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from gateway.events.envelope import Event, checked
from gateway.ledger.marks import Marks


@dataclass(slots=True, frozen=True)
class SetApart:
    """The broker does not take an event: it is kept aside. `final`: only a command sends it again."""

    sequence: int
    reason: str
    time: int
    final: bool


@dataclass(slots=True, frozen=True)
class Delivered:
    """The broker has taken an event that was kept aside."""

    sequence: int


@dataclass(slots=True, frozen=True)
class Quarantined:
    """An event that was set apart at `time` (microseconds UTC), its payload's size in bytes, and why.

    `final`: it is not tried again by itself. `released`: a command has asked to send it again.
    """

    sequence: int
    id: str
    topic: str
    size: int
    reason: str
    time: int
    final: bool
    released: bool


class Quarantine:
    """The rows of the quarantine."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def set_apart(self, operation: SetApart, marks: Marks) -> None:
        """Puts an event aside, or notes that it was refused once more."""
        known = self._connection.execute(
            "UPDATE quarantine SET reason = ?, time = ?, final = ?, released = 0 WHERE sequence = ?",
            (operation.reason, operation.time, operation.final, operation.sequence),
        ).rowcount
        if known:
            return
        new = self._connection.execute(
            "INSERT INTO quarantine (sequence, reason, time, topic, final) "
            "SELECT sequence, ?, ?, topic, ? FROM event WHERE sequence = ?",
            (operation.reason, operation.time, operation.final, operation.sequence),
        ).rowcount
        marks.quarantined += new
        if operation.sequence <= marks.settled:
            marks.quarantined_settled += new

    def delivered(self, operation: Delivered, marks: Marks) -> None:
        """Takes an event out of quarantine; one that only quarantine kept in the file leaves it."""
        sequence = operation.sequence
        gone = self._connection.execute("DELETE FROM quarantine WHERE sequence = ?", (sequence,)).rowcount
        marks.quarantined -= gone
        if sequence <= marks.settled:
            marks.quarantined_settled -= gone
        if gone and sequence <= marks.trimmed:
            marks.stored -= self._connection.execute("DELETE FROM event WHERE sequence = ?", (sequence,)).rowcount

    def look(self, after: int, limit: int, topic: str | None) -> list[Quarantined]:
        """Events set apart behind `after`, in order, on `topic` where one is given."""
        rows = self._connection.execute(
            "SELECT q.sequence, event.id, event.topic, LENGTH(event.payload), q.reason, q.time, q.final, q.released "
            "FROM quarantine AS q JOIN event USING (sequence) "
            "WHERE q.sequence > ? AND (? IS NULL OR event.topic = ?) ORDER BY q.sequence LIMIT ?",
            (after, topic, topic, limit),
        )
        return [
            Quarantined(sequence, identity.hex(), name, size, reason, time, bool(final), bool(released))
            for sequence, identity, name, size, reason, time, final, released in rows
        ]

    def release(self, sequences: list[int] | None, topic: str | None) -> int:
        """Has events sent again: these, those on `topic`, or all; returns how many. A transaction of its own."""
        where, values = "1", list[object]()
        if sequences is not None:
            where, values = f"sequence IN ({', '.join('?' * len(sequences))})", [*sequences]
        elif topic is not None:
            where, values = "topic = ?", [topic]
        return self._connection.execute(f"UPDATE quarantine SET released = 1 WHERE {where}", values).rowcount

    def topics(self) -> list[str]:
        """The topics of events that may be tried again without a command."""
        return [topic for (topic,) in self._connection.execute("SELECT DISTINCT topic FROM quarantine WHERE final = 0")]

    def on_topic(self, topic: str, after: int, limit: int) -> list[Event]:
        """Events on `topic` behind `after` that may be tried again, in order."""
        return self._events("q.topic = ? AND q.final = 0 AND q.sequence > ?", (topic, after), limit)

    def released(self, limit: int) -> list[Event]:
        """The oldest events that a command has released, in order."""
        return self._events("q.released = 1", (), limit)

    def _events(self, where: str, values: tuple[object, ...], limit: int) -> list[Event]:
        rows = self._connection.execute(
            "SELECT q.sequence, event.id, event.topic, event.payload FROM quarantine AS q JOIN event USING (sequence) "
            f"WHERE {where} ORDER BY q.sequence LIMIT ?",
            (*values, limit),
        )
        return [checked(Event(sequence, identity.hex(), topic, payload)) for sequence, identity, topic, payload in rows]
