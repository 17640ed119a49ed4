"""A pass: one tag's transit attempt through a portal, as the portals decide it and the dock gate judges it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.events.models import PassEvidence


class Direction(StrEnum):
    """Which way a tag went. `TURNED_BACK` went in between and came back; `STANDING` stood there."""

    IN = "in"
    OUT = "out"
    TURNED_BACK = "turned_back"
    STANDING = "standing"
    UNDETERMINED = "undetermined"


@dataclass(slots=True, frozen=True)
class Pass:
    """One tag in one portal from `start` to `end` (microseconds UTC). `confidence` from 0 to 1 is that of the
    direction; `group` names the tags that passed together; `evidence` is what is published."""

    uid: str
    portal: str
    direction: Direction
    start: int
    end: int
    confidence: float
    group: str | None
    evidence: PassEvidence
