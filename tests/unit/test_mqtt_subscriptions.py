"""Subscriptions that are refused: asked for again, and said once; left out where the connection ends at them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from gateway.errors import LinkError
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
    assert logs[0]["topics"] == ["rfid/ack", "rfid/cmd/+"]
    assert said[1:] == ["the MQTT broker grants all subscriptions again"]


class HangingUp:
    """A connection to a broker that hangs up at what `denies` names, with `answer` before that or without a word."""

    features = SimpleNamespace(wildcards=True)

    def __init__(self, denies: str, answer: Outcome | None) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.asked: list[str] = []
        self._denies = denies
        self._answer = answer

    async def listen(self, filters: Sequence[str]) -> list[Outcome]:
        if self.lost.done():
            raise LinkError("the connection ended before the subscription")
        self.asked += filters
        denied = [self._denies in topic for topic in filters]
        if any(denied):
            self.lost.set_result("the broker closed it")
            if self._answer is None:
                raise LinkError("the connection ended during the subscription")
        return [self._answer if no and self._answer is not None else ACCEPTED for no in denied]


REFUSAL = Outcome(0x87, "Not authorized")


async def through(subscriptions: Subscriptions, connection: HangingUp, seconds: float) -> bool:
    """Uses the connection until it ends, for so many seconds at most; whether it ended."""
    link = cast(Connection, connection)
    try:
        async with asyncio.timeout(seconds):
            await subscriptions.open(link)
            keeping = asyncio.create_task(subscriptions.keep(link))
            await asyncio.wait([keeping, connection.lost], return_when=asyncio.FIRST_COMPLETED)
            keeping.cancel()
    except TimeoutError:
        keeping.cancel()
        return False
    except LinkError:
        pass
    subscriptions.cut(True)
    return True


@pytest.mark.looptime
@pytest.mark.parametrize("answer", [REFUSAL, None])
@pytest.mark.parametrize(
    ("denies", "granted", "most"),
    [
        ("cmd/", {"rfid/ack", "others/door"}, 30),
        ("cmd/+", {"rfid/cmd/name0", "rfid/cmd/name29", "rfid/ack", "others/door"}, 4),
        ("ack", {"rfid/cmd/+", "others/door"}, 4),
        ("rfid/", {"others/door"}, 30),
    ],
)
async def test_a_connection_that_ends_at_subscriptions_stands_once_they_are_found(
    answer: Outcome | None, denies: str, granted: set[str], most: int
) -> None:
    names = [f"name{number}" for number in range(30)]
    connections: list[HangingUp] = []
    with structlog.testing.capture_logs() as logs:
        subscriptions = Subscriptions("rfid/", names, ["others/door"], structlog.get_logger())
        ended = True
        while ended:
            connections.append(HangingUp(denies, answer))
            ended = await through(subscriptions, connections[-1], 1_200)
            assert len(connections) <= most
    assert granted <= set(connections[-1].asked)
    assert bool(subscriptions.problem) == (denies != "cmd/+")
    refused = [topic for entry in logs for topic in entry.get("topics", [])]
    assert len(refused) == len(set(refused)), "each is named once"
