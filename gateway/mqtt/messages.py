"""A PUBLISH of the broker, read as far as it can be read: what is odd in it is unknown, and ends no connection.

Source: MQTT 5.0, sections 2.2.2.2 (properties) and 3.3; MQTT 3.1.1, section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.mqtt.wire import Packet, WireError, read_variable_integer

_RESPONSE_TOPIC, _CORRELATION_DATA, _USER_PROPERTY, _SUBSCRIPTION = 0x08, 0x09, 0x26, 0x0B

_FIXED = {0x01: 1, 0x02: 4, 0x23: 2}
"""Bytes of the properties of a fixed length that a PUBLISH may have."""

_STRINGS = {0x03: 1, _RESPONSE_TOPIC: 1, _CORRELATION_DATA: 1, _USER_PROPERTY: 2}
"""How many strings or blocks of bytes, each with its length in two bytes before it, a property has."""


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
    properties: dict[int, bytes] = {}
    try:
        topic = body[2:end].decode()
        if five:
            length, at = read_variable_integer(body, at)
            if length > len(body) - at:
                return unreadable
            properties = _properties(body[at : at + length])
            at += length
    except (UnicodeDecodeError, WireError):
        return unreadable
    return Read(
        topic or None,
        body[at:],
        qos,
        packet_id,
        _text(properties.get(_RESPONSE_TOPIC)),
        properties.get(_CORRELATION_DATA),
    )


def _properties(data: bytes) -> dict[int, bytes]:
    """The first string or block of each property, up to the first property that MQTT does not name."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        kind = data[at]
        at += 1
        if kind in _FIXED:
            at += _FIXED[kind]
        elif kind == _SUBSCRIPTION:
            _, at = read_variable_integer(data, at)
        elif kind in _STRINGS:
            for _ in range(_STRINGS[kind]):
                start = at + 2
                at = start + int.from_bytes(data[at:start], "big")
                if at <= len(data):
                    found.setdefault(kind, data[start:at])
        else:
            break
    return found


def _text(data: bytes | None) -> str | None:
    try:
        return data.decode() if data is not None else None
    except UnicodeDecodeError:
        return None
