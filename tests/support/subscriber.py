"""An independent MQTT client that writes down what it gets: paho's threaded one, nothing of the gateway's."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


class Subscriber:
    """Connected to 127.0.0.1 with a session that outlives broker restarts; `messages` are in order of arrival.

    Use it as a context manager: on entering it is subscribed.
    """

    def __init__(self, port: int, *filters: str, client_id: str = "subscriber", **options: Any) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self.port = port
        self._filters = filters
        self._subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, **options)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = lambda client, userdata, message: self.messages.append(message)
        self.client.reconnect_delay_set(min_delay=1, max_delay=1)

    def __enter__(self) -> Subscriber:
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        self.client.connect("127.0.0.1", self.port, clean_start=False, properties=session)
        self.client.loop_start()
        assert self._subscribed.wait(10), "the subscriber was not subscribed within 10 s"
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if not flags.session_present:
            client.subscribe([(topic, paho.SubscribeOptions(qos=1)) for topic in self._filters])

    def publish(
        self, topic: str, payload: Any, *, qos: int = 1, retain: bool = False, **properties: Any
    ) -> paho.MQTTMessageInfo:
        """Publishes bytes or JSON; `properties` are MQTT 5 ones by paho's names, such as ``ResponseTopic``."""
        sent = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(sent, name, value)
        content = payload if isinstance(payload, bytes) else orjson.dumps(payload)
        return self.client.publish(topic, content, qos, retain, sent)

    def on(self, topic: str) -> list[paho.MQTTMessage]:
        return [message for message in list(self.messages) if message.topic == topic]

    def last(self, topic: str) -> Any:
        """The newest JSON payload on `topic`, None for none."""
        messages = self.on(topic)
        return orjson.loads(messages[-1].payload) if messages else None

    async def until(self, condition: Callable[[Subscriber], Any], within: float = 60.0) -> Any:
        """Waits for the first true value of `condition`, which is given this subscriber."""
        return await until(lambda: condition(self), within, lambda: f"{len(self.messages)} messages came")


async def until(
    condition: Callable[[], Any], within: float = 60.0, explain: Callable[[], str] = lambda: "no more is known"
) -> Any:
    """Waits for the first true value of `condition` and returns it; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not so within {within} s: {explain()}"
        await asyncio.sleep(0.01)
    return value
