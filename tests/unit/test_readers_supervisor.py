"""A reader's supervisor on a virtual clock: what it passes on, how long it waits, what it says of one that flaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, NoReturn, TypeAlias

import pytest
import structlog

from drivers.api import Batch, ClockQuality, DriverError, Item, ReaderClock, ReaderDown, ReaderLoss, ReaderUp
from drivers.backoff import delays
from gateway.clock import EARLIEST, LATEST, SECOND
from gateway.events.envelope import LOSS
from gateway.floor import Floor
from gateway.readers.supervisor import STEADY, ConnectionState, Supervisor, probation
from tests.support.claims import some
from tests.support.floor_scene import T0, config, epc, of_type, run, ticked

pytestmark = pytest.mark.looptime

WEEK = 7 * 86_400

Connection: TypeAlias = Callable[["ScriptedDriver"], Awaitable[None]]


class ScriptedDriver:
    """A driver whose connections go as `connection` has it; after it, the link ends."""

    def __init__(self, connection: Connection, sink: Callable[[Item], None], now: Callable[[], int]) -> None:
        self.connection = connection
        self.sink = sink
        self.now = now
        self.is_paused = False

    async def run(self) -> NoReturn:
        await self.connection(self)
        raise DriverError("the link ended")

    async def set_output(self, port: int, state: bool) -> None:
        """Not of interest here."""

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False


class Bench:
    """One supervised reader. `items` is what the floor would get."""

    def __init__(self, connection: Connection) -> None:
        self.items: list[Item] = []
        self.supervisor = Supervisor(
            "r1", self.items.append, lambda: delays(Random(1)), self.now, structlog.get_logger("test")
        )
        self.driver = ScriptedDriver(connection, self.supervisor.hear, self.now)

    def now(self) -> int:
        return T0 + round(asyncio.get_running_loop().time() * SECOND)

    @asynccontextmanager
    async def running(self, seconds: float) -> AsyncIterator[None]:
        task = asyncio.create_task(self.supervisor.run(self.driver))
        await asyncio.sleep(seconds)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def of(self, kind: type[Any]) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]


def stands(seconds: float, **up: bool) -> Connection:
    """A connection that reads at once, and for so long."""

    async def connection(driver: ScriptedDriver) -> None:
        driver.sink(ReaderUp("r1", driver.now(), **up))
        driver.sink(Batch("r1", driver.now(), [(b"\x01\x02", 1, -50, 0, driver.now(), 1)]))
        await asyncio.sleep(seconds)

    return connection


async def refused(driver: ScriptedDriver) -> None:
    raise DriverError("connection refused")


async def test_a_reader_that_never_comes_up_is_down_once_and_tried_ever_more_rarely():
    bench = Bench(refused)
    async with bench.running(3600):
        pass
    assert [type(item) for item in bench.items] == [ReaderDown]
    assert 3600 / 30 < bench.supervisor.attempts < 3600 / 10


async def test_a_permanent_error_waits_five_minutes():
    async def hopeless(driver: ScriptedDriver) -> None:
        raise DriverError("no such antenna", permanent=True)

    bench = Bench(hopeless)
    async with bench.running(3601):
        assert bench.supervisor.attempts == 13
        assert bench.supervisor.connection is ConnectionState.WAITING


async def test_a_steady_reader_is_back_at_once_after_a_cut():
    bench = Bench(stands(3600))
    async with bench.running(3 * 3600 + 60):
        assert bench.supervisor.connection is ConnectionState.UP
    downs, ups = bench.of(ReaderDown), bench.of(ReaderUp)
    assert len(downs) == 3
    assert all(0 <= up.t - down.t <= SECOND for down, up in some(zip(downs, ups[1:], strict=True)))


@pytest.mark.parametrize("seconds", [0.0, 5.0, 59.0])
async def test_waits_grow_until_a_connection_has_stood_a_while(seconds: float):
    bench = Bench(stands(seconds))
    async with bench.running(20_000):
        pass
    assert bench.supervisor.attempts < 20_000 / (seconds + 13)


@pytest.mark.parametrize(
    ("seconds", "held"),
    [
        (1_500.0, False),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [(0.0, False), (3.0, True), (30.0, False), (300.0, True)]
        ),
    ],
)
@pytest.mark.slow
async def test_a_week_of_a_reader_that_fails_soon_after_each_set_up_is_few_events(seconds: float, held: bool):
    flapping = stands(seconds, held=held)

    async def connection(driver: ScriptedDriver) -> None:
        driver.sink(ReaderLoss("r1", driver.now(), driver.now() - SECOND, driver.now(), "link-cut", certain=False))
        await flapping(driver)

    bench = Bench(connection)
    length = min(WEEK, 1_300 * (seconds + 30))  # after so many connections nothing changes any more
    async with bench.running(length):
        pass
    assert bench.supervisor.attempts > length / (seconds + 40), "it is tried until the end"
    assert len(bench.of(ReaderDown)) <= 12
    assert len(bench.of(Batch)) >= bench.supervisor.attempts - 1, "what it reads meanwhile is taken all the same"
    facts = run(ticked(bench.items, int(length), 120 * SECOND))
    assert len(of_type(facts, LOSS)) <= 24
    assert len(facts) < 60


def test_a_reader_that_has_failed_for_weeks_is_still_tried():
    assert probation(100_000) == probation(20) == STEADY


async def test_whatever_the_period_a_week_is_a_few_hundred_outages():
    bench = Bench(stands(1_860.0))
    async with bench.running(WEEK):
        pass
    assert len(bench.of(ReaderDown)) <= 340


async def test_a_reader_that_stands_again_is_up_with_one_loss_for_each_cause():
    lengths = iter([1.0] * 10)

    async def connection(driver: ScriptedDriver) -> None:
        start = driver.now()
        driver.sink(ReaderLoss("r1", start, start - SECOND, start, "link-cut", certain=True))
        driver.sink(ReaderUp("r1", start))
        await asyncio.sleep(next(lengths, 10_000.0))

    bench = Bench(connection)
    async with bench.running(3600):
        assert bench.supervisor.connection is ConnectionState.UP
        assert bench.supervisor.last_error == ""
    tail = bench.items[-2:]
    assert isinstance(tail[0], ReaderLoss)
    assert isinstance(tail[1], ReaderUp)
    assert tail[0].t == tail[1].t
    assert tail[0].end - tail[0].start > 20 * SECOND, "from the first to the last of them"
    downs = bench.of(ReaderDown)
    assert tail[1].t - downs[-1].t >= probation(10) * SECOND


async def test_outputs_can_be_switched_while_a_reader_is_not_yet_believed():
    phases = []

    async def connection(driver: ScriptedDriver) -> None:
        driver.sink(ReaderUp("r1", driver.now()))
        assert bench.supervisor.driver is driver
        phases.append(bench.supervisor.connection)
        await asyncio.sleep(5)

    bench = Bench(connection)
    async with bench.running(600):
        pass
    assert phases[:3] == [ConnectionState.UP] * 3
    assert set(phases[3:]) == {ConnectionState.UNSTEADY}


async def test_a_reader_that_is_held_back_is_so_over_reconnects():
    bench = Bench(stands(5.0))
    bench.supervisor.pause()
    async with bench.running(60):
        assert bench.driver.is_paused
        bench.supervisor.resume()
        assert not bench.driver.is_paused


async def test_a_fault_in_a_driver_is_an_outage_and_no_crash():
    async def faulty(driver: ScriptedDriver) -> None:
        raise ZeroDivisionError

    bench = Bench(faulty)
    async with bench.running(60):
        assert bench.supervisor.attempts > 3
    assert "fault in the driver: ZeroDivisionError" in bench.of(ReaderDown)[0].reason


@pytest.mark.parametrize(
    "impossible",
    [
        ReaderUp("r1", 1 << 70),
        ReaderLoss("r1", T0, -1 << 70, T0, "full", False),
        ReaderClock("r1", T0, ClockQuality.SYNCED, 1 << 63),
    ],
)
async def test_a_time_that_cannot_be_written_down_is_an_outage_of_its_reader(impossible: Item):
    async def gives(driver: ScriptedDriver) -> None:
        driver.sink(impossible)

    bench = Bench(gives)
    async with bench.running(1):
        pass
    assert impossible not in bench.items
    (down,) = [item for item in bench.items if isinstance(item, ReaderDown)]
    assert f"its driver gave a {type(impossible).__name__} whose" in down.reason


async def test_an_offset_beyond_all_time_misdates_the_reads_and_no_more():
    async def gives(driver: ScriptedDriver) -> None:
        driver.sink(ReaderUp("r1", driver.now()))
        for offset in (1 << 70, -1 << 70, 1 << 62):
            driver.sink(Batch("r1", driver.now(), [(epc(1), 1, -60, 0, driver.now(), 1)], offset))

    bench = Bench(gives)
    async with bench.running(1):
        pass
    floor = Floor(config())
    run(ticked(bench.items, 5), floor)
    assert floor.stats.misdated == floor.stats.reads > 0


@pytest.mark.parametrize("wrong", [LATEST + 1, EARLIEST - 1, 1 << 70])
async def test_times_that_cannot_be_written_down_reach_nobody(wrong: int) -> None:
    heard: list[Item] = []
    supervisor = Supervisor("r1", heard.append, lambda: iter([1.0]), lambda: 0, structlog.testing.CapturingLogger())
    for item in (
        ReaderLoss("r1", 0, wrong, 0, "x", True),
        ReaderLoss("r1", 0, 0, wrong, "x", True),
        ReaderDown("r1", wrong, "x"),
        Batch("r1", wrong, []),
    ):
        with pytest.raises(DriverError, match="is no time"):
            supervisor.hear(item)
    assert heard == []
