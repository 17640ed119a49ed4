"""Which events may leave the ledger, and when. Every function runs inside the caller's transaction.

Delivered events stay as a history until there are more than `max_events` or they are older than `max_age`.
Undelivered ones never go by themselves: when they alone fill the ledger, either reading stops, or the oldest are given
up and the loss is stated. Nothing newer than the last checkpoint goes: after a crash it is what tells the facts that
are stated again from new ones. The newest event never goes: the hash chain and the numbering continue from it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from gateway.clock import micros
from gateway.config import LedgerConfig
from gateway.ledger.marks import Marks

# Deleting goes along with commits, in pieces that add a few milliseconds to one, yet faster than events come in.
_CHUNK = 1_000


@dataclass(slots=True, frozen=True)
class Range:
    """Events `first` to `last`, whose times lie between `start` and `end`."""

    first: int
    last: int
    start: int
    end: int


class Retention:
    """Applies the limits of `settings`."""

    def __init__(self, connection: sqlite3.Connection, settings: LedgerConfig) -> None:
        self._connection = connection
        self._max_events = settings.max_events
        self._max_age = micros(settings.max_age)
        self._drops = settings.on_full == "drop-oldest"

    def full(self, marks: Marks) -> bool:
        """No more events should come."""
        return not self._drops and marks.undelivered >= self._max_events

    def roomy(self, marks: Marks) -> bool:
        """After having been full: there is room again. The 1 % between keeps readers from stopping at every event."""
        return marks.undelivered <= self._max_events - self._max_events // 100

    def trim(self, marks: Marks, now: int) -> bool:
        """Deletes some of the delivered events beyond the limits; True when there may be more."""
        bound = min(marks.delivered, marks.checkpoint, marks.sequence - 1)
        rows = self._connection.execute(
            "SELECT sequence, time FROM event WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?",
            (marks.trimmed, bound, _CHUNK),
        ).fetchall()
        surplus = marks.stored - self._max_events
        oldest = now - self._max_age
        going = 0
        while going < len(rows) and (going < surplus or rows[going][1] < oldest):
            going += 1
        if not going:
            return False
        first, last = rows[0][0], rows[going - 1][0]
        deleted = self._connection.execute(
            "DELETE FROM event WHERE sequence BETWEEN ? AND ? AND sequence NOT IN (SELECT sequence FROM quarantine)",
            (first, last),
        ).rowcount
        marks.stored -= deleted
        marks.trimmed = last
        return going == _CHUNK

    def excess(self, marks: Marks) -> Range | None:
        """The oldest undelivered events that have to be given up, if any: one run without a gap."""
        if not self._drops or marks.undelivered <= self._max_events:
            return None
        # 1 % more than needed, so that losses are stated in ranges and not one by one.
        count = marks.undelivered - self._max_events + self._max_events // 100
        first, last = self._oldest_undelivered(marks, count)
        last = min(last, marks.checkpoint, marks.sequence - 1)
        if last < first:
            return None
        start, end = self._connection.execute(
            "SELECT MIN(time), MAX(time) FROM event WHERE sequence BETWEEN ? AND ?", (first, last)
        ).fetchone()
        return Range(first, last, start, end)

    def _oldest_undelivered(self, marks: Marks, count: int) -> tuple[int, int]:
        if not marks.quarantined_settled:
            return marks.settled + 1, marks.settled + count
        rows = self._connection.execute(
            "SELECT sequence FROM quarantine WHERE sequence <= ? ORDER BY sequence LIMIT ?", (marks.settled, count)
        ).fetchall()
        first = last = int(rows[0][0])
        for (sequence,) in rows[1:]:
            if sequence != last + 1:
                break
            last = sequence
        return first, last

    def give_up(self, marks: Marks, first: int, last: int) -> None:
        """Deletes a range that `excess` named. Doing it twice changes nothing."""
        settled = marks.settled
        bounds = (first, last)
        marks.quarantined_settled -= self._quarantined_between(first - 1, min(last, settled))
        marks.quarantined -= self._connection.execute(
            "DELETE FROM quarantine WHERE sequence BETWEEN ? AND ?", bounds
        ).rowcount
        marks.stored -= self._connection.execute("DELETE FROM event WHERE sequence BETWEEN ? AND ?", bounds).rowcount
        if last > settled:
            marks.given_up = last

    def settled_moved(self, marks: Marks, before: int) -> None:
        """`settled` has moved on from `before`: counts the events in quarantine that it has passed."""
        if marks.quarantined > marks.quarantined_settled:
            marks.quarantined_settled += self._quarantined_between(before, marks.settled)

    def _quarantined_between(self, after: int, last: int) -> int:
        return int(
            self._connection.execute(
                "SELECT COUNT(*) FROM quarantine WHERE sequence > ? AND sequence <= ?", (after, last)
            ).fetchone()[0]
        )
