"""What is published of books and of what does not agree with them: the types of these events, as in models.py."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from gateway.config import Identifier
from gateway.events.base import Count, Share, Time, Uid, strict

DifferenceState: TypeAlias = Literal["open", "explained", "closed"]
What: TypeAlias = Literal[
    "not seen", "seen elsewhere", "in no book", "not in every book", "in transit", "place", "quantity"
]


@strict
class BookPackage(TypedDict):
    """A package as a book has it. `location` is as the book writes it, `zone` what that means; quantities are the
    book's: RFID says nothing of them."""

    uid: Uid
    status: str
    location: str
    zone: Identifier | None
    quantity: float | None
    unit: str | None
    product: str | None
    batch: str | None
    expires: str | None


@strict
class BookData(TypedDict):
    """A book was read: `number` packages are in it now. `packages` are those that are new or changed; a large change
    comes in `parts` events."""

    book: Identifier
    by: str
    as_of: Time
    number: Count
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    packages: list[BookPackage]
    removed: list[Uid]


SeenState: TypeAlias = Literal["present", "not seen", "left or never seen"]


@strict
class SeenAs(TypedDict):
    """What the gateway itself knows of a package: ``present``, ``not seen`` for longer than usual and probably still
    there, ``left``, or ``never seen``."""

    state: SeenState
    zone: Identifier | None
    last: Time | None
    confidence: Share | None


@strict
class BookView(TypedDict):
    """What a book says of a package, `as_of` then; null in place of this where it is not in the book."""

    status: str
    location: str
    zone: Identifier | None
    quantity: float | None
    unit: str | None
    as_of: Time


@strict
class Difference(TypedDict):
    """What is seen and what books say do not agree, and have not for longer than the lag; or somebody has dealt with
    it; or it agrees again. `what` is how: ``place`` and ``quantity`` are between books. `since` is when it began."""

    uid: Uid
    state: DifferenceState
    what: list[What]
    since: Time
    seen: SeenAs
    books: dict[str, BookView | None]
    owner: str | None
    note: str
    by: str


@strict
class Reconciliation(TypedDict):
    """The figure of the day: how many packages there are in books or in sight, how many of them agree, and how many
    differences there are by state and kind; and how many `beyond` those that the gateway can follow, where any."""

    packages: Count
    agree: Count
    waiting: Count
    open: Count
    explained: Count
    closed: Count
    kinds: dict[str, Count]
    books: dict[str, Count]
    beyond: NotRequired[Annotated[int, Field(ge=1)]]
