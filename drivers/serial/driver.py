"""The shell around every serial family: a driver as the gateway runs it, made from the family's `FAMILY`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from drivers.api import DriverContext, DriverError, DriverFactory, ProtocolError
from drivers.serial.bus import Buses, Wiring
from drivers.serial.family import Family
from drivers.serial.recognise import recognise
from drivers.serial.session import Session, Unidentified
from drivers.serial.settings import SerialSettings
from drivers.serial.transport import is_missing

LEAVE_TIME = 3.0
"""Seconds that a stop may take to leave the reader quiet; the service is being stopped and cannot wait for long."""

APPEAR_TIME = 30.0
APPEAR_EVERY = 0.2
"""An unplugged port is looked for five times a second (one `stat` each), so that plugging it in is noticed at once
whatever the caller's pause between attempts has grown to; the caller hears of it again every half minute."""

_BUSES: WeakKeyDictionary[asyncio.AbstractEventLoop, Buses] = WeakKeyDictionary()


class SerialDriver:
    """A driver as `drivers.api` wants it."""

    def __init__(self, family: Family, context: DriverContext, settings: SerialSettings) -> None:
        self._family = family
        self._context = context
        self._settings = settings
        self._session: Session[Any] | None = None
        self._running = asyncio.Event()
        self._running.set()
        self._told_missing = False

    async def run(self) -> NoReturn:
        """Reads until the connection ends. Raises DriverError."""
        await self._appear()
        settings, address = self._settings, self._settings.bus_address
        shares = address is not None
        wiring = Wiring(self._family.name, settings.device, settings.baud, settings.hears_itself, shares)
        buses = _BUSES.setdefault(asyncio.get_running_loop(), Buses())
        framing = self._family.framing()
        async with buses.attach(wiring, self._context.reader, address or 0, framing) as link:
            session = self._family.session(link, self._context, settings, self._running)
            try:
                session.up(await session.prepare())
                self._session = session
                await session.work()
            except Unidentified as error:
                raise self._explained(error, link.seen) from error
            except asyncio.CancelledError:
                await _leave(session)
                raise
            finally:
                self._session = None
                session.down()

    async def _appear(self) -> None:
        """Wait for an unplugged port once its absence has been reported."""
        if self._told_missing:
            waited = 0.0
            while is_missing(self._settings.device) and waited < APPEAR_TIME:
                await asyncio.sleep(APPEAR_EVERY)
                waited += APPEAR_EVERY
        self._told_missing = is_missing(self._settings.device)

    def _explained(self, error: Unidentified, seen: bytes) -> DriverError:
        kind = DriverError if not seen else ProtocolError
        return kind(f"{error} at {self._settings.baud} baud. {recognise(seen, self._family.name)}")

    async def set_output(self, port: int, state: bool) -> None:
        """Switches an output. Raises DriverError."""
        session = self._session
        if session is None:
            raise DriverError(f"reader {self._context.reader} is not connected: output {port} was not switched")
        try:
            await session.set_output(port, state)
        except Exception as error:
            if error is not session.fault:
                raise
            # What failed over the reads is for whoever runs the driver, and is said there.
            raise DriverError(f"reader {self._context.reader} has failed: output {port} was not switched") from error

    def pause(self) -> None:
        """Takes nothing from the reader until `resume`."""
        self._running.clear()

    def resume(self) -> None:
        """Takes what the reader has again."""
        self._running.set()


async def _leave(session: Session[Any]) -> None:
    with suppress(Exception):  # whatever it is: the driver is being stopped, and must stop
        async with asyncio.timeout(LEAVE_TIME):
            await session.leave()


def factory_of(family: Family) -> DriverFactory:
    """What the entry point of a family names."""
    return DriverFactory(family.settings, lambda context, given: SerialDriver(family, context, given))
