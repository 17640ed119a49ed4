"""What may be asked of books: the arguments of each command as a model."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from gateway.config.base import Identifier
from gateway.floor.gate.commands import Arguments, Who
from gateway.floor.gate.manifest import Text, Time, Uid
from gateway.text import printable

COMMANDS = ("book", "difference")
"""The commands that are about books."""

MAX_PACKAGES = 20_000
"""Packages of a book: four times a large site's."""


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("is no number")
    return value


Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(lambda text: printable(text, 200))]
Quantity = Annotated[float, AfterValidator(_finite)]


class Package(Arguments):
    """A package of a book. `zone` is a zone of ours; without it `location` and `sublocation` are looked up."""

    uid: Uid
    status: Line = "active"
    location: Line = ""
    sublocation: Line = ""
    zone: Identifier | None = None
    quantity: Quantity | None = None
    unit: Line | None = None
    product: Line | None = None
    batch: Line | None = None
    expires: Line | None = None


class Book(Arguments):
    """A book as of a time: all of it (``set``), or what has changed in it (``change``), with what was taken out."""

    book: Identifier
    as_of: Time
    mode: Literal["set", "change"] = "set"
    packages: Annotated[list[Package], Field(max_length=MAX_PACKAGES)] = Field(default=[])
    removed: Annotated[list[Uid], Field(max_length=MAX_PACKAGES)] = Field(default=[])


class DealWith(Arguments):
    """`by` deals with the difference of a package: whose it is, what explains it, or that it is closed."""

    uid: Uid
    by: Who
    state: Literal["open", "explained", "closed"] | None = None
    owner: Annotated[str, StringConstraints(max_length=64)] | None = None
    note: Text = ""
