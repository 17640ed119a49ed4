"""The history beside the running gateway: follows the ledger in a thread of its own, and answers in another.

It only ever reads what is committed, a portion at a time, and rests in between: the ledger never waits for it. Where
the ledger no longer has what the history did not come to, the history has a gap, and says so in every answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

from gateway.clock import micros, wall
from gateway.config.cameras import CameraConfig
from gateway.errors import HistoryError, Refused
from gateway.history import schema
from gateway.history.answers import Trail
from gateway.history.asking import read
from gateway.history.footage import with_footage
from gateway.history.project import Portion
from gateway.history.questions import Questions
from gateway.history.store import Store

PORTION = 2_000
"""Events taken in at once: about 60 ms."""

PORTION_BYTES = 8 << 20
"""Bytes of a portion: a verdict on a full van is about 1 MB."""

FASTEST = 12_000
"""Events a second at most, so that catching up leaves more than half of a core to others."""

PATIENCE = 5.0
"""Seconds between two portions while the ledger has more to do than it can: then every core and Python's lock are its
own. What it was given meanwhile is caught up with afterwards."""

GATHER = 0.2
"""Seconds in which single events gather to one commit: how far an answer is behind, and what spares an SD card."""

RETRY = 10.0
"""Seconds before an error (a full disk) is tried again."""

TIDY_FIRST, TIDY_EVERY, TIDY_REST = 6 * 3_600.0, 86_400.0, 0.5
"""Seconds from the start to the first look at what is too old, between two looks, and between two portions of one."""

DAMAGES = 3
"""Times that SQLite has called the file damaged, after which it is set aside and made again: it does not heal."""

ANSWER_TIME = 10.0
"""Seconds that a question may take before it is given up."""

_T = TypeVar("_T")


class Log(Protocol):
    """Where the history says what it does."""

    def info(self, event: str, *args: Any, **values: Any) -> Any:
        """A line about what goes as it should."""
        ...

    def error(self, event: str, *args: Any, **values: Any) -> Any:
        """A line about what is broken."""
        ...


class History:
    """The history in `path` of the ledger whose committed events `read(after, limit, max_bytes)` gives, in order.

    `busy` says that the ledger has more to do than it can. `run` until cancelled; `wake` when there may be new events.
    `ask` at any time, also before and after.
    """

    def __init__(
        self,
        path: Path,
        epoch: str,
        read: Callable[[int, int, int], Awaitable[Portion]],
        log: Log,
        busy: Callable[[], bool] = lambda: False,
        cameras: Sequence[CameraConfig] = (),
        keep: float = math.inf,
    ) -> None:
        self._path = path
        self._epoch = epoch
        self._read = read
        self._log = log
        self._busy = busy
        self._cameras = cameras
        self._keep = keep
        self.zones: Callable[[], Mapping[str, bool]] = dict
        """The zones of the configuration in force, and whether an antenna watches each."""
        self._writing = ThreadPoolExecutor(1, "history")
        self._answering = ThreadPoolExecutor(1, "answers")
        self._asking = asyncio.Lock()
        self._reader: sqlite3.Connection | None = None
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()
        self.sequence = -1
        """The newest event that the history holds; -1 until its file is open."""
        self.noticed = 0
        """Goes up when the file is opened, and with every portion that says something of alarms or losses."""
        self.problem = ""
        self._renewed = False
        self._damages = 0
        self._damage: sqlite3.Error | None = None
        """What an answer met, for `run` to deal with."""

    def wake(self) -> None:
        """There are new events in the ledger, or may be."""
        self._wake.set()

    async def run(self) -> None:
        """Follows the ledger until it is cancelled. Errors are logged, and it is tried again."""
        try:
            while True:
                try:
                    await self._follow()
                except Exception as error:  # whatever it is, events are worth more than answers
                    self._damages += _is_damage(error)
                    before, self.problem = self.problem, f"{self._path}: {str(error) or type(error).__name__}"
                    if self.problem != before:
                        self._log.error("the history cannot be written; it is tried again", reason=self.problem)
                    await asyncio.sleep(RETRY)
        finally:
            self._writing.shutdown(wait=True)

    async def until(self, sequence: int) -> None:
        """Returns when the history holds the event `sequence`."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.sequence >= sequence)

    async def until_noticed(self, noticed: int) -> None:
        """Returns when something may have been said of alarms or losses since `noticed` was what is given."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.noticed != noticed)

    async def ask(self, question: Callable[[Questions], _T]) -> _T:
        """Answers `question` from the file. Raises `Refused`, also where the history cannot be asked now."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            work = loop.run_in_executor(self._answering, self._answer, question)
            try:
                async with asyncio.timeout(ANSWER_TIME):
                    return await asyncio.shield(work)
            except TimeoutError:
                if self._reader is not None:
                    self._reader.interrupt()
                with contextlib.suppress(Exception):
                    await work
                raise Refused(f"the history took more than {ANSWER_TIME:.0f} s: ask for less") from None
            except (HistoryError, sqlite3.Error) as error:
                if isinstance(error, sqlite3.Error) and _is_damage(error):
                    self._damage = error
                    self.wake()
                raise Refused(f"the history cannot be asked now: {error}") from error

    async def asked(self, name: str, args: Mapping[str, Any], now: int) -> dict[str, Any]:
        """The answer to the question `name`, ready for JSON. Raises `Refused`."""
        question = read(name, args)

        def answer(questions: Questions) -> dict[str, Any]:
            found = question.answer(questions, now)
            if isinstance(found, Trail):
                found = with_footage(found, self._cameras)
            return found.model_dump(mode="json")

        return await self.ask(answer)

    async def close(self) -> None:
        """Gives the file back."""
        await asyncio.get_running_loop().run_in_executor(self._answering, self._close_reader)
        self._answering.shutdown()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        store = await loop.run_in_executor(self._writing, self._open)
        tidying: asyncio.Task[None] | None = None
        try:
            await self._moved_to(await loop.run_in_executor(self._writing, store.sequence, self._epoch), noticed=True)
            tidying = asyncio.create_task(self._tidy(store), name="history retention")
            while True:
                await self._stand_back()
                self._wake.clear()
                if self._damage is not None:
                    damage, self._damage = self._damage, None
                    raise damage
                began = monotonic()
                portion = await self._read(self.sequence, PORTION, PORTION_BYTES)
                if portion:
                    newest = await loop.run_in_executor(self._writing, store.take, self._epoch, portion)
                    await self._moved_to(newest, noticed=store.noticed >= portion[0][0])
                    self._works()
                    await asyncio.sleep(max(0.0, began + len(portion) / FASTEST - monotonic()))
                else:
                    self._works()
                    await self._wake.wait()
                    await asyncio.sleep(GATHER)
        finally:
            if tidying is not None:
                tidying.cancel()
            await asyncio.shield(loop.run_in_executor(self._writing, store.close))

    def _works(self) -> None:
        """The file takes what it is given."""
        if self.problem:
            self._log.info("the history is written again")
            self.problem = ""

    async def _tidy(self, store: Store) -> None:
        """Lets go what is older than it is kept, once a day, a few tags at a time and in no hurry."""
        loop = asyncio.get_running_loop()
        ran = TIDY_FIRST
        while self._keep < math.inf:
            await asyncio.sleep(ran)
            try:
                args = wall(), micros(self._keep), micros(ran)
                before = await loop.run_in_executor(self._writing, store.horizon, *args)
                after: str | None = "" if before is not None else None
                while after is not None and before is not None:
                    await self._stand_back()
                    after = await loop.run_in_executor(self._writing, store.trim, before, after)
                    await asyncio.sleep(TIDY_REST)
            except sqlite3.Error as error:
                self._log.error("what is too old stays in the history for another day", reason=str(error))
            ran = TIDY_EVERY

    async def _stand_back(self) -> None:
        """Waits while the ledger is busy, but not for ever."""
        until = monotonic() + PATIENCE
        while self._busy() and monotonic() < until:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.05)

    async def _moved_to(self, sequence: int, *, noticed: bool) -> None:
        async with self._moved:
            self.sequence = sequence
            self.noticed += noticed
            self._moved.notify_all()

    def _open(self) -> Store:
        """Opens the file in the thread that writes; one that cannot be used is set aside and made again."""
        try:
            if self._damages < DAMAGES:
                return Store(self._path)
            reason = self.problem
        except HistoryError as error:
            reason = str(error)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # locked, full, not to be opened: nothing that a new file would mend
            reason = str(error)
        kept, self._damages, self._renewed = set_aside(self._path), 0, True
        self._log.error("the history is made again from the ledger", reason=reason, kept=str(kept))
        return Store(self._path)

    def _answer(self, question: Callable[[Questions], _T]) -> _T:
        if self._renewed:
            self._close_reader()  # it has the file that was set aside
            self._renewed = False
        if self._reader is None:
            self._reader = schema.open_reader(self._path)
        try:
            return question(Questions(self._reader, self.zones()))
        except sqlite3.Error:
            self._close_reader()  # the file may have been made again
            raise

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _is_damage(error: Exception) -> bool:
    """Whether SQLite says that what is in the file is damaged, and not that it cannot be had just now."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path) -> Path:
    """Renames a file that cannot be used, with what belongs to it; returns its new name. One is kept."""
    kept = path.with_name(path.name + ".aside")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        target = kept.with_name(kept.name + suffix)
        target.unlink(missing_ok=True)
        if part.exists():
            part.rename(target)
    return kept
