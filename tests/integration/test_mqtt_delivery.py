"""Events from a ledger to a real broker: in order, none missing, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from tests.conftest import MakeBroker
from tests.support.memory_ledger import MemoryLedger
from tests.support.mosquitto import SURVIVES_KILL, Broker, free_port
from tests.support.mqtt_service import BASE, service
from tests.support.proxy import proxy
from tests.support.subscriber import Subscriber, until

pytestmark = pytest.mark.usefixtures("impatient_link")

EVENTS = BASE + "events/movement/vault"


def sequences(subscriber: Subscriber) -> list[int]:
    return [orjson.loads(message.payload)["sequence"] for message in subscriber.on(EVENTS)]


def assert_all_in_order(got: list[int], count: int) -> None:
    """Each of 1 to `count`, in order of first arrival; a repetition only ever goes back to what was in flight."""
    assert list(dict.fromkeys(got)) == list(range(1, count + 1))
    assert len(got) - count <= 1000, "more was repeated than can have been in flight"


def assert_repetitions_are_marked(subscriber: Subscriber) -> None:
    seen: set[bytes] = set()
    for message in subscriber.on(EVENTS):
        assert message.payload not in seen or ("resent", "true") in message.properties.UserProperty
        seen.add(message.payload)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_publishes_the_whole_ledger_in_order_and_once(broker: Broker, version: str) -> None:
    ledger = MemoryLedger()
    ledger.add(2500)
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with service(broker.port, ledger, version=version) as mqtt:
            assert await mqtt.drain(60)
            ledger.add(10)
            mqtt.wake()
            assert await mqtt.drain(60)
        await subscriber.until(lambda it: len(it.messages) >= 2510)
    assert sequences(subscriber) == list(range(1, 2511))
    assert ledger.marks == sorted(ledger.marks)
    assert ledger.marks[-1] == 2510
    assert mqtt.stats.published == 2510


async def test_says_with_mqtt_5_what_is_published_when_and_whether_again(broker: Broker) -> None:
    ledger = MemoryLedger()
    ledger.add(1)  # in the ledger before the start: it may have been sent
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with service(broker.port, ledger) as mqtt:
            assert await mqtt.drain(60)
            ledger.add(1)
            mqtt.wake()
            assert await mqtt.drain(60)
        first, second = (await subscriber.until(lambda it: len(it.messages) >= 2 and it.messages))[:2]
    assert first.properties.ContentType == "application/cloudevents+json"
    assert first.properties.PayloadFormatIndicator == 1
    assert not hasattr(first.properties, "MessageExpiryInterval")
    assert first.payload == ledger.events[0].payload
    assert not first.retain
    user = dict(first.properties.UserProperty)
    assert user.pop("published").endswith("Z")
    assert user == {"resent": "true"}
    assert [name for name, _ in second.properties.UserProperty] == ["published"]


async def test_events_wait_while_the_broker_is_away(broker: Broker) -> None:
    ledger = MemoryLedger()
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with service(broker.port, ledger) as mqtt:
            ledger.add(100)
            mqtt.wake()
            assert await mqtt.drain(60)
            broker.stop()
            await until(lambda: not mqtt.connected)
            for _ in range(10):
                ledger.add(300)
                mqtt.wake()
                await asyncio.sleep(0.02)
            assert not await mqtt.drain(0.01)
            broker.start()
            assert await mqtt.drain(60)
        await subscriber.until(lambda it: sequences(it)[-1:] == [3100], 60)
    assert_all_in_order(sequences(subscriber), 3100)


@pytest.mark.slow
async def test_a_killed_broker_loses_nothing_that_it_had_not_acknowledged(make_broker: MakeBroker) -> None:
    """A PUBACK means that the broker has the event. If it is killed before it passed it on, that is its loss."""
    broker = make_broker("allow_anonymous true", *SURVIVES_KILL)
    ledger = MemoryLedger()
    acknowledged = []
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with service(broker.port, ledger) as mqtt:
            for _ in range(3):
                await until(lambda: mqtt.connected)
                for _ in range(20):
                    ledger.add(20)
                    mqtt.wake()
                    await asyncio.sleep(0.005)
                broker.kill()
                await until(lambda: not mqtt.connected)
                acknowledged.append(ledger.stats().published)
                ledger.add(100)
                broker.start()
            assert await mqtt.drain(60)
        await subscriber.until(lambda it: sequences(it)[-1:] == [1500], 60)
    first = list(dict.fromkeys(sequences(subscriber)))
    assert first == sorted(first)
    missing = set(range(1, 1501)) - set(first)
    assert all(any(mark - 100 < sequence <= mark for mark in acknowledged) for sequence in missing)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_cut_connections_lose_nothing_and_keep_the_order(broker: Broker, version: str) -> None:
    ledger = MemoryLedger()
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with proxy(broker.port) as network, service(network.port, ledger, version=version) as mqtt:
            for _ in range(6):
                await until(lambda: mqtt.connected)
                ledger.add(400)
                mqtt.wake()
                await until(lambda: mqtt.stats.outstanding > 0 or not ledger.stats().pending)
                network.cut()
                await until(lambda before=mqtt.stats.connects: mqtt.stats.connects > before or not mqtt.connected)
            assert await mqtt.drain(150)
            assert mqtt.stats.connects >= 6
        await subscriber.until(lambda it: sequences(it)[-1:] == [2400], 60)
    assert_all_in_order(sequences(subscriber), 2400)
    if version == "5":
        assert_repetitions_are_marked(subscriber)


async def test_a_refused_event_is_put_aside_and_the_others_go_on(make_broker: MakeBroker, tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {BASE}#\ntopic deny {BASE}events/alarm/#\n")
    broker = make_broker("allow_anonymous true", f"acl_file {acl}")
    ledger = MemoryLedger()
    ledger.add(5)
    ledger.add(2, topic="events/alarm/vault")
    ledger.add(5)
    with Subscriber(broker.port, BASE + "events/#") as subscriber:
        async with service(broker.port, ledger) as mqtt:
            assert await mqtt.drain(60)
        await subscriber.until(lambda it: len(it.messages) >= 10)
    assert ledger.refusals == {6: "Not authorized (0x87)", 7: "Not authorized (0x87)"}
    assert not any(ledger.final.values())
    assert sequences(subscriber) == [1, 2, 3, 4, 5, 8, 9, 10, 11, 12]
    assert (mqtt.stats.published, mqtt.stats.refused) == (10, 2)


@pytest.mark.parametrize(("version", "settings"), [("5", {}), ("3.1.1", {"max_packet_size": 2000})])
async def test_an_event_too_large_for_the_broker_goes_in_parts(
    make_broker: MakeBroker, version: str, settings: dict[str, int]
) -> None:
    """MQTT 5 brokers say what they take; for others it is in the configuration."""
    broker = make_broker("allow_anonymous true", "max_packet_size 2000")
    ledger = MemoryLedger()
    ledger.add(1)
    ledger.add(1, size=30_000)
    ledger.add(1)
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with service(broker.port, ledger, version=version, **settings) as mqtt:
            assert await mqtt.drain(60)
            assert mqtt.stats.connects == 1
        await subscriber.until(lambda it: it.on(EVENTS) and it.last(EVENTS).get("sequence") == 3)
    first, *parts, last = [orjson.loads(message.payload) for message in subscriber.on(EVENTS)]
    assert (first["sequence"], last["sequence"]) == (1, 3)
    assert [part["data"]["part"] for part in parts] == list(range(1, parts[0]["data"]["parts"] + 1))
    assert {part["type"] for part in parts} == {"rfid.part.v1"}
    assert "".join(part["data"]["text"] for part in parts).encode() == ledger.events[1].payload
    assert not ledger.refusals


async def test_an_event_that_fits_in_no_part_is_set_apart(make_broker: MakeBroker) -> None:
    broker = make_broker("allow_anonymous true", "max_packet_size 500")
    ledger = MemoryLedger()
    ledger.add(1)
    ledger.add(1, size=30_000)
    ledger.add(1)
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with service(broker.port, ledger) as mqtt:
            assert await mqtt.drain(60)
            assert mqtt.stats.connects == 1
        await subscriber.until(lambda it: len(it.messages) >= 2)
    assert sequences(subscriber) == [1, 3]
    assert "more than the 500" in ledger.refusals[2]
    assert not ledger.final[2], "somebody may raise the limit"


@pytest.mark.parametrize(("receive_maximum", "window", "expected"), [(7, 100, 7), (0, 5, 5)])
async def test_no_more_is_outstanding_than_both_sides_allow(
    make_broker: MakeBroker, receive_maximum: int, window: int, expected: int
) -> None:
    broker = make_broker("allow_anonymous true", f"max_inflight_messages {receive_maximum}")
    ledger = MemoryLedger()
    async with proxy(broker.port) as network, service(network.port, ledger, window=window) as mqtt:
        await until(lambda: mqtt.connected and mqtt.stats.states_published)
        network.stall()  # PUBACKs stay away
        ledger.add(200)
        mqtt.wake()
        await until(lambda: mqtt.stats.outstanding == expected)
        mqtt.wake()
        await asyncio.sleep(0.05)
        assert mqtt.stats.outstanding == expected
        network.flow()
        assert await mqtt.drain(60)


async def test_memory_is_bounded_however_long_the_ledger_is(make_broker: MakeBroker) -> None:
    broker = make_broker("allow_anonymous true", "max_inflight_messages 0")
    ledger = MemoryLedger()
    ledger.add(20_000, size=20)
    async with proxy(broker.port) as network, service(network.port, ledger) as mqtt:
        await until(lambda: mqtt.connected and mqtt.stats.published)
        network.stall()
        await until(lambda: mqtt.stats.outstanding == 100)
        await asyncio.sleep(0.05)
        read = max(after for after, _ in ledger.reads) + 1000
        assert read <= ledger.stats().published + 100 + 1500
        network.flow()


async def test_an_empty_ledger_is_drained_without_a_broker() -> None:
    async with service(free_port(), MemoryLedger()) as mqtt:
        assert await mqtt.drain(0.1)


async def test_a_broker_that_never_acknowledges_gets_a_new_connection(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mqtt.publisher.PUBACK_SECONDS", 0.2)
    ledger = MemoryLedger()
    async with proxy(broker.port) as network, service(network.port, ledger) as mqtt:
        await until(lambda: mqtt.connected and mqtt.stats.states_published)
        network.stall()
        ledger.add(1)
        mqtt.wake()
        await until(lambda: not mqtt.connected)
        network.flow()
        assert await mqtt.drain(60)
        assert mqtt.stats.connects == 2


async def test_each_connection_starts_at_the_backends_mark_where_events_are_kept_until_then(broker: Broker) -> None:
    ledger = MemoryLedger()
    ledger.add(20)
    with Subscriber(broker.port, EVENTS) as subscriber:
        async with (
            proxy(broker.port) as network,
            service(network.port, ledger, acknowledged=lambda: 12) as mqtt,
        ):
            assert await mqtt.drain(60)
            network.cut()
            await subscriber.until(lambda it: len(it.messages) >= 28)
    assert sequences(subscriber) == [*range(1, 21), *range(13, 21)]
    assert [("replayed", "true") in message.properties.UserProperty for message in subscriber.on(EVENTS)] == [
        number >= 20 for number in range(28)
    ]
