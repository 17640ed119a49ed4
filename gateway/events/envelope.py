"""Facts that the floor states, and the envelope in which they travel: CloudEvents 1.0 JSON, structured mode.

A fact is what happened, where and when. Its identity is its content and its source, so that the same input gives the
same event ids on every replay and every resend. The ledger adds epoch, sequence and the hash of the event before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gateway.clock import parse_rfc3339, rfc3339
from gateway.events.book_models import BookData, Difference, Reconciliation
from gateway.events.count_models import CountData, CountSession, ExpectedChanged, HandheldReads
from gateway.events.gate_models import GateData
from gateway.events.models import Access, ClockStep, Loss
from gateway.events.types import ACCESS as ACCESS
from gateway.events.types import ALARM as ALARM
from gateway.events.types import BOOK as BOOK
from gateway.events.types import CLOCK_STEP as CLOCK_STEP
from gateway.events.types import COUNT as COUNT
from gateway.events.types import COUNT_SESSION as COUNT_SESSION
from gateway.events.types import DIFFERENCE as DIFFERENCE
from gateway.events.types import EVENTS, AlarmData, MovementData
from gateway.events.types import EXPECTED as EXPECTED
from gateway.events.types import GATE as GATE
from gateway.events.types import HANDHELD as HANDHELD
from gateway.events.types import LOSS as LOSS
from gateway.events.types import MOVEMENT as MOVEMENT
from gateway.events.types import RECONCILIATION as RECONCILIATION

GENESIS = "0" * 64
"""`prevhash` of the first event of an epoch."""


@dataclass(slots=True, frozen=True)
class Fact:
    """What happened (`type`, `data`), where (`place`: a zone, portal or reader) and when (`time`, microseconds UTC).

    Built by the functions below, which hold the data to its type.
    """

    type: str
    place: str
    time: int
    data: Mapping[str, Any]

    def topic(self) -> str:
        """The topic below ``{root}/v1/{site}/{gateway}/``."""
        return EVENTS[self.type].topic.format(place=self.place)

    def id(self, source: str) -> str:
        """128 bits in hex: the same fact from the same source has the same id."""
        content = orjson.dumps([source, self.type, self.place, self.time, self.data], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()[:32]


def movement(place: str, time: int, data: MovementData) -> Fact:
    """A tag moved, or passed a portal."""
    return Fact(MOVEMENT, place, time, data)


def count(place: str, time: int, data: CountData) -> Fact:
    """A zone was counted."""
    return Fact(COUNT, place, time, data)


def count_session(place: str, time: int, data: CountSession) -> Fact:
    """Somebody began to count, or ended it."""
    return Fact(COUNT_SESSION, place, time, data)


def handheld(place: str, time: int, data: HandheldReads) -> Fact:
    """A handheld has read tags."""
    return Fact(HANDHELD, place, time, data)


def expected(place: str, time: int, data: ExpectedChanged) -> Fact:
    """Somebody has said what ought to be in a zone."""
    return Fact(EXPECTED, place, time, data)


def book(place: str, time: int, data: BookData) -> Fact:
    """A book was read."""
    return Fact(BOOK, place, time, data)


def difference(place: str, time: int, data: Difference) -> Fact:
    """What is seen and what books say does not agree, or agrees again."""
    return Fact(DIFFERENCE, place, time, data)


def reconciliation(place: str, time: int, data: Reconciliation) -> Fact:
    """The figure of the day: how much agrees."""
    return Fact(RECONCILIATION, place, time, data)


def gate(place: str, time: int, data: GateData) -> Fact:
    """Something happened at a dock, or to a manifest."""
    return Fact(GATE, place, time, data)


def alarm(place: str, time: int, data: AlarmData) -> Fact:
    """Something needs a person, or no longer does."""
    return Fact(ALARM, place, time, data)


def loss(place: str, time: int, data: Loss) -> Fact:
    """Reads or events are lost, or may be."""
    return Fact(LOSS, place, time, data)


def access(place: str, time: int, data: Access) -> Fact:
    """An access-control system said what happened at a door."""
    return Fact(ACCESS, place, time, data)


def clock_step(place: str, time: int, data: ClockStep) -> Fact:
    """The wall clock was set."""
    return Fact(CLOCK_STEP, place, time, data)


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
