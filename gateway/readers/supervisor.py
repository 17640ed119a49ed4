"""Keeps one reader running: runs its driver, says when it is down, waits, runs it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from enum import StrEnum

from drivers.api import Driver, DriverError, Item, ReaderDown, ReaderUp
from gateway.ops.logs import Logger

_PERMANENT_RETRY = 300.0
"""Seconds between attempts after an error that trying again cannot help: somebody may have mended the reader."""


class Phase(StrEnum):
    """Where a reader stands."""

    CONNECTING = "connecting"
    UP = "up"
    WAITING = "waiting"
    STOPPED = "stopped"


class Supervisor:
    """One reader's life. `sink` takes what the driver says; the supervisor adds `ReaderDown`."""

    def __init__(
        self,
        reader: str,
        sink: Callable[[Item], None],
        delays: Callable[[], Iterator[float]],
        now: Callable[[], int],
        log: Logger,
    ) -> None:
        self.reader = reader
        self.phase = Phase.STOPPED
        self.attempts = 0
        self.last_error = ""
        self._sink = sink
        self._delays = delays
        self._now = now
        self._log = log.bind(reader=reader)
        self._driver: Driver | None = None
        self._told_down = False
        self._paused = False

    def hear(self, item: Item) -> None:
        """The driver's sink: passes on, and notes that the reader is up."""
        if isinstance(item, ReaderUp):
            self.phase = Phase.UP
            self._told_down = False
            self.last_error = ""
            self._log.info("reader is up", model=item.model, firmware=item.firmware, held_reads=item.held)
        self._sink(item)
        if self._paused and isinstance(item, ReaderUp):
            self.pause()

    @property
    def driver(self) -> Driver:
        """The driver, for outputs. Raises `DriverError` when the reader is not up."""
        if self._driver is None or self.phase is not Phase.UP:
            raise DriverError(f"reader {self.reader} is not connected ({self.phase}): {self.last_error or 'no error'}")
        return self._driver

    def pause(self) -> None:
        """Holds the reader back, over reconnects too, until `resume`."""
        self._paused = True
        if self._driver is not None:
            self._driver.pause()

    def resume(self) -> None:
        self._paused = False
        if self._driver is not None:
            self._driver.resume()

    async def run(self, driver: Driver) -> None:
        """Runs `driver` for ever. When cancelled, lets it leave the reader in order."""
        self._driver = driver
        delays = self._delays()
        try:
            while True:
                self.phase = Phase.CONNECTING
                self.attempts += 1
                permanent = await self._attempt(driver)
                if self.phase is Phase.UP:
                    delays = self._delays()
                self.phase = Phase.WAITING
                await asyncio.sleep(_PERMANENT_RETRY if permanent else next(delays))
        finally:
            self.phase = Phase.STOPPED
            self._driver = None

    async def _attempt(self, driver: Driver) -> bool:
        """One connection. Returns whether its end is an error that trying again soon cannot help."""
        try:
            await driver.run()
        except DriverError as error:
            self._down(str(error), error.permanent)
            return error.permanent
        except Exception as error:
            # A fault in one driver must not take the other readers down with it.
            self._log.error("the driver failed; this is a fault in the gateway", exc_info=error)
            self._down(f"fault in the driver: {type(error).__name__}: {error}", permanent=False)
            return False

    def _down(self, reason: str, permanent: bool) -> None:
        if reason != self.last_error:
            say = self._log.error if permanent else self._log.warning
            say("reader is down", reason=reason, trying_again="in 5 minutes" if permanent else "yes")
        else:
            self._log.debug("reader is still down", attempts=self.attempts)
        self.last_error = reason
        if not self._told_down:
            self._told_down = True
            self._sink(ReaderDown(self.reader, self._now(), reason))
