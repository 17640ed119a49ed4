"""The private hooks of aiomqtt and paho on which `gateway.mqtt.client` builds, each looked at.

A new release of either that moves one of them fails here, with its name, before it fails in the field.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version

import aiomqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.mqtt.client import Client, Settings, Will
from gateway.mqtt.interface import ACCEPTED, Message, Outcome, Properties

SETTINGS = Settings("localhost", 1883, "5", "contract", 30, Will("will", b"{}"), "user", "hidden")


def connected(received: list[Message] | None = None) -> Client:
    """A client that believes it is connected; what it sends stays in paho's queue."""
    client = Client(SETTINGS, (received if received is not None else []).append)
    client._client._sock = _Socket()
    client._on_socket_register_write = lambda *_: None  # type: ignore[method-assign]
    client._client.on_socket_register_write = client._on_socket_register_write
    return client


class _Socket:
    def fileno(self) -> int:
        return -1

    def close(self) -> None: ...


async def feed(client: Client, packet: bytes) -> None:
    """Hands paho one packet, fixed header included, as if it came from the socket."""
    queue = bytearray(packet)

    def receive(size: int) -> bytes:
        if not queue:
            raise BlockingIOError
        taken = bytes(queue[:size])
        del queue[:size]
        return taken

    client._client._sock_recv = receive
    client._client.loop_read()
    assert not queue


def test_the_versions_are_those_that_were_looked_at() -> None:
    assert version("aiomqtt").startswith("2.5.")
    assert version("paho-mqtt").startswith("2.")


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (aiomqtt.Client._on_publish, ["self", "client", "userdata", "mid", "reason_code", "properties"]),
        (aiomqtt.Client._on_connect, ["self", "client", "userdata", "flags", "reason_code", "properties"]),
        (aiomqtt.Client._on_disconnect, ["self", "client", "userdata", "flags", "reason_code", "properties"]),
        (aiomqtt.Client._on_message, ["self", "client", "userdata", "message"]),
        (aiomqtt.Client._on_socket_open, ["self", "client", "userdata", "sock"]),
        (aiomqtt.Client._on_socket_register_write, ["self", "client", "userdata", "sock"]),
        (aiomqtt.Client._client_connect, ["self"]),
        (paho.Client._handle_pubackcomp, ["self", "cmd"]),
        (paho.Client._sock_recv, ["self", "bufsize"]),
        (paho.Client._ssl_wrap_socket, ["self", "tcp_sock"]),
        (paho.Client._reset_sockets, ["self", "sockpair_only"]),
    ],
)
def test_the_hooks_take_what_we_think(method: object, parameters: list[str]) -> None:
    assert list(inspect.signature(method).parameters) == parameters  # type: ignore[arg-type]


async def test_paho_calls_our_hooks() -> None:
    client = Client(SETTINGS, lambda message: None)
    inner = client._client
    assert inner.on_connect == client._on_connect
    assert inner.on_disconnect == client._on_disconnect
    assert inner.on_publish == client._on_publish
    assert inner.on_message == client._on_message
    assert inner.on_socket_open == client._on_socket_open
    assert inner.on_socket_register_write == client._on_socket_register_write
    assert inner._handle_pubackcomp == client._on_acknowledgement
    assert inner._ssl_wrap_socket == client._start_tls
    assert not client._connected.done()
    assert not client._disconnected.done()


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
        (b"\x40\x0a\x00\x01\x00\x06\x1f\x00\x03yes", Outcome(0, "Success")),
    ],
)
async def test_the_reason_code_of_a_puback_decides(puback: bytes, expected: Outcome) -> None:
    client = connected()
    outcome = client.send("topic", b"payload", qos=1)
    assert not outcome.done()
    await feed(client, puback)
    assert outcome.result() == expected
    assert not client._outcomes
    assert not client._client._out_messages, "paho keeps what it has sent"
    assert client._client._inflight_messages == 0


async def test_a_puback_for_nothing_that_was_sent_is_ignored() -> None:
    client = connected()
    outcome = client.send("topic", b"payload", qos=1)
    for puback in (b"\x40\x02\x00\x09", b"\x40\x03\x00\x09\x87"):
        await feed(client, puback)
    assert not outcome.done()
    assert not client.lost.done()


async def test_all_outcomes_are_lost_at_once_when_the_connection_ends() -> None:
    client = connected()
    client.window = 2
    client._connected.set_result(None)
    outcomes = [client.send("topic", b"payload", qos=1) for _ in range(4)]
    client._on_disconnect(client._client, None, None, ReasonCode(PacketTypes.DISCONNECT, identifier=0x8E))
    assert all(outcome.result().lost for outcome in outcomes)
    assert "same client id" in client.lost.result()
    assert client.send("topic", b"payload", qos=1).result().lost


async def test_what_is_beyond_the_receive_maximum_waits_its_turn() -> None:
    client = connected()
    properties = PahoProperties(PacketTypes.CONNACK)
    properties.ReceiveMaximum = 2
    client._on_connect(client._client, None, None, ReasonCode(PacketTypes.CONNACK, identifier=0), properties)
    assert client.window == 2
    outcomes = [client.send(f"topic/{number}", b"payload", qos=1) for number in range(5)]
    assert list(client._client._out_messages) == [1, 2]
    await feed(client, b"\x40\x02\x00\x01")
    assert list(client._client._out_messages) == [2, 3]
    await feed(client, b"\x40\x02\x00\x02")
    await feed(client, b"\x40\x02\x00\x03")
    assert [outcome.done() for outcome in outcomes] == [True, True, True, False, False]
    assert list(client._client._out_messages) == [4, 5]


async def test_telemetry_is_left_out_where_it_would_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.mqtt.client.MAX_UNSENT", 3)
    client = connected()
    assert [client.send("telemetry", b"", qos=0).result().accepted for _ in range(5)] == [True] * 3 + [False] * 2


async def test_paho_takes_packed_properties_as_it_takes_its_own() -> None:
    client = connected()
    client.send("t", b"p", qos=1, properties=Properties("application/json", (("a", "b"),), b"\x01"))
    ours = bytes(client._client._out_packet[0]["packet"])
    expected = PahoProperties(PacketTypes.PUBLISH)
    expected.PayloadFormatIndicator = 1
    expected.ContentType = "application/json"
    expected.UserProperty = [("a", "b")]
    expected.CorrelationData = b"\x01"
    reference = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    reference._sock = _Socket()  # type: ignore[assignment]
    reference.on_socket_register_write = lambda *_: None
    reference.publish("t", b"p", 1, False, expected)
    assert ours == bytes(reference._out_packet[0]["packet"])


async def test_a_message_comes_with_what_is_needed_to_answer_it() -> None:
    received: list[Message] = []
    client = connected(received)
    properties = b"\x08\x00\x01r" + b"\x09\x00\x01c"
    body = b"\x00\x05cmd/x" + bytes([len(properties)]) + properties + b"{}"
    await feed(client, bytes([0x31, len(body)]) + body)
    assert received == [Message("cmd/x", b"{}", True, "r", b"c")]


async def test_a_packet_longer_than_the_limit_is_not_read() -> None:
    client = connected()
    client._connected.set_result(None)
    client._client._in_packet.update(command=0x30, have_remaining=1, to_process=1_200_000)
    client._client._sock_recv = client._receive_bytes  # type: ignore[method-assign,assignment]
    client._client.loop_read()
    assert "more than 1114112" in client.lost.result()


def test_the_password_is_not_shown() -> None:
    assert "hidden" not in repr(SETTINGS)
