"""The types of events, all of them: the name of each, where it is published, what its data is, and how a fact of it is
stated. Data of many shapes stands in a file of its own; an event of one shape is all here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

import orjson
from pydantic import Field
from typing_extensions import TypedDict

from gateway.config import Identifier
from gateway.events.base import Time, strict
from gateway.events.book_models import BookData, Difference, Reconciliation
from gateway.events.count_models import CountData, CountSession, ExpectedChanged, HandheldReads
from gateway.events.gate_alarms import GateAlarm
from gateway.events.gate_models import GateData
from gateway.events.models import (
    Alarm,
    AlarmNoted,
    GroupPassage,
    Loss,
    Movement,
    Passage,
    Revision,
)

MOVEMENT: Final = "rfid.movement.v1"
COUNT: Final = "rfid.count.v1"
GATE: Final = "rfid.gate.v1"
ALARM: Final = "rfid.alarm.v1"
LOSS: Final = "rfid.loss.v1"
CLOCK_STEP: Final = "rfid.clock-step.v1"
ACCESS: Final = "rfid.access.v1"
COUNT_SESSION: Final = "rfid.count-session.v1"
HANDHELD: Final = "rfid.handheld.v1"
EXPECTED: Final = "rfid.expected.v1"
BOOK: Final = "rfid.book.v1"
DIFFERENCE: Final = "rfid.difference.v1"
RECONCILIATION: Final = "rfid.reconciliation.v1"


@strict
class Access(TypedDict):
    """An access-control system said what happened at a door; the event's time is its own, `received` is ours."""

    door: Identifier
    person: str
    action: str
    source: str
    received: Time


@strict
class ClockStep(TypedDict):
    """The gateway's wall clock was set by `by_us`, and event time moved by `jump_us` of them: event times before and
    after this event lie so much further apart than what they tell of. Where the clock was set back, event time goes on
    in its own time, ahead of the wall clock by what is left of it. `cause`: somebody (or NTP) set the clock, the
    machine was asleep, or a start found the clock behind the time of the run before it."""

    by_us: int
    jump_us: Annotated[int, Field(ge=0)]
    cause: Literal["set", "suspended", "behind"]


MovementData: TypeAlias = Movement | Passage | Revision | GroupPassage
AlarmData: TypeAlias = Alarm | GateAlarm | AlarmNoted


@dataclass(slots=True, frozen=True)
class EventType:
    """`topic` below ``{root}/v1/{site}/{gateway}/``, where it ends with the place, and what that is called; `title` for
    people; `data` as pydantic takes it."""

    topic: str
    place: str
    title: str
    data: Any

    def address(self, place: str) -> str:
        """The topic of an event about a place."""
        return f"{self.topic}/{place}" if self.place else self.topic


EVENTS: Final[dict[str, EventType]] = {
    MOVEMENT: EventType("events/movement", "place", "A tag arrived, moved, departed or is not seen", MovementData),
    COUNT: EventType("events/count", "zone", "What is in a zone", CountData),
    COUNT_SESSION: EventType("events/count-session", "zone", "Somebody began to count, or ended it", CountSession),
    HANDHELD: EventType("events/handheld", "reader", "A handheld has read tags near it", HandheldReads),
    EXPECTED: EventType("events/expected", "zone", "What ought to be in a zone was changed", ExpectedChanged),
    BOOK: EventType("events/book", "book", "What has changed in a book", BookData),
    DIFFERENCE: EventType("events/difference", "place", "What is seen and what books say does not agree", Difference),
    RECONCILIATION: EventType("events/reconciliation", "", "How much agrees, once a day", Reconciliation),
    ALARM: EventType("events/alarm", "place", "Something needs a person, or no longer does", AlarmData),
    ACCESS: EventType("events/access", "door", "What happened at a door, as an access-control system says", Access),
    GATE: EventType("events/gate", "portal", "A gate session: its packages and its verdict", GateData),
    LOSS: EventType("events/loss", "", "What was lost, and when", Loss),
    CLOCK_STEP: EventType("events/clock-step", "", "The clock of the machine was set, and by how much", ClockStep),
}
"""Every type of event. A new one is its data, its name, its entry here, and the function below that states it."""


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
        return EVENTS[self.type].address(self.place)

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
