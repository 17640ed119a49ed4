"""What the gateway wants of an MQTT client and of the ledger: the seams on both sides of `gateway.mqtt`.

Only `gateway.mqtt.client` knows which client library is behind `Connection`; another one can take its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.events.envelope import Event
from gateway.mqtt.answers import End

LOST_CODE = -1
"""The code of an outcome that is not known: the connection ended first."""

TOO_LARGE_CODE = 0x95
"""The reason code of MQTT 5 for a packet that is larger than the broker takes."""


@dataclass(slots=True, frozen=True)
class Outcome:
    """What became of a message: the MQTT reason code of its PUBACK, or `LOST_CODE`, and a reason for the operator."""

    code: int
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the broker took the message."""
        return 0 <= self.code < 0x80

    @property
    def lost(self) -> bool:
        """Whether the connection ended before there was an answer."""
        return self.code == LOST_CODE

    def __str__(self) -> str:
        return f"{self.reason} (0x{self.code:02x})" if self.code >= 0 else self.reason


ACCEPTED = Outcome(0)
NO_ANSWER = Outcome(0x80, "the broker does not answer")


@dataclass(slots=True, frozen=True)
class Properties:
    """The MQTT 5 properties that the gateway sends with a message. 3.1.1 has none: they are left out there."""

    content_type: str = "application/json"
    user: tuple[tuple[str, str], ...] = ()
    correlation: bytes | None = None


def _nothing() -> None:
    """A message of QoS 0 is not acknowledged."""


@dataclass(slots=True, frozen=True)
class Message:
    """A message from the broker; `topic` is empty where it cannot be read.

    `size` is that of the payload in bytes: larger than `payload` where it was too large to be kept. `again`: the
    broker says that it has sent this message before. `acknowledge` tells the broker that the message is safe; until
    then the broker keeps it and sends it again over the next connection.
    """

    topic: str
    payload: bytes
    retain: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None
    size: int = 0
    packet_id: int = 0
    again: bool = False
    acknowledge: Callable[[], None] = field(default=_nothing, compare=False)


@dataclass(slots=True, frozen=True)
class Features:
    """What the broker has, as far as it says so (CONNACK of MQTT 5, section 3.2.2.3; 3.1.1 says nothing)."""

    version: str = "5"
    retain: bool = True
    qos: int = 1
    wildcards: bool = True
    session: bool = True  # it keeps a session while the gateway is away
    shortened: int | None = None  # for so many seconds, where that is less than it was asked for

    def missing(self) -> list[str]:
        """What is not had, each with what it means, for the operator."""
        lacks = []
        if self.version == "3.1.1":
            lacks.append("in MQTT 3.1.1 a broker cannot refuse a message: what its access rules forbid is lost unseen")
        if not self.retain:
            lacks.append("no retained messages: who subscribes late sees a state when it next changes")
        if self.qos < 1:
            lacks.append("no QoS 1: events cannot be acknowledged and wait in the ledger; use another broker")
        if not self.wildcards:
            lacks.append("no wildcards: each command is subscribed to by its name")
        if not self.session:
            lacks.append("no persistent session: a command published while the gateway is away is lost")
        elif self.shortened is not None:
            lacks.append(
                f"no long session: a command is lost where the gateway is away for more than {self.shortened} s"
            )
        return lacks


class Connection(Protocol):
    """One connection to the broker, open when one gets it, never opened again once it is `lost`."""

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done once the connection has ended; the result says why. Every outcome still awaited is then `lost`."""
        ...

    @property
    def ended(self) -> End:
        """Why the connection has ended; `End.OWN` while it has not."""
        ...

    @property
    def features(self) -> Features:
        """What the broker can do."""
        ...

    @property
    def window(self) -> int:
        """How many QoS 1 messages the broker takes before it has acknowledged one (its Receive Maximum)."""
        ...

    @property
    def max_packet(self) -> int:
        """Bytes of the largest packet that the broker takes, as far as is known."""
        ...

    @property
    def unacknowledged(self) -> int:
        """QoS 1 messages sent over this connection and not acknowledged, those that were given up included."""
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

    def leave(self, filters: Sequence[str]) -> None:
        """Ends subscriptions; what was on its way still comes."""
        ...

    def pause(self) -> None:
        """Takes no more from the network until `resume`: the back-pressure for QoS 0 and MQTT 3.1.1."""
        ...

    def resume(self) -> None:
        """Reads again."""
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
        """Every event up to here is with the broker or set apart."""
        ...

    @property
    def pending(self) -> int:
        """How many committed events have yet to be published."""
        ...


class Outbox(Protocol):
    """The part of the ledger that the publisher needs."""

    @property
    def opened_at(self) -> int:
        """The newest event that the ledger held when it was opened."""
        ...

    @property
    def begun(self) -> bool:
        """Whether the epoch began with this opening."""
        ...

    @property
    def run(self) -> str:
        """A name for the time since it was opened, which no other opening of it has."""
        ...

    @property
    def epoch(self) -> str:
        """The life of this ledger: sequence numbers count within it."""
        ...

    def stats(self) -> Standing:
        """The figures of the ledger as they are now."""
        ...

    async def read(self, after: int, limit: int, max_bytes: int) -> list[Event]:
        """Committed events behind `after`, in order, without those that are set apart.

        At most `limit`, and no more than `max_bytes` of payload unless the first alone is larger.
        """
        ...

    def published(self, sequence: int) -> None:
        """Every event up to this one is with the broker or set apart."""
        ...

    def set_apart(self, event: Event, reason: str, final: bool) -> None:
        """The broker does not take this event: it is kept in quarantine. `final`: only a command sends it again."""
        ...

    def delivered(self, event: Event) -> None:
        """The broker has taken an event that was in quarantine."""
        ...

    async def quarantined_topics(self) -> list[str]:
        """The topics of events in quarantine that may be tried again by themselves."""
        ...

    async def quarantined_on(self, topic: str, after: int, limit: int) -> list[Event]:
        """The events in quarantine on `topic` behind the sequence number `after`, in order."""
        ...

    async def released(self, limit: int) -> list[Event]:
        """The oldest events in quarantine that are to be sent again by command, in order."""
        ...
