"""The end of the MQTT service, at whatever moment it is told."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from gateway import clock
from gateway.mqtt.service import MqttService
from tests.support.mosquitto import Broker
from tests.support.mqtt_service import MemoryLedger, config, no_commands
from tests.support.proxy import proxy
from tests.support.subscriber import until

pytestmark = pytest.mark.usefixtures("impatient_link")


async def test_it_stops_though_the_connection_ends_at_the_same_moment(broker: Broker) -> None:
    """A failure that comes while it is being cancelled must not stand in for the cancellation."""
    async with proxy(broker.port) as network:
        for turns in range(24):
            it = MqttService(
                config(network.port),
                MemoryLedger(),
                no_commands,
                lambda epoch, sequence: None,
                clock.wall,
                structlog.get_logger(),
            )
            task = asyncio.create_task(it.run())
            await until(lambda it=it: it.connected)
            network.cut()
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=20)
            assert done, f"it goes on, told {turns} turns of the event loop after the cut"
            assert task.cancelled()
