"""Everything that the gateway keeps, opened and closed together: ledger, journal, recording, history."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from drivers.sparse_log import SparseLog
from gateway.clock import SECOND
from gateway.config import Config
from gateway.errors import Damaged, LedgerError
from gateway.events.envelope import source_of
from gateway.history.history import History
from gateway.ledger.journal import Journal
from gateway.ledger.ledger import Ledger
from gateway.ops.logs import Logger
from gateway.recording.recorder import Recorder
from gateway.service import memory
from gateway.service.event_clock import EventClock
from gateway.service.pipeline import Pipeline
from gateway.service.recovery import recover

_HISTORY = 2.0
"""Seconds that an orderly stop waits for the history to take in the last events."""


class Storage:
    """Ledger, journal and history of a gateway. Build it inside a running event loop; `open` it, use its parts,
    `close` it.

    `committed` hears up to which sequence events are on disk, `stop` why the gateway must be started anew.
    """

    history: History
    pipeline: Pipeline
    away: float | None = None
    """Seconds since the run before, for which the broker may have kept commands."""

    def __init__(
        self,
        config: Config,
        committed: Callable[[int], None],
        stop: Callable[[str], None],
        clock: EventClock,
        log: Logger,
    ) -> None:
        self._config = config
        self._stop = stop
        self._committed = committed
        self._failing = False
        self._recovered = False
        self._clock = clock
        self._log = log
        self._sparse = SparseLog(log)
        self._open = contextlib.AsyncExitStack()
        self.ledger = Ledger(
            config.ledger,
            source_of(config.site, config.gateway),
            on_commit=self._written,
            on_dropped=self._dropped,
            on_error=self.failed,
            on_finding=lambda finding: log.error("a look at the whole ledger after a crash", found=finding),
            now=clock.now,
            age=clock.age,
            standby=config.journal.directory / "standby.db",
        )

    async def open(self) -> Pipeline:
        """The pipeline, in the state in which the last run left it. Raises `LedgerError` where ledger or journal cannot
        be used, and whatever else keeps it from starting; `close` then closes what is open."""
        config = self._config
        journal = Journal(config.journal)
        recorder = Recorder(config.recording, self._log) if config.recording else None
        self._open.callback(journal.close)
        found = self.ledger.start()
        self._open.push_async_callback(self._close_ledger)
        self.history = History(
            config.history_file,
            found.epoch,
            self.ledger.committed,
            self._log,
            lambda: self.ledger.busy,
            config.cameras,
            config.history.keep,
        )
        self._open.push_async_callback(self.history.close)
        if recorder is not None:
            self._open.push_async_callback(asyncio.to_thread, recorder.close)
        self.pipeline = await recover(
            config, found, self.ledger, journal, recorder, self._clock, self._log, memory.room(config)
        )
        self._recovered = True
        self.history.zones = lambda: self.pipeline.zones
        await self.ledger.flush()
        last = int(found.meta.get("last_tick", 0))
        self.away = max(0.0, (self._clock.now() - last) / SECOND) if last else None
        return self.pipeline

    async def behind(self, sequence: int) -> None:
        """The broker knows of events up to `sequence` that the ledger did not hold when it was opened, as when its
        write-ahead log was cut off: stops, and the next start begins a new epoch."""
        self._log.error(
            "the ledger is older than what was published: nothing is published until a new epoch begins",
            ledger_ended_at=self.ledger.opened_at, published=sequence, epoch=self.ledger.epoch,
        )  # fmt: skip
        try:
            await self.ledger.seen(sequence)
        except LedgerError as error:
            self.failed(error)
        else:
            self._stop("the broker has events that the ledger does not hold: the next start begins a new epoch")

    @property
    def acknowledged(self) -> Callable[[], int] | None:
        """Asks up to where the backend has every event; None where the broker's word is what counts."""
        if self._config.ledger.keep_until != "ack":
            return None
        return lambda: self.ledger.stats().acknowledged

    def _written(self, sequence: int) -> None:
        if self._failing:
            self._failing = False
            self._log.info("the ledger is written again")
        self._committed(sequence)

    def failed(self, error: LedgerError) -> None:
        """The disk did not take a commit. A file that is damaged is set aside by the next start, where that is
        configured; what was not written is in the journal."""
        self._failing = True
        self._sparse.error("the ledger cannot be written; readers wait, and it is tried again", reason=str(error))
        if isinstance(error, Damaged) and self._config.ledger.on_damage == "set-aside":
            self._stop("the ledger is damaged: the next start sets it aside")

    def _dropped(self, first: int, last: int, start: int, end: int) -> bool:
        """The ledger was full and gives up these events; not before the pipeline is there, which says so."""
        if not self._recovered:
            return False
        self._log.error("the ledger is full: its oldest events were given up", first=first, last=last)
        self.pipeline.dropped(first, last, start, end)
        return True

    async def history_caught_up(self) -> None:
        """The history holds every event, or has had its time: what it does not hold it takes in at the next start."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HISTORY):
                await self.history.until(self.ledger.stats().sequence)

    async def close(self) -> None:
        """Writes what is left, as far as the disk takes it."""
        await self._open.aclose()

    async def _close_ledger(self) -> None:
        with contextlib.suppress(LedgerError):
            await self.ledger.close()
