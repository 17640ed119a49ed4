"""The properties of an MQTT 5 packet, read as far as they can be read: what is odd behind them is unknown.

Source: MQTT 5.0, section 2.2.2.2.
"""

from __future__ import annotations

from gateway.mqtt.wire import WireError, read_variable_integer

RESPONSE_TOPIC, CORRELATION_DATA = 0x08, 0x09
SERVER_REFERENCE, REASON_STRING = 0x1C, 0x1F
SESSION_EXPIRY, SERVER_KEEP_ALIVE, RECEIVE_MAXIMUM = 0x11, 0x13, 0x21
MAXIMUM_QOS, RETAIN_AVAILABLE, MAXIMUM_PACKET_SIZE, WILDCARDS_AVAILABLE = 0x24, 0x25, 0x27, 0x28

_SUBSCRIPTION = 0x0B  # the only variable byte integer

_FIXED = {
    **dict.fromkeys((0x01, 0x17, 0x19, MAXIMUM_QOS, RETAIN_AVAILABLE, WILDCARDS_AVAILABLE, 0x29, 0x2A), 1),
    **dict.fromkeys((SERVER_KEEP_ALIVE, RECEIVE_MAXIMUM, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, SESSION_EXPIRY, 0x18, MAXIMUM_PACKET_SIZE), 4),
}
"""Bytes of the properties of a fixed length."""

_STRINGS = {**dict.fromkeys((0x03, RESPONSE_TOPIC, CORRELATION_DATA, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F), 1), 0x26: 2}
"""How many strings or blocks of bytes, each with its length in two bytes before it, a property has."""


def read(data: bytes) -> dict[int, bytes]:
    """The bytes of each property, of one that comes again the first, up to the first that is cut off or that MQTT does
    not name; never raises."""
    found: dict[int, bytes] = {}
    at = 0
    try:
        while at < len(data):
            kind, start = data[at], at + 1
            if kind in _FIXED:
                at = start + _FIXED[kind]
            elif kind == _SUBSCRIPTION:
                _, at = read_variable_integer(data, start)
            elif kind in _STRINGS:
                at = start
                for _ in range(_STRINGS[kind]):
                    start = at + 2
                    at = start + int.from_bytes(data[at:start], "big")
            else:
                break
            if at > len(data):
                break
            found.setdefault(kind, data[start:at])
    except WireError:
        pass
    return found
