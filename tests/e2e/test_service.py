"""The service as systemd and an operator see it: ready, healthy, reloaded, stopped, started again."""

from __future__ import annotations

import asyncio
import itertools
import time
import urllib.error
import urllib.request
from collections import Counter

import orjson
import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population
from tests.e2e.site import BASE, config, events_of, movements
from tests.support.mosquitto import Broker, free_port
from tests.support.subscriber import Subscriber, until

TAGS = 12
_NUMBERS = itertools.count()


async def get(port: int, path: str) -> tuple[int, bytes]:
    def fetch() -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    return await asyncio.to_thread(fetch)


@pytest.fixture
async def vault():
    async with LlrpEmulator(population(TAGS, rate=100), name="vault") as reader:
        yield reader


def everyone_is_there(subscriber: Subscriber) -> bool:
    return len(movements(events_of(subscriber))) >= TAGS


async def test_ready_healthy_and_stopped_in_order(make_daemon, vault, broker, tmp_path):
    settings = config(tmp_path / "gateway", broker.port, {"vault": vault})
    settings["http"] = {"port": free_port()}
    daemon = make_daemon(tmp_path / "gateway", settings)
    with (
        Subscriber(broker.port, BASE + "events/#") as subscriber,
        Subscriber(broker.port, BASE + "state/#", client_id="watcher") as states,
    ):
        await daemon.start()
        await subscriber.until(everyone_is_there, 60)
        status, body = await get(settings["http"]["port"], "/healthz")
        assert (status, orjson.loads(body)["status"]) == (200, "ok")
        _, metrics = await get(settings["http"]["port"], "/metrics")
        assert b'rfid_gateway_reader_up{reader="vault"} 1.0' in metrics
        assert f'rfid_gateway_zone_tags{{zone="vault-1"}} {TAGS}.0'.encode() in metrics
        await states.until(lambda s: s.last(BASE + "state/zone/vault-1") is not None)
        assert states.last(BASE + "state/gateway")["status"] == "online"
        assert await daemon.stop() == 0
        await states.until(lambda s: s.last(BASE + "state/gateway")["status"] == "offline")
        assert states.last(BASE + "state/gateway")["reason"] == "stopped"
    for line in daemon.log.splitlines():
        assert orjson.loads(line)["level"] in ("info", "debug"), f"an ordinary run complains: {line}"


async def test_an_orderly_restart_is_no_event(make_daemon, vault, broker, tmp_path):
    daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"vault": vault}))
    with Subscriber(broker.port, BASE + "events/#") as subscriber:
        await daemon.start()
        await subscriber.until(everyone_is_there, 60)
        for _ in range(2):
            assert await daemon.stop() == 0
            await daemon.start()
        await vault.until(lambda: vault.connected, 60)
        sent = vault.reader.counters.sent
        await vault.until(lambda: vault.reader.counters.sent > sent + 200, 60)
        assert await daemon.stop() == 0
        events = events_of(subscriber)
    assert [event["data"]["movement"] for event in events] == ["arrived"] * TAGS


async def test_a_reload_restarts_only_what_changed(make_daemon, vault, broker, tmp_path):
    async with LlrpEmulator(population(3, rate=50, prefix="1A4060300048D3D1"), name="door") as door:
        readers = {"vault": vault, "door": door}
        settings = config(tmp_path / "gateway", broker.port, readers)
        daemon = make_daemon(tmp_path / "gateway", settings)
        with Subscriber(broker.port, BASE + "#") as subscriber:
            await daemon.start()
            await subscriber.until(lambda s: len(movements(_events(s))) >= TAGS + 3, 60)

            settings["presense"] = {}
            daemon.configure(settings)
            daemon.reload()
            await until(lambda: "did you mean `presence`" in daemon.log, 60, lambda: daemon.log[-2000:])
            assert vault.connected
            assert door.connected

            del settings["presense"]
            settings["readers"][1]["report_every"] = 20  # the door's
            settings["presence"] = {"hysteresis": 4.0}
            daemon.configure(settings)
            daemon.reload()
            await until(lambda: "the configuration was reloaded" in daemon.log, 60, lambda: daemon.log[-2000:])
            await door.until(lambda: door.connected, 60)
            assert '"reader stopped","reader":"door"' in daemon.log
            assert '"reader stopped","reader":"vault"' not in daemon.log
            assert await daemon.stop() == 0
        assert len(movements(_events(subscriber))) == TAGS + 3, "a reload made something move"


async def retained(broker: Broker) -> set[str]:
    """The topics below ``state/`` of which the broker keeps a message: all that come before a message of now."""
    with Subscriber(broker.port, BASE + "#", client_id=f"looker-{next(_NUMBERS)}") as looker:
        looker.publish(BASE + "mark", b"{}")
        await looker.until(lambda s: s.on(BASE + "mark"))
        return {m.topic.removeprefix(BASE + "state/") for m in looker.messages if m.retain and m.payload}


async def until_retained(broker: Broker, there: set[str], gone: set[str]) -> None:
    """Until the broker keeps all of `there`, and nothing of `gone`."""
    deadline = time.monotonic() + 60
    while not (there <= (now := await retained(broker)) and not gone & now):
        assert time.monotonic() < deadline, f"retained: {sorted(now)}; wanted {sorted(there)} without {sorted(gone)}"
        await asyncio.sleep(0.1)


async def test_what_is_removed_while_the_broker_is_away_is_retained_no_more(make_daemon, vault, broker, tmp_path):
    async with LlrpEmulator(population(3, rate=50, prefix="1A4060300048D3D1"), name="door") as door:
        settings = config(tmp_path / "gateway", broker.port, {"vault": vault, "door": door})
        daemon = make_daemon(tmp_path / "gateway", settings)
        await daemon.start()
        stays = {"gateway", "reader/vault"}
        await until_retained(broker, stays | {"zone/vault-1", "zone/door-1", "reader/door"}, set())

        broker.stop()
        settings["zones"] = [zone for zone in settings["zones"] if zone["id"] != "door-1"]
        del settings["readers"][1]
        daemon.configure(settings)
        daemon.reload()
        await until(lambda: "the configuration was reloaded" in daemon.log, 60, lambda: daemon.log[-2000:])
        broker.start()
        await until_retained(broker, stays | {"zone/vault-1"}, {"zone/door-1", "reader/door"})

        assert await daemon.stop() == 0
        settings["zones"] = [{"id": "cage"}]
        settings["readers"][0]["antennas"] = [{"port": 1, "zone": "cage"}]
        daemon.configure(settings)
        await daemon.start()
        await until_retained(broker, stays | {"zone/cage"}, {"zone/vault-1", "zone/door-1", "reader/door"})
        assert await daemon.stop() == 0


async def test_a_reload_to_a_broker_that_is_away_goes_on_by_itself(make_daemon, vault, broker, tmp_path):
    settings = config(tmp_path / "gateway", broker.port, {"vault": vault})
    daemon = make_daemon(tmp_path / "gateway", settings)
    elsewhere = Broker(broker.program, tmp_path / "elsewhere", port=free_port())
    await daemon.start()
    await until_retained(broker, {"zone/vault-1"}, set())
    settings["mqtt"]["port"] = elsewhere.port  # where nobody listens yet
    daemon.configure(settings)
    daemon.reload()
    await until(lambda: "the configuration was reloaded" in daemon.log, 60, lambda: daemon.log[-2000:])
    assert vault.connected, "a reader that did not change goes on"
    elsewhere.start()
    try:
        with Subscriber(elsewhere.port, BASE + "#") as subscriber:
            await subscriber.until(lambda s: s.last(BASE + "state/gateway"), 60)
            await until_retained(elsewhere, {"gateway", "zone/vault-1", "reader/vault"}, set())
            assert await daemon.stop() == 0
    finally:
        elsewhere.stop()


async def test_other_settings_of_the_same_broker_end_nothing_and_repeat_nothing(make_daemon, vault, broker, tmp_path):
    settings = config(tmp_path / "gateway", broker.port, {"vault": vault})
    daemon = make_daemon(tmp_path / "gateway", settings)
    with (
        Subscriber(broker.port, BASE + "events/#") as subscriber,
        Subscriber(broker.port, BASE + "res/count", BASE + "state/gateway", client_id="watcher") as watcher,
    ):
        await daemon.start()
        await subscriber.until(everyone_is_there, 60)
        answers: list[bytes] = []
        for reloads in range(3):  # there, and back again
            watcher.publish(BASE + "cmd/count", {"zone": "vault-1", "duration": 1, "request": "stocktake-7"})
            await watcher.until(lambda s, reloads=reloads: len(s.on(BASE + "res/count")) > reloads, 60)
            answers.append(watcher.on(BASE + "res/count")[-1].payload)
            settings["mqtt"]["keepalive"] = 17 + reloads % 2
            daemon.configure(settings)
            daemon.reload()
            await until(lambda n=reloads: daemon.log.count("was reloaded") > n, 60, lambda: daemon.log[-2000:])
            await watcher.until(
                lambda s, n=reloads: daemon.log.count("connected to the MQTT broker") > n + 1
                and s.last(BASE + "state/gateway")["status"] == "online",
                60,
            )  # fmt: skip
        assert len(set(answers)) == 1, "the same request was carried out again"
        await subscriber.until(lambda s: s.on(BASE + "events/count/vault-1"), 60)
        assert await daemon.stop() == 0
        events = events_of(subscriber)
    assert "is older than what was published" not in daemon.log
    assert len({event["epoch"] for event in events}) == 1
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert Counter(event["type"] for event in events)["rfid.count.v1"] == 1


async def test_a_count_on_command_is_answered_and_published(make_daemon, vault, broker, tmp_path):
    daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"vault": vault}))
    with Subscriber(broker.port, BASE + "events/#", "answers") as subscriber:
        await daemon.start()
        await subscriber.until(lambda s: len(s.messages) >= TAGS, 60)
        command = {"zone": "vault-1", "duration": 1, "request": "stocktake-7"}
        subscriber.publish(BASE + "cmd/count", command, ResponseTopic="answers", CorrelationData=b"7")
        await subscriber.until(lambda s: s.on("answers"), 60)
        answer = subscriber.on("answers")[0]
        assert answer.properties.CorrelationData == b"7"
        assert orjson.loads(answer.payload)["status"] == "ok"
        await subscriber.until(lambda s: s.on(BASE + "events/count/vault-1"), 60)
        count = subscriber.last(BASE + "events/count/vault-1")
        assert count["data"]["population"] == TAGS
        subscriber.publish(BASE + "cmd/count", {"zone": "vualt-1"}, ResponseTopic="answers")
        await subscriber.until(lambda s: len(s.on("answers")) == 2, 60)
        assert orjson.loads(subscriber.on("answers")[1].payload)["status"] == "refused"

        await daemon.kill()  # a broker that lacks the acknowledgement, and a backend that lacks the answer, ask again
        for number in (3, 4):
            await daemon.start()
            subscriber.publish(BASE + "cmd/count", command, ResponseTopic="answers")
            await subscriber.until(lambda s, n=number: len(s.on("answers")) >= n, 60)
            await subscriber.until(lambda s: s.last("answers") == orjson.loads(answer.payload), 60)
            assert await daemon.stop() == 0
        assert len({count.payload for count in subscriber.on(BASE + "events/count/vault-1")}) == 1


def _events(subscriber: Subscriber) -> list:
    return [orjson.loads(message.payload) for message in list(subscriber.messages) if "/events/" in message.topic]
