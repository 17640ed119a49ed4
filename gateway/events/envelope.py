"""Facts that the floor states, and the envelope in which they travel: CloudEvents 1.0 JSON, structured mode.

A fact is what happened, where and when. Its identity is its content and its source, so that the same input gives the
same event ids on every replay and every resend. The ledger adds epoch, sequence and the hash of the event before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import orjson

from gateway.clock import LATEST, parse_rfc3339, rfc3339
from gateway.events.types import ACCESS as ACCESS
from gateway.events.types import ALARM as ALARM
from gateway.events.types import BOOK as BOOK
from gateway.events.types import CLOCK_STEP as CLOCK_STEP
from gateway.events.types import COUNT as COUNT
from gateway.events.types import COUNT_SESSION as COUNT_SESSION
from gateway.events.types import DIFFERENCE as DIFFERENCE
from gateway.events.types import EXPECTED as EXPECTED
from gateway.events.types import GATE as GATE
from gateway.events.types import HANDHELD as HANDHELD
from gateway.events.types import LOSS as LOSS
from gateway.events.types import MOVEMENT as MOVEMENT
from gateway.events.types import RECONCILIATION as RECONCILIATION
from gateway.events.types import Fact as Fact
from gateway.events.types import access as access
from gateway.events.types import alarm as alarm
from gateway.events.types import book as book
from gateway.events.types import clock_step as clock_step
from gateway.events.types import count as count
from gateway.events.types import count_session as count_session
from gateway.events.types import difference as difference
from gateway.events.types import expected as expected
from gateway.events.types import gate as gate
from gateway.events.types import handheld as handheld
from gateway.events.types import loss as loss
from gateway.events.types import movement as movement
from gateway.events.types import reconciliation as reconciliation

GENESIS = "0" * 64
"""`prevhash` of the first event of an epoch."""


@dataclass(slots=True, frozen=True)
class Event:
    """A fact with its place in the ledger. `payload` is what is published, byte for byte, every time."""

    sequence: int
    id: str
    topic: str
    payload: bytes
    damage: str = ""  # why the payload is not what was written, in words

    def hash(self) -> str:
        """SHA-256 of the payload in hex: the `prevhash` of the next event."""
        return hashlib.sha256(self.payload).hexdigest()


def checked(event: Event, source: str | None = None) -> Event:
    """The event, with its `damage` where the payload is not what was written: its id is a hash of what it says."""
    try:
        said = orjson.loads(event.payload)
        fact = Fact(said["type"], said["subject"], parse_rfc3339(said["time"]), said["data"])
        same = said["id"] == event.id == fact.id(source or said["source"]) and fact.topic() == event.topic
        if same and (event.sequence <= 0 or said["sequence"] == event.sequence):
            return event
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return replace(event, damage="it is damaged in the ledger: its hash is not that of what it says")


def event_time(payload: bytes) -> int:
    """The time of an event as it is published, microseconds UTC. Raises ValueError or KeyError where it is not one."""
    return parse_rfc3339(orjson.loads(payload)["time"])


def source_of(site: str, gateway: str) -> str:
    """The CloudEvents source of a gateway."""
    return f"/rfid/{site}/{gateway}"


UNWRITABLE = (TypeError, ValueError, OverflowError)
"""What `seal` raises for a fact that cannot be written."""


def writable(fact: Fact, source: str) -> Fact:
    """The fact, or where it cannot be written as JSON, as a text with half a character in it, the statement that it is
    lost: one bad fact must not hold up those behind it."""
    try:
        fact.id(source)
        rfc3339(fact.time)
    except UNWRITABLE:
        gateway, t = source.rpartition("/")[2], min(max(fact.time, 0), LATEST)
        at = rfc3339(t)
        return loss(
            gateway, t, {"reader": gateway, "cause": "event-unwritable", "start": at, "end": at, "certain": True}
        )
    return fact


def seal(fact: Fact, source: str, epoch: str, sequence: int, prevhash: str) -> Event:
    """Puts a fact into its envelope at its place in the ledger."""
    identity = fact.id(source)
    payload = orjson.dumps(
        {
            "specversion": "1.0",
            "id": identity,
            "type": fact.type,
            "source": source,
            "subject": fact.place,
            "time": rfc3339(fact.time),
            "datacontenttype": "application/json",
            "epoch": epoch,
            "sequence": sequence,
            "prevhash": prevhash,
            "data": fact.data,
        }
    )
    return Event(sequence, identity, fact.topic(), payload)
