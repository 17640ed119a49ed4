"""The shell of a gateway without hardware: real ledger and journal, drivers and an MQTT service that are not there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import structlog

from drivers.api import Batch, DriverContext, DriverError, DriverFactory, DriverSettings, ReaderUp
from gateway.clock import SECOND
from gateway.config import Config
from gateway.mqtt.retained import Board
from gateway.mqtt.stats import MqttStats
from gateway.readers import fleet
from gateway.service.event_clock import EventClock
from gateway.service.pipeline import Pipeline
from gateway.service.storage import Storage

T0 = 1_700_000_000 * SECOND


class Settings(DriverSettings):
    """`refused` makes the driver one that cannot be built."""

    refused: bool = False


class FakeDriver:
    """A reader that is up at once and says what the test lets it say. It leaves once it is `let_go`."""

    def __init__(self, context: DriverContext, settings: Settings) -> None:
        if settings.refused:
            raise DriverError("no such port")
        self.context = context
        self.paused = False
        self.outputs: dict[int, bool] = {}
        self.cut: asyncio.Future[NoReturn] | None = None
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def run(self) -> NoReturn:
        """Up until `cut` says otherwise."""
        self.cut = asyncio.get_running_loop().create_future()
        self.context.sink(ReaderUp(self.context.reader, self.context.now()))
        try:
            await self.cut
        finally:
            await self.let_go.wait()
        raise AssertionError("unreachable: the future has an exception")

    async def set_output(self, port: int, state: bool) -> None:
        """Remembers the level."""
        self.outputs[port] = state

    def pause(self) -> None:
        """Held back."""
        self.paused = True

    def resume(self) -> None:
        """Goes on."""
        self.paused = False

    def reads(self, epc: str, antenna: int = 1) -> None:
        """One read, now."""
        now = self.context.now()
        self.context.sink(Batch(self.context.reader, now, [(bytes.fromhex(epc), antenna, -60, 0, now, 1)]))


class FakeDrivers:
    """Every driver of the configuration; `built` holds those that were built, by reader, newest last."""

    def __init__(self, monkeypatch: Any) -> None:
        self.built: dict[str, list[FakeDriver]] = {}
        monkeypatch.setattr(fleet, "factory", lambda name: DriverFactory(Settings, self._build))
        monkeypatch.setattr(fleet, "settings_for", lambda config: Settings(**config.driver_keys()))

    def __getitem__(self, reader: str) -> FakeDriver:
        return self.built[reader][-1]

    def _build(self, context: DriverContext, settings: Settings) -> FakeDriver:
        driver = FakeDriver(context, settings)
        self.built.setdefault(context.reader, []).append(driver)
        return driver


class FakeMqtt:
    """An MQTT service whose board nobody reads. `refused` makes one that cannot be set up."""

    def __init__(self, config: Config) -> None:
        if config.mqtt.host == "refused":
            raise ValueError("no such broker")
        self.config = config
        self.told = config
        self.stats = MqttStats(connected=True)
        self.board = Board("base/", 1.0, structlog.get_logger(), self.stats)
        self.running, self.connected = False, True
        self.worried: list[str] = []

    def configured(self, config: Config) -> None:
        """What the retained state of the gateway would say."""
        self.told = config

    def fares(self, status: str, reasons: list[str]) -> None:
        """How the gateway is: told to nobody."""

    def worries(self) -> list[str]:
        """What the broker does not take."""
        return self.worried

    def wake(self) -> None:
        """There are events: nobody sends them."""

    async def drain(self, timeout: float) -> bool:
        """Everything is said to be with the broker."""
        return True

    async def run(self) -> NoReturn:
        """Until cancelled."""
        self.running = True
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.running = False
        raise AssertionError("unreachable")

    def retained(self) -> dict[str, bytes]:
        """What the broker would be told, an empty payload where it is to forget."""
        return dict(self.board._payloads)


def config(directory: Path, **changes: Any) -> Config:
    """A vault and a dock, a reader for each."""
    content: dict[str, Any] = {
        "site": "site",
        "gateway": "gw",
        "zones": [{"id": "vault"}, {"id": "dock"}],
        "readers": [
            {"id": "r1", "driver": "fake", "antennas": [{"port": 1, "zone": "vault"}]},
            {"id": "r2", "driver": "fake", "antennas": [{"port": 1, "zone": "dock"}]},
        ],
        "ledger": {"file": str(directory / "ledger.db")},
        "journal": {"directory": str(directory / "journal"), "max_bytes": 1 << 20},
    }
    return Config.model_validate_json(Config.model_validate_json(_json(content | changes)).model_dump_json())


def _json(content: Any) -> bytes:
    import orjson

    return orjson.dumps(content)


class Clock(EventClock):
    """Event time as the test sets it."""

    def __init__(self) -> None:
        self.t = T0
        super().__init__(lambda: self.t, lambda: self.t, lambda: self.t)

    def pass_(self, seconds: float) -> None:
        """So much later."""
        self.t += round(seconds * SECOND)


@contextlib.asynccontextmanager
async def storage(config: Config, clock: Clock, log: Any) -> AsyncIterator[tuple[Storage, Pipeline]]:
    """Ledger, journal and the pipeline on them, closed at the end."""
    kept = Storage(config, lambda sequence: None, lambda why: None, clock, log)
    try:
        yield kept, await kept.open()
    finally:
        await kept.close()
