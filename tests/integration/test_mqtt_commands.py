"""Commands and acknowledgements over a real broker, in MQTT 5 and 3.1.1."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from gateway.errors import Refused
from gateway.mqtt.request import request
from tests.support.claims import some
from tests.support.mosquitto import Broker, free_port
from tests.support.mqtt_service import BASE, config, service
from tests.support.proxy import proxy
from tests.support.subscriber import Subscriber, until

pytestmark = pytest.mark.usefixtures("impatient_link")

VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])
COUNT = BASE + "cmd/count"
DEFAULT = BASE + "res/count"


class Floor:
    """A handler that notes what it was asked to do."""

    def __init__(self) -> None:
        self.done: list[tuple[str, dict[str, Any]]] = []

    async def handle(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments.get("zone") == "nowhere":
            raise Refused("there is no zone 'nowhere'; there are: vault")
        if arguments.get("zone") == "broken":
            raise RuntimeError("secret detail")
        if arguments.get("zone") == "slow":
            await asyncio.sleep(3600)
        self.done.append((name, arguments))
        return {"tags": len(self.done)}


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_command_is_done_and_answered(broker: Broker, version: str) -> None:
    floor = Floor()
    with Subscriber(broker.port, "backend/#", BASE + "res/#", BASE + "state/gateway") as backend:
        async with service(broker.port, handler=floor.handle, version=version):
            await backend.until(lambda it: it.last(BASE + "state/gateway"))
            backend.publish(
                COUNT,
                {"zone": "vault", "request": "r-1"},
                ResponseTopic="backend/answers",
                CorrelationData=b"\x00\x01",
            )
            topic = "backend/answers" if version == "5" else DEFAULT  # 3.1.1 does not carry the response topic
            answer = (await backend.until(lambda it: it.on(topic)))[0]
            assert backend.last(topic) == {"status": "ok", "result": {"tags": 1}, "request": "r-1"}
            assert getattr(answer.properties, "CorrelationData", None) == (b"\x00\x01" if version == "5" else None)
            assert not answer.retain
    assert floor.done == [("count", {"zone": "vault", "request": "r-1"})]


async def test_without_a_response_topic_the_answer_goes_to_the_default_one(broker: Broker) -> None:
    floor = Floor()
    with Subscriber(broker.port, BASE + "#") as backend:
        async with service(broker.port, handler=floor.handle):
            await backend.until(lambda it: it.last(BASE + "state/gateway"))
            backend.publish(COUNT, {"zone": "vault"})
            assert await backend.until(lambda it: it.last(DEFAULT)) == {"status": "ok", "result": {"tags": 1}}


async def test_a_retained_command_is_refused_at_every_connection_and_never_done(broker: Broker) -> None:
    floor = Floor()
    with Subscriber(broker.port, BASE + "res/#") as backend:
        backend.publish(COUNT, {"zone": "vault"}, retain=True).wait_for_publish(10)
        async with proxy(broker.port) as network, service(network.port, handler=floor.handle) as mqtt:
            answer = await backend.until(lambda it: it.last(DEFAULT))
            assert answer["status"] == "refused"
            assert "retain" in answer["reason"]
            network.cut()
            # three, where the cut comes before the acknowledgement: the session's own copy comes again as well
            await until(lambda: mqtt.stats.commands_refused >= 2)
    assert floor.done == []


async def test_a_command_that_comes_twice_is_done_once(broker: Broker) -> None:
    floor = Floor()
    with Subscriber(broker.port, BASE + "res/#", BASE + "state/gateway") as backend:
        async with service(broker.port, handler=floor.handle) as mqtt:
            await backend.until(lambda it: it.last(BASE + "state/gateway"))
            for _ in range(3):
                backend.publish(COUNT, {"zone": "vault", "request": "r-1"})
            answers = await backend.until(lambda it: len(it.on(DEFAULT)) == 3 and it.on(DEFAULT))
            assert len({answer.payload for answer in answers}) == 1
            assert mqtt.stats.commands_repeated == 2
            backend.publish(COUNT, {"zone": "dock", "request": "r-1"})
            await backend.until(lambda it: len(it.on(DEFAULT)) == 4)
            assert "was used for another command" in backend.last(DEFAULT)["reason"]
    assert floor.done == [("count", {"zone": "vault", "request": "r-1"})]


async def test_a_command_outlives_its_connection(broker: Broker) -> None:
    """What was begun is done; asked again, the backend gets the answer that it missed."""
    begun, go = asyncio.Event(), asyncio.Event()
    done = []

    async def handle(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        await go.wait()
        done.append(name)
        return {}

    with Subscriber(broker.port, BASE + "res/#", BASE + "state/gateway") as backend:
        async with proxy(broker.port) as network, service(network.port, handler=handle) as mqtt:
            await backend.until(lambda it: it.last(BASE + "state/gateway"))
            backend.publish(COUNT, {"request": "r-1"})
            await begun.wait()
            before = mqtt.stats.connects
            network.cut()
            await until(lambda: mqtt.stats.connects > before or not mqtt.connected)  # it may be away for a moment only
            go.set()
            await until(lambda: mqtt.stats.commands_done == 1)
            await until(lambda: mqtt.connected)
            backend.publish(COUNT, {"request": "r-1"})
            await backend.until(lambda it: it.last(DEFAULT) == {"status": "ok", "result": {}, "request": "r-1"})
    assert done == ["count"]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not JSON"),
    "not JSON": (b"count the vault", "not JSON"),
    "not UTF-8": (b'{"zone": "\xff\xfe"}', "not JSON"),
    "not an object": (b'["vault"]', "must be a JSON object"),
    "NaN": (b'{"zone": NaN}', "not JSON"),
    "too deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not JSON"),
    "too large": (b'{"zone": "' + b"x" * 1_050_000 + b'"}', "at most 1048576"),
    "request is a number": (b'{"request": 7}', "request"),
    "request is empty": (b'{"request": ""}', "request"),
    "request is long": (b'{"request": "' + b"r" * 129 + b'"}', "request"),
    "wrong argument": (b'{"zone": "nowhere"}', "there is no zone 'nowhere'"),
}


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_hostile_commands_are_refused_with_a_reason_and_change_nothing(broker: Broker, version: str) -> None:
    floor = Floor()
    with Subscriber(broker.port, BASE + "res/#", BASE + "state/gateway") as backend:
        async with service(broker.port, handler=floor.handle, version=version) as mqtt:
            await backend.until(lambda it: it.last(BASE + "state/gateway"))
            for number, (case, (payload, message)) in enumerate(HOSTILE.items(), 1):
                backend.publish(COUNT, payload)
                await backend.until(lambda it, number=number: len(it.on(DEFAULT)) == number)
                answer = backend.last(DEFAULT)
                assert answer["status"] == "refused", case
                assert message in answer["reason"], case
            assert mqtt.stats.commands_refused == len(HOSTILE)
            assert mqtt.stats.connects == 1
    assert floor.done == []


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        (BASE + "events/movement/vault", "not a res/ topic"),  # would pass for an event
        ("rfid/v1/leafworks/other/state/gateway", "not a res/ topic"),
        (COUNT, "not a res/ topic"),  # would be a command to itself
        ("$SYS/broker", "the broker's own"),
        ("x" * 2000, "1 to 1024 bytes"),
    ],
)
async def test_an_answer_cannot_be_sent_where_it_would_pass_for_something_else(
    broker: Broker, topic: str, message: str
) -> None:
    floor = Floor()
    with Subscriber(broker.port, BASE + "#") as backend:
        async with service(broker.port, handler=floor.handle):
            await backend.until(lambda it: it.last(BASE + "state/gateway"))
            backend.publish(COUNT, {"zone": "vault"}, ResponseTopic=topic)
            answer = await backend.until(lambda it: it.last(DEFAULT))
    assert answer["status"] == "refused"
    assert message in answer["reason"]
    assert floor.done == []


async def test_a_fault_or_a_slow_command_is_an_error_and_the_next_one_is_done(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mqtt.intake.HANDLER_SECONDS", 0.1)
    floor = Floor()
    with Subscriber(broker.port, BASE + "res/#", BASE + "state/gateway") as backend:
        async with service(broker.port, handler=floor.handle) as mqtt:
            await backend.until(lambda it: it.last(BASE + "state/gateway"))
            for zone in ("broken", "slow", "vault"):
                backend.publish(COUNT, {"zone": zone, "request": zone})
            await backend.until(lambda it: len(it.on(DEFAULT)) == 3)
            assert mqtt.stats.commands_failed == 2
    assert [(it["status"], it["request"]) for it in (orjson.loads(m.payload) for m in backend.on(DEFAULT))] == [
        ("error", "broken"),
        ("error", "slow"),
        ("ok", "vault"),
    ]
    assert not any(b"secret detail" in message.payload for message in some(backend.messages))


async def test_the_backends_mark_is_taken_retained_or_not(broker: Broker) -> None:
    marks: list[tuple[str, int]] = []

    def take(epoch: str, sequence: int) -> None:
        if epoch != "epoch-1":
            raise Refused(f"epoch {epoch!r} is not the present one")
        marks.append((epoch, sequence))

    with Subscriber(broker.port, BASE + "state/gateway") as backend:
        backend.publish(BASE + "ack", {"epoch": "epoch-1", "sequence": 7}, retain=True).wait_for_publish(10)
        async with service(broker.port, on_ack=take) as mqtt:
            await until(lambda: marks)
            wrong: list[Any] = [
                b"8",
                {"epoch": "epoch-1", "sequence": "8"},
                {"epoch": "epoch-1", "sequence": -1},
                {"epoch": "epoch-1", "sequence": 8.5},
                {"epoch": "epoch-1", "sequence": True},
                b'{"epoch": "epoch-1", "sequence": 1180591620717411303424}',
                {"epoch": "epoch-0", "sequence": 8},
                {"sequence": 8},
                {"epoch": "epoch-1", "sequence": 8, "more": 1},
            ]
            for payload in wrong:
                backend.publish(BASE + "ack", payload)
            backend.publish(BASE + "ack", b"", retain=True)  # clears it: nothing to refuse
            backend.publish(BASE + "ack", {"epoch": "epoch-1", "sequence": 9})
            await until(lambda: len(marks) == 2)
            assert mqtt.stats.acks_refused == len(wrong)
    assert marks == [("epoch-1", 7), ("epoch-1", 9)]


@VERSIONS
async def test_a_command_published_while_the_gateway_is_away_is_done_when_it_is_back(
    broker: Broker, version: str
) -> None:
    floor = Floor()
    with Subscriber(broker.port, BASE + "res/#") as backend:
        async with service(broker.port, handler=floor.handle, version=version) as mqtt:
            await until(lambda: mqtt.connected)
        for number in range(100):
            backend.publish(COUNT, {"zone": "vault", "request": f"r-{number}"})
        async with service(broker.port, handler=floor.handle, version=version):
            await backend.until(lambda it: len(it.on(DEFAULT)) == 100)
    assert len(floor.done) == 100


@VERSIONS
async def test_without_a_session_nothing_waits_for_a_gateway_that_is_away(broker: Broker, version: str) -> None:
    floor = Floor()
    with Subscriber(broker.port, BASE + "res/#") as backend:
        for _ in range(2):
            async with service(broker.port, handler=floor.handle, version=version, session_expiry=0) as mqtt:
                await until(lambda: mqtt.connected)
                backend.publish(COUNT, {"zone": "vault"})
                await until(lambda: mqtt.stats.commands_done == 1)
            backend.publish(COUNT, {"zone": "too late"}).wait_for_publish(10)
    assert floor.done == [("count", {"zone": "vault"})] * 2


@VERSIONS
async def test_what_waited_longer_than_the_session_may_last_is_thrown_away(
    broker: Broker, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MQTT 5: by the broker. 3.1.1: by the gateway, for it knows how long it was cut off."""
    monkeypatch.setattr("gateway.mqtt.link.FIRST_DELAY", 4.0)
    monkeypatch.setattr("gateway.mqtt.link.LONGEST_DELAY", 4.0)
    floor = Floor()
    settings: dict[str, Any] = {"version": version, "session_expiry": 1}
    with Subscriber(broker.port, BASE + "res/#") as backend:
        async with proxy(broker.port) as network, service(network.port, handler=floor.handle, **settings) as mqtt:
            await until(lambda: mqtt.connected)
            network.target = free_port()  # nobody there
            network.cut()
            backend.publish(COUNT, {"zone": "too late"}).wait_for_publish(10)
            await asyncio.sleep(1.5)
            network.target = broker.port
            await until(lambda: mqtt.connected, 60)
            backend.publish(COUNT, {"zone": "vault"})
            await backend.until(lambda it: it.on(DEFAULT))
    assert floor.done == [("count", {"zone": "vault"})]


@VERSIONS
async def test_what_waited_since_an_earlier_run_is_thrown_away_if_that_is_too_long_ago(
    broker: Broker, version: str
) -> None:
    floor = Floor()
    settings: dict[str, Any] = {"handler": floor.handle, "version": version, "session_expiry": 3600}
    with Subscriber(broker.port, BASE + "res/#") as backend:
        async with service(broker.port, **settings) as mqtt:
            await until(lambda: mqtt.connected)
        backend.publish(COUNT, {"zone": "too late"}).wait_for_publish(10)
        async with service(broker.port, away=4000.0, **settings) as mqtt:
            await until(lambda: mqtt.connected)
            backend.publish(COUNT, {"zone": "vault"})
            await backend.until(lambda it: it.on(DEFAULT))
    assert floor.done == [("count", {"zone": "vault"})]


@VERSIONS
async def test_three_thousand_commands_at_once_are_all_answered(broker: Broker, version: str) -> None:
    floor = Floor()
    with Subscriber(broker.port, BASE + "res/#") as backend:
        async with service(broker.port, handler=floor.handle, version=version) as mqtt:
            await until(lambda: mqtt.connected)
            for number in range(3000):
                backend.publish(COUNT, {"zone": "vault", "request": f"r-{number}"})
            await backend.until(lambda it: len(it.messages) >= 3000, 90)
            assert mqtt.stats.connects == 1
    assert len(floor.done) == 3000
    assert len({orjson.loads(message.payload)["request"] for message in backend.on(DEFAULT)}) == 3000


async def test_a_command_that_was_not_done_when_the_gateway_ended_is_done_by_the_next_one(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was never acknowledged, so the broker has it still."""
    monkeypatch.setattr("gateway.mqtt.intake.FINISH_SECONDS", 0.1)
    begun = asyncio.Event()

    async def never(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        await asyncio.sleep(3600)
        return {}

    floor = Floor()
    with Subscriber(broker.port, BASE + "res/#") as backend:
        async with service(broker.port, handler=never) as mqtt:
            await until(lambda: mqtt.connected)
            backend.publish(COUNT, {"zone": "vault"})
            await begun.wait()
        async with service(broker.port, handler=floor.handle):
            await backend.until(lambda it: it.last(DEFAULT))
    assert floor.done == [("count", {"zone": "vault"})]


async def test_a_command_from_the_command_line_is_answered(broker: Broker) -> None:
    floor = Floor()
    async with service(broker.port, handler=floor.handle) as mqtt:
        await until(lambda: mqtt.connected)
        answer = await request(config(broker.port), "count", {"zone": "vault"})
    assert (answer["status"], answer["result"]) == ("ok", {"tags": 1})
