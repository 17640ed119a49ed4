"""Messages of a broker as they are read: what is odd is unknown, and nothing raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt import messages
from gateway.mqtt.messages import Read
from gateway.mqtt.wire import Packet


def publish(topic: bytes, properties: bytes | None, payload: bytes = b"{}", qos: int = 1) -> Packet:
    body = len(topic).to_bytes(2, "big") + topic + (b"\0\7" if qos else b"")
    if properties is not None:
        body += bytes([len(properties)]) + properties
    return Packet(0x30 | qos << 1, body + payload)


@pytest.mark.parametrize(
    ("properties", "response", "correlation"),
    [
        (b"", None, None),
        (b"\x01\x01\x02\0\0\0\x05\x23\0\1\x08\0\1a\x09\0\2bc\x26\0\1x\0\1y\x0b\x81\x01\x03\0\0", "a", b"bc"),
        (b"\x08\0\2\xff\xfe\x09\0\1c", None, b"c"),  # a response topic that is not text
        (b"\x7f\1\x08\0\1a", None, None),  # what comes behind a property that MQTT does not name is not known
        (b"\x01\1\x01\1\x08\0\1a\x08\0\1b", "a", None),  # twice
        (b"\x08\0\x09a", None, None),  # longer than there are bytes
    ],
)
def test_properties(properties: bytes, response: str | None, correlation: bytes | None) -> None:
    assert messages.read(publish(b"t", properties), True) == Read("t", b"{}", 1, 7, response, correlation)


@pytest.mark.parametrize(
    ("packet", "five"),
    [
        (publish(b"", None), False),
        (publish(b"", b"\x23\0\1"), True),  # a topic alias: none was offered
        (publish(b"a/\xff", None), False),
        (Packet(0x32, b"\0\1t\0\7\x70{}"), True),  # properties that are longer than the packet
        (Packet(0x36, b"\0\1\xff\0\7\0{}"), True),  # no such QoS, and no text
    ],
)
def test_what_cannot_be_read_still_says_what_to_acknowledge(packet: Packet, five: bool) -> None:
    read = messages.read(packet, five)
    assert (read.topic, read.qos, read.packet_id) == (None, 1, 7)


@given(st.integers(0x30, 0x3F), st.binary(max_size=60), st.booleans())
def test_whatever_comes_is_read_or_passed_over(first: int, body: bytes, five: bool) -> None:
    read = messages.read(Packet(first, body), five)
    assert read.packet_id < 1 << 16
