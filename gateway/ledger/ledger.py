"""The ledger: what happened, on disk, in order, once.

Facts go in and become events: numbered without a gap, chained by hash, committed together with the floor's state. A
crash neither repeats nor forgets one. Everything here is called in the event loop and returns at once; the file
belongs to the thread in `gateway.ledger.writer`.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.config import LedgerConfig
from gateway.errors import LedgerError, Refused
from gateway.events.envelope import Event, Fact
from gateway.ledger.marks import Marks
from gateway.ledger.operations import Append, GiveUp, Operation, PackedAppend
from gateway.ledger.quarantine import Delivered, Quarantined, SetApart
from gateway.ledger.recognition import Recognition
from gateway.ledger.retention import Range
from gateway.ledger.states import Checkpoint
from gateway.ledger.store import OpenedLedger
from gateway.ledger.writer import Progress, Writer

__all__ = ["Ledger", "LedgerStats", "OpenedLedger", "Quarantined"]

# Facts that may wait in memory for the disk: about two seconds of the fastest commits, and some 40 MB. Above it the
# readers are to be held back; what they have already delivered is still taken, for a fact is never refused, but packed.
_QUEUED_FACTS = 20_000

# Facts that are committed or packed together.
_PIECE = 500


# Facts that wait for the disk when it cannot keep up: two of the largest commits.
_BUSY_FACTS = 4_000


@dataclass(slots=True, frozen=True)
class LedgerStats:
    """Where the ledger stands. Sequence numbers, counts of events, bytes and seconds."""

    epoch: str
    sequence: int  # of the newest committed event
    published: int  # the broker has every event up to here, but for those in quarantine
    acknowledged: int  # the backend has every event up to here, by its own word
    pending: int  # committed and not yet published
    queued: int  # facts in memory, waiting to be committed
    stored: int
    quarantined: int
    bytes_on_disk: int
    commit_seconds: float  # how long the last commit with events took
    failing: bool  # the last attempt to commit failed
    commits: int  # attempts to commit, whatever came of them
    sqlite_version: str


class Ledger:
    """The ledger, in front of its one thread. Build it inside a running event loop: callbacks are called there.

    `on_commit(sequence)`: events up to `sequence` are on disk. `on_dropped(first, last, start, end)`: the ledger is
    over its limit and gives up these undelivered events; the callback states the loss by `append` before it returns
    True, and loss and deletion are one commit. False: not now, and it is asked again. `on_error(LedgerError)`: a commit
    failed and will be tried again. `on_finding(finding)`: the file is damaged, as `finding` says. `age` is the time by
    which `max_age` is measured, `now` where nothing is said. `standby` is a file in memory-backed storage for
    checkpoints that need not go to disk; without it all do.
    """

    def __init__(
        self,
        settings: LedgerConfig,
        source: str,
        *,
        on_commit: Callable[[int], None],
        on_dropped: Callable[[int, int, int, int], bool],
        on_error: Callable[[LedgerError], None],
        now: Callable[[], int],
        age: Callable[[], int] | None = None,
        on_finding: Callable[[str], None] = lambda finding: None,
        standby: Path | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._on_commit = on_commit
        self._on_dropped = on_dropped
        self._on_error = on_error
        self._on_finding = on_finding
        self._now = now
        self._writer = Writer(settings, source, self._progress, self._excess, now, age or now, standby)
        self._epoch, self._run = "", secrets.token_hex(8)
        self._recognition: Recognition | None = None
        self._held: list[Operation] | None = None
        self._operations_put = self._operations_done = 0
        self._facts_put = self._facts_done = 0
        self._published = self._acknowledged = self._committed = self._opened_at = 0
        self._marks = Marks()
        self._last: Progress | None = None
        self._begun = False
        self._commit_seconds = 0.0
        self._commits = 0
        self._room = True
        self._flushes: list[tuple[int, asyncio.Future[None]]] = []

    def start(self) -> OpenedLedger:
        """Opens the file, or makes it, and says what it holds; blocks until that is done.

        From here until `recognised`, facts that the ledger already holds behind its last checkpoint are recognised and
        not written again. Raises `LedgerError` where the file is in use, damaged, of another gateway or of a newer
        version.
        """
        recovery = self._writer.start()
        self._marks = self._writer.marks
        self._epoch = recovery.epoch
        self._committed = self._opened_at = recovery.sequence
        self._published, self._acknowledged = self._marks.published, self._marks.acknowledged
        self._recognition = recovery.newer
        self._begun = recovery.fresh or bool(recovery.damage)
        return recovery

    def append(self, facts: Sequence[Fact], position: int) -> None:
        """Queues what the floor stated about the input at `position` of the journal. Never blocks, never refuses."""
        if self._recognition is not None:
            facts = [fact for fact in facts if not self._recognition.knows(fact)]
        for at in range(0, len(facts), _PIECE):
            append = Append(facts[at : at + _PIECE], position)
            self._put(append if self._room else PackedAppend.pack(append))
            self._facts_put += len(append.facts)
            self._update_room()

    def checkpoint(
        self,
        parts: Mapping[str, bytes],
        position: int,
        meta: Mapping[str, str],
        *,
        on_disk: bool = True,
        whole: bool = False,
    ) -> None:
        """Queues the floor's state after the input at `position`, to be committed with the events before it.

        `parts` replaces those of the same key and leaves the others (`whole` says that it is all of them); `meta`
        replaces all of it. Where it need not be `on_disk` it goes to the standby, if there is one. `refused` counts
        checkpoints that could not be taken because the standby has lost what was there: the next must be whole.
        """
        self._put(Checkpoint(dict(parts), position, dict(meta), on_disk, whole))

    @property
    def refused(self) -> int:
        """Checkpoints that were not taken so far, for want of those before them."""
        return self._last.refused if self._last is not None else 0

    @property
    def standby_problem(self) -> str:
        """Why checkpoints cannot be kept in memory, and go to disk; empty when all is well."""
        return self._last.standby if self._last is not None else ""

    @property
    def finding(self) -> str:
        """What is wrong with the file, as far as it was looked at after an unclean end; empty when all is well."""
        return self._last.finding if self._last is not None else ""

    def recognised(self) -> Recognition:
        """The journal has been read to its end: recognises no more. Says what was recognised, and what was not stated
        again: something where the floor has not given the same answer to the same input, as after an upgrade."""
        recognition, self._recognition = self._recognition, None
        return recognition or Recognition((), self._source)

    async def flush(self) -> None:
        """Returns when everything put in so far is on disk. Raises `LedgerError` if the next attempt fails.

        After an error everything is still queued and will be tried again.
        """
        if self._operations_done == self._operations_put:
            return
        done = asyncio.get_running_loop().create_future()
        self._flushes.append((self._operations_put, done))
        self._writer.hurry()
        await done

    async def read(self, after: int, limit: int, max_bytes: int) -> list[Event]:
        """Committed events behind `after`, in order and without those in quarantine.

        At most `limit`, and no more than `max_bytes` of payload unless the first alone is larger. Events that were
        given up leave a gap.
        """
        return await self._writer.ask(lambda store: store.read(after, limit, max_bytes))

    async def committed(self, after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """Sequence numbers and payloads of committed events behind `after`, in order, whatever the broker thinks of
        them. Bounded as `read` is."""
        return await self._writer.ask(lambda store: store.committed(after, limit, max_bytes))

    async def quarantined(self, limit: int, after: int = 0, topic: str | None = None) -> list[Quarantined]:
        """Events that were set apart, behind the sequence number `after`, in order, with the reasons."""
        await self.flush()
        return await self._writer.ask(lambda store: store.quarantine.look(after, limit, topic))

    async def release(self, sequences: Sequence[int] | None = None, topic: str | None = None) -> int:
        """Has events in quarantine sent again: these, those on `topic`, or all; returns how many."""
        await self.flush()
        wanted = list(sequences) if sequences is not None else None
        return await self._writer.ask(lambda store: store.quarantine.release(wanted, topic))

    async def quarantined_topics(self) -> list[str]:
        """The topics of events in quarantine that may be tried again by themselves."""
        await self.flush()
        return await self._writer.ask(lambda store: store.quarantine.topics())

    async def quarantined_on(self, topic: str, after: int, limit: int) -> list[Event]:
        """The events in quarantine on `topic` behind the sequence number `after`, in order."""
        await self.flush()
        return await self._writer.ask(lambda store: store.quarantine.on_topic(topic, after, limit))

    async def released(self, limit: int) -> list[Event]:
        """The oldest events in quarantine that are to be sent again by command, in order."""
        await self.flush()
        return await self._writer.ask(lambda store: store.quarantine.released(limit))

    async def seen(self, sequence: int) -> None:
        """Somebody has events of this epoch up to `sequence`, which is more than there are: the next start begins a
        new epoch. Raises `LedgerError`."""
        await self._writer.ask(lambda store: store.seen(sequence))

    def published(self, sequence: int) -> None:
        """The broker has confirmed, or refused, every event up to `sequence`.

        Written with the next commit or within a second: after a crash the last ones may be published again.
        """
        if sequence > self._committed:
            raise ValueError(f"event {sequence} cannot be published: the ledger ends at {self._committed}")
        if sequence > self._published:
            self._published = sequence
            self._writer.deliver(self._published, self._acknowledged)

    def set_apart(self, event: Event, reason: str, final: bool) -> None:
        """The broker does not take this event: it goes to quarantine, and publishing goes on behind it."""
        self._put(SetApart(event.sequence, reason, self._now(), final))

    def delivered(self, event: Event) -> None:
        """The broker has taken an event that was in quarantine."""
        self._put(Delivered(event.sequence))

    def acknowledge(self, sequence: int, epoch: str) -> None:
        """The backend has every event of `epoch` up to `sequence`. Raises `Refused` where that cannot be."""
        if epoch != self._epoch:
            raise Refused(f"epoch {epoch!r} is not the present one, which is {self._epoch}: nothing was acknowledged")
        if not 0 <= sequence <= self._committed:
            raise Refused(
                f"event {sequence} does not exist: this epoch ends at {self._committed}; nothing was acknowledged"
            )
        if sequence > self._acknowledged:
            self._acknowledged = sequence
            self._writer.deliver(self._published, self._acknowledged)

    @property
    def epoch(self) -> str:
        """The epoch of the ledger: another file, another epoch."""
        return self._epoch

    @property
    def opened_at(self) -> int:
        """The newest event that the ledger held when it was opened."""
        return self._opened_at

    @property
    def begun(self) -> bool:
        """Whether the epoch began with this opening of the file."""
        return self._begun

    @property
    def run(self) -> str:
        """A name for the time since it was opened, which no other opening of it has."""
        return self._run

    @property
    def room(self) -> bool:
        """False while readers must be held back: too much waits for the disk, the disk fails, or the file is full."""
        return self._room

    @property
    def problem(self) -> str:
        """Why the last commit failed, and what to do; empty when all is well."""
        return str(self._last.error) if self._last is not None and self._last.error is not None else ""

    @property
    def busy(self) -> bool:
        """More waits for the disk than the next commits will take: whoever can wait should."""
        return self._facts_put - self._facts_done > _BUSY_FACTS

    def stats(self) -> LedgerStats:
        """The figures of the ledger as they are now."""
        last, marks = self._last, self._marks
        return LedgerStats(
            epoch=self._epoch,
            sequence=self._committed,
            published=max(self._published, marks.published),
            acknowledged=self._acknowledged,
            pending=self._committed - max(self._published, marks.published, marks.given_up),
            queued=self._facts_put - self._facts_done,
            stored=marks.stored,
            quarantined=marks.quarantined,
            bytes_on_disk=last.bytes_on_disk if last is not None else 0,
            commit_seconds=self._commit_seconds,
            failing=last is not None and last.error is not None,
            commits=self._commits,
            sqlite_version=sqlite3.sqlite_version,
        )

    async def close(self) -> None:
        """Commits what is queued and closes the file. Raises `LedgerError` where the last commit fails.

        What could not be committed is still in the journal, behind the last checkpoint.
        """
        await self._writer.stop()

    def _put(self, operation: Operation) -> None:
        self._operations_put += 1
        if self._held is not None:
            self._held.append(operation)
        else:
            self._writer.put([operation])

    def _excess(self, range_: Range) -> None:
        """Lets the loss be stated, and gives the events up in the commit that holds the statement."""
        held: list[Operation] = []
        self._held, stated = held, False
        try:
            stated = self._on_dropped(range_.first, range_.last, range_.start, range_.end)
        finally:
            self._held = None
            self._writer.put(held)
            if not stated:
                self._writer.excess_waits()
        if stated:
            self.give_up(range_.first, range_.last)

    def give_up(self, first: int, last: int) -> None:
        """Gives up events whose loss has been stated. Where they are gone already nothing changes."""
        self._put(GiveUp(first, last))

    def _progress(self, progress: Progress) -> None:
        if progress.finding != self.finding:
            self._on_finding(progress.finding)
        self._last, self._marks = progress, progress.marks
        self._commits += 1
        self._operations_done += progress.operations
        self._facts_done += progress.facts
        if progress.facts:
            self._commit_seconds = progress.seconds
        self._finish_flushes(progress.error)
        self._update_room()
        if progress.error is not None:
            self._on_error(progress.error)
        if progress.marks.sequence > self._committed:
            self._committed = progress.marks.sequence
            self._on_commit(self._committed)

    def _finish_flushes(self, error: LedgerError | None) -> None:
        waiting = []
        for target, done in self._flushes:
            if done.done():
                continue
            if error is not None:
                done.set_exception(error)
            elif target <= self._operations_done:
                done.set_result(None)
            else:
                waiting.append((target, done))
        self._flushes = waiting
        if waiting:
            self._writer.hurry()

    def _update_room(self) -> None:
        queued = self._facts_put - self._facts_done
        # Half, so that readers do not stop and start at every commit.
        limit = _QUEUED_FACTS if self._room else _QUEUED_FACTS // 2
        last = self._last
        self._room = queued < limit and not (last is not None and (last.full or last.error is not None))
