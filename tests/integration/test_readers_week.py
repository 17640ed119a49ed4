"""A week of a reader of each family whose link is cut two seconds after each set-up: few events, whatever it says.

What the family's driver says over one such connection is taken from the driver itself, with an emulated reader behind
a proxy; the week of such connections passes on a virtual clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields, replace
from functools import partial
from random import Random
from typing import Any, NoReturn

import looptime
import pytest
import structlog

from drivers.api import Batch, Driver, DriverError, Item, ReaderDown, ReaderUp
from drivers.backoff import delays
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population
from drivers.emulators.serial.command import emulators
from drivers.emulators.serial.line import TcpPort
from gateway.clock import SECOND
from gateway.config.drivers import factory
from gateway.readers.supervisor import Supervisor
from tests.support.floor_scene import T0, run, ticked
from tests.support.proxy import proxy
from tests.support.serial_rig import build
from tests.support.subscriber import until

WEEK = 40_000  # seconds, in short: after a thousand connections nothing changes any more
STANDS = 2.0
SETTINGS: dict[str, dict[str, Any]] = {
    "mercury": {"region": "NA"},
    "m100": {"region": "US"},
    "uhf288": {"scan_time": 0.1},
}
FAMILIES = [*sorted(emulators()), "llrp", "sllurp"]
TIMES = {"t", "start", "end"}
QUIET = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@asynccontextmanager
async def emulated(family: str) -> AsyncIterator[int]:
    """A reader of the family behind a TCP port."""
    if family in emulators():
        port = TcpPort("127.0.0.1", 0)
        reader = emulators()[family].reader(port, population(5, 50))
        running = asyncio.create_task(reader.run())
        await until(lambda: port.port)
        yield port.port
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    else:
        async with LlrpEmulator(population(5, 50)) as emulator:
            yield emulator.port


async def one_connection(family: str) -> list[Item]:
    """What the driver says from the end of one connection to the end of the next."""
    items: list[Item] = []
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(proxy(await stack.enter_async_context(emulated(family))))
        where = {"host": "127.0.0.1", "port": network.port}
        if family in emulators():
            where = {"device": f"socket://127.0.0.1:{network.port}"}
        driver = build(factory(family), items.append, {**where, **SETTINGS.get(family, {})}, [1], reader="r1")
        for _ in range(2):
            connection = await connected(driver, items)
            network.cut()
            await asyncio.wait_for(connection, 60)
    return [item for item in items if not isinstance(item, Batch)]


async def connected(driver: Driver, items: list[Item]) -> asyncio.Task[None]:
    """A connection over which reads have come. The reader may still be busy with the one before, and refuse a few."""
    async with asyncio.timeout(120):
        while True:
            items.clear()
            connection = asyncio.create_task(attempt(driver))
            await until(partial(reads_or_over, connection, items), 110)
            if not connection.done():
                return connection


def reads_or_over(connection: asyncio.Task[None], items: list[Item]) -> bool:
    is_up = any(isinstance(item, ReaderUp) for item in items)
    return connection.done() or (is_up and any(isinstance(item, Batch) and item.rows for item in items))


async def attempt(driver: Driver) -> None:
    """Runs the driver until its connection ends."""
    try:
        await driver.run()
    except DriverError:
        return


class Replayed:
    """A driver that says the same over every connection, as if it were now."""

    def __init__(self, items: list[Item]) -> None:
        self._items = items
        self._begun = min(item.t for item in items if isinstance(item, ReaderUp))
        self.said: list[Item] = []
        self.attempts = 0
        self.supervisor = Supervisor("r1", self.said.append, lambda: delays(Random(1)), self.now, QUIET)

    def now(self) -> int:
        return T0 + round(asyncio.get_running_loop().time() * SECOND)

    async def run(self) -> NoReturn:
        self.attempts += 1
        shift = self.now() - self._begun
        for item in self._items:
            self.supervisor.hear(moved(item, shift))
        await asyncio.sleep(STANDS)
        raise DriverError("the link ended")

    async def set_output(self, port: int, state: bool) -> None:
        """Not of interest here."""

    def pause(self) -> None:
        """Not of interest here."""

    def resume(self) -> None:
        """Not of interest here."""


def moved(item: Item, shift: int) -> Item:
    """The same, so much later."""
    times = {field.name: getattr(item, field.name) for field in fields(item) if field.name in TIMES}
    return replace(item, **{name: time + shift for name, time in times.items() if time is not None})


async def a_week(driver: Replayed) -> None:
    task = asyncio.create_task(driver.supervisor.run(driver))
    await asyncio.sleep(WEEK)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_week_of_a_reader_that_fails_soon_after_each_set_up_is_few_events(family: str) -> None:
    replayed = Replayed(asyncio.run(one_connection(family)))
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(a_week(replayed))
    assert replayed.attempts > 1_100
    assert sum(isinstance(item, ReaderDown) for item in replayed.said) < 20
    facts = run(ticked(replayed.said, WEEK, 120 * SECOND))
    assert len(facts) < 300
