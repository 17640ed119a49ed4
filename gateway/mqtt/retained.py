"""The board: what is true now, one topic for each thing, for whoever looks.

`state/...` is retained, QoS 1: a subscriber gets the newest at once. `telemetry/...` is QoS 0 and not retained. Only
the newest payload of a topic is kept and sent: a state that changes faster than it can be published is published as
it is then. After a reconnect the whole board is published again, because the broker may have lost it.
"""

from __future__ import annotations

import asyncio
from typing import NoReturn

from drivers.api import Log
from gateway.errors import LinkError
from gateway.mqtt.interface import Connection, Outcome
from gateway.mqtt.stats import MqttStats

MAX_TOPICS = 10_000
"""Topics on the board: some for each zone and reader of the largest site, and an end to a mistake that makes more."""

BURST = 20
"""States sent before the broker must have acknowledged one: they share its window with the events."""

ACK_SECONDS = 60.0

_FORGET = b""
"""The retained payload that makes a broker forget a topic (MQTT 5, section 3.3.1.3)."""


class Board:
    """The newest payload of each topic below `base`."""

    def __init__(self, base: str, interval: float, log: Log, stats: MqttStats) -> None:
        self._base = base
        self._interval = interval  # seconds: a topic is published at most so often
        self._log = log
        self._stats = stats
        self._payloads: dict[str, bytes] = {}
        self._changed: dict[str, None] = {}  # in the order of the changes
        self._wake = asyncio.Event()
        self._refused: set[str] = set()

    def set(self, topic: str, payload: bytes) -> None:
        """Puts `payload` on the board at `topic`, such as ``state/zone/vault``. The same again does nothing."""
        if not topic.startswith(("state/", "telemetry/")):
            raise ValueError(f"the board has topics below state/ and telemetry/, not {topic!r}")
        if self._payloads.get(topic) == payload:
            return
        if topic not in self._payloads and len(self._payloads) >= MAX_TOPICS:
            raise ValueError(f"the board is full: {MAX_TOPICS} topics, no room for {topic!r}")
        self._payloads[topic] = payload
        self._changed[topic] = None
        self._wake.set()

    def remove(self, topic: str) -> None:
        """Takes a topic off the board and makes the broker forget it."""
        if topic in self._payloads:
            self.set(topic, _FORGET)

    async def serve(self, connection: Connection) -> NoReturn:
        """Publishes the whole board, then every change, until the connection ends."""
        self._refused.clear()
        self._changed.update((topic, None) for topic in self._payloads if topic.startswith("state/"))
        while True:
            if self._changed:
                await self._publish(connection)
                await asyncio.sleep(self._interval)
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _publish(self, connection: Connection) -> None:
        changed, self._changed = list(self._changed), {}
        try:
            for start in range(0, len(changed), BURST):
                burst = [self._start(connection, topic) for topic in changed[start : start + BURST]]
                async with asyncio.timeout(ACK_SECONDS):
                    for topic, payload, outcome in burst:
                        self._note(topic, payload, await outcome)
        except TimeoutError:
            raise LinkError(f"the MQTT broker has not acknowledged a state for {ACK_SECONDS:.0f} s") from None

    def _start(self, connection: Connection, topic: str) -> tuple[str, bytes, asyncio.Future[Outcome]]:
        retained = topic.startswith("state/")
        payload = self._payloads[topic]
        outcome = connection.send(self._base + topic, payload, qos=1 if retained else 0, retain=retained)
        return topic, payload, outcome

    def _note(self, topic: str, payload: bytes, outcome: Outcome) -> None:
        if outcome.accepted:
            self._stats.states_published += 1
            if payload == _FORGET and self._payloads.get(topic) == _FORGET:
                del self._payloads[topic]
        elif not outcome.lost:
            self._stats.states_refused += 1
            if topic not in self._refused:  # once for each connection
                self._refused.add(topic)
                self._log.error("the MQTT broker refused a state", topic=self._base + topic, reason=outcome.reason)
