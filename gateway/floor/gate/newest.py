"""Which of a package's lab results count: of tests with the same name those performed last.

A package may fail, and pass when it is tested again. When a test was performed is a text, as laboratories and state
systems write it: a date, a date and a time with an offset or without, or two times. A result is left out only where
another one of its name was performed later beyond doubt. One of which the date is not known may be the newest, and so
may each of those whose dates do not tell which was later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from gateway.floor.gate.manifest import Result

_When = TypeVar("_When", date, datetime, time)

_NONE_YEAR = 1
"""Of ``0001-01-01``, which a database writes for a date that it does not have."""

_DAY = timedelta(days=1)
"""By how much the date of a moment with an offset may differ from that of the same moment at the site."""


@dataclass(slots=True, frozen=True)
class _Performed:
    """A date; the `moment`, where it has an offset; and what stands behind the date otherwise, `clock`: a time of the
    day, or another moment."""

    date: date
    moment: datetime | None = None
    clock: time | datetime | None = None


def newest(results: Sequence[Result]) -> list[Result]:
    """The results that count, in their order."""
    if len({result.test for result in results}) == len(results):
        return list(results)
    by_test: dict[str, list[int]] = {}
    for number, result in enumerate(results):
        by_test.setdefault(result.test, []).append(number)
    over: set[int] = set()
    for numbers in by_test.values():
        if len(numbers) > 1:
            dated = ((number, _performed(results[number].performed)) for number in numbers)
            over |= _over([(number, performed) for number, performed in dated if performed is not None])
    return [result for number, result in enumerate(results) if number not in over]


def _over(same: list[tuple[int, _Performed]]) -> set[int]:
    """The numbers of those tests after which another one was performed."""
    exact = [(number, one.moment, one.date) for number, one in same if one.moment is not None]
    local = [(number, one) for number, one in same if one.moment is None]
    over: set[int] = set()
    if exact:
        over |= _before_the_last([(number, moment) for number, moment, _ in exact])
        day = max(day for _, _, day in exact)
        over |= {number for number, one in local if one.date < day - _DAY}
    if local:
        day = max(one.date for _, one in local)
        over |= {number for number, _, its_day in exact if its_day < day - _DAY}
        over |= _before_the_last([(number, one.date) for number, one in local])
        over |= _over_by_clock([(number, one.clock) for number, one in local if one.date == day])
    return over


def _over_by_clock(same_day: list[tuple[int, time | datetime | None]]) -> set[int]:
    """As `_over`, of tests of one day: only where all say more than the day, in the same way."""
    times = [(number, clock) for number, clock in same_day if isinstance(clock, time)]
    if len(times) == len(same_day):
        return _before_the_last(times)
    moments = [(number, clock) for number, clock in same_day if isinstance(clock, datetime)]
    return _before_the_last(moments) if len(moments) == len(same_day) else set()


def _before_the_last(dated: Sequence[tuple[int, _When]]) -> set[int]:
    """The numbers of all but those with the last date, moment or time of the day."""
    last = max(when for _, when in dated)
    return {number for number, when in dated if when < last}


def _performed(text: str) -> _Performed | None:
    """When a test was performed; None where that is not known."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    if day.year == _NONE_YEAR or text[10:11] not in ("", " ", "T"):
        return None
    rest = text[11:].strip()
    clock = _time(rest) or _moment(rest)
    if isinstance(clock, time) and clock.tzinfo is not None:
        return _Performed(day, datetime.combine(day, clock))
    return _Performed(day, clock=clock)


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text)
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment
