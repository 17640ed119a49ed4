"""The board of retained states: its bounds, and what is taken off while it is refused or the connection ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import orjson
import pytest
import structlog

from gateway.mqtt import retained
from gateway.mqtt.interface import ACCEPTED, Outcome
from gateway.mqtt.retained import RETRY_SECONDS, Board
from gateway.mqtt.stats import MqttStats
from tests.support.mqtt_connection import Recorder

BASE = "rfid/v1/leafworks/dock/"
DOOR = "state/reader/door"
NOT_AUTHORIZED = Outcome(0x87, "not authorized")


@contextlib.asynccontextmanager
async def serving(board: Board, connection: Recorder) -> AsyncIterator[None]:
    """While the board serves a connection. A fault in it comes out at the end."""
    task = asyncio.create_task(board.serve(connection))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def board() -> Board:
    it = Board(BASE, 0.1, structlog.get_logger(), MqttStats())
    it.set(DOOR, b"1")
    return it


@pytest.mark.looptime
async def test_a_state_at_which_the_connection_may_have_ended_can_be_taken_off_meanwhile() -> None:
    it, silent, fine = board(), Recorder(answer=lambda payload: None), Recorder(answer=lambda payload: ACCEPTED)
    async with serving(it, silent):
        await asyncio.sleep(1)
    it.cut(blame=True)
    it.remove(DOOR)
    await it.try_suspects(fine)
    async with serving(it, fine):
        it.set("state/zone/a", b"2")
        await asyncio.sleep(1)
    assert fine.sent == [(BASE + DOOR, None), (BASE + "state/zone/a", 2)]
    assert not it.leaving()


@pytest.mark.looptime
async def test_a_state_that_was_refused_can_be_taken_off_before_it_is_due_again() -> None:
    it, broker = board(), Recorder(answer=lambda payload: NOT_AUTHORIZED if payload == b"1" else ACCEPTED)
    async with serving(it, broker):
        await asyncio.sleep(1)
        assert f"does not take {BASE}state/reader/door" in it.problem
        it.remove(DOOR)
        await asyncio.sleep(1)
        assert it.problem == ""
        await asyncio.sleep(2 * RETRY_SECONDS)
        it.set("state/zone/a", b"2")
        await asyncio.sleep(1)
    assert broker.sent == [(BASE + DOOR, 1), (BASE + DOOR, None), (BASE + "state/zone/a", 2)]


@pytest.mark.looptime
async def test_of_topics_of_a_former_name_that_are_refused_the_first_speaks_for_all() -> None:
    it, broker = board(), Recorder(answer=lambda payload: ACCEPTED if payload else NOT_AUTHORIZED)
    it.clear(["old/state/zone/a", "old/state/zone/b", "old/state/zone/c"])
    async with serving(it, broker):
        await asyncio.sleep(1)
    assert broker.sent == [("old/state/zone/a", None), (BASE + DOOR, 1)]
    assert not it.elsewhere()


async def test_the_board_has_a_bound_and_only_its_own_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retained, "MAX_TOPICS", 2)
    it = Board(BASE, 0.0, structlog.get_logger(), MqttStats())
    it.set("state/zone/a", b"1")
    it.set("state/zone/b", b"1")
    it.set("state/zone/a", b"2")
    with pytest.raises(ValueError, match="board is full"):
        it.set("state/zone/c", b"1")
    with pytest.raises(ValueError, match="not 'events/loss'"):
        it.set("events/loss", b"1")


@pytest.mark.looptime
async def test_the_board_publishes_what_changed_at_most_once_an_interval() -> None:
    it = Board(BASE, 0.02, structlog.get_logger(), MqttStats())
    connection = Recorder()
    async with serving(it, connection):
        for number in range(100):
            it.set("state/zone/a", orjson.dumps(number))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
    assert connection.sent[-1] == (BASE + "state/zone/a", 99)
    assert len(connection.sent) < 30


async def test_what_goes_ahead_is_sent_at_once_where_the_broker_has_taken_its_topic() -> None:
    stats = MqttStats()
    it = Board(BASE, 60.0, structlog.get_logger(), stats)
    connection = Recorder()
    it.ahead(connection, "state/ledger", b"1")
    assert connection.sent == []
    async with serving(it, connection):
        async with asyncio.timeout(60):
            while not stats.states_published:  # noqa: ASYNC110
                await asyncio.sleep(0)
        it.ahead(connection, "state/ledger", b"2")
        it.ahead(connection, "state/ledger", b"2")
        assert connection.sent == [(BASE + "state/ledger", 1), (BASE + "state/ledger", 2)]
