"""The sections about counts: how a count is taken, and when each zone is due for one. Times are seconds."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.config.base import Identifier, Section, TimeZone, in_the_form


def _day(text: str) -> str:
    try:
        if date.fromisoformat(text).year < 1970:
            raise ValueError
    except ValueError:
        raise ValueError(f"{text} is not a day: write one such as 2026-01-05") from None
    return text


Day = Annotated[
    str, in_the_form('write a day such as "2026-01-05", in quotes', r"^\d{4}-\d\d-\d\d$"), AfterValidator(_day)
]
TimeOfDay = Annotated[
    str, in_the_form('write hours and minutes with two digits each, such as "06:00"', r"^([01]\d|2[0-3]):[0-5]\d$")
]
Every = Annotated[
    str,
    in_the_form(
        "write days, such as 7d, or hours that divide a day: 1h, 2h, 3h, 4h, 6h, 8h or 12h",
        r"^([1-9]\d{0,2}d|(1|2|3|4|6|8|12)h)$",
    ),
]
"""Days, or hours that divide a day."""


class PlannedCount(Section):
    """A zone is counted `every` so often, `at` a time of the day. `first` is a day on which it is due, which sets the
    days of the others; without `time_zone` that of the section holds."""

    zone: Identifier
    every: Every = "7d"
    at: TimeOfDay = "06:00"
    first: Day = "2024-01-01"
    time_zone: TimeZone | None = None


def _distinct_zones(plan: list[PlannedCount]) -> list[PlannedCount]:
    twice = [zone for zone, count in Counter(entry.zone for entry in plan).items() if count > 1]
    if twice:
        raise ValueError(f"the zone {twice[0]} is planned twice: merge the two")
    return plan


class CountsConfig(Section):
    """A count is taken in rounds of `round`, until no new tags come, but not beyond `longest`.

    A round should last as long as the reader takes for all antennas of the zone. `plan` is the calendar of the
    cycle counts: zones with valuable stock more often than others.
    """

    round: Annotated[float, Field(ge=0.25, le=60)] = 2.0
    longest: Annotated[float, Field(ge=5, le=3600)] = 120.0
    time_zone: TimeZone = "UTC"
    plan: Annotated[list[PlannedCount], AfterValidator(_distinct_zones), Field(max_length=1000)] = []
