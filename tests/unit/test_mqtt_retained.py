"""The board of retained states, when what is on it goes while the broker refuses it or the connection ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog

from gateway.mqtt.answers import End
from gateway.mqtt.interface import ACCEPTED, Features, Outcome, Properties
from gateway.mqtt.retained import RETRY_SECONDS, Board
from gateway.mqtt.stats import MqttStats

DOOR = "state/reader/door"
NOT_AUTHORIZED = Outcome(0x87, "not authorized")


class Scripted:
    """A connection whose broker gives to each payload the answer of `answer`, None for none."""

    window = 20
    max_packet = 1 << 20
    ended = End.UNKNOWN
    unacknowledged = 0

    def __init__(self, answer: Callable[[bytes], Outcome | None]) -> None:
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.features = Features()
        self.sent: list[bytes] = []
        self._answer = answer

    def send(
        self, topic: str, payload: bytes, *, qos: int, retain: bool = False, properties: Properties | None = None
    ) -> asyncio.Future[Outcome]:
        self.sent.append(payload)
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if (answer := self._answer(payload)) is not None:
            outcome.set_result(answer)
        return outcome


@contextlib.asynccontextmanager
async def serving(board: Board, connection: Any) -> AsyncIterator[None]:
    """While the board serves a connection. A fault in it comes out at the end."""
    task = asyncio.create_task(board.serve(connection))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def board() -> Board:
    it = Board("base/", 0.1, structlog.get_logger(), MqttStats())
    it.set(DOOR, b"1")
    return it


@pytest.mark.looptime
async def test_a_state_at_which_the_connection_may_have_ended_can_be_taken_off_meanwhile() -> None:
    it, silent, fine = board(), Scripted(lambda payload: None), Scripted(lambda payload: ACCEPTED)
    async with serving(it, silent):
        await asyncio.sleep(1)
    it.cut(blame=True)
    it.remove(DOOR)
    await it.try_suspects(fine)  # type: ignore[arg-type]
    async with serving(it, fine):
        it.set("state/zone/a", b"2")
        await asyncio.sleep(1)
    assert fine.sent == [b"", b"2"]
    assert not it.leaving()


@pytest.mark.looptime
async def test_a_state_that_was_refused_can_be_taken_off_before_it_is_due_again() -> None:
    it, broker = board(), Scripted(lambda payload: NOT_AUTHORIZED if payload == b"1" else ACCEPTED)
    async with serving(it, broker):
        await asyncio.sleep(1)
        assert "does not take base/state/reader/door" in it.problem
        it.remove(DOOR)
        await asyncio.sleep(1)
        assert it.problem == ""
        await asyncio.sleep(2 * RETRY_SECONDS)
        it.set("state/zone/a", b"2")
        await asyncio.sleep(1)
    assert broker.sent == [b"1", b"", b"2"]


@pytest.mark.looptime
async def test_of_topics_of_a_former_name_that_are_refused_the_first_speaks_for_all() -> None:
    it, broker = board(), Scripted(lambda payload: ACCEPTED if payload else NOT_AUTHORIZED)
    it.clear(["old/state/zone/a", "old/state/zone/b", "old/state/zone/c"])
    async with serving(it, broker):
        await asyncio.sleep(1)
    assert broker.sent == [b"", b"1"]
    assert not it.elsewhere()
