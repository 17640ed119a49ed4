"""The payloads of the events as models, for their schemas and for tests: a running gateway does without."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from gateway.config import Identifier
from gateway.events.base import Hash, Time
from gateway.events.types import EVENTS

Data = TypeVar("Data")


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
