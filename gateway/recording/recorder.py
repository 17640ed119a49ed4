"""Keeps what the floor was given as files that `replay` reads.

A thread of its own writes, some twenty times a second. What is recorded is what is journalled, every input once and in
order, over any number of kills: at the start the last input, which may be in the file in part, is cut off, and written
again from the journal with all that follows; and the journal keeps an input until `position` says that it is here.

A recording is never worth a read: where it cannot be written, what finds no room in memory is left out, and a line
says from which position to which.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice

from drivers.api import Batch, Log
from drivers.records import Records
from drivers.sparse_log import SparseLog
from gateway.clock import wall
from gateway.config import RecordingConfig
from gateway.inputs import Input
from gateway.ledger.journal import Journal
from gateway.recording.blocks import encode_blocks
from gateway.recording.files import End, Recording
from gateway.recording.write import Gap, encode

# Lines that may wait in memory: some 50 MB, and more than the slowest disk lets gather in a second or two.
_QUEUED_LINES = 200_000

# Lines encoded and written at once; also how long the thread holds the interpreter, some 10 ms.
_CHUNK_LINES = 5_000

# What a line takes in memory while it waits; reads that are still their reader's bytes take less.
_LINE_BYTES = 250

# Seconds for inputs to gather: one write for many of them, few switches between threads, and blocks that pack well.
_PACE = {"raw": 1.0, "lines": 0.05}

_RETRY = 5.0

# Inputs of the journal that are copied at once when the recording is completed.
_COPIED = 500


class Recorder:
    """`resume` first; then `append` for every input. Neither ever refuses, and `append` never blocks."""

    def __init__(self, settings: RecordingConfig, log: Log, now: Callable[[], int] = wall) -> None:
        self._directory = settings.directory
        self._raw = settings.format == "raw"
        self._pace = _PACE[settings.format]
        self._log = log
        self._sparse = SparseLog(log)
        self._recording = Recording(settings, now)
        self._journal = ""
        self._position = 0
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._wake = threading.Condition()  # guards the queue, the count of lines in it, and `_stopping`
        self._queue: deque[tuple[int, Input | Gap]] = deque()
        self._queued = 0
        self._stopping = False
        self._opened = False
        self._end = End()  # of what was there when it was opened
        self._left_out: list[int] = []  # first and last position, while there is no room

    @property
    def position(self) -> int:
        """The position of the last input that is in the file or left out; the kernel keeps the file if the process is
        killed."""
        return self._left_out[-1] if self._left_out else self._position

    @property
    def problem(self) -> str:
        """Why nothing can be written now, and what to do; empty when all is well."""
        return self._problem

    def resume(self, journal: Journal) -> int:
        """Completes the recording from the journal and starts; returns how many inputs were missing.

        Call it when the journal is open, before the first `append`. It blocks. Where the directory cannot be used it
        is tried again, and there is a gap.
        """
        copied = 0
        self._journal = journal.id
        try:
            copied = self._complete(journal, self._open())
        except OSError as error:
            self._opened = False
            self._fail(error)
        self._position = journal.position
        self._thread.start()
        return copied

    def append(self, position: int, item: Input) -> None:
        """Queues the input at `position` of the journal, or leaves it out where too much waits."""
        lines = _lines(item)
        with self._wake:
            if self._queued >= (_QUEUED_LINES // 2 if self._left_out else _QUEUED_LINES):
                self._left_out = [self._left_out[0] if self._left_out else position, position]
                return
            if self._left_out:
                first, last = self._left_out
                self._queue.append((last, Gap(_time(item), first, last)))
                self._queued += 1
                self._left_out = []
            self._queue.append((position, item))
            before, self._queued = self._queued, self._queued + lines
            if len(self._queue) == 1 or before < _CHUNK_LINES <= self._queued:
                self._wake.notify()

    def close(self) -> None:
        """Writes what is queued and ends the thread; blocks. What cannot be written now is still in the journal."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._recording.close()

    def _open(self) -> End:
        self._end = self._recording.open()
        self._opened = True
        return self._end

    def _complete(self, journal: Journal, end: End) -> int:
        if end.journal == journal.id and end.position <= journal.position:
            items: Iterator[tuple[int, Input | Gap]] = journal.read(after=end.position - (not end.whole))
            first = next(items, None)
            if first is not None:
                if first[0] == end.position:
                    self._recording.cut(end.position)
                items = chain(self._gap_before(*first), [first], items)
            self._recording.continue_last()
        else:
            items = journal.read(after=0)
        copied = 0
        while chunk := list(islice(items, _COPIED)):
            self._write(chunk)
            copied += len(chunk)
        return copied

    def _gap_before(self, position: int, item: Input | Gap) -> list[tuple[int, Input | Gap]]:
        """The gap between what was there at the start and what is written first."""
        end = self._end
        missing = end.journal == self._journal and position > end.position + 1
        return [(position - 1, Gap(_time(item), end.position + 1, position - 1))] if missing else []

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._stopping)
                self._wake.wait_for(lambda: self._stopping or self._queued >= _CHUNK_LINES, self._pace)
                if not self._queue:
                    return
                stopping = self._stopping
                chunk = self._take()
            while not self._attempt(chunk):
                if stopping or self._stops_within(_RETRY):
                    return

    def _take(self) -> list[tuple[int, Input | Gap]]:
        """The next inputs, in order. They count as queued until they are written."""
        chunk: list[tuple[int, Input | Gap]] = []
        lines = 0
        while self._queue and lines < _CHUNK_LINES:
            chunk.append(self._queue.popleft())
            lines += _lines(chunk[-1][1])
        return chunk

    def _attempt(self, chunk: list[tuple[int, Input | Gap]]) -> bool:
        try:
            if not self._opened:
                self._open()
                self._recording.continue_last()
                self._write(self._gap_before(*chunk[0]))
            self._write(chunk)
        except Exception as error:
            self._fail(error)
            return False
        if self._problem:
            self._log.info("the recording is written again", directory=str(self._directory))
            self._problem = ""
        self._position = chunk[-1][0]
        with self._wake:
            self._queued -= sum(_lines(item) for _, item in chunk)
        return True

    def _write(self, chunk: list[tuple[int, Input | Gap]]) -> None:
        try:
            content = self._encoded(chunk)
        except Exception:  # one of them is as no driver makes it, and must not hold up the others
            content = self._encoded([self._or_gap(position, item) for position, item in chunk])
        if content:
            self._recording.write(content, self._journal)

    def _encoded(self, chunk: list[tuple[int, Input | Gap]]) -> bytes:
        if self._raw:
            return encode_blocks(chunk, self._journal)
        return b"".join([encode(item, position) for position, item in chunk])

    def _or_gap(self, position: int, item: Input | Gap) -> tuple[int, Input | Gap]:
        """The input, or the gap that it leaves where it cannot be encoded."""
        try:
            self._encoded([(position, item)])
        except Exception as error:
            self._sparse.error("an input cannot be recorded; a gap is left for it", reason=repr(error))
            time = _time(item)
            return position, Gap(time if isinstance(time, int) else 0, position, position)
        return position, item

    def _stops_within(self, seconds: float) -> bool:
        with self._wake:
            return self._wake.wait_for(lambda: self._stopping, seconds)

    def _fail(self, error: Exception) -> None:
        problem = self._explain(error)
        if problem != self._problem:
            self._problem = problem
            self._log.error("the recording cannot be written; it is tried again", reason=problem)

    def _explain(self, error: Exception) -> str:
        return (
            f"the recording in {self._directory} cannot be written ({error}): free some space and give the "
            f"gateway's user write access, or take recording out of the configuration"
        )


def _lines(item: Input | Gap) -> int:
    """The lines that an input makes, or what it takes in memory, where that is less, as so many."""
    if not isinstance(item, Batch):
        return 1
    rows = item.rows
    return 1 + (len(rows.body) // _LINE_BYTES if type(rows) is Records else len(rows))


def _time(item: Input | Gap) -> int:
    return item.arrival if isinstance(item, Batch) else item.t
