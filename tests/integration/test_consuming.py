"""The consumer of docs/consuming.md, as it stands there, against the publisher on a real ledger and broker."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.delivery import Delivery
from tests.support.ledgers import TestLedger, facts
from tests.support.mosquitto import Broker
from tests.support.mqtt_service import BASE, service
from tests.support.subscriber import until

pytestmark = pytest.mark.usefixtures("impatient_link")

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "consuming.md"


def consumer_class() -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    return names["Consumer"]


class Running:
    """A consumer with its loop, which can be stopped and started on the same file."""

    def __init__(self, port: int, path: Path) -> None:
        self._arguments = ("127.0.0.1", port, BASE, path)
        self.it: Any = None

    def start(self) -> None:
        self.it = consumer_class()(*self._arguments, patience=0.2)
        self.it.client.loop_start()

    def stop(self) -> None:
        self.it.client.disconnect()
        self.it.client.loop_stop()
        self.it.db.close()

    def numbers(self) -> list[int]:
        self.it.look()
        return [row[0] for row in self.it.db.execute("SELECT sequence FROM event ORDER BY sequence")]

    async def has(self, last: int) -> None:
        await until(lambda: self.numbers() == list(range(1, last + 1)), 30, lambda: f"it has {self.numbers()}")


@pytest.fixture
def consumer(broker: Broker, tmp_path: Path) -> Iterator[Running]:
    it = Running(broker.port, tmp_path / "stock.db")
    yield it
    it.stop()


async def test_a_consumer_ends_with_every_event_once_however_late_it_comes(
    broker: Broker, tmp_path: Path, consumer: Running
) -> None:
    ledger = TestLedger(tmp_path / "ledger.db")
    ledger.start()
    ledger.recognised()
    delivery = Delivery(ledger)

    async def add(first: int, last: int) -> None:
        ledger.append(facts(first, last), 0)
        await ledger.flush()
        await asyncio.sleep(0)

    async with service(broker.port, ledger, handler=delivery.handle) as mqtt:
        delivery.sender = mqtt
        ledger._on_commit = lambda sequence: mqtt.wake()
        await add(1, 300)  # before there is any consumer: the broker has nothing of it
        assert await mqtt.drain(60)
        consumer.start()
        await add(301, 320)
        await consumer.has(320)
        consumer.stop()
        await add(321, 400)  # while it is away: the broker keeps them
        consumer.start()
        await consumer.has(400)
        consumer.it.db.execute("DELETE FROM event WHERE sequence BETWEEN 50 AND 60 OR sequence = 400")
        await consumer.has(400)
    await ledger.close()


def test_the_consumers_stock_is_what_the_movements_add_up_to(consumer: Running) -> None:
    consumer.start()
    steps = [("a", "arrived", "vault"), ("b", "arrived", "vault"), ("a", "moved", "dock"), ("b", "not_seen", "vault")]
    for number, (uid, movement, to) in enumerate([*steps, ("c", "arrived", "dock"), ("c", "departed", None)], 1):
        event = {"type": "rfid.movement.v1", "data": {"uid": uid, "movement": movement, "to": to}}
        consumer.it.db.execute("INSERT INTO event VALUES ('e', ?, ?)", (number, json.dumps(event)))
    assert consumer.it.stock() == {"a": "dock", "b": "vault"}
