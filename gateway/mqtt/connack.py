"""The broker's answer to a login, read as far as it can be read: what is odd in it is unknown, and costs no connection.

Source: MQTT 5.0, section 3.2.2; MQTT 3.1.1, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.mqtt import properties
from gateway.mqtt.interface import Features
from gateway.mqtt.settings import Settings
from gateway.mqtt.wire import CONNACK, Packet, WireError, read_variable_integer


@dataclass(slots=True, frozen=True)
class Connack:
    """An accepted login. `said`: the properties that are whole numbers, by their identifiers."""

    said: Mapping[int, int]

    def number(self, kind: int, default: int, least: int = 0) -> int:
        """What the broker says of the property `kind`; `default` where it says nothing, or less than `least`."""
        value = self.said.get(kind, default)
        return value if value >= least else default

    def features(self, settings: Settings) -> Features:
        """What the broker has of what it was asked for by `settings`."""
        expiry = self.number(properties.SESSION_EXPIRY, settings.session)
        return Features(
            version=settings.version,
            retain=settings.retain and self.number(properties.RETAIN_AVAILABLE, 1) != 0,
            qos=min(1, self.number(properties.MAXIMUM_QOS, 1)),  # what it says of the last will is of that alone
            wildcards=self.number(properties.WILDCARDS_AVAILABLE, 1) != 0,
            session=settings.session == 0 or expiry != 0,
            shortened=expiry if 0 < expiry < settings.session else None,
        )

    def plain(self, five: bool, keepalive: int) -> Packet:
        """The answer to the login as the codec can read it, which fails at what is odd: with nothing but the
        keep-alive, and that where the broker wants one that is shorter than ours of `keepalive` seconds."""
        shorter = self.number(properties.SERVER_KEEP_ALIVE, keepalive, 1)
        named = bytes([properties.SERVER_KEEP_ALIVE]) + shorter.to_bytes(2, "big") if shorter < keepalive else b""
        return Packet(CONNACK, b"\0\0" + (bytes([len(named)]) + named if five else b""))


def read(body: bytes, five: bool) -> Connack:
    """The body of a CONNACK that accepts; never raises."""
    said: dict[int, int] = {}
    if five:
        try:
            length, at = read_variable_integer(body, 2)
        except WireError:
            length, at = 0, len(body)
        said = {kind: int.from_bytes(value, "big") for kind, value in properties.read(body[at : at + length]).items()}
    return Connack(said)
