"""The fleet of readers on a virtual clock: what starts, stops and is held back when the configuration changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import pytest
import structlog

from drivers.api import DriverContext, DriverFactory, DriverSettings, Item, ReaderDown, ReaderUp
from gateway.config import ReaderConfig
from gateway.errors import Refused
from gateway.readers import fleet as fleet_module
from gateway.readers.fleet import Readers
from tests.support.claims import some

pytestmark = pytest.mark.looptime


class FakeSettings(DriverSettings):
    host: str = "reader"


class FakeDriver:
    """Reads until it is cancelled; `left` says that it was let go in order."""

    def __init__(self, context: DriverContext, settings: FakeSettings) -> None:
        self.context = context
        self.settings = settings
        self.is_paused = False
        self.left = False

    async def run(self) -> NoReturn:
        self.context.sink(ReaderUp(self.context.reader, self.context.now()))
        try:
            await asyncio.Event().wait()
        finally:
            self.left = True
        raise AssertionError

    async def set_output(self, port: int, state: bool) -> None:
        """Not of interest here."""

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False


class Bench:
    def __init__(self) -> None:
        self.built: list[FakeDriver] = []
        self.items: list[Item] = []

    def build(self, context: DriverContext, settings: Any) -> FakeDriver:
        self.built.append(FakeDriver(context, settings))
        return self.built[-1]

    def story(self) -> list[tuple[str, str]]:
        return [(type(item).__name__, item.reader) for item in self.items]


def reader(name: str, **more: Any) -> ReaderConfig:
    content = {"id": name, "driver": "fake", "antennas": [{"port": 1, "zone": "z"}]}
    return ReaderConfig.model_validate(content | more)


@pytest.fixture
def bench(monkeypatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(fleet_module, "factory", lambda name: DriverFactory(FakeSettings, made.build))
    monkeypatch.setattr(fleet_module, "settings_for", lambda config: FakeSettings(**config.driver_keys()))
    return made


@asynccontextmanager
async def fleet(bench: Bench) -> AsyncIterator[Readers]:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        readers = Readers(group, bench.items.append, lambda: round(loop.time() * 1e6), structlog.get_logger("test"))
        yield readers
        await readers.stop()
    assert all(driver.left for driver in some(bench.built))


async def test_a_change_restarts_only_what_changed(bench):
    async with fleet(bench) as readers:
        await readers.apply([reader("a"), reader("b", host="one"), reader("c")])
        await asyncio.sleep(1)
        bench.items.clear()
        await readers.apply([reader("a"), reader("b", host="two"), reader("d")])
        await asyncio.sleep(1)
        assert sorted(supervisor.reader for supervisor in readers) == ["a", "b", "d"]
        assert [(driver.context.reader, driver.left) for driver in bench.built] == [
            ("a", False), ("b", True), ("c", True), ("b", False), ("d", False),
        ]  # fmt: skip
        assert bench.story() == [("ReaderDown", "b"), ("ReaderUp", "b"), ("ReaderUp", "d")]
        (down,) = [item for item in bench.items if isinstance(item, ReaderDown)]
        assert down.reason == "its configuration has changed"


async def test_readers_that_are_held_back_are_so_over_a_change(bench):
    async with fleet(bench) as readers:
        await readers.apply([reader("a")])
        await asyncio.sleep(1)
        readers.hold("the ledger is full")
        await readers.apply([reader("a"), reader("b")])
        await asyncio.sleep(1)
        assert [driver.is_paused for driver in bench.built] == [True, True]
        readers.hold("")
        assert [driver.is_paused for driver in bench.built] == [False, False]


async def test_an_unknown_reader_is_refused_with_the_names_that_are_known(bench):
    async with fleet(bench) as readers:
        with pytest.raises(Refused, match="has: none"):
            readers.get("x")
        await readers.apply([reader("b"), reader("a")])
        await asyncio.sleep(1)
        with pytest.raises(Refused, match="no reader 'x'; the configuration has: a, b"):
            readers.get("x")
        assert readers.get("a").reader == "a"
