"""Brokers as they really behave: what they have not, what they refuse, what they drop, what they close at."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from gateway.mqtt import wire
from gateway.mqtt.parts import PART
from tests.conftest import MakeBroker
from tests.support.claims import some
from tests.support.memory_ledger import MemoryLedger
from tests.support.mqtt_service import BASE, service
from tests.support.odd_broker import CLOSE, CLOSE_TOO_LARGE, odd_broker
from tests.support.subscriber import Subscriber, until

pytestmark = pytest.mark.usefixtures("impatient_link")

EVENTS = BASE + "events/movement/vault"
VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])


def numbers(payloads: list[bytes]) -> list[int]:
    return [orjson.loads(payload)["sequence"] for payload in payloads]


def number_of(payload: bytes) -> int:
    number: int = orjson.loads(payload)["sequence"]
    return number


def joined(payloads: list[bytes]) -> list[bytes]:
    """The events, each once, in the order of their last pieces: as a consumer has them that joins parts."""
    whole: dict[str, bytes] = {}
    texts: dict[tuple[str, int], dict[int, str]] = {}
    for payload in payloads:
        event = orjson.loads(payload)
        if event.get("type") == PART:
            of = texts.setdefault((event["data"]["of"], event["data"]["parts"]), {})
            of[event["data"]["part"]] = event["data"]["text"]
            if len(of) < event["data"]["parts"]:
                continue
            payload = "".join(of[number] for number in sorted(of)).encode()
        whole.setdefault(str(orjson.loads(payload)["sequence"]), payload)
    return list(whole.values())


@pytest.mark.parametrize(
    ("version", "answer"), [("5", CLOSE), ("3.1.1", CLOSE), ("5", 0x95), ("5", CLOSE_TOO_LARGE)], ids=str
)
async def test_a_large_event_goes_in_parts_whichever_way_the_broker_says_no(version: str, answer: int) -> None:
    """AWS IoT Core and others say nothing of their limit: it is found, and costs the next large event no connection."""
    ledger = MemoryLedger()
    ledger.add(20)
    ledger.add(1, size=5000)
    ledger.add(20)

    def puback(topic: str, payload: bytes) -> int:
        return answer if len(payload) > 2000 else 0

    async with odd_broker(puback=puback) as broker, service(broker.port, ledger, version=version) as mqtt:
        assert await mqtt.drain(60)
        connections = broker.connections
        assert answer != 0x95 or connections == 1
        ledger.add(1, size=9000)
        mqtt.wake()
        assert await mqtt.drain(60)
        assert broker.connections == connections
    assert sorted(joined(broker.on("events/")), key=number_of) == [event.payload for event in ledger.events]
    assert not ledger.refusals


@pytest.mark.parametrize("announced", [True, False])
async def test_a_broker_that_takes_next_to_nothing_is_named_and_gets_everything_once_its_limit_is_raised(
    announced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mqtt.second_tries.FIRST_PAUSE", 0.2)
    ledger = MemoryLedger()
    ledger.add(5)
    ledger.add(1, size=5000)
    ledger.add(5, topic="events/alarm/vault", size=90)
    limit = [300]

    def puback(topic: str, payload: bytes) -> int:
        return 0x95 if "events/" in topic and len(payload) > limit[0] - 150 else 0

    small = b"\x27" + limit[0].to_bytes(4, "big") if announced else b""
    async with odd_broker(puback=puback, connack=small) as broker, service(broker.port, ledger) as mqtt:
        assert await mqtt.drain(60)
        assert sorted(ledger.refusals) == [1, 2, 3, 4, 5, 6]
        assert not any(some(ledger.final.values()))
        assert any("200 bytes do not fit" in worry for worry in mqtt.worries())
        limit[0], broker.connack = 1 << 20, b""
        assert broker.writer is not None
        broker.writer.close()
        await until(lambda: not ledger.refusals and not mqtt.worries())
    assert sorted(joined(broker.on("events/")), key=number_of) == [event.payload for event in ledger.events]


@VERSIONS
async def test_a_broker_that_closes_at_an_event_however_it_comes_gets_all_the_others(version: str) -> None:
    ledger = MemoryLedger()
    ledger.add(20)
    ledger.add(1, size=5000, topic="events/alarm/vault")
    ledger.add(20)

    def puback(topic: str, payload: bytes) -> int:
        return CLOSE if "/alarm/" in topic else 0

    async with odd_broker(puback=puback) as broker, service(broker.port, ledger, version=version) as mqtt:
        assert await mqtt.drain(60)
    got = list(dict.fromkeys(numbers(broker.on("events/"))))  # the last one before it came twice, to prove it guilty
    assert got == [number for number in range(1, 42) if number != 21]
    assert "at this event of 5000 bytes" in ledger.refusals[21]


@VERSIONS
async def test_a_topic_at_which_connections_end_until_somebody_mends_it_keeps_only_what_was_tried(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS IoT Core ends the connection at what its access rules forbid, and says nothing."""
    monkeypatch.setattr("gateway.mqtt.closed_topics.FIRST_PAUSE", 0.5)
    monkeypatch.setattr("gateway.mqtt.second_tries.FIRST_PAUSE", 0.1)
    monkeypatch.setattr("gateway.mqtt.second_tries.LONGEST_PAUSE", 0.5)
    ledger = MemoryLedger()
    for _ in range(25):
        ledger.add(1)
        ledger.add(1, topic="events/alarm/vault")
    allowed = False

    def puback(topic: str, payload: bytes) -> int:
        return CLOSE if "/alarm/" in topic and not allowed else 0

    async with odd_broker(puback=puback) as broker, service(broker.port, ledger, version=version) as mqtt:
        assert await mqtt.drain(60)
        assert sorted(set(numbers(broker.on("events/movement")))) == list(range(1, 51, 2))
        allowed = True
        await until(lambda: all(ledger.final[sequence] for sequence in some(ledger.refusals)))
        tried = set(ledger.refusals)
    assert set(numbers(broker.on("events/alarm"))) == set(range(2, 51, 2)) - tried
    assert len(tried) < 12


@VERSIONS
async def test_mosquitto_with_a_limit_gets_large_events_in_parts(make_broker: MakeBroker, version: str) -> None:
    """With 5 it says its limit; with 3.1.1 it ends the connection at a larger packet."""
    broker = make_broker("allow_anonymous true", "max_packet_size 2000")
    ledger = MemoryLedger()
    ledger.add(2)
    ledger.add(1, size=5000)
    ledger.add(2)
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with service(broker.port, ledger, version=version) as mqtt:
            assert await mqtt.drain(60)
        await subscriber.until(lambda it: it.on(EVENTS) and it.last(EVENTS).get("sequence") == 5)
    assert joined([message.payload for message in subscriber.on(EVENTS)]) == [event.payload for event in ledger.events]
    assert not ledger.refusals


@pytest.mark.parametrize("code", [0x97, 0x80, 0xEE])
async def test_what_is_refused_for_now_comes_again(code: int) -> None:
    ledger = MemoryLedger()
    ledger.add(60)
    refused: set[bytes] = set()

    def puback(topic: str, payload: bytes) -> int:
        if "/events/" not in topic or payload in refused:
            return 0
        refused.add(payload)
        return code

    async with odd_broker(puback=puback) as broker, service(broker.port, ledger) as mqtt:
        assert await mqtt.drain(60)
        assert mqtt.stats.connects == 1
    assert numbers(broker.on("events/")) == list(range(1, 61))
    assert not ledger.refusals


@VERSIONS
async def test_what_is_never_acknowledged_comes_again_over_the_same_connection(version: str) -> None:
    ledger = MemoryLedger()
    ledger.add(30)
    dropped: set[bytes] = set()

    def puback(topic: str, payload: bytes) -> int | None:
        if "/events/" in topic and orjson.loads(payload)["sequence"] % 10 == 7 and payload not in dropped:
            dropped.add(payload)
            return None
        return 0

    async with odd_broker(puback=puback) as broker, service(broker.port, ledger, version=version) as mqtt:
        with structlog.testing.capture_logs() as logs:
            assert await mqtt.drain(60)
        assert mqtt.stats.connects == 1
    assert sorted(numbers(broker.on("events/"))) == list(range(1, 31))
    assert not any("acknowledged nothing" in entry["event"] for entry in some(logs))


async def test_access_rules_that_are_mended_let_everything_through(make_broker: MakeBroker, tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {BASE}state/#\ntopic read {BASE}events/#\ntopic read {BASE}cmd/+\n")
    broker = make_broker("allow_anonymous true", f"acl_file {acl}")
    ledger = MemoryLedger()
    ledger.add(50)
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with service(broker.port, ledger) as mqtt:
            await until(lambda: mqtt.connected)
            await asyncio.sleep(1)
            assert not subscriber.messages
            acl.write_text(f"topic readwrite {BASE}#\n")
            broker.reload()
            assert await mqtt.drain(60)
        await subscriber.until(lambda it: len(it.messages) >= 50)
    assert numbers([message.payload for message in subscriber.on(EVENTS)]) == list(range(1, 51))
    assert not ledger.refusals


async def test_what_went_to_quarantine_comes_out_when_it_is_mended_and_by_command(
    make_broker: MakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mqtt.second_tries.FIRST_PAUSE", 0.5)
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {BASE}#\ntopic deny {BASE}events/alarm/#\n")
    broker = make_broker("allow_anonymous true", f"acl_file {acl}")
    ledger = MemoryLedger()
    ledger.add(5)
    ledger.add(3, topic="events/alarm/vault")
    ledger.add(5)
    with Subscriber(broker.port, BASE + "events/#") as subscriber:
        async with service(broker.port, ledger) as mqtt:
            assert await mqtt.drain(60)
            assert sorted(ledger.refusals) == [6, 7, 8]
            ledger.final[8] = True  # as if it was refused for good
            acl.write_text(f"topic readwrite {BASE}#\n")
            broker.reload()
            await until(lambda: list(ledger.refusals) == [8])
            ledger.again.add(8)
            mqtt.released()
            await until(lambda: not ledger.refusals)
        await subscriber.until(lambda it: len(it.messages) >= 13)
    assert numbers([message.payload for message in subscriber.on(BASE + "events/alarm/vault")]) == [6, 7, 8]


@VERSIONS
async def test_mosquitto_without_retained_messages(make_broker: MakeBroker, version: str) -> None:
    broker = make_broker("allow_anonymous true", "retain_available false")
    ledger = MemoryLedger()
    ledger.add(10)
    with structlog.testing.capture_logs() as logs, Subscriber(broker.port, BASE + "#") as subscriber:
        async with service(broker.port, ledger, version=version) as mqtt:
            mqtt.board.set("state/zone/vault", b'{"tags":1}')
            assert await mqtt.drain(60)
            await subscriber.until(lambda it: it.last(BASE + "state/zone/vault"))
            await subscriber.until(lambda it: len(it.on(EVENTS)) >= 10)
    assert [entry for entry in logs if "no retained messages" in str(entry.get("missing"))]


async def test_a_broker_that_was_restarted_during_a_login_is_not_taken_for_one_without_retain() -> None:
    admitted = iter([False, True, True])

    async with (
        odd_broker(admit=lambda five, retained: next(admitted, True)) as broker,
        service(broker.port) as mqtt,
    ):
        await until(lambda: mqtt.connected)
        assert mqtt.stats.connects == 2, "less was taken, then everything"


@pytest.mark.parametrize(("version", "spoken"), [("5", "3.1.1"), ("3.1.1", "5")])
async def test_a_broker_of_the_other_version_that_only_hangs_up(version: str, spoken: str) -> None:
    ledger = MemoryLedger()
    ledger.add(3)
    with structlog.testing.capture_logs() as logs:
        async with (
            odd_broker(admit=lambda five, retained: five == (spoken == "5")) as broker,
            service(broker.port, ledger, version=version) as mqtt,
        ):
            assert await mqtt.drain(60)
    assert any(f"MQTT {spoken} is spoken" in str(entry.get("missing")) for entry in logs)


async def test_a_broker_that_has_hardly_anything_is_connected_to_and_told_of() -> None:
    lacks = b"\x28\x00" + b"\x25\x00" + b"\x22\x00\x00" + b"\x11\x00\x00\x00\x00" + b"\x21\x00\x01"
    ledger = MemoryLedger()
    ledger.add(20)
    with structlog.testing.capture_logs() as logs:
        async with odd_broker(connack=lacks) as broker, service(broker.port, ledger, commands=["count"]) as mqtt:
            assert await mqtt.drain(60)
    assert [one for one in broker.subscribed if "state/" not in one] == [BASE + "ack", BASE + "cmd/count"]
    assert numbers(broker.on("events/")) == list(range(1, 21))
    assert len(next(entry["missing"] for entry in logs if "missing" in entry)) == 3


@VERSIONS
async def test_one_huge_retained_command_keeps_nothing_from_being_published(version: str) -> None:
    topic = f"{BASE}cmd/count".encode()
    body = len(topic).to_bytes(2, "big") + topic + b"\0\7" + (b"\0" if version == "5" else b"") + b"x" * (2 << 20)
    ledger = MemoryLedger()
    ledger.add(10)
    async with (
        odd_broker(greeting=wire.Packet(0x33, body).encode()) as broker,
        service(broker.port, ledger, version=version) as mqtt,
    ):
        assert await mqtt.drain(60)
        await until(lambda: broker.on("res/count") and broker.acknowledged == [7])
        assert mqtt.stats.connects == 1
    assert orjson.loads(broker.on("res/count")[0])["status"] == "refused"


@VERSIONS
async def test_a_command_that_the_session_kept_is_answered_before_anything_is_subscribed_to(version: str) -> None:
    topic = f"{BASE}cmd/count".encode()
    body = len(topic).to_bytes(2, "big") + topic + b"\0\7" + (b"\0" if version == "5" else b"") + b"{}"

    async def counted(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"population": 3}

    async with (
        odd_broker(kept=wire.Packet(0x32, body).encode(), suback=lambda filters: None) as broker,
        service(broker.port, handler=counted, version=version) as mqtt,
    ):
        await until(lambda: broker.on("res/count") and broker.acknowledged == [7], 60)
        assert not mqtt.connected
    assert orjson.loads(broker.on("res/count")[0])["result"] == {"population": 3}
