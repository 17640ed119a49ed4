"""Holds what is seen of a package against what each book says of it: a pure function of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from gateway.events.book_models import SeenState, What

IN_TRANSIT = "in transit"
"""The status of a package that a book has on the road: it should not be seen."""


class Entry(NamedTuple):
    """A package in a book, as `BookPackage` has it without its UID."""

    status: str
    location: str
    zone: str | None
    quantity: float | None
    unit: str | None
    product: str | None
    batch: str | None
    expires: str | None


class Seen(NamedTuple):
    """What presence knows: `state` as `SeenAs` has it, the zone, the time of the last sighting, and in how many
    windows it was seen."""

    state: SeenState
    zone: str | None
    last: int
    windows: int


NOWHERE = Seen("left or never seen", None, 0, 0)

Views: TypeAlias = Mapping[str, Entry | None]
"""What each book says of one package, by the name of the book; a book that was never read is not among them."""


def differ(seen: Seen, views: Views, blind: frozenset[str]) -> list[What]:
    """In which ways what is seen and what the books say of a package do not agree; empty where they do. Of the zones
    `blind`, which no antenna looks at, it cannot be said that nothing is seen there."""
    found: list[What] = []
    entries = [entry for entry in views.values() if entry is not None]
    if not entries:
        return ["in no book"] if seen.state == "present" and views else []
    there = [entry for entry in entries if entry.status != IN_TRANSIT]
    zones = sorted({entry.zone for entry in there if entry.zone is not None})
    if seen.state == "present" and not there:
        found.append("in transit")
    elif there and zones and seen.zone is not None and seen.zone not in zones:
        found.append("seen elsewhere")
    elif there and seen.zone is None and not (zones and blind.issuperset(zones)):
        found.append("not seen")
    if len(entries) < len(views):
        found.append("not in every book")
    if len(zones) > 1 or 0 < len(there) < len(entries):
        found.append("place")
    stated = [entry for entry in entries if entry.quantity is not None]
    units = {unit for entry in stated if (unit := _unit(entry))}  # one that is not stated is no other one
    if len(units) > 1 or len({entry.quantity for entry in stated}) > 1:
        found.append("quantity")
    return found


def _unit(entry: Entry) -> str:
    return (entry.unit or "").strip().lower()


def entry_of(package: Any, zone: str | None) -> Entry:
    """A package of the command `book` as it is kept."""
    location = "/".join(part for part in (package.location, package.sublocation) if part)
    return Entry(
        package.status.strip().lower() or "active", location, zone, package.quantity, package.unit, package.product,
        package.batch, package.expires,
    )  # fmt: skip
