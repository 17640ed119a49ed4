"""A serial session without a port: any bytes in, checked items out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from drivers.api import Antenna, Batch, DriverContext, Item, RssiUnit
from drivers.serial.framing import Framing
from drivers.serial.link import Link
from drivers.serial.session import Identity, Session

_LOG = structlog.wrap_logger(structlog.get_logger(), processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
_NOW = 1_700_000_000_000_000


def deliver(data: bytes, framing: Callable[[], Framing], session: type[Session[Any]], settings: Any) -> list[Item]:
    """The items of a session that is up and receives `data`; the first byte says how it is chunked."""
    return asyncio.run(_deliver(data, framing, session, settings))


async def _deliver(
    data: bytes, framing: Callable[[], Framing], session: type[Session[Any]], settings: Any
) -> list[Item]:
    items: list[Item] = []
    link = Link("port", framing())
    context = DriverContext("r", tuple(Antenna(port) for port in range(1, 5)), items.append, lambda: _NOW, _LOG)
    made = session(link, context, settings, asyncio.Event())
    made.up(Identity("model", "1"))
    size = data[0] + 1 if data else 1
    async with link.turn(made.take):
        for at in range(1, len(data), size):
            link.feed(data[at : at + size])
            assert len(link.framer._rest) < link.framer.framing.longest
        made.take(link.framer.expire(1 << 62))
    link.close()
    for item in items:
        if isinstance(item, Batch):
            check(item)
    return items


def check(batch: Batch) -> None:
    """Rows are as `drivers.api` promises."""
    assert batch.rows
    for epc, antenna, rssi, channel, time, count in batch.rows:
        assert isinstance(epc, bytes)
        assert 0 < len(epc) <= 0xF8
        assert 1 <= antenna <= 255
        assert -129 <= rssi <= 255 or batch.rssi_unit is RssiUnit.CENTI_DBM
        assert channel >= 0
        assert time <= _NOW
        assert count >= 1
