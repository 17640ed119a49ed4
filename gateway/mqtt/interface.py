"""What the gateway wants of an MQTT client and of the ledger: the seams on both sides of `gateway.mqtt`.

Only `gateway.mqtt.client` knows which client library is behind `Connection`; another one can take its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.events.envelope import Event

LOST_CODE = -1
"""The code of an outcome that is not known: the connection ended first."""


@dataclass(slots=True, frozen=True)
class Outcome:
    """What became of a message: the MQTT reason code of its PUBACK, or `LOST_CODE`, and a reason for the operator."""

    code: int
    reason: str = ""

    @property
    def accepted(self) -> bool:
        return 0 <= self.code < 0x80

    @property
    def lost(self) -> bool:
        return self.code == LOST_CODE


ACCEPTED = Outcome(0)


@dataclass(slots=True, frozen=True)
class Properties:
    """The MQTT 5 properties that the gateway sends with a message. 3.1.1 has none: they are left out there."""

    content_type: str = "application/json"
    user: tuple[tuple[str, str], ...] = ()
    correlation: bytes | None = None


@dataclass(slots=True, frozen=True)
class Message:
    """A message from the broker."""

    topic: str
    payload: bytes
    retain: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None


class Connection(Protocol):
    """One connection to the broker, open when one gets it, never opened again once it is `lost`."""

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done once the connection has ended; the result says why. Every outcome still awaited is then `lost`."""
        ...

    @property
    def window(self) -> int:
        """How many QoS 1 messages the broker takes before it has acknowledged one (its Receive Maximum)."""
        ...

    def send(
        self, topic: str, payload: bytes, *, qos: int, retain: bool = False, properties: Properties | None = None
    ) -> asyncio.Future[Outcome]:
        """Sends a message; messages leave in the order of the calls.

        Never blocks and never raises: a message that is too large for the broker is an outcome too. With QoS 0 the
        outcome only says whether the message was handed to the network.
        """
        ...

    async def listen(self, filters: Sequence[str]) -> list[Outcome]:
        """Subscribes with QoS 1: an outcome for each filter. Raises `LinkError` when the connection ends first."""
        ...


Receive = Callable[[Message], None]
"""Takes a message from the broker, at once."""


class Standing(Protocol):
    """How far the ledger is published, by sequence number, 0 for not at all."""

    @property
    def sequence(self) -> int:
        """The newest committed event."""
        ...

    @property
    def published(self) -> int:
        """The broker has taken or refused every event up to here."""
        ...

    @property
    def pending(self) -> int:
        """How many committed events have yet to be published."""
        ...


class Outbox(Protocol):
    """The part of the ledger that the publisher needs."""

    @property
    def epoch(self) -> str:
        """The life of this ledger: sequence numbers count within it."""
        ...

    def stats(self) -> Standing: ...

    async def read(self, after: int, limit: int, max_bytes: int) -> list[Event]:
        """Committed events behind `after`, in order, without those that were refused.

        At most `limit`, and no more than `max_bytes` of payload unless the first alone is larger.
        """
        ...

    def published(self, sequence: int) -> None:
        """The broker has confirmed or refused every event up to this one."""
        ...

    def refuse(self, sequence: int, reason: str) -> None:
        """The broker will not take this event."""
        ...
