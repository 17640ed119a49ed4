"""The whole gateway in one process: the clock is the test's, readers and broker are not there, the rest is real."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

import gateway.app as module
from drivers.api import AntennaStatus
from gateway.app import App
from gateway.config import Config, LogConfig
from gateway.errors import InUse, LedgerError
from gateway.events.envelope import Fact
from gateway.floor import Floor
from gateway.service import grounded
from gateway.service.alarms import of_nothing
from gateway.service.storage import Storage
from tests.support.ledgers import until
from tests.support.mosquitto import free_port
from tests.support.service_scene import Clock, FakeDrivers, FakeMqtt, config

TAG = "1A4060300048D3D000000001"
BAD = "1A4060300048D3D0BAD0BAD0"


class Logs:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.logger: Any = structlog.testing.CapturingLogger()
        self.logger.bind = lambda **fields: self.logger
        self.configured: LogConfig | None = None
        self.dropped = 0

    def configure(self, config: LogConfig) -> None:
        """Notes it."""
        self.configured = config

    def said(self, level: str) -> str:
        return "\n".join(str(call) for call in self.logger.calls if call.method_name == level)


class Site:
    """What one gateway after another runs on: a folder, a clock, and readers."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.logs = Logs()
        self.drivers = FakeDrivers(monkeypatch)
        self.clock = Clock()
        self.mqtt: list[FakeMqtt] = []
        monkeypatch.setattr(module, "EventClock", lambda: self.clock)
        monkeypatch.setattr(module, "mqtt_service", self._mqtt)

    def _mqtt(self, config: Config, **parts: Any) -> FakeMqtt:
        self.mqtt.append(FakeMqtt(config))
        return self.mqtt[-1]

    def config(self, **changes: Any) -> Config:
        """Ticks come as fast as they can: it is the clock that says what time it is."""
        return config(self.folder, floor={"tick": 0.02}, http={"port": free_port()}, **changes)

    def app(self, **changes: Any) -> App:
        return App(self.config(**changes), self.logs, self.folder / "gateway.yaml")  # type: ignore[arg-type]

    @contextlib.asynccontextmanager
    async def running(self, app: App) -> AsyncIterator[App]:
        """From ready to stopped in order."""
        task = asyncio.create_task(app.run())
        ready = asyncio.create_task(app.ready.wait())
        await asyncio.wait([task, ready], timeout=60, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        assert not task.done(), task.exception()
        try:
            yield app
        finally:
            app.stop("the test is over")
            async with asyncio.timeout(60):
                await task

    async def steps(self, app: App, number: int) -> None:
        """So many quarters of a second, in each of which the first reader reads the tag."""
        for _ in range(number):
            self.drivers["r1"].reads(TAG)
            self.clock.pass_(0.25)
            app.pipeline.tick()
            await asyncio.sleep(0)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


async def moves(app: App) -> list[str]:
    """The movements on disk."""
    await app.ledger.flush()
    found = [orjson.loads(event.payload)["data"] for event in await app.ledger.read(0, 100, 1 << 20)]
    return [event["movement"] for event in found if "movement" in event]


@pytest.mark.slow
async def test_from_the_first_read_to_an_orderly_stop_and_on(site: Site) -> None:
    async with site.running(site.app()) as app:
        await until(lambda: len(site.drivers.built) == 2, 60)
        await site.steps(app, 40)
        assert await moves(app) == ["arrived"]
        await until(lambda: b'"population":1' in site.mqtt[0].retained().get("state/zone/vault", b""), 60)
        assert site.mqtt[0].running
        first = site.drivers["r1"]
    assert not site.mqtt[0].running
    assert first.cut is None or first.cut.cancelled() or first.cut.done(), "the reader is let go"
    site.clock.pass_(5)
    async with site.running(site.app()) as app:
        assert site.drivers["r1"] is not first
        await site.steps(app, 40)
        assert await moves(app) == ["arrived"], "a restart moves nothing"
    assert site.logs.said("error") == ""


@pytest.mark.slow
async def test_an_alarm_about_what_is_configured_no_more_ends(site: Site) -> None:
    async with site.running(site.app()) as app:
        await until(lambda: len(site.drivers.built) == 2, 60)
        site.drivers["r2"].context.sink(AntennaStatus("r2", site.clock.now(), 1, False, "unplugged"))
        await site.steps(app, 12)
        await until(lambda: [alarm.subject for alarm in app.alarms.open] == ["r2/1"], 60)
        present = app.config
    first = present.readers[0].model_dump(mode="json")
    async with site.running(site.app(readers=[first])) as app:
        await until(lambda: app.alarms.known and app.alarms.number == 0, 60)
        await app.ledger.flush()
        found = [orjson.loads(event.payload)["data"] for event in await app.ledger.read(0, 100, 1 << 20)]
        said = [(data["alarm"], data["state"], data["reason"]) for data in found if "alarm" in data]
        assert said == [
            ("antenna-down", "raised", "unplugged"),
            ("antenna-down", "cleared", "it is configured no more"),
        ]


@pytest.mark.parametrize(
    ("kind", "about", "gone"),
    [
        ("reader-down", "r1", False),
        ("reader-down", "r9", True),
        ("antenna-down", "r1/1", False),
        ("antenna-silent", "r1/2", True),
        ("photo-eye-stuck", "r1/door/3", True),
        ("watch-list", "recalled/dock/1A40", True),
        ("no-session", "dock-9", False),
    ],
)
def test_what_an_alarm_may_be_about(site: Site, kind: str, about: str, gone: bool) -> None:
    assert of_nothing(kind, about, site.config()) is gone


async def test_a_refused_start_is_said_and_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, tries = Storage.open, []

    async def refused_once(storage: Storage) -> Any:
        tries.append(storage)
        if len(tries) == 1:
            raise LedgerError("the ledger is damaged: move it away")
        return await opened(storage)

    monkeypatch.setattr(Storage, "open", refused_once)
    monkeypatch.setattr(grounded, "FIRST_RETRY", 0.01)
    async with site.running(site.app()):
        assert len(tries) == 2
        assert "the ledger is damaged: move it away" in site.logs.said("error")


async def test_a_refused_start_can_be_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(storage: Storage) -> Any:
        raise LedgerError("no room")

    monkeypatch.setattr(Storage, "open", refused)
    app = site.app()
    running = asyncio.create_task(app.run())
    await until(lambda: "no room" in site.logs.said("error"), 60)
    assert site.drivers.built == {}, "readers go on holding what they read"
    app.stop("somebody wants it")
    async with asyncio.timeout(60):
        await running


async def test_a_second_gateway_on_the_same_files_gives_way(site: Site) -> None:
    async with site.running(site.app()) as app:
        with pytest.raises(InUse):
            await site.app().run()
        await site.steps(app, 40)
        assert await moves(app) == ["arrived"], "the first one goes on"


async def test_what_nobody_foresaw_ends_the_process_and_loses_nothing(site: Site) -> None:
    def fault() -> None:
        raise RuntimeError("a fault in a tick")

    app = site.app()
    running = asyncio.create_task(app.run())
    await until(app.ready.is_set, 60)
    await until(lambda: len(site.drivers.built) == 2, 60)
    await site.steps(app, 40)
    app.checkpoints.look = fault  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup) as failure:
        async with asyncio.timeout(60):
            await running
    assert "a fault in a tick" in str(failure.value.exceptions)
    await app.vitals.stop()  # its port would go with the process
    site.clock.pass_(5)
    async with site.running(site.app()) as again:
        await site.steps(again, 40)
        assert await moves(again) == ["arrived"], "said once, and not lost"


async def test_a_reload_is_taken_while_it_runs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.service import reload

    async with site.running(site.app()) as app:
        wanted = site.config(zones=[{"id": "vault"}, {"id": "dock"}, {"id": "cage"}]).model_copy(
            update={"http": app.config.http}
        )
        monkeypatch.setattr(reload, "load", lambda path: wanted)
        app.reload()
        await until(lambda: app.config is not None and len(app.config.zones) == 3, 60)
        await until(lambda: "state/zone/cage" in site.mqtt[0].retained(), 60)


@pytest.mark.slow
async def test_a_fault_in_the_floor_ends_the_run_and_no_start_after_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reads that led to it are in the journal, which the next start is given: it finds them, and the one after
    that goes on without them."""
    monkeypatch.setattr(grounded, "FIRST_RETRY", 0.05)
    fall_due = Floor._fall_due

    def faulty(floor: Floor, end: int, facts: list[Fact]) -> None:
        fall_due(floor, end, facts)
        if BAD in floor.inside(["vault"]):
            raise ZeroDivisionError("a fault in the judgement")

    monkeypatch.setattr(Floor, "_fall_due", faulty)
    app = site.app()
    running = asyncio.create_task(app.run())
    await until(app.ready.is_set, 60)
    await until(lambda: len(site.drivers.built) == 2, 60)
    site.drivers["r1"].reads(BAD)
    site.clock.pass_(10)
    with pytest.raises(ExceptionGroup, match="unhandled"):
        await asyncio.wait_for(running, 60)
    await app.vitals.stop()  # which the end of a process does
    async with site.running(site.app()) as app:
        await site.steps(app, 40)
        assert await moves(app) == ["arrived"], "of the tag that meets no fault"
        _, health = app.vitals.health.report()
        assert [reason for reason in health["reasons"] if "1 inputs could not be judged" in reason]
    assert "inputs that could not be judged are left out" in site.logs.said("error")
