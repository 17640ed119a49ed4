"""Facts that the floor states, and the envelope in which they travel: CloudEvents 1.0 JSON, structured mode.

A fact is what happened, where and when. Its identity is its content and its source, so that the same input gives the
same event ids on every replay and every resend. The ledger adds epoch, sequence and the hash of the event before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.clock import parse_rfc3339, rfc3339

MOVEMENT = "rfid.movement.v1"
COUNT = "rfid.count.v1"
GATE = "rfid.gate.v1"
ALARM = "rfid.alarm.v1"
LOSS = "rfid.loss.v1"
CLOCK_STEP = "rfid.clock-step.v1"
ACCESS = "rfid.access.v1"

_PLACELESS = {LOSS: "events/loss", CLOCK_STEP: "events/clock-step"}
_TOPIC_KIND = {MOVEMENT: "movement", COUNT: "count", GATE: "gate", ALARM: "alarm", ACCESS: "access"}

GENESIS = "0" * 64
"""`prevhash` of the first event of an epoch."""


@dataclass(slots=True, frozen=True)
class Fact:
    """What happened (`type`, `data`), where (`place`: a zone, portal or reader) and when (`time`, microseconds UTC)."""

    type: str
    place: str
    time: int
    data: dict[str, Any]

    def topic(self) -> str:
        """The topic below ``{root}/v1/{site}/{gateway}/``."""
        return _PLACELESS.get(self.type) or f"events/{_TOPIC_KIND[self.type]}/{self.place}"

    def id(self, source: str) -> str:
        """128 bits in hex: the same fact from the same source has the same id."""
        content = orjson.dumps([source, self.type, self.place, self.time, self.data], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()[:32]


@dataclass(slots=True, frozen=True)
class Event:
    """A fact with its place in the ledger. `payload` is what is published, byte for byte, every time."""

    sequence: int
    id: str
    topic: str
    payload: bytes

    def hash(self) -> str:
        """SHA-256 of the payload in hex: the `prevhash` of the next event."""
        return hashlib.sha256(self.payload).hexdigest()


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
