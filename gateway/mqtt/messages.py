"""A PUBLISH of the broker, read as far as it can be read: what is odd in it is unknown, and ends no connection.

Source: MQTT 5.0 and MQTT 3.1.1, section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.mqtt import properties
from gateway.mqtt.wire import Packet, WireError, read_variable_integer


@dataclass(slots=True, frozen=True)
class Read:
    """What a PUBLISH says. `topic` is None where it cannot be told; `packet_id` is 0 and `qos` too with QoS 0."""

    topic: str | None
    payload: bytes
    qos: int
    packet_id: int
    response_topic: str | None = None
    correlation: bytes | None = None


def read(packet: Packet, five: bool) -> Read:
    """The message in a packet; never raises. The gateway has asked for QoS 1: what is above is taken for that."""
    body = packet.body
    qos = min(1, packet.first >> 1 & 3)
    end = 2 + int.from_bytes(body[:2], "big")
    packet_id = int.from_bytes(body[end : end + 2], "big") if qos else 0
    at = end + 2 * qos
    unreadable = Read(None, b"", qos if packet_id else 0, packet_id)
    if at > len(body):
        return unreadable
    found: dict[int, bytes] = {}
    try:
        topic = body[2:end].decode()
        if five:
            length, at = read_variable_integer(body, at)
            if length > len(body) - at:
                return unreadable
            found = properties.read(body[at : at + length])
            at += length
    except (UnicodeDecodeError, WireError):
        return unreadable
    return Read(
        topic or None,
        body[at:],
        qos,
        packet_id,
        _text(found.get(properties.RESPONSE_TOPIC)),
        found.get(properties.CORRELATION_DATA),
    )


def _text(data: bytes | None) -> str | None:
    try:
        return data.decode() if data is not None else None
    except UnicodeDecodeError:
        return None
