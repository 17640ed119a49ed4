"""One retained state on the broker, for a gateway that has nothing else to publish: its start was refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import NoReturn

from drivers.api import Log
from gateway.config import Config
from gateway.errors import LinkError
from gateway.mqtt.interface import Connection
from gateway.mqtt.link import Link
from gateway.mqtt.service import STATE, topic_base
from gateway.mqtt.settings import Will
from gateway.mqtt.stats import MqttStats


async def announce(config: Config, state: Callable[[], bytes], changed: asyncio.Event, log: Log) -> NoReturn:
    """Keeps `state` on the broker as `state/gateway`, again whenever it has `changed`, until it is cancelled."""
    topic = topic_base(config) + STATE

    async def serve(connection: Connection) -> NoReturn:
        connection.lost.add_done_callback(lambda _: changed.set())
        while not connection.lost.done():
            changed.clear()
            await connection.send(topic, state(), qos=1, retain=True)
            await changed.wait()
        raise LinkError(f"the connection to the MQTT broker has ended: {connection.lost.result()}")

    link = Link(
        config,
        will=lambda: Will(topic, state()),
        receive=lambda message: None,
        serve=serve,
        log=log,
        stats=MqttStats(),
        rng=Random(),
    )
    await link.run()
