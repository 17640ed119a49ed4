"""The shell around every serial family that the gateway runs, and the table of the families."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from drivers.api import DriverContext, DriverError, DriverFactory, ProtocolError
from drivers.serial.bus import Buses, Wiring
from drivers.serial.framing import Framing
from drivers.serial.m100.frames import M100Framing
from drivers.serial.m100.session import M100Session
from drivers.serial.m100.settings import M100Settings
from drivers.serial.mercury.frames import MercuryFraming
from drivers.serial.mercury.session import MercurySession
from drivers.serial.mercury.settings import MercurySettings
from drivers.serial.r2000.frames import R2000Framing
from drivers.serial.r2000.session import R2000Session
from drivers.serial.r2000.settings import R2000Settings
from drivers.serial.recognise import recognise
from drivers.serial.session import Session, Unidentified
from drivers.serial.settings import SerialSettings
from drivers.serial.transport import is_missing
from drivers.serial.uhf288.frames import Uhf288Framing
from drivers.serial.uhf288.session import Uhf288Session
from drivers.serial.uhf288.settings import Uhf288Settings

LEAVE_TIME = 3.0
"""Seconds that a stop may take to leave the reader quiet; the service is being stopped and cannot wait for long."""

APPEAR_TIME = 30.0
APPEAR_EVERY = 0.2
"""An unplugged port is looked for five times a second (one `stat` each), so that plugging it in is noticed at once
whatever the caller's pause between attempts has grown to; the caller hears of it again every half minute."""

_BUSES: WeakKeyDictionary[asyncio.AbstractEventLoop, Buses] = WeakKeyDictionary()


@dataclass(slots=True, frozen=True)
class Family:
    """One family of readers. `address`: of a reader with these settings; None if it cannot share its port."""

    name: str
    settings: type[SerialSettings]
    framing: Callable[[Any], Framing]
    session: type[Session[Any]]
    address: Callable[[Any], int | None]


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
        await self._appear()
        settings, address = self._settings, self._family.address(self._settings)
        wiring = Wiring(
            self._family.name, settings.device, settings.baud, getattr(settings, "echo", False), address is not None
        )
        buses = _BUSES.setdefault(asyncio.get_running_loop(), Buses())
        framing = self._family.framing(settings)
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
        return kind(f"{error} at {self._settings.baud} baud. {recognise(seen)}")

    async def set_output(self, port: int, state: bool) -> None:
        if self._session is None:
            raise DriverError(f"reader {self._context.reader} is not connected: output {port} was not switched")
        await self._session.set_output(port, state)

    def pause(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()


async def _leave(session: Session[Any]) -> None:
    with suppress(DriverError, TimeoutError):
        async with asyncio.timeout(LEAVE_TIME):
            await session.leave()


FAMILIES = {
    family.name: family
    for family in (
        Family("mercury", MercurySettings, lambda given: MercuryFraming(), MercurySession, lambda given: None),
        Family(
            "uhf288",
            Uhf288Settings,
            lambda given: Uhf288Framing(),
            Uhf288Session,
            lambda given: given.address if given.mode == "answer" else None,
        ),
        Family("r2000", R2000Settings, lambda given: R2000Framing(), R2000Session, lambda given: given.address),
        Family("m100", M100Settings, lambda given: M100Framing(), M100Session, lambda given: None),
    )
}


def _factory(name: str) -> DriverFactory:
    family = FAMILIES[name]
    return DriverFactory(family.settings, lambda context, given: SerialDriver(family, context, given))


MERCURY = _factory("mercury")
UHF288 = _factory("uhf288")
R2000 = _factory("r2000")
M100 = _factory("m100")
