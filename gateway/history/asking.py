"""Questions by name, as they come over MQTT, HTTP and the command line: their arguments checked, then answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from gateway.clock import LATEST, parse_rfc3339
from gateway.errors import Refused
from gateway.history.answers import Alarms, Answer, Batch, Counts, Trail, Where, Zone
from gateway.history.questions import MAX_ENTRIES, MAX_LISTED, MAX_PACKAGES, MAX_TAGS, Questions
from gateway.text import validated


def moment(text: str) -> int:
    """A time as an answer writes it, or any RFC 3339 time with an offset, in microseconds. Raises `Refused`."""
    try:
        if len(text) <= 40:
            t = parse_rfc3339(text)
            if 0 <= t <= LATEST:
                return t
    except (ValueError, TypeError, OverflowError):
        pass
    raise Refused(f"{text[:40]!r} is not a time: write it as 2026-02-14T09:00:00Z")


def _moment(value: object) -> int:
    """A time as text, or in microseconds. Raises `Refused`."""
    if type(value) is int and 0 <= value <= LATEST:
        return value
    return moment(str(value))


_Moment = Annotated[int, BeforeValidator(_moment)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]


def _what(description: str) -> Any:
    return Field(
        validation_alias=AliasChoices("what", "uid"),
        serialization_alias="what",
        description=description,
        max_length=200,
        min_length=1,
    )


class Question(BaseModel):
    """What every question may carry beside its own arguments; `request` is the sender's name for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request: Annotated[str | None, Field(max_length=128, exclude=True)] = None

    def answer(self, questions: Questions, now: int) -> Answer:
        """The answer at the time `now`, in microseconds."""
        raise NotImplementedError


class WhereQuestion(Question):
    """Where is it? `what` is a UID, its last four digits or more, a batch, a product or a Retail ID."""

    what: Annotated[str, _what("UID, its last digits, identifier, batch, part of a product's name, or Retail ID")]
    limit: Annotated[int, Field(ge=1, le=MAX_PACKAGES)] = MAX_PACKAGES

    def answer(self, questions: Questions, now: int) -> Where:
        """The answer to the question."""
        return questions.where(self.what, self.limit)


class TrailQuestion(Question):
    """How did it come there? The newest entries before `before`, oldest first."""

    what: Annotated[str, _what("What names one package")]
    before: Annotated[_Moment | None, Field(description="Entries before this time only")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_ENTRIES)] = MAX_ENTRIES

    def answer(self, questions: Questions, now: int) -> Trail:
        """The answer to the question."""
        return questions.trail(self.what, self.before, self.limit)


class ZoneQuestion(Question):
    """Who was in a zone at a time? Without `at`: who is."""

    zone: _Name
    at: Annotated[_Moment | None, Field(description="RFC 3339 with an offset")] = None
    after: Annotated[str, Field(max_length=200, description="UIDs behind this one only")] = ""
    limit: Annotated[int, Field(ge=1, le=MAX_TAGS)] = MAX_TAGS

    def answer(self, questions: Questions, now: int) -> Zone:
        """The answer to the question."""
        return questions.zone(self.zone, now if self.at is None else self.at, self.after, self.limit)


class BatchQuestion(Question):
    """Where is every package of a batch?"""

    batch: _Name
    after: Annotated[str, Field(max_length=200, description="UIDs behind this one only")] = ""
    limit: Annotated[int, Field(ge=1, le=MAX_PACKAGES)] = MAX_PACKAGES

    def answer(self, questions: Questions, now: int) -> Batch:
        """The answer to the question."""
        return questions.batch(self.batch, self.after, self.limit)


class AlarmsQuestion(Question):
    """What is alarming? With `open` false: what has been, too."""

    open: bool = True
    before: Annotated[_Moment | None, Field(description="Raised before this time only")] = None
    after: Annotated[
        str,
        Field(max_length=500, description="Of those of the microsecond before `before` only those behind kind/subject"),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = MAX_LISTED

    def answer(self, questions: Questions, now: int) -> Alarms:
        """The answer to the question."""
        return questions.alarms(open_only=self.open, before=self.before, limit=self.limit, after=self.after)


class CountsQuestion(Question):
    """What was counted? With `zone`: there, and what the newest count said of each tag."""

    zone: _Name | None = None
    before: Annotated[_Moment | None, Field(description="Ended before this time only")] = None
    after: Annotated[str, Field(max_length=200, description="Lines behind this one only, as `said`/`uid`")] = ""
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = MAX_LISTED

    def answer(self, questions: Questions, now: int) -> Counts:
        """The answer to the question."""
        return questions.counts(self.zone, self.before, self.limit, self.after)


@dataclass(slots=True, frozen=True)
class Kind:
    """A question: the model of its arguments, and that of its answer."""

    question: type[Question]
    answer: type[Answer]


QUESTIONS: Final = {
    "where": Kind(WhereQuestion, Where),
    "trail": Kind(TrailQuestion, Trail),
    "zone": Kind(ZoneQuestion, Zone),
    "batch": Kind(BatchQuestion, Batch),
    "alarms": Kind(AlarmsQuestion, Alarms),
    "counts": Kind(CountsQuestion, Counts),
}
"""Every question by its name: that of the command, of the path of the API, and of the subcommand."""


def read(name: str, args: Mapping[str, Any]) -> Question:
    """The question `name` with its arguments. Raises `Refused`, saying what is wrong with them."""
    return validated(QUESTIONS[name].question, args, name)
