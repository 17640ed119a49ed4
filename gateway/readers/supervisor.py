"""Keeps one reader running: runs its driver, says when it is down, waits, runs it again.

A reader that fails soon after each set-up would otherwise be up and down without end. Two things grow with every such
failure until a connection has stood for a while: the wait before the next attempt, and how long the next connection
must stand before the reader is said to be up again. Its reads go on to the floor all the same; until it is up its
zones count as not watched, and all that is lost meanwhile is one outage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from enum import StrEnum

from drivers.api import Batch, Driver, DriverError, Item, ReaderDown, ReaderLoss, ReaderUp
from gateway.clock import EARLIEST, LATEST
from gateway.ops.logs import Logger
from gateway.readers.outage import Outage

STOOD = 60.0
"""Seconds after which a connection has stood for a while: the waits between attempts begin anew."""

STEADY = 1_800.0
"""Seconds after which a reader is steady again: the next time that it comes back it is up at once. Whatever the
period at which one fails, a week of it is some three hundred outages at most."""

_PERMANENT_RETRY = 300.0
"""Seconds between attempts after an error that trying again cannot help: somebody may have mended the reader."""

_FREE = 2
"""Failures soon after a set-up, one after the other, that may be chance: a reader that restarts, a cable replugged."""


class ConnectionState(StrEnum):
    """Where a reader stands."""

    CONNECTING = "connecting"
    UNSTEADY = "unsteady"  # reading, but it has failed soon after its last set-ups: not yet believed to be up
    UP = "up"
    WAITING = "waiting"
    STOPPED = "stopped"


def probation(failures: int) -> float:
    """Seconds that a connection must stand before the reader is up, after so many short ones in a row."""
    return 0.0 if failures <= _FREE else min(STEADY, 2.0 ** min(failures, 30))


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
        self.connection = ConnectionState.STOPPED
        self.attempts = 0
        self.last_error = ""
        self._sink = sink
        self._delays = delays
        self._now = now
        self._log = log.bind(reader=reader)
        self._driver: Driver | None = None
        self._told_down = False
        self._paused = False
        self._failures = 0  # connections in a row that did not stand
        self._up_since: float | None = None  # of this connection, monotonic seconds
        self._outage = Outage()
        self._announcing: asyncio.TimerHandle | None = None

    def hear(self, item: Item) -> None:
        """The driver's sink: passes on, and notes that the reader is up."""
        if type(item) is Batch:  # most of what comes
            if not EARLIEST <= item.arrival <= LATEST:
                raise DriverError("its driver gave a Batch whose arrival is no time")
            if not -LATEST <= item.offset <= LATEST:
                item.offset = LATEST  # so that each of its reads is misdated, and none too large a number
            self._sink(item)
            return
        _refuse_impossible(item)
        match item:
            case ReaderUp():
                self._came_up(item)
            case ReaderLoss() if self.connection is not ConnectionState.UP:
                self._outage.lost(item)
            case _:
                self._sink(item)
        if self._paused and isinstance(item, ReaderUp):
            self.pause()

    @property
    def driver(self) -> Driver:
        """The driver, for outputs. Raises `DriverError` when the reader is not connected."""
        if self._driver is None or self.connection not in (ConnectionState.UP, ConnectionState.UNSTEADY):
            raise DriverError(
                f"reader {self.reader} is not connected ({self.connection}): {self.last_error or 'no error'}"
            )
        return self._driver

    def pause(self) -> None:
        """Holds the reader back, over reconnects too, until `resume`."""
        self._paused = True
        if self._driver is not None:
            self._driver.pause()

    def resume(self) -> None:
        """Lets the reader go on."""
        self._paused = False
        if self._driver is not None:
            self._driver.resume()

    def say_down(self, reason: str) -> None:
        """Says that the reader is down, unless that was said."""
        if not self._told_down:
            self._told_down = True
            self._sink(ReaderDown(self.reader, self._now(), reason))

    async def run(self, driver: Driver) -> None:
        """Runs `driver` for ever. When cancelled, lets it leave the reader in order."""
        self._driver = driver
        if self._paused:
            driver.pause()
        delays = self._delays()
        try:
            while True:
                self.connection = ConnectionState.CONNECTING
                self.attempts += 1
                self._up_since = None
                permanent = await self._attempt(driver)
                if self._stood() >= STOOD:
                    delays = self._delays()
                self.connection = ConnectionState.WAITING
                await asyncio.sleep(_PERMANENT_RETRY if permanent else next(delays))
        finally:
            self._withhold()
            self.connection = ConnectionState.STOPPED
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

    def _stood(self) -> float:
        """Seconds for which this connection has been reading, 0 when it never was."""
        return 0.0 if self._up_since is None else asyncio.get_running_loop().time() - self._up_since

    def _came_up(self, item: ReaderUp) -> None:
        """The driver reads. Whether that is believed depends on how the last connections ended."""
        if self._up_since is None:
            self._up_since = asyncio.get_running_loop().time()
        self._outage.reads(item)
        wait = probation(self._failures) - self._stood()
        if self.connection is ConnectionState.UP or wait <= 0:
            self._announce(item.t)
            return
        self.connection = ConnectionState.UNSTEADY
        if self._announcing is None:
            self._announcing = asyncio.get_running_loop().call_later(wait, lambda: self._announce(self._now()))

    def _announce(self, now: int) -> None:
        """The reader is up at `now`: with everything that was lost while it was not."""
        self._withhold()
        self.connection = ConnectionState.UP
        self._told_down = False
        self.last_error = ""
        for item in self._outage.over(now):
            self._sink(item)
            if isinstance(item, ReaderUp):
                self._log.info("reader is up", model=item.model, firmware=item.firmware, held_reads=item.held)

    def _withhold(self) -> None:
        if self._announcing is not None:
            self._announcing.cancel()
            self._announcing = None

    def _down(self, reason: str, permanent: bool) -> None:
        self._withhold()
        stood = self._stood()
        if self._up_since is not None:
            self._failures = 0 if stood >= STEADY else self._failures + 1
        self._tell_log(reason, stood, permanent)
        self.last_error = reason
        self.say_down(reason)

    def _tell_log(self, reason: str, stood: float, permanent: bool) -> None:
        """One line for each new reason; of a reader that fails again and again, ever fewer."""
        often = self._failures > _FREE and self._up_since is not None
        if often and self._failures & (self._failures - 1) == 0:
            self._log.warning(
                "reader fails soon after each set-up; it is not up until it has stood",
                reason=reason, failures=self._failures, stood_s=round(stood), must_stand_s=probation(self._failures),
            )  # fmt: skip
        elif reason != self.last_error and not often:
            say = self._log.error if permanent else self._log.warning
            say("reader is down", reason=reason, trying_again="in 5 minutes" if permanent else "yes")
        else:
            self._log.debug("reader is still down", attempts=self.attempts, reason=reason)


def _refuse_impossible(item: Item) -> None:
    """Raises `DriverError` where a driver names a time that cannot be written down: one of another maker may."""
    for name, first in (("t", EARLIEST), ("start", EARLIEST), ("end", EARLIEST), ("offset", -LATEST)):
        if not first <= getattr(item, name, 0) <= LATEST:
            raise DriverError(f"its driver gave a {type(item).__name__} whose {name} is no time")
