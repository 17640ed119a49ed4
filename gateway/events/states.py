"""Retained states that other programs read, as types: what is true now, whereas events say what has happened."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from gateway.config import Identifier
from gateway.events.base import Count, Time, strict

Port = Annotated[str, Field(pattern=r"^[0-9]{1,3}$")]


@strict
class ReaderClock(TypedDict):
    """Where the time of a reader's reads comes from, and by how many microseconds its clock is off."""

    quality: Literal["unknown", "synced", "corrected", "uptime", "arrival"]
    offset_us: int


@strict
class ReaderState(TypedDict):
    """A reader (``state/reader/{reader}``): up or not since when, what is wrong with it (`reason` in its own words,
    `error` that of the last attempt to reach it), its antennas that are down, with the reason, and those that read
    nothing against their own habit, since when; and its reads since the start of this state."""

    reader: Identifier
    status: Literal["unknown", "up", "catching-up", "down"]
    since: Time | None
    reason: str
    error: str
    model: str
    firmware: str
    antennas_down: dict[Port, str]
    antennas_silent: dict[Port, Time]
    conditions: dict[str, str]
    clock: ReaderClock
    reads: Count
    late_reads: Count
