"""Subscriptions that are refused for a while: asked for again, and both said once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from gateway.mqtt.interface import ACCEPTED, Connection, Outcome
from gateway.mqtt.subscriptions import Subscriptions


class Mending:
    """A connection to a broker that denies everything until its access rules are mended."""

    features = SimpleNamespace(wildcards=True)

    def __init__(self) -> None:
        self.is_mended = False

    async def listen(self, filters: Sequence[str]) -> list[Outcome]:
        return [ACCEPTED if self.is_mended else Outcome(0x87, "Not authorized")] * len(filters)


@pytest.mark.looptime
async def test_a_refusal_is_said_once_and_so_is_its_end() -> None:
    with structlog.testing.capture_logs() as logs:
        broker = Mending()
        connection = cast(Connection, broker)
        subscriptions = Subscriptions("rfid/", [], [], structlog.get_logger())
        await subscriptions.open(connection)
        keeping = asyncio.create_task(subscriptions.keep(connection))
        await asyncio.sleep(60)
        broker.is_mended = True
        await asyncio.sleep(120)
        keeping.cancel()
    said: list[Any] = [entry["event"] for entry in logs]
    assert "refused subscriptions" in said[0]
    assert logs[0]["topics"] == ["rfid/cmd/+", "rfid/ack"]
    assert said[1:] == ["the MQTT broker grants all subscriptions again"]
