"""The bounds of the intake, without a broker."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.mqtt import intake, repeats
from gateway.mqtt.intake import Intake
from gateway.mqtt.interface import ACCEPTED, Message, Outcome
from gateway.mqtt.stats import MqttStats
from tests.support.mqtt_connection import Recorder
from tests.support.subscriber import until

BASE = "rfid/v1/leafworks/dock/"


async def done(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {}


async def answers_to(*messages: Message, handler: Any = None) -> tuple[list[tuple[str, Any]], MqttStats]:
    """What the intake sends when it gets these messages one after the other."""

    async def count(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "arguments": arguments}

    stats = MqttStats()
    it = Intake(BASE, handler or count, lambda epoch, sequence: None, structlog.get_logger(), stats)
    connection = Recorder()
    await it.open(connection)
    for message in messages:
        it.receive(message)
    running = asyncio.create_task(it.run())
    for _ in range(len(messages) * 10 + 10):
        await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return connection.sent, stats


@pytest.mark.parametrize("ends", [True, False])
async def test_a_command_under_way_when_the_broker_changes_is_not_carried_out_again(
    ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "FINISH_SECONDS", 60.0 if ends else 0.01)
    begun, may_end, known, carried_out = asyncio.Event(), asyncio.Event(), repeats.Repeats(), []

    async def slow(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        await may_end.wait()
        carried_out.append(name)
        return {}

    def serving(message: Message) -> tuple[Recorder, asyncio.Task[Any]]:
        it = Intake(BASE, slow, lambda epoch, sequence: None, structlog.get_logger(), MqttStats(), repeats=known)
        it._connection = connection = Recorder()  # type: ignore[assignment]
        it.receive(message)
        return connection, asyncio.create_task(it.run())

    message = Message(BASE + "cmd/output", b"{}", packet_id=7)
    _, before = serving(message)
    await begun.wait()
    before.cancel()
    asyncio.get_running_loop().call_soon(may_end.set if ends else lambda: None)
    with pytest.raises(asyncio.CancelledError):
        await before
    may_end.set()
    connection, after = serving(replace(message, again=True))
    await until(lambda: connection.sent)
    after.cancel()
    assert carried_out == ["output"]


class Deaf(Recorder):
    """A connection whose broker acknowledges at once, which is seen only while it is read from."""

    def __init__(self) -> None:
        super().__init__()
        self._unread: list[asyncio.Future[Outcome]] = []

    def send(self, topic: str, payload: bytes, **options: Any) -> asyncio.Future[Outcome]:  # type: ignore[override]
        self.sent.append((topic, orjson.loads(payload)))
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._unread.append(outcome)
        if self.reading[-1:] != [False]:
            self.resume()
        return outcome

    def resume(self) -> None:
        super().resume()
        for outcome in self._unread:
            outcome.set_result(ACCEPTED)
        self._unread = []


async def test_where_reading_was_stopped_no_command_waits_for_what_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers that send more than the Receive Maximum exist; the answers' acknowledgements come the same way."""
    monkeypatch.setattr(intake, "MAX_WAITING", 60)
    monkeypatch.setattr(intake, "MAX_ANSWERING", 10)
    stats = MqttStats()
    it = Intake(BASE, done, lambda epoch, sequence: None, structlog.get_logger(), stats)
    connection = Deaf()
    await it.open(connection)
    total = 3 * intake.MAX_WAITING
    for number in range(total):
        it.receive(Message(BASE + "cmd/count", b"{}", packet_id=number + 1))
    assert connection.reading == [False]
    async with asyncio.timeout(60):
        running = asyncio.create_task(it.run())
        await until(lambda: len(connection.sent) == total)
        running.cancel()
    assert connection.reading[-1]
    assert stats.answers_undelivered == 0


async def test_a_refused_subscription_is_logged_and_raises_nothing() -> None:
    with structlog.testing.capture_logs() as logs:
        it = Intake(BASE, None, None, structlog.get_logger(), MqttStats())  # type: ignore[arg-type]
        await it.open(Recorder(Outcome(0x87, "Not authorized")))
    assert [entry["topics"] for entry in logs] == [[BASE + "ack", BASE + "cmd/+"]]


async def test_a_broker_without_wildcards_is_subscribed_to_by_name() -> None:
    it = Intake(BASE, None, None, structlog.get_logger(), MqttStats(), ["count", "status"])  # type: ignore[arg-type]
    connection = Recorder(wildcards=False)
    await it.open(connection)
    assert connection.filters == [BASE + "ack", BASE + "cmd/count", BASE + "cmd/status"]


async def test_a_flood_of_commands_is_held_back_and_every_one_is_answered() -> None:
    """What has been read is taken, and no more is read until half of it is done."""
    stats = MqttStats()
    it = Intake(BASE, done, lambda epoch, sequence: None, structlog.get_logger(), stats)
    connection = Recorder()
    await it.open(connection)
    acknowledged: list[int] = []
    for number in range(intake.MAX_WAITING + 500):
        it.receive(
            Message(f"{BASE}cmd/n{number}", b"{}", packet_id=1, acknowledge=lambda n=number: acknowledged.append(n))
        )
    assert connection.reading == [False]
    assert acknowledged == []
    running = asyncio.create_task(it.run())
    await until(lambda: len(acknowledged) == intake.MAX_WAITING + 500)
    running.cancel()
    assert connection.reading == [False, True]
    assert acknowledged == sorted(acknowledged)
    assert len(connection.sent) == intake.MAX_WAITING + 500


async def test_a_command_is_acknowledged_when_it_is_done_and_not_before() -> None:
    go = asyncio.Event()
    order: list[str] = []

    async def handler(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        await go.wait()
        order.append("done")
        return {}

    it = Intake(BASE, handler, lambda epoch, sequence: None, structlog.get_logger(), MqttStats())
    await it.open(Recorder())
    it.receive(Message(BASE + "cmd/count", b"{}", packet_id=1, acknowledge=lambda: order.append("acknowledged")))
    running = asyncio.create_task(it.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert order == []
    go.set()
    await until(lambda: len(order) == 2)
    running.cancel()
    assert order == ["done", "acknowledged"]


async def test_a_command_that_the_broker_sends_again_is_done_once() -> None:
    """The connection ended before it was acknowledged. The same packet id without the mark is a new command."""
    calls: list[str] = []

    async def handler(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        calls.append(name)
        return {"call": len(calls)}

    first = Message(BASE + "cmd/count", b"{}", packet_id=7)
    again = Message(BASE + "cmd/count", b"{}", packet_id=7, again=True)
    other = Message(BASE + "cmd/count", b'{"zone": "a"}', packet_id=7, again=True)
    sent, stats = await answers_to(first, again, first, other, handler=handler)
    assert [answer["result"]["call"] for _, answer in sent] == [1, 1, 2, 3]
    assert stats.commands_repeated == 1


async def test_what_is_remembered_is_bounded_by_count_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = repeats.Answers()
    for number in range(repeats.MAX_REMEMBERED + 10):
        answers.remember("count", str(number), b"{}", b"answer")
    assert answers.find("count", "9", b"{}") is None
    assert answers.find("count", "10", b"{}") == b"answer"
    monkeypatch.setattr(repeats, "MAX_REMEMBERED_BYTES", 1000)
    answers.remember("count", "large", b"{}", b"x" * 900)
    assert answers.find("count", "large", b"{}") is not None
    answers.remember("count", "larger", b"{}", b"x" * 900)
    assert answers.find("count", "large", b"{}") is None
    assert answers._bytes <= 1000


async def test_a_refusal_is_not_remembered() -> None:
    """What was refused may be right a moment later: the same request is then tried again."""
    attempts = []

    async def handler(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        attempts.append(name)
        if len(attempts) == 1:
            raise Refused("not now")
        return {}

    command = Message(BASE + "cmd/count", b'{"request": "r-1"}')
    sent, _ = await answers_to(command, command, handler=handler)
    assert [answer["status"] for _, answer in sent] == ["refused", "ok"]


@given(payload=st.binary(max_size=200), name=st.text(min_size=1, max_size=20), topic=st.none() | st.text(max_size=30))
def test_any_message_gets_exactly_one_answer(payload: bytes, name: str, topic: str | None) -> None:
    async def scenario() -> None:
        sent, stats = await answers_to(Message(f"{BASE}cmd/{name}", payload, False, topic))
        assert len(sent) == 1
        assert sent[0][1]["status"] in ("ok", "refused")
        assert stats.commands_failed == 0

    asyncio.run(scenario())
