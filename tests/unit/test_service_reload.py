"""A reload is applied whole or not at all, and the gateway goes on either way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import structlog

from drivers.api import AntennaStatus, ReaderDown, ReaderUp
from gateway.config import LogConfig
from gateway.errors import ConfigError, LedgerError
from gateway.readers.fleet import Readers
from gateway.service import reload as module
from gateway.service.outputs import Lights
from gateway.service.publishing import Publishing
from gateway.service.reload import Reload, compare
from tests.support.service_scene import Clock, FakeDrivers, FakeMqtt, config, storage

TAG = "1A4060300048D3D000000001"


class Site(SimpleNamespace):
    """The parts that a reload changes, running; `wanted` is what the file says."""

    async def reload(self, **changes: Any) -> bool:
        """Reads a file with these changes; whether they are in force."""
        self.wanted = config(self.directory, **changes)
        return bool(await self.reloading.attempt())

    def said(self, level: str) -> str:
        return "\n".join(str(call) for call in self.log.calls if call.method_name == level)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    log = structlog.testing.CapturingLogger()
    log_of = log
    log.bind = lambda **fields: log_of  # type: ignore[attr-defined]
    drivers, clock = FakeDrivers(monkeypatch), Clock()
    present = config(tmp_path)
    async with storage(present, clock, log) as (kept, pipeline):
        group = asyncio.TaskGroup()
        async with group:
            readers = Readers(group, pipeline.hear, clock.steady, log)
            it = Site(directory=tmp_path, config=present, log=log, drivers=drivers, clock=clock, ledger=kept.ledger)
            it.pipeline, it.readers = pipeline, readers
            it.logs = SimpleNamespace(configured=present.log)
            it.logs.configure = lambda log_config: setattr(it.logs, "configured", log_config)
            it.lights = Lights(lambda: pipeline.floor.gate, readers, log)
            commands = SimpleNamespace(alarms=SimpleNamespace(known=False, open=[]))
            it.publishing = Publishing(group, lambda: it.config, FakeMqtt, kept, readers, commands)
            it.publishing.start()
            notifier = SimpleNamespace(reloading=lambda: None, ready=lambda status: None)
            it.reloading = Reload(it, tmp_path / "gateway.yaml", log, notifier, lambda: "")
            monkeypatch.setattr(module, "load", lambda path: it.read())
            it.read = lambda: it.wanted
            await readers.apply(present.readers)
            it.publishing.configured()
            yield it
            await readers.stop()
            await it.publishing.stop()


async def test_what_changed_is_in_force_and_what_did_not_goes_on(site: Site) -> None:
    await asyncio.sleep(0)
    assert await site.reload(
        presence={"hysteresis": 4.0},
        log={"level": "debug", "format": "console"},
        readers=[
            {"id": "r1", "driver": "fake", "antennas": [{"port": 1, "zone": "vault"}]},
            {"id": "r2", "driver": "fake", "antennas": [{"port": 2, "zone": "dock"}]},
        ],
    )
    assert (len(site.drivers.built["r1"]), len(site.drivers.built["r2"])) == (1, 2)
    assert site.logs.configured == LogConfig(level="debug", format="console")
    assert site.config.presence.hysteresis == 4.0
    assert site.publishing.mqtt.told == site.config
    assert "the configuration was reloaded" in site.said("info")


async def test_tags_are_where_they_were_after_a_reload_of_the_floor(site: Site) -> None:
    for _ in range(40):
        await asyncio.sleep(0)
        site.drivers["r1"].reads(TAG)
        site.clock.pass_(0.25)
        site.pipeline.tick()
    assert site.pipeline.floor.zone_state("vault")["population"] == 1
    assert await site.reload(presence={"dwell": 3.0})
    assert site.pipeline.floor.zone_state("vault")["population"] == 1
    for _ in range(20):
        site.drivers["r1"].reads(TAG)
        site.clock.pass_(0.25)
        site.pipeline.tick()
    await site.ledger.flush()
    events = [orjson.loads(event.payload)["data"] for event in await site.ledger.read(0, 100, 1 << 20)]
    assert [data["movement"] for data in events] == ["arrived"]


Fault = Callable[[Site, pytest.MonkeyPatch], None]


def wrong_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "read", lambda: _raise(ConfigError(["gateway.yaml:3: no"])))


def no_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "read", lambda: _raise(RuntimeError("whatever nobody has thought of")))


def no_successor(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.pipeline.floor, "successor", lambda config: _raise(LedgerError("not to be understood")))


def no_broker(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.fault = {"mqtt": {"host": "refused"}}


def no_driver(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = {"id": "r2", "driver": "fake", "refused": True, "antennas": [{"port": 1, "zone": "dock"}]}
    site.fault = {"readers": [reader]}


def _raise(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize("fault", [wrong_file, no_file, no_successor, no_broker, no_driver])
async def test_whatever_fails_the_present_configuration_goes_on_and_says_why(
    site: Site, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    before, topics = site.config, set(site.publishing.mqtt.retained())
    site.fault = {}
    fault(site, monkeypatch)
    changes: dict[str, Any] = {
        "zones": [{"id": "vault"}, {"id": "dock"}, {"id": "cage"}],
        "log": {"level": "error"},
        "mqtt": {"host": "elsewhere"},
    }
    assert not await site.reload(**changes | site.fault)
    assert site.config == before
    assert site.logs.configured == before.log
    assert site.publishing.mqtt.config.mqtt == before.mqtt
    assert {supervisor.reader for supervisor in site.readers} == {"r1", "r2"}
    assert len(site.drivers.built["r1"]) == 1, "a reader that did not change goes on"
    assert "the configuration was not reloaded; the present one stays" in site.said("error")
    site.publishing.configured()
    assert set(site.publishing.mqtt.retained()) == topics
    assert site.pipeline._config == before
    # and it can still be reloaded
    monkeypatch.undo()
    monkeypatch.setattr(module, "load", lambda path: site.wanted)
    FakeDrivers.__init__(site.drivers, monkeypatch)
    assert await site.reload(zones=changes["zones"])
    assert site.pipeline.floor.zone_state("cage")["population"] == 0


async def test_a_full_disk_does_not_end_the_gateway(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is handed over in memory; checkpoints wait for the disk like every other."""
    store = site.ledger._writer._store
    monkeypatch.setattr(store, "write", lambda *group: _raise(OSError(28, "No space left on device")))
    assert await site.reload(presence={"dwell": 3.0}, zones=[{"id": "vault"}, {"id": "dock"}, {"id": "cage"}])
    with pytest.raises(LedgerError):
        await site.ledger.flush()
    assert site.pipeline.floor.zone_state("cage")["population"] == 0
    for _ in range(40):
        await asyncio.sleep(0)
        site.drivers["r1"].reads(TAG)
        site.clock.pass_(0.25)
        site.pipeline.tick()
    monkeypatch.undo()
    assert "the ledger cannot be written" in site.said("error")
    async with asyncio.timeout(60):
        while "the ledger is written again" not in site.said("info"):
            with contextlib.suppress(LedgerError):  # of an attempt that was under way
                await site.ledger.flush()
            await asyncio.sleep(0.01)


async def test_what_is_gone_is_not_retained(site: Site) -> None:
    assert site.publishing.mqtt.retained().keys() >= {"state/zone/dock", "state/reader/r2"}
    gone = {"zones": [{"id": "vault"}], "readers": [site.config.readers[0].model_dump(mode="json")]}
    assert await site.reload(**gone)
    retained = site.publishing.mqtt.retained()
    assert (retained["state/zone/dock"], retained["state/reader/r2"]) == (b"", b"")
    assert retained["state/zone/vault"]
    assert set(site.pipeline.retained.names) == set(retained) - {"state/gateway", "state/ledger"}


async def test_another_broker_is_told_everything(site: Site) -> None:
    old = site.publishing.mqtt
    await asyncio.sleep(0)
    assert await site.reload(mqtt={"host": "elsewhere"})
    await asyncio.sleep(0)
    assert (old.running, site.publishing.mqtt.running) == (False, True)
    assert site.publishing.mqtt.retained().keys() >= {"state/zone/vault", "state/zone/dock"}


async def test_it_reloads_as_often_as_it_is_asked_and_never_ends(site: Site) -> None:
    running = asyncio.create_task(site.reloading.run())
    site.wanted = site.config
    for _ in range(3):
        site.reloading.ask()
        async with asyncio.timeout(5):
            while site.reloading.wanted.is_set():  # noqa: ASYNC110 - nothing else tells that it was taken
                await asyncio.sleep(0.001)
    assert not running.done()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def test_sections_that_need_a_restart_stay_as_they_are(tmp_path: Path) -> None:
    present = config(tmp_path)
    wanted = config(tmp_path, http={"port": 1}, presence={"dwell": 3.0})
    change = compare(present, wanted)
    assert (change.needs_restart, change.sections, change.floor, change.mqtt) == (["http"], ["presence"], True, False)
    assert change.config.http == present.http


def test_the_whole_digest_changes_with_everything_and_that_of_the_floor_with_the_floor(tmp_path: Path) -> None:
    present = config(tmp_path)
    broker = config(tmp_path, mqtt={"host": "elsewhere"})
    floor = config(tmp_path, presence={"dwell": 3.0})
    assert (present.digest() == broker.digest(), present.whole_digest() == broker.whole_digest()) == (True, False)
    assert (present.digest() == floor.digest(), present.whole_digest() == floor.whole_digest()) == (False, False)


async def test_what_a_removed_reader_said_last_disturbs_nobody(site: Site) -> None:
    """A reader that is stopped by a reload says that it is down to a floor that does not know it any more, and what it
    said before is still waiting for its time."""
    await asyncio.sleep(0)
    for _ in range(8):
        site.drivers["r2"].reads(TAG)
        site.clock.pass_(0.25)
        site.pipeline.tick()
    last = site.drivers["r2"]
    now = site.clock.now()
    last.context.sink(AntennaStatus("r2", now, 1, False, "unplugged"))
    last.reads(TAG)
    assert await site.reload(zones=[{"id": "vault"}], readers=[site.config.readers[0].model_dump(mode="json")])
    for item in (ReaderUp("r2", now), AntennaStatus("r2", now, 1, True, ""), ReaderDown("r2", now, "stopped")):
        last.context.sink(item)
    last.reads(TAG)
    for _ in range(40):
        site.clock.pass_(0.25)
        site.pipeline.tick()
    assert site.pipeline.floor.zone_state("vault")["population"] == 0


ONE_READER: dict[str, Any] = {
    "zones": [{"id": "vault"}],
    "readers": [{"id": "r1", "driver": "fake", "antennas": [{"port": 1, "zone": "vault"}]}],
}
TWO_READERS: dict[str, Any] = {
    "readers": [
        {"id": "r1", "driver": "fake", "antennas": [{"port": 1, "zone": "vault"}]},
        {"id": "r3", "driver": "fake", "antennas": [{"port": 1, "zone": "dock"}]},
    ],
}


@pytest.mark.parametrize("changes", [ONE_READER, TWO_READERS, TWO_READERS | {"mqtt": {"host": "elsewhere"}}])
async def test_while_a_reader_takes_its_time_to_leave_states_are_those_of_the_new_configuration(
    site: Site, changes: dict[str, Any]
) -> None:
    await asyncio.sleep(0)
    leaving = site.drivers["r2"]
    leaving.let_go.clear()
    reloading = asyncio.create_task(site.reload(**changes))
    async with asyncio.timeout(60):
        while [reader.id for reader in site.config.readers] == ["r1", "r2"]:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.001)
    site.publishing.configured()
    known = [reader.id for reader in site.config.readers]
    assert [site.readers.get(reader).reader for reader in known] == known
    assert [supervisor.reader for supervisor in site.readers] == known
    leaving.let_go.set()
    assert await reloading
    site.publishing.configured()


async def test_a_gateway_that_stops_waits_for_the_reload_and_begins_none(site: Site) -> None:
    await asyncio.sleep(0)
    leaving = site.drivers["r2"]
    leaving.let_go.clear()
    reloading = asyncio.create_task(site.reload(**TWO_READERS))
    async with asyncio.timeout(60):
        while site.config.readers[1].id == "r2":  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.001)
    closing = asyncio.create_task(site.reloading.close())
    await asyncio.sleep(0)
    assert not closing.done()
    leaving.let_go.set()
    assert await reloading
    await asyncio.wait_for(closing, 60)
    assert not await site.reload(**ONE_READER)
    assert [reader.id for reader in site.config.readers] == ["r1", "r3"]
    await site.readers.stop()
    assert {supervisor.connection for supervisor in site.readers} == {"stopped"}


async def test_a_wrong_file_while_the_start_is_refused_is_said(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load", lambda path, starting: _raise(ConfigError(["gateway.yaml:3: no"])))
    site.reloading.ask()
    assert await site.reloading.at_start(site.config) is site.config
    assert "gateway.yaml:3: no" in site.said("error")
