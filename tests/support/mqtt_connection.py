"""A connection to a broker that is not there, for what is sent over one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from gateway.mqtt.answers import End
from gateway.mqtt.interface import ACCEPTED, Features, Outcome, Properties


class Recorder:
    """A connection that keeps what was sent, JSON, and None for an empty payload. `answer` is what the broker says to
    each payload, None for nothing."""

    window = 20
    max_packet = 1 << 20
    ended = End.OWN
    unacknowledged = 0

    def __init__(
        self,
        subscription: Outcome = ACCEPTED,
        wildcards: bool = True,
        answer: Callable[[bytes], Outcome | None] = lambda payload: ACCEPTED,
    ) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.sent: list[tuple[str, Any]] = []
        self.features = Features(wildcards=wildcards)
        self.filters: list[str] = []
        self.reading: list[bool] = []
        self._subscription = subscription
        self._answer = answer

    def send(
        self, topic: str, payload: bytes, *, qos: int, retain: bool = False, properties: Properties | None = None
    ) -> asyncio.Future[Outcome]:
        self.sent.append((topic, orjson.loads(payload) if payload else None))
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if (answer := self._answer(payload)) is not None:
            outcome.set_result(answer)
        return outcome

    async def listen(self, filters: Sequence[str]) -> list[Outcome]:
        self.filters += filters
        return [self._subscription for _ in filters]

    def pause(self) -> None:
        self.reading.append(False)

    def resume(self) -> None:
        self.reading.append(True)
