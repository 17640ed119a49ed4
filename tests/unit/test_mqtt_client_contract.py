"""What `gateway.mqtt.client` makes of a broker's bytes, and the one private method of paho on which it builds.

A new release of paho that moves the method, or changes what is public, fails here before it fails in the field.
"""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from gateway.errors import LinkError
from gateway.mqtt import answers, codec, wire
from gateway.mqtt.answers import Answer, End, classify
from gateway.mqtt.client import Client
from gateway.mqtt.interface import ACCEPTED, Features, Message, Outcome, Properties
from gateway.mqtt.reasons import said
from gateway.mqtt.settings import BrokerRefusal, Settings, Will
from tests.support.claims import some

WILL = Will("will", b"{}")


def settings(version: str = "5", **more: Any) -> Settings:
    return Settings("localhost", 1883, version, "contract", 30, WILL, "user", "hidden", **more)


class Network:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.reading = True
        self.closed = False
        self.unsent = 0

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def logged_in(connack: bytes = b"\x20\x03\x00\x00\x00", **more: Any) -> tuple[Client, Network, list[Message]]:
    """A client whose CONNECT the broker has answered with `connack`; what it sends from now on is in the network."""
    received: list[Message] = []
    client, network = Client(settings(**more), received.append), Network()
    client.connection_made(network)  # type: ignore[arg-type]
    codec.log_in(client._codec, client._settings)
    client.data_received(connack)
    client._flush()
    network.written.clear()
    return client, network, received


def packets(network: Network, client: Client) -> list[wire.Packet]:
    client._flush()
    return list(wire.Packets(1 << 20, five=True).feed(bytes(network.written)))


def test_paho_has_what_is_built_upon() -> None:
    assert version("paho-mqtt").startswith("2.")
    assert list(inspect.signature(paho.Client._create_socket).parameters) == ["self"]
    for name in ("connect", "loop_read", "loop_misc", "publish", "subscribe", "ack", "disconnect", "drop_out_messages"):
        assert callable(getattr(paho.Client, name)), name


@pytest.mark.parametrize(
    ("puback", "expected"),
    [
        (b"\x40\x02\x00\x01", ACCEPTED),
        (b"\x40\x03\x00\x01\x00", ACCEPTED),
        (b"\x40\x03\x00\x01\x10", ACCEPTED),  # no matching subscribers
        (b"\x40\x04\x00\x01\x10\x00", ACCEPTED),
        (b"\x40\x03\x00\x01\x87", Outcome(0x87, "Not authorized")),
        (b"\x40\x04\x00\x01\x97\x00", Outcome(0x97, "Quota exceeded")),
        (b"\x40\x0a\x00\x01\x99\x06\x1f\x00\x03bad", Outcome(0x99, "Payload format invalid")),  # with a reason string
        (b"\x40\x0a\x00\x01\x00\x06\x1f\x00\x03yes", ACCEPTED),
    ],
)
async def test_the_reason_code_of_a_puback_decides(puback: bytes, expected: Outcome) -> None:
    client, _, _ = logged_in()
    outcome = client.send("topic", b"payload", qos=1)
    assert not outcome.done()
    for byte in puback:  # however the network cuts it
        client.data_received(bytes([byte]))
    assert outcome.result() == expected
    assert client.unacknowledged == 0


async def test_any_refusal_is_of_a_known_kind_and_ends_nothing() -> None:
    client, _, _ = logged_in()
    for packet_id, code in enumerate(range(0x80, 0x100), 1):
        outcome = client.send("topic", b"payload", qos=1)
        client.data_received(bytes([0x40, 4, 0, packet_id, code, 0]))
        assert outcome.result().code == code
        assert classify(code) in (Answer.NOT_NOW, Answer.UNTIL_MENDED, Answer.TOO_LARGE, Answer.NEVER)
    assert not client.lost.done()


async def test_a_puback_for_nothing_that_was_sent_is_ignored() -> None:
    client, _, _ = logged_in()
    outcome = client.send("topic", b"payload", qos=1)
    for puback in (b"\x40\x02\x00\x09", b"\x40\x03\x00\x09\x87"):
        client.data_received(puback)
    assert not outcome.done()
    assert not client.lost.done()


async def test_what_a_broker_says_in_words_is_passed_on() -> None:
    moved = b"\x1c\x00\x05other\x1f\x00\x06so\x1b[2J"
    client, _, _ = logged_in()
    client.data_received(wire.Packet(wire.DISCONNECT, b"\x9d" + bytes([len(moved)]) + moved).encode())
    assert "the other server is 'other'; it says 'so\\x1b[2J'" in client.lost.result()
    for odd in (b"", b"\x80", b"\x05\x1f\x00\xffx", b"\xff\xff\xff\xff\xff", b"\x03\x1f\x00\x00"):
        assert said(odd) == ""
    client = Client(settings(), lambda message: None)
    client.connection_made(Network())  # type: ignore[arg-type]
    codec.log_in(client._codec, client._settings)
    client.data_received(wire.Packet(wire.CONNACK, b"\0\x9c" + bytes([len(moved)]) + moved).encode())
    with pytest.raises(BrokerRefusal, match=r"set mqtt\.host; the other server is 'other'"):
        await client._connected


@pytest.mark.parametrize(
    ("end", "reason", "why"),
    [
        (b"\xe0\x01\x8e", "same client id", End.OWN),
        (b"\xe0\x01\x8b", "server shutting down", End.OWN),
        (b"\xe0\x01\x95", "packet too large", End.TOO_LARGE),
        (b"\xe0\x02\x81\x00", "malformed", End.UNKNOWN),
        (b"\xe0\x01\xee", "does not name", End.UNKNOWN),
        (None, "closed it", End.UNKNOWN),
    ],
)
async def test_all_outcomes_are_lost_at_once_when_the_connection_ends(end: bytes | None, reason: str, why: End) -> None:
    client, _, _ = logged_in(b"\x20\x06\x00\x00\x03\x21\x00\x02")  # Receive Maximum 2
    outcomes = [client.send("topic", b"payload", qos=1) for _ in range(4)]
    if end is None:
        client.connection_lost(None)
    else:
        client.data_received(end)
    assert all(outcome.result().lost for outcome in some(outcomes))
    assert reason in client.lost.result()
    assert client.ended is why
    assert client.send("topic", b"payload", qos=1).result().lost


async def test_what_is_beyond_the_receive_maximum_waits_its_turn() -> None:
    client, network, _ = logged_in(b"\x20\x06\x00\x00\x03\x21\x00\x02")
    assert client.window == 2
    outcomes = [client.send(f"topic/{number}", b"payload", qos=1) for number in range(5)]
    assert len(packets(network, client)) == 2
    client.data_received(b"\x40\x02\x00\x01")
    assert len(packets(network, client)) == 3
    client.data_received(b"\x40\x02\x00\x02\x40\x02\x00\x03")
    assert [outcome.done() for outcome in outcomes] == [True, True, True, False, False]
    assert len(packets(network, client)) == 5


async def test_what_needs_no_acknowledgement_is_left_out_where_it_would_pile_up() -> None:
    client, network, _ = logged_in()
    assert client.send("figures", b"", qos=0).result().accepted
    network.unsent = 1 << 20
    assert not client.send("figures", b"", qos=0).result().accepted


async def test_paho_takes_packed_properties_as_it_takes_its_own() -> None:
    client, network, _ = logged_in()
    client.send("t", b"p", qos=1, properties=Properties("application/json", (("a", "b"),), b"\x01"))
    expected = PahoProperties(PacketTypes.PUBLISH)
    expected.PayloadFormatIndicator = 1
    expected.ContentType = "application/json"
    expected.UserProperty = [("a", "b")]
    expected.CorrelationData = b"\x01"
    written: list[bytes] = []
    reference = codec.Codec(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    reference.pipe = wire.Pipe(lambda data: written.append(bytes(data)))
    reference.connect("localhost")
    reference.publish("t", b"p", 1, False, expected)
    client._flush()
    assert bytes(network.written) == written[-1]


async def test_a_message_comes_with_what_is_needed_to_answer_it_and_is_acknowledged_by_hand() -> None:
    client, network, received = logged_in()
    properties = b"\x08\x00\x01r" + b"\x09\x00\x01c"
    body = b"\x00\x05cmd/x\x00\x07" + bytes([len(properties)]) + properties + b"{}"
    client.data_received(bytes([0x3B, len(body)]) + body)  # QoS 1, retained, sent again
    assert received == [Message("cmd/x", b"{}", True, "r", b"c", 2, 7, True)]
    assert packets(network, client) == []
    received[0].acknowledge()
    assert [(packet.kind, packet.body[:2]) for packet in packets(network, client)] == [(wire.PUBACK, b"\x00\x07")]


@pytest.mark.parametrize("piece", [7, 1000, 1 << 21])
async def test_a_message_that_is_too_large_is_passed_over(piece: int) -> None:
    client, _, received = logged_in(version="3.1.1", connack=b"\x20\x02\x00\x00")
    size = 1_200_000
    body = b"\x00\x05cmd/x\x00\x07" + b"x" * size
    data = b"\x33" + wire.variable_integer(len(body)) + body + b"\x30\x08\x00\x05cmd/y1"
    for start in range(0, len(data), piece):
        client.data_received(data[start : start + piece])
    assert [(message.topic, message.payload, message.size) for message in received] == [
        ("cmd/x", b"", size),
        ("cmd/y", b"1", 1),
    ]
    assert not client.lost.done()


async def test_what_is_too_large_and_no_message_ends_the_connection() -> None:
    client, _, _ = logged_in()
    client.data_received(b"\x90\xff\xff\xff\x7f")
    assert "268435455 bytes" in client.lost.result()


async def test_a_broker_says_what_it_has_not() -> None:
    lacks = b"\x24\x00" + b"\x25\x00" + b"\x28\x00" + b"\x11\x00\x00\x00\x00" + b"\x27\x00\x00\x08\x00"
    client, _, _ = logged_in(b"\x20" + bytes([3 + len(lacks), 0, 0, len(lacks)]) + lacks, session=60)
    assert client.features == Features("5", retain=False, qos=0, wildcards=False, session=False)
    assert len(client.features.missing()) == 4
    assert client.max_packet == 2048
    assert client.send("topic", b"x" * 3000, qos=1).result().code == 0x95
    assert client.send("topic", b"", qos=1).result().code == 0x9B


LIMIT_OF_TEN = b"\x21\x00\x0a"
ODD_CONNACKS = {
    "a property that MQTT does not name": (LIMIT_OF_TEN + b"\x7e\x01\x02", 10),
    "a property twice": (LIMIT_OF_TEN + b"\x21\x00\x14", 10),
    "a property of another packet": (b"\x08\x00\x01x" + LIMIT_OF_TEN, 10),
    "the same user property twice": (b"\x26\x00\x01a\x00\x01b" * 2 + LIMIT_OF_TEN, 10),
    "a property that is cut off": (b"\x21\x00", 65535),
    "a string that is cut off": (LIMIT_OF_TEN + b"\x12\x00\x09abc", 10),
    "a limit of nothing": (b"\x21\x00\x00\x27\x00\x00\x00\x00", 65535),
    "values that are none": (b"\x24\x07\x25\x02\x28\x09" + LIMIT_OF_TEN, 10),
}


@pytest.mark.parametrize("name", ODD_CONNACKS)
async def test_what_is_odd_in_the_answer_to_a_login_is_unknown_and_the_rest_counts(name: str) -> None:
    lacks, window = ODD_CONNACKS[name]
    client, network, _ = logged_in(b"\x20" + bytes([3 + len(lacks), 0, 0, len(lacks)]) + lacks)
    assert client._connected.done()
    assert (client.window, client.max_packet, client.features) == (window, 268_435_460, Features())
    client.send("topic", b"", qos=1)
    assert packets(network, client)


@pytest.mark.parametrize("connack", [b"\x20\x02\x00\x00", b"\x20\x03\x01\x00\x00", b"\x20\x04\x00\x00\x20\x21"])
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_an_answer_to_a_login_may_be_shorter_and_longer_than_it_should(version: str, connack: bytes) -> None:
    client, _, _ = logged_in(connack, version=version)
    assert client._connected.done()
    assert not client.lost.done()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("odd", ["6200", "62020001", "50020001", "b0030001 00", "4000", "9000", "90020001", "f0020000",
                                 "d003616263", "2000", "20020000", "20020005"])  # fmt: skip
async def test_an_odd_packet_ends_no_connection(version: str, odd: str) -> None:
    client, network, _ = logged_in(b"\x20\x03\x00\x00\x00" if version == "5" else b"\x20\x02\x00\x00", version=version)
    client.data_received(bytes.fromhex(odd))
    assert not client.lost.done()
    client.send("topic", b"", qos=1)
    assert packets(network, client)


@pytest.mark.parametrize(("wanted", "kept"), [(1, 1), (20, 20), (0, 30), (65535, 30)])
async def test_a_keep_alive_that_the_broker_wants_shorter_is_kept(wanted: int, kept: int) -> None:
    client, _, _ = logged_in(b"\x20\x06\x00\x00\x03\x13" + wanted.to_bytes(2, "big"))
    assert client._codec.keepalive == kept


@pytest.mark.looptime
async def test_a_connection_of_which_all_that_may_be_awaited_stays_unanswered_is_ended() -> None:
    client, _, _ = logged_in(b"\x20\x06\x00\x00\x03\x21\x00\x02")
    client._watch()
    first = client.send("topic", b"1", qos=1)
    client.send("topic", b"2", qos=1)
    given_up = client.send("topic", b"3", qos=1)
    await asyncio.sleep(20)
    given_up.cancel()
    client.data_received(b"\x40\x02\x00\x01")
    assert first.result() == ACCEPTED
    assert client.unacknowledged == 1, "what nobody waits for any more is not sent"
    await asyncio.sleep(100)
    assert not client.lost.done(), "there is room"
    client.send("topic", b"4", qos=1)
    await asyncio.sleep(40)
    assert "leaves all 2 messages unanswered" in client.lost.result()
    assert client.ended is End.OWN


@pytest.mark.parametrize(("version", "code", "meant"), [("5", 0x87, 0x87), ("5", 0xEE, 0xEE), ("3.1.1", 5, 0x87)])
async def test_a_refused_login_is_told_with_its_code(version: str, code: int, meant: int) -> None:
    client, _, _ = logged_in(bytes([0x20, 2, 0, code]), version=version)
    error = client._connected.exception()
    assert isinstance(error, BrokerRefusal)
    assert isinstance(error, LinkError)
    assert error.code == meant


async def test_no_more_is_read_until_there_is_room() -> None:
    client, network, _ = logged_in()
    client.pause()
    assert not network.reading
    client.resume()
    assert network.reading


def test_every_listed_code_has_a_kind_and_a_name() -> None:
    assert all(answers.name(code) for code in range(256))
    assert classify(0x97) is Answer.NOT_NOW
    assert classify(0x87) is Answer.UNTIL_MENDED
    assert classify(0x95) is Answer.TOO_LARGE
    assert classify(0x99) is Answer.NEVER


def test_the_password_is_not_shown() -> None:
    assert "hidden" not in repr(settings())
