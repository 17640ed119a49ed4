"""Which links are open, so that several readers on one RS-485 bus share the port instead of fighting over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from drivers.api import DriverError
from drivers.serial.framing import Framing
from drivers.serial.link import Link

BROADCAST = 0xFF
"""The address that every reader answers to, in both families that have addresses."""


@dataclass(slots=True, frozen=True)
class Wiring:
    """What all readers on one port must agree on. `addressed` says whether the family can share a port at all."""

    family: str
    where: str
    baud: int
    echo: bool
    addressed: bool


@dataclass
class _Open:
    wiring: Wiring
    opening: asyncio.Task[Link]
    readers: dict[str, int] = field(default_factory=dict)


class Buses:
    """The open links of one event loop, by port."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    @asynccontextmanager
    async def attach(self, wiring: Wiring, reader: str, address: int, framing: Framing) -> AsyncIterator[Link]:
        """A link for `reader`, opened by the first and closed by the last. Raises `DriverError`."""
        shared = self._open.get(wiring.where)
        if shared is None or _is_over(shared):
            shared = self._open[wiring.where] = _Open(wiring, asyncio.create_task(_open(wiring, framing)))
        else:
            _check_sharing(shared, wiring, reader, address)
        shared.readers[reader] = address
        try:
            # Shielded: when the reader that happened to come first is stopped, the others still want the port.
            yield await asyncio.shield(shared.opening)
        finally:
            del shared.readers[reader]
            if not shared.readers:
                _close(shared)
                if self._open.get(wiring.where) is shared:
                    del self._open[wiring.where]


async def _open(wiring: Wiring, framing: Framing) -> Link:
    link = Link(wiring.where, framing, echo=wiring.echo)
    await link.open(wiring.baud)
    return link


def _is_over(shared: _Open) -> bool:
    """Whether the port failed and the link only waits for its readers to leave."""
    if not shared.opening.done():
        return False
    return shared.opening.cancelled() or bool(shared.opening.exception()) or shared.opening.result().lost.done()


def _close(shared: _Open) -> None:
    if not shared.opening.done():
        shared.opening.cancel()
    elif not shared.opening.cancelled() and not shared.opening.exception():
        shared.opening.result().close()


def _check_sharing(shared: _Open, wiring: Wiring, reader: str, address: int) -> None:
    others = ", ".join(sorted(shared.readers))
    if not wiring.addressed or wiring != shared.wiring:
        raise DriverError(
            f"{wiring.where}: reader {reader} wants the port that {others} has; only readers of one family that has "
            "addresses, with the same baud and echo, can share a port",
            permanent=True,
        )
    if BROADCAST in (address, *shared.readers.values()):
        raise DriverError(
            f"{wiring.where}: readers {reader} and {others} share the port: give each its own address, not {BROADCAST}",
            permanent=True,
        )
    taken = [name for name, other in shared.readers.items() if other == address]
    if taken:
        raise DriverError(
            f"{wiring.where}: reader {reader} has the address {address} of {', '.join(taken)}; give each its own",
            permanent=True,
        )
