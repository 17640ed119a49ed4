"""What a broker refuses or hangs up at besides events: subscriptions, states, answers. Events go on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import structlog

from gateway.errors import Refused
from gateway.mqtt import wire
from tests.support.memory_ledger import MemoryLedger
from tests.support.mqtt_service import BASE, service
from tests.support.odd_broker import CLOSE, CLOSE_TOO_LARGE, odd_broker
from tests.support.subscriber import until

VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])

HANGING_UP = pytest.mark.parametrize(("version", "answer"), [("5", CLOSE), ("3.1.1", CLOSE), ("5", 0x87)])
"""With a strict broker: it hangs up without a word, or behind its refusal."""


@pytest.fixture(autouse=True)
def quick(impatient_link: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.mqtt.subscriptions.FIRST_PAUSE", 0.1)
    monkeypatch.setattr("gateway.mqtt.client.SUBSCRIBE_SECONDS", 0.5)


def twenty() -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.add(20)
    return ledger


def numbers(payloads: list[bytes]) -> list[int]:
    return list(dict.fromkeys(orjson.loads(payload)["sequence"] for payload in payloads))


def command(version: str, packet_id: int = 7) -> bytes:
    topic = f"{BASE}cmd/count".encode()
    body = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big") + (b"\0" if version == "5" else b"")
    return wire.Packet(0x32, body + b"{}").encode()


async def done(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {}


@VERSIONS
@pytest.mark.parametrize("answer", [CLOSE, None])
async def test_a_broker_that_hangs_up_or_is_silent_at_a_subscription_gets_all_events(
    version: str, answer: int | None
) -> None:
    """AWS IoT Core and RabbitMQ end the connection at a subscription that their rules do not allow."""

    def suback(filters: list[str]) -> list[int] | int | None:
        return answer if any("/cmd/" in topic for topic in filters) else [1] * len(filters)

    async with (
        odd_broker(suback=suback) as broker,
        service(broker.port, twenty(), version=version, commands=["count"]) as mqtt,
    ):
        assert await mqtt.drain(60)
        await until(lambda: BASE + "cmd/count" in broker.subscribed or answer is None)
    assert numbers(broker.on("events/")) == list(range(1, 21))


@VERSIONS
async def test_a_broker_that_refuses_a_subscription_and_hangs_up_gets_all_events(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RabbitMQ 4 does: the answer says that it is refused, and the connection ends behind it."""
    monkeypatch.setattr("gateway.mqtt.subscriptions.FIRST_PAUSE", 0.1)

    def suback(filters: list[str]) -> list[int]:
        return [0x87 if "/cmd/" in topic else 1 for topic in filters]

    with structlog.testing.capture_logs() as logs:
        async with (
            odd_broker(suback=suback, strict=True) as broker,
            service(broker.port, twenty(), version=version, commands=["count", "where"]) as mqtt,
        ):
            assert await mqtt.drain(60)
            await until(lambda: any("left out for half an hour" in entry["event"] for entry in logs))
            await until(lambda: BASE + "ack" in broker.subscribed and mqtt.connected)
            await until(lambda: mqtt.worries())
            assert f"does not let the gateway subscribe to {BASE}cmd/" in mqtt.worries()[0]
    assert numbers(broker.on("events/")) == list(range(1, 21))
    assert sum("refused subscriptions" in entry["event"] for entry in logs) <= 3, "each of them is named once"


@VERSIONS
async def test_a_subscription_that_is_refused_for_a_while_is_asked_for_again(version: str) -> None:
    asked: list[list[str]] = []

    def suback(filters: list[str]) -> list[int]:
        asked.append(filters)
        return [1 if len(asked) > 4 else 0x80] * len(filters)

    async with (
        odd_broker(suback=suback, greeting=command(version)) as broker,
        service(broker.port, handler=done, version=version, commands=["count"]) as mqtt,
    ):
        await until(mqtt.worries)
        assert "does not let the gateway subscribe to" in mqtt.worries()[0]
        await until(lambda: len(asked) > 4 and broker.on("res/count") and not mqtt.worries())
        assert mqtt.stats.connects == 1


@VERSIONS
async def test_where_retained_messages_end_connections_states_are_published_without(version: str) -> None:
    async with odd_broker(retain=False) as broker, service(broker.port, twenty(), version=version) as mqtt:
        for number in range(5):
            mqtt.board.set(f"state/zone/z{number}", b"{}")
        assert await mqtt.drain(60)
        await until(lambda: len({topic for topic, _ in broker.taken if "/state/zone/" in topic}) == 5)
    assert numbers(broker.on("events/")) == list(range(1, 21))


@HANGING_UP
async def test_one_state_that_ends_connections_leaves_the_others_retained(version: str, answer: int) -> None:
    """One that is too large for a broker of 3.1.1, such as many open alarms, says nothing of retained messages."""

    def puback(topic: str, payload: bytes) -> int:
        return answer if len(payload) > 3000 else 0

    async with (
        odd_broker(puback=puback, strict=True) as broker,
        service(broker.port, twenty(), version=version) as mqtt,
    ):
        await until(lambda: mqtt.connected and broker.on("state/gateway"))
        with structlog.testing.capture_logs() as logs:
            mqtt.board.set("state/alarms", b"x" * 5000)
            await until(lambda: any("ends the connection at a state" in entry["event"] for entry in logs))
        assert f"does not take {BASE}state/alarms:" in mqtt.worries()[0]
        mqtt.board.set("state/zone/vault", b"{}")
        await until(lambda: BASE + "state/zone/vault" in broker.retained)
        assert await mqtt.drain(60)
    assert numbers(broker.on("events/")) == list(range(1, 21))


@pytest.mark.parametrize(("version", "how"), [("5", 0x95), ("5", CLOSE_TOO_LARGE), ("3.1.1", CLOSE)])
async def test_an_answer_that_is_too_large_is_replaced_by_one_that_says_so(version: str, how: int) -> None:
    def puback(topic: str, payload: bytes) -> int:
        return how if "/res/" in topic and len(payload) > 1000 else 0

    async def much(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"rows": "x" * 5000}

    async with (
        odd_broker(puback=puback, greeting=command(version)) as broker,
        service(broker.port, handler=much, version=version, commands=["count"]),
    ):
        await until(lambda: broker.acknowledged)
        answer = orjson.loads(broker.on("res/count")[0])
    assert answer["status"] == "error"
    assert "ask for less" in answer["reason"]


@pytest.mark.parametrize(("version", "answer"), [("5", 0), ("3.1.1", 0), ("5", 0x87), ("5", CLOSE), ("3.1.1", CLOSE)])
async def test_what_a_gateway_had_retained_under_a_former_name_is_cleared_or_named(version: str, answer: int) -> None:
    """A broker may not let it publish there; AWS IoT Core ends the connection at that."""
    former = [f"rfid/v1/once/dock/state/zone/z{number}" for number in range(9)]

    def puback(topic: str, payload: bytes) -> int:
        return answer if "/once/" in topic else 0

    with structlog.testing.capture_logs() as logs:
        async with odd_broker(puback=puback) as broker, service(broker.port, twenty(), version=version) as mqtt:
            mqtt.board.clear(former)
            assert await mqtt.drain(60)
            await until(lambda: not mqtt.board.elsewhere())
    cleared = [topic for topic, payload in broker.taken if "/once/" in topic and payload == b""]
    assert cleared == ([] if answer else former)
    told = [entry["number"] for entry in logs if "former root, site or name" in entry["event"]]
    assert told == ([9] if answer else [])
    assert numbers(broker.on("events/")) == list(range(1, 21))


@HANGING_UP
async def test_an_answer_at_which_connections_end_is_left_out_and_its_command_acknowledged(
    version: str, answer: int
) -> None:
    def puback(topic: str, payload: bytes) -> int:
        return answer if "/res/" in topic else 0

    with structlog.testing.capture_logs() as logs:
        async with (
            odd_broker(puback=puback, greeting=command(version), strict=True) as broker,
            service(broker.port, twenty(), handler=done, version=version, commands=["count"]) as mqtt,
        ):
            await until(lambda: 7 in broker.acknowledged)
            assert await mqtt.drain(60)
            assert f"does not take answers to commands, such as on {BASE}res/count" in mqtt.worries()[0]
    slowed = [entry for entry in logs if entry["event"].startswith("events are sent more slowly")]
    assert slowed == [], "it was no event"
    assert numbers(broker.on("events/")) == list(range(1, 21))


async def test_an_answer_that_is_refused_for_now_is_sent_again_before_its_command_is_acknowledged() -> None:
    refused: list[bytes] = []

    def puback(topic: str, payload: bytes) -> int:
        if "/res/" in topic and len(refused) < 2:
            refused.append(payload)
            return 0x97
        return 0

    async with (
        odd_broker(puback=puback, greeting=command("5")) as broker,
        service(broker.port, handler=done, commands=["count"]) as mqtt,
    ):
        await until(lambda: broker.acknowledged)
        assert broker.on("res/count")
        assert mqtt.stats.answers_undelivered == 0


async def test_an_answer_that_is_refused_until_the_rules_are_mended_is_said_until_one_is_taken() -> None:
    allowed = False

    def puback(topic: str, payload: bytes) -> int:
        return 0x87 if "/res/" in topic and not allowed else 0

    async with (
        odd_broker(puback=puback, greeting=command("5")) as broker,
        service(broker.port, handler=done, commands=["count"]) as mqtt,
    ):
        await until(mqtt.worries)
        assert "does not take answers to commands" in mqtt.worries()[0]
        allowed = True
        broker.tell(f"{BASE}cmd/count", b"{}")
        await until(lambda: broker.on("res/count") and not mqtt.worries())


async def test_a_state_that_stays_unanswered_takes_the_only_place_in_the_window_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.mqtt.retained.ACK_SECONDS", 0.2)
    monkeypatch.setattr("gateway.mqtt.client.STUCK_SECONDS", 0.5)
    ledger = MemoryLedger()

    def puback(topic: str, payload: bytes) -> int | None:
        return None if topic.endswith("/state/gateway") else 0

    async with odd_broker(puback=puback, connack=b"\x21\x00\x01") as broker, service(broker.port, ledger) as mqtt:
        await until(lambda: broker.connections > 1)
        ledger.add(20)
        mqtt.wake()
        assert await mqtt.drain(60)
    assert numbers(broker.on("events/")) == list(range(1, 21))


@VERSIONS
async def test_commands_that_are_refused_and_messages_that_cannot_be_read_are_one_line_a_minute(version: str) -> None:
    async def refuse(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        raise Refused("the vault is closed")

    unreadable = [wire.Packet(0x32, b"\x00\x02\xff\xfe" + bytes([0, number])).encode() for number in range(101, 131)]
    greeting = b"".join([*(command(version, number) for number in range(1, 31)), *unreadable])
    with structlog.testing.capture_logs() as logs:
        async with (
            odd_broker(greeting=greeting) as broker,
            service(broker.port, handler=refuse, version=version, commands=["count"]),
        ):
            await until(lambda: {*range(1, 31), *range(101, 131)} <= set(broker.acknowledged))
    said = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert said.count("a command is refused") == 1
    assert said.count("a message of the MQTT broker cannot be read: it is passed over") == 1


async def test_a_broker_that_throws_us_out_again_and_again_is_one_line_a_minute() -> None:
    another = wire.Packet(wire.DISCONNECT, b"\x8e\x00").encode()
    with structlog.testing.capture_logs() as logs:
        async with odd_broker(greeting=another) as broker, service(broker.port, twenty()):
            await until(lambda: broker.connections > 12)
    said = [entry["event"].partition(":")[0] for entry in logs if entry["log_level"] in ("info", "warning")]
    assert 1 <= said.count("no connection to the MQTT broker") <= broker.connections / 3
    assert 1 <= said.count("connected to the MQTT broker") <= broker.connections / 2
