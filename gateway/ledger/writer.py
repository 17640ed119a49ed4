"""The one thread that owns the ledger's file: it groups what is queued into commits, and tries again where they fail.

While one commit waits for the disk, the next group gathers in the queue: the slower the disk, the larger the groups.
Whatever fails is undone as a whole and tried again with growing pauses; nothing is dropped, and reading goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from gateway.config import LedgerConfig
from gateway.errors import Damaged, LedgerError
from gateway.ledger import inspection
from gateway.ledger.marks import Marks
from gateway.ledger.operations import Append, GiveUp, Operation, PackedAppend
from gateway.ledger.retention import Range
from gateway.ledger.schema import explain
from gateway.ledger.store import OpenedLedger, Store

# Commits follow each other by at least this much. It costs an event 10 ms at most, and at 500 events/s it makes groups
# of five where the disk is fast: each commit writes at least two pages of 4 kB, however little is in it.
_PACE = 0.01

# Events in one commit: larger groups save no more bytes (an event is then smaller than its share of the overhead), and
# this many take about 30 ms, which is how long a read may have to wait.
_GROUP = 2_000

# The marks are hints: losing the last second of them means publishing those events again, under the same ids.
_MARKS_DELAY = 1.0

# How often an idle ledger looks for events that have become too old.
_TIDY_EVERY = 60.0

_FIRST_RETRY, _LAST_RETRY = 0.25, 30.0

_T = TypeVar("_T")


@dataclass(slots=True, frozen=True)
class Progress:
    """What a commit, or the attempt at one, came to. `operations` and `facts` are those that left the queue; `refused`
    counts the checkpoints that were not taken so far, `standby` says what is wrong with keeping them in memory,
    `finding` what is wrong with the file."""

    marks: Marks
    operations: int
    facts: int
    full: bool
    bytes_on_disk: int
    seconds: float
    error: LedgerError | None = None
    refused: int = 0
    standby: str = ""
    finding: str = ""


class Writer:
    """Runs a `Store` in a thread. `on_progress` and `on_excess` are called in the event loop that built it."""

    def __init__(
        self,
        settings: LedgerConfig,
        source: str,
        on_progress: Callable[[Progress], None],
        on_excess: Callable[[Range], None],
        now: Callable[[], int],
        age: Callable[[], int],
        standby: Path | None = None,
    ) -> None:
        self._path = settings.file
        self._store = Store(settings, source, standby)
        self._loop = asyncio.get_running_loop()
        self._on_progress = on_progress
        self._on_excess = on_excess
        self._now = now
        self._age = age
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._opened: Future[OpenedLedger] = Future()

        self._wake = threading.Condition()  # guards what follows, up to the blank line
        self._queue: deque[Operation] = deque()
        self._jobs: deque[tuple[asyncio.Future[Any], Callable[[Store], Any]]] = deque()
        self._published = 0
        self._acknowledged = 0
        self._marks_since: float | None = None
        self._urgent = False
        self._stopping = False

        self._group: list[Operation] = []
        self._not_before = 0.0
        self._tidy_at = 0.0
        self._inspect_at = math.inf
        self._retry = _FIRST_RETRY
        self._error: LedgerError | None = None
        self._excess_stated = False
        self._full = False

    # Called from the event loop.

    def start(self) -> OpenedLedger:
        """Opens the file in the thread that will own it; blocks until that is done. Raises `LedgerError`."""
        self._thread.start()
        return self._opened.result()

    @property
    def marks(self) -> Marks:
        """As last committed. It is replaced with each commit, never changed."""
        return self._store.marks

    def put(self, operations: Sequence[Operation]) -> None:
        """Queues operations, to be committed in order."""
        with self._wake:
            self._queue.extend(operations)
            self._wake.notify()

    def deliver(self, published: int, acknowledged: int) -> None:
        """Sets the marks; they are written with the next commit, or a second later."""
        with self._wake:
            self._published, self._acknowledged = published, acknowledged
            if self._marks_since is None:
                self._marks_since = monotonic()
                self._wake.notify()

    def excess_waits(self) -> None:
        """A loss could not be stated now: it is looked for again with the next commit."""
        self._excess_stated = False

    def hurry(self) -> None:
        """Commits at once what is queued, even while waiting to try again after an error."""
        with self._wake:
            self._urgent = True
            self._wake.notify()

    async def ask(self, question: Callable[[Store], _T]) -> _T:
        """Runs `question` in the thread, between commits, and returns its answer."""
        answer: asyncio.Future[_T] = self._loop.create_future()
        with self._wake:
            if self._stopping:
                raise LedgerError(f"{self._path} is closed")
            self._jobs.append((answer, question))
            self._wake.notify()
        return await answer

    async def stop(self) -> None:
        """Commits what is queued, once, closes the file and ends the thread. Raises `LedgerError` where that fails."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)
        if self._error is not None:
            raise self._error

    # Runs in the thread.

    def _run(self) -> None:
        try:
            recovery = self._store.open(self._now())
        except BaseException as error:
            self._opened.set_exception(error)
            return
        self._published, self._acknowledged = self.marks.published, self.marks.acknowledged
        self._opened.set_result(recovery)
        self._report(0, 0, 0.0)
        if self._store.inspection is not None:
            self._inspect_at = monotonic() + inspection.PACE
        while self._goes_on():
            pass
        self._finish()

    def _goes_on(self) -> bool:
        """One turn; False when it is time to end. Whatever fails in it is said, and the next one is taken: nobody else
        has the file."""
        try:
            return self._turn()
        except Exception as error:
            self._failed(error)
            return True

    def _turn(self) -> bool:
        """Waits for something to do and does it; False when it is time to end."""
        with self._wake:
            while not (self._stopping or self._jobs or self._due() or self._inspect_at <= monotonic()):
                self._wake.wait(max(0.0, min(self._next(), self._inspect_at) - monotonic()))
            if self._stopping:
                return False
            jobs = list(self._jobs)
            self._jobs.clear()
            due = self._due()
        for answer, question in jobs:
            self._answer(answer, question)
        if due:
            self._commit()
        elif not jobs:
            self._inspect()
        return True

    def _next(self) -> float:
        """The monotonic time of the next commit, given what there is to do."""
        at = self._tidy_at
        if self._group or self._queue:
            at = self._not_before
        elif self._marks_since is not None:
            at = min(at, self._marks_since + _MARKS_DELAY)
        return max(at, self._not_before)

    def _due(self) -> bool:
        return self._urgent or self._next() <= monotonic()

    def _inspect(self) -> None:
        """Looks at some more of a file that was not closed in order, while there is nothing else to do."""
        looking = self._store.inspection
        if looking is None or looking.done:
            self._inspect_at = math.inf
            return
        looking.step(self._store.marks)
        self._inspect_at = monotonic() + inspection.PACE
        if looking.done:
            self._report(0, 0, 0.0)

    def _commit(self) -> None:
        """One attempt to commit the next group, with the marks as they are now."""
        with self._wake:
            self._urgent = False
            self._marks_since = None
            self._fill()
            published, acknowledged = self._published, self._acknowledged
        began = monotonic()
        try:
            more = self._store.write(self._group, published, acknowledged, self._age())
        except Exception as error:
            self._failed(error)
            return
        done = monotonic()
        self._error, self._retry = None, _FIRST_RETRY
        operations, facts = len(self._group), sum(map(_facts, self._group))
        self._not_before = done if facts >= _GROUP else done + _PACE
        self._tidy_at = done if more else done + _TIDY_EVERY
        if any(isinstance(operation, GiveUp) for operation in self._group):
            self._excess_stated = False
        self._group = []
        self._report(operations, facts, done - began)
        self._look_for_excess()

    def _fill(self) -> None:
        """Moves operations from the queue into the group, in order, up to its bound.

        Events are given up in the same commit that states their loss, which is queued just before.
        """
        facts = sum(map(_facts, self._group))
        while self._queue and (facts < _GROUP or isinstance(self._queue[0], GiveUp)):
            operation = self._queue.popleft()
            facts += _facts(operation)
            self._group.append(operation)

    def _failed(self, error: Exception) -> None:
        with self._wake:
            if self._marks_since is None:
                self._marks_since = monotonic()
        self._not_before = monotonic() + self._retry
        self._tidy_at = max(self._tidy_at, self._not_before)
        self._retry = min(self._retry * 2, _LAST_RETRY)
        self._error = self._explain(error)
        if isinstance(self._error, Damaged):  # only a write sees it: in the list of free pages, for one
            inspection.note(self._path, str(error))
        self._report(0, 0, 0.0)

    def _explain(self, error: Exception) -> LedgerError:
        if isinstance(error, LedgerError):
            return error
        if isinstance(error, sqlite3.Error):
            explained = explain(error, self._path)
        else:
            explained = LedgerError(f"{self._path}: events cannot be written ({type(error).__name__}: {error})")
        explained.__cause__ = error
        return explained

    def _report(self, operations: int, facts: int, seconds: float) -> None:
        marks = self._store.marks
        retention = self._store.retention
        self._full = not retention.roomy(marks) if self._full else retention.full(marks)
        size = self._store.bytes_on_disk()
        states = self._store.states
        progress = Progress(
            marks, operations, facts, self._full, size, seconds, self._error, states.refused, states.problem,
            self._store.inspection.finding if self._store.inspection is not None else "",
        )  # fmt: skip
        self._call(self._on_progress, progress)

    def _look_for_excess(self) -> None:
        """States a range to give up, one at a time: the next when this one has gone."""
        if not self._excess_stated and (excess := self._store.excess()) is not None:
            self._excess_stated = True
            self._call(self._on_excess, excess)

    def _answer(self, answer: asyncio.Future[_T], question: Callable[[Store], _T]) -> None:
        try:
            result = question(self._store)
        except Exception as error:
            self._call(_fail, answer, self._explain(error))
        else:
            self._call(_resolve, answer, result)

    def _finish(self) -> None:
        """Commits what is left, until nothing is left or an attempt fails, and closes the file."""
        self._error = None
        with self._wake:
            jobs = list(self._jobs)
            self._jobs.clear()
        for answer, question in jobs:
            self._answer(answer, question)
        while self._error is None and (self._group or self._queue or self._marks_since is not None):
            self._commit()
        try:
            self._store.close()
        except sqlite3.Error as error:
            self._error = self._error or self._explain(error)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        # The loop may be closed already when the process ends in disorder; nobody is left to be told.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *args)


def _facts(operation: Operation) -> int:
    match operation:
        case Append():
            return len(operation.facts)
        case PackedAppend():
            return operation.number
    return 0


def _resolve(answer: asyncio.Future[_T], result: _T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
