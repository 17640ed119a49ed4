"""The section about books: what others say should be where, and when a difference to it counts. Times are seconds."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from gateway.config.base import Identifier, Name, Section, TimeZone
from gateway.config.counts import TimeOfDay
from gateway.config.drops import DropConfig
from gateway.config.sources import MetrcAccess

Zones: TypeAlias = Annotated[dict[Name, Identifier], Field(max_length=1000)]
"""What a place of a book means: ``Location`` or ``Location/Sublocation`` to a zone. A zone's own id and name need no
entry."""


class MetrcBook(MetrcAccess):
    """The packages that Metrc has as active, on hold and in transit, read only. What has changed is asked for every
    `poll`, all of it every `whole`."""

    name: Identifier
    kind: Literal["metrc"]
    zones: Zones = {}
    whole: Annotated[float, Field(ge=60, le=86_400)] = 3600.0
    poll: Annotated[float, Field(ge=1, le=86_400)] = 300.0


class BookColumns(Section):
    """What the files of a book call the columns; all but `uid` may be missing."""

    uid: Name = "uid"
    location: Name = "location"
    sublocation: Name = "sublocation"
    quantity: Name = "quantity"
    unit: Name = "unit"
    product: Name = "product"
    batch: Name = "batch"
    expires: Name = "expires"
    status: Name = "status"


class CsvBook(DropConfig):
    """A folder in which the whole book is put down as CSV; each file takes the place of the one before."""

    name: Identifier
    kind: Literal["csv"]
    zones: Zones = {}
    columns: BookColumns = BookColumns()


class MqttBook(Section):
    """A book that comes with the command `book`."""

    name: Identifier
    kind: Literal["mqtt"]
    zones: Zones = {}


Source: TypeAlias = Annotated[MetrcBook | CsvBook | MqttBook, Field(discriminator="kind")]


def _distinct(sources: list[Source]) -> list[Source]:
    names = [source.name for source in sources]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"the book {twice[0]} is there twice: give one another name")
    return sources


class BooksConfig(Section):
    """Books to be held against what is seen. A difference counts when it has lasted for `lag`, for books are written
    later than packages are carried. They are compared `every` so often; the figure of the day is said `at`."""

    sources: Annotated[list[Source], Field(min_length=1, max_length=4), AfterValidator(_distinct)]
    lag: Annotated[float, Field(ge=0, le=7 * 86_400)] = 900.0
    every: Annotated[float, Field(ge=1, le=3600)] = 30.0
    at: TimeOfDay = "06:00"
    time_zone: TimeZone = "UTC"
