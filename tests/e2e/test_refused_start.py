"""A start that is refused is said wherever somebody looks, and is made up for when its cause is gone."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket

import orjson
import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population, serials
from tests.e2e.site import BASE, config, events_of, movements
from tests.e2e.test_service import get
from tests.support.mosquitto import free_port
from tests.support.subscriber import Subscriber, until

TAGS = 5


@pytest.fixture
async def vault():
    async with LlrpEmulator(population(TAGS, rate=100), name="vault") as reader:
        yield reader


async def asked(port: int, path: str) -> tuple[int, bytes]:
    """Once somebody answers."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):
                return await get(port, path)
            await asyncio.sleep(0.1)


async def test_a_damaged_ledger_is_said_and_the_process_stays_up(make_daemon, vault, broker, tmp_path):
    settings = config(tmp_path / "gateway", broker.port, {"vault": vault})
    settings["http"] = {"port": free_port()}
    settings["web"] = {"port": free_port()}
    daemon = make_daemon(tmp_path / "gateway", settings)
    ledger = daemon.directory / "ledger.db"
    ledger.write_bytes(b"no database at all" * 1_000)
    with Subscriber(broker.port, BASE + "#") as seen:
        await daemon.start()
        status, body = await get(settings["http"]["port"], "/healthz")
        said = orjson.loads(body)
        assert (status, said["status"]) == (503, "failing")
        assert f"{ledger} is damaged" in said["reasons"][0]
        assert "rfid_gateway_start_refused 1.0" in (await get(settings["http"]["port"], "/metrics"))[1].decode()
        await seen.until(lambda s: s.last(BASE + "state/gateway") is not None)
        assert seen.last(BASE + "state/gateway")["status"] == "failing"
        await until(lambda: "the pages are served" in daemon.log, 60)
        status, page = await get(settings["web"]["port"], "/docks/any")
        assert status == 503
        assert "The gateway could not start" in page.decode()
        assert not vault.connected
        assert daemon.ended is None
        await daemon.kill()


async def test_a_wrong_configuration_is_said_by_what_is_right_in_it(make_daemon, vault, broker, tmp_path):
    settings = config(tmp_path / "gateway", broker.port, {"vault": vault})
    settings |= {"http": {"port": free_port()}, "web": {"port": free_port()}}
    daemon = make_daemon(tmp_path / "gateway", settings)
    right = "".join(f"{section}: {orjson.dumps(content).decode()}\n" for section, content in settings.items())
    daemon.config_file.write_text(right + "floor:\n  window: [1,\n")
    with (
        Subscriber(broker.port, BASE + "state/gateway", client_id="watcher") as seen,
        Subscriber(broker.port, BASE + "events/#") as events,
    ):
        await daemon.start()
        status, body = await get(settings["http"]["port"], "/healthz")
        assert (status, orjson.loads(body)["status"]) == (503, "failing")
        assert f"the gateway cannot start: {daemon.config_file}:" in orjson.loads(body)["reasons"][0]
        await seen.until(lambda s: s.last(BASE + "state/gateway") is not None, 60)
        assert str(daemon.config_file) in seen.last(BASE + "state/gateway")["reason"]
        await until(lambda: "the pages are served" in daemon.log, 60)
        assert "The gateway could not start" in (await get(settings["web"]["port"], "/"))[1].decode()
        assert not vault.connected
        daemon.config_file.write_text(right)
        daemon.reload()
        await events.until(lambda s: len(movements(events_of(s))) >= TAGS, 60)
        await seen.until(lambda s: s.last(BASE + "state/gateway")["status"] == "online", 60)
        assert await daemon.stop() == 0, daemon.log[-4000:]


async def test_it_goes_on_by_itself_when_the_cause_is_gone(make_daemon, vault, broker, tmp_path):
    settings = config(tmp_path / "gateway", broker.port, {"vault": vault})
    settings["http"] = {"port": free_port()}
    daemon = make_daemon(tmp_path / "gateway", settings)
    journal = daemon.directory / "journal"
    journal.write_text("a file where the directory should be")
    with (
        Subscriber(broker.port, BASE + "state/gateway", client_id="watcher") as seen,
        Subscriber(broker.port, BASE + "events/#") as events,
    ):
        await daemon.start()
        assert (await get(settings["http"]["port"], "/healthz"))[0] == 503
        journal.unlink()
        await events.until(lambda s: len(movements(events_of(s))) >= TAGS, 60)
        await until(lambda: seen.last(BASE + "state/gateway")["status"] == "online", 60)
        assert (await get(settings["http"]["port"], "/healthz"))[0] == 200
        assert await daemon.stop() == 0, daemon.log[-4000:]


async def test_what_readers_hold_while_a_start_is_refused_is_not_lost(make_daemon, broker, tmp_path):
    async with LlrpEmulator(serials(rate=50), name="door", keep_reads=True) as door:
        settings = config(tmp_path / "gateway", broker.port, {"door": door}) | {"http": {"port": free_port()}}
        daemon = make_daemon(tmp_path / "gateway", settings)
        ledger = daemon.directory / "ledger.db"
        with Subscriber(broker.port, BASE + "events/#") as events:
            await daemon.start()
            await events.until(lambda s: len(movements(events_of(s))) >= 20, 60)
            assert await daemon.stop() == 0, daemon.log[-4000:]
            sound = ledger.read_bytes()
            ledger.write_bytes(b"no database at all" * 1_000)
            await daemon.start()
            assert (await get(settings["http"]["port"], "/healthz"))[0] == 503
            before = len(door.reads)
            await door.until(lambda: len(door.reads) > before + 50, 60)
            ledger.write_bytes(sound)
            daemon.reload()  # it need not wait for its next attempt
            await door.until(lambda: door.connected, 60)
            door.switch_off()
            made = {seen.epc.hex().upper() for seen in door.reads}
            await events.until(lambda s: {uid for _, uid in movements(events_of(s))} >= made, 60)
            assert await daemon.stop() == 0, daemon.log[-4000:]


async def test_another_gateway_on_the_same_ledger_ends_the_second_only(make_daemon, vault, broker, tmp_path):
    settings = config(tmp_path / "gateway", broker.port, {"vault": vault})
    first = make_daemon(tmp_path / "gateway", settings)
    await first.start()
    shutil.copy(first.config_file, tmp_path / "copy.yaml")
    second = make_daemon(tmp_path / "second", orjson.loads((tmp_path / "copy.yaml").read_bytes()))
    await second.start(ready=False)
    await until(lambda: second.ended == 1, 60, lambda: second.log[-2000:])
    assert "is in use by another process" in second.log
    assert await first.stop() == 0


async def test_a_ledger_that_is_gone_at_the_start_is_a_stated_loss(make_daemon, vault, broker, tmp_path):
    daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"vault": vault}))
    with Subscriber(broker.port, BASE + "events/#") as events:
        await daemon.start()
        await events.until(lambda s: len(movements(events_of(s))) >= TAGS, 60)
        await daemon.kill()
        for file in daemon.directory.glob("ledger.db*"):
            file.unlink()
        await daemon.start()
        await events.until(lambda s: any(e["data"].get("cause") == "journal-lost" for e in events_of(s)), 60)
        assert len({event["epoch"] for event in events_of(events)}) == 2
        assert await daemon.stop() == 0, daemon.log[-4000:]


async def test_a_missing_secret_and_a_port_that_is_taken_blind_nobody(make_daemon, vault, broker, tmp_path):
    secret = tmp_path / "password"
    settings = config(tmp_path / "gateway", broker.port, {"vault": vault}) | {"http": {"port": free_port()}}
    settings["mqtt"] |= {"username": "gw", "password_file": str(secret)}
    daemon = make_daemon(tmp_path / "gateway", settings)
    with Subscriber(broker.port, BASE + "events/#") as events:
        with socket.create_server(("127.0.0.1", settings["http"]["port"])):
            await daemon.start()
            await until(lambda: "no metrics: the address cannot be used" in daemon.log, 60)
        await vault.until(lambda: vault.connected, 60)
        await until(lambda: "no connection to the MQTT broker" in daemon.log, 60)
        status, body = await asked(settings["http"]["port"], "/healthz")
        assert status == 200
        (away,) = [reason for reason in orjson.loads(body)["reasons"] if "the broker is away" in reason]
        assert f"the password file {secret} cannot be read" in away
        secret.write_text("sesame\n")
        await events.until(lambda s: len(movements(events_of(s))) >= TAGS, 60)
        assert await daemon.stop() == 0, daemon.log[-4000:]
