"""The types of events, all of them: the name of each, where it is published, and what its data is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from gateway.config import Identifier
from gateway.events.base import Hash, Time
from gateway.events.book_models import BookData, Difference, Reconciliation
from gateway.events.count_models import CountData, CountSession, ExpectedChanged, HandheldReads
from gateway.events.gate_alarms import GateAlarm
from gateway.events.gate_models import GateData
from gateway.events.models import (
    Access,
    Alarm,
    AlarmNoted,
    ClockStep,
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

MovementData: TypeAlias = Movement | Passage | Revision | GroupPassage
AlarmData: TypeAlias = Alarm | GateAlarm | AlarmNoted

Data = TypeVar("Data")


@dataclass(slots=True, frozen=True)
class EventType:
    """`topic` below ``{root}/v1/{site}/{gateway}/``, with the place where it has one; `data` as pydantic takes it."""

    topic: str
    data: Any


EVENTS: Final[dict[str, EventType]] = {
    MOVEMENT: EventType("events/movement/{place}", MovementData),
    COUNT: EventType("events/count/{place}", CountData),
    GATE: EventType("events/gate/{place}", GateData),
    ALARM: EventType("events/alarm/{place}", AlarmData),
    ACCESS: EventType("events/access/{place}", Access),
    COUNT_SESSION: EventType("events/count-session/{place}", CountSession),
    HANDHELD: EventType("events/handheld/{place}", HandheldReads),
    EXPECTED: EventType("events/expected/{place}", ExpectedChanged),
    BOOK: EventType("events/book/{place}", BookData),
    DIFFERENCE: EventType("events/difference/{place}", Difference),
    RECONCILIATION: EventType("events/reconciliation", Reconciliation),
    LOSS: EventType("events/loss", Loss),
    CLOCK_STEP: EventType("events/clock-step", ClockStep),
}


class Envelope(BaseModel, Generic[Data]):
    """CloudEvents 1.0, structured mode. `sequence` is contiguous within an `epoch`; `prevhash` is SHA-256 of the
    payload before this one, byte for byte, or 64 zeros for the first."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    specversion: Literal["1.0"]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    type: str
    source: Annotated[str, Field(pattern=r"^/rfid/[^/]+/[^/]+$")]
    subject: Identifier
    time: Time
    datacontenttype: Literal["application/json"]
    epoch: str
    sequence: Annotated[int, Field(ge=1)]
    prevhash: Hash
    data: Data


class Piece(BaseModel):
    """Part `part` of `parts` of the event `of`, which is of `type`: `text` is a piece of its payload."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    of: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    type: str
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    text: Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A part of an event that is too large for the broker. The texts of all parts, joined in order, are the event."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    specversion: Literal["1.0"]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}-[1-9][0-9]*$")]
    type: Literal["rfid.part.v1"]
    source: Annotated[str, Field(pattern=r"^/rfid/[^/]+/[^/]+$")]
    subject: Identifier
    time: Time
    datacontenttype: Literal["application/json"]
    epoch: str
    sequence: int
    data: Piece


MODELS: dict[str, type[Envelope[Any]]] = {name: Envelope[kind.data] for name, kind in EVENTS.items()}  # type: ignore[name-defined]
"""The whole payload of each type of event."""
