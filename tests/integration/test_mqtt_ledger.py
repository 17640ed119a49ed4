"""The publisher on the real ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from gateway.events.envelope import ALARM, Fact
from gateway.mqtt.service import MqttService
from tests.conftest import MakeBroker
from tests.support.ledgers import START, TestLedger, fact, facts
from tests.support.mosquitto import Broker
from tests.support.mqtt_service import BASE, service
from tests.support.subscriber import Subscriber, until

pytestmark = pytest.mark.usefixtures("impatient_link")


@contextlib.asynccontextmanager
async def published(path: Path, broker: Broker) -> AsyncIterator[tuple[TestLedger, MqttService]]:
    """A ledger whose commits wake a publisher, as the gateway has it."""
    ledger = TestLedger(path)
    ledger.start()
    ledger.recognised()
    try:
        async with service(broker.port, ledger) as mqtt:
            ledger._on_commit = lambda sequence: mqtt.wake()
            yield ledger, mqtt
    finally:
        await ledger.close()


async def test_what_was_committed_while_the_gateway_was_down_is_published_next_time(
    broker: Broker, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    with Subscriber(broker.port, BASE + "events/#") as subscriber:
        async with published(path, broker) as (ledger, mqtt):
            ledger.append(facts(1, 50), 0)
            await ledger.flush()
            assert await mqtt.drain(60)
        before = TestLedger(path)
        before.start()
        before.append(facts(51, 60), 0)
        await before.close()
        async with published(path, broker) as (ledger, mqtt):
            assert await mqtt.drain(60)
            assert ledger.stats().published == 60
        await subscriber.until(lambda it: len(it.messages) >= 60)
    events = [orjson.loads(message.payload) for message in subscriber.messages]
    assert [event["sequence"] for event in events] == list(range(1, 61))
    assert len({event["id"] for event in events}) == 60


async def test_a_refused_event_is_in_quarantine_and_stays_there(make_broker: MakeBroker, tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {BASE}#\ntopic deny {BASE}events/alarm/#\n")
    broker = make_broker("allow_anonymous true", f"acl_file {acl}")
    path = tmp_path / "ledger.db"
    async with published(path, broker) as (ledger, mqtt):
        ledger.append([fact(1), Fact(ALARM, "dock", START, {"why": "test"}), fact(3)], 0)
        await ledger.flush()
        assert await mqtt.drain(60)
        assert (mqtt.stats.published, mqtt.stats.refused) == (2, 1)
    async with published(path, broker) as (ledger, mqtt):
        assert await mqtt.drain(60)
        assert [(entry.sequence, entry.reason) for entry in await ledger.quarantined(10)] == [
            (2, "Not authorized (0x87)")
        ]
        assert mqtt.stats.published + mqtt.stats.refused == 0


@pytest.mark.slow
async def test_a_minute_without_a_broker_at_500_events_a_second(broker: Broker, tmp_path: Path) -> None:
    rate, seconds = 500, 60
    with Subscriber(broker.port, BASE + "events/#") as subscriber:
        async with published(tmp_path / "ledger.db", broker) as (ledger, mqtt):
            await until(lambda: mqtt.connected)
            broker.stop()
            await until(lambda: not mqtt.connected)
            start = asyncio.get_running_loop().time()
            before = resident_bytes()
            for tick in range(10 * seconds):
                first = tick * rate // 10 + 1
                ledger.append(facts(first, first + rate // 10 - 1), tick)
                await asyncio.sleep(max(0.0, start + (tick + 1) / 10 - asyncio.get_running_loop().time()))
            await ledger.flush()
            assert ledger.stats().pending == rate * seconds
            assert resident_bytes() - before < 20 << 20
            broker.start()
            assert await mqtt.drain(120)
        await subscriber.until(lambda it: len(it.messages) >= rate * seconds, 60)
    got = [orjson.loads(message.payload)["sequence"] for message in subscriber.messages]
    assert list(dict.fromkeys(got)) == list(range(1, rate * seconds + 1))


def resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("/proc/self/status has no VmRSS")
