"""What is published, as models: the source of the JSON Schemas under config/ and of what the tests hold events against.

The floor builds events as plain dictionaries, many a second; these models describe them and take no part in it.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from gateway.config import Identifier
from gateway.events import envelope as events
from gateway.events.base import Count, Part, Time, Uid
from gateway.events.gate_models import GateAlarm, GateData

Confidence = Annotated[float, Field(ge=0, le=1)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

Data = TypeVar("Data", bound=BaseModel)


class Clock(Part):
    """Where the times of the reads come from, and by how much they were corrected."""

    quality: Literal["synced", "corrected", "uptime", "arrival", "unknown"]
    offset_us: int


class MovementEvidence(Part):
    """The reads behind a movement. `antennas` are written ``reader/port``; RSSI in ``raw`` has no physical scale."""

    reads: Count
    antennas: list[str]
    strongest_rssi: float
    rssi_unit: Literal["dBm", "raw"]
    first: Time
    last: Time
    late_reads: Count
    clock: Clock
    config: str
    algorithm: str
    silence_s: float | None = None
    expected_within_s: float | None = None


class Movement(Part):
    """A tag arrived, moved, departed, is not seen any more (which does not say that it is gone), or is seen again."""

    uid: Uid
    epc: Uid
    movement: Literal["arrived", "moved", "departed", "not_seen", "seen_again"]
    from_: Annotated[Identifier | None, Field(alias="from")]
    to: Identifier | None
    since: Time | None
    confidence: Confidence
    evidence: MovementEvidence
    portal: Annotated[Identifier | None, Field(description="The portal whose pass moved the tag, if one did.")] = None


class PassSide(Part):
    """What one side of a portal saw of a pass: `centroid` is the power-weighted mean time, `spread_s` its width."""

    reads: Count
    windows: Count
    strongest_rssi: float
    centroid: Time
    spread_s: float


Stories = dict[Literal["in", "out", "back", "still"], Annotated[float, Field(ge=0, le=1)]]


class PassEvidence(MovementEvidence):
    """The reads behind a pass. How well it explains them that the tag went in, or out, or came and went back, or stands
    there, as shares of one, says `walk` by the model of the way alone and `likelihood` by the learned layer over the
    whole pass; `decided_by` are the features of the pass that did most for the likeliest of these, each with the
    logarithm of the odds that it adds. `company` is how many others, that came and went with it, were taken into
    account. `leaning` is the likelier direction of a pass that is undetermined."""

    reason: str
    leaning: Literal["in", "out"] | None
    sides: dict[Literal["inside", "outside"], PassSide | None]
    likelihood: Stories
    walk: Stories = {}
    decided_by: dict[str, float] = {}
    company: Count
    photo_eyes: Literal["in", "out", "returned"] | None
    antennas_down: list[str]
    photo_eyes_stuck: list[str] = []


class PassBase(Part):
    """A tag was in a portal from `first` to `last`. `confidence` is that of the direction; where that is undetermined,
    of the direction that the evidence leans to. `from` and `to` are zones, null for the world beyond the site and where
    there is no direction."""

    uid: Uid
    epc: Uid
    portal: Identifier
    direction: Literal["in", "out", "returned", "static", "undetermined"]
    from_: Annotated[Identifier | None, Field(alias="from")]
    to: Identifier | None
    confidence: Confidence
    group: str | None
    first: Time
    last: Time
    evidence: PassEvidence


class Passage(PassBase):
    """What became of a tag in a portal. Passes of one `group` went together."""

    movement: Literal["passed"]


class Revision(PassBase):
    """A pass that was said while its tag was still read, with the direction `was`, is taken back: the whole of it shows
    another direction. The tag is at `to`."""

    movement: Literal["revised"]
    was: Literal["in", "out"]


class GroupPassage(Part):
    """Tags that passed together: `members`; `strays` were read beside them and are not known to have passed.
    `confidence` is the lowest of the members'."""

    movement: Literal["group_passed"]
    portal: Identifier
    direction: Literal["in", "out"]
    group: str
    number: Count
    members: list[Uid]
    strays: list[Uid]
    first: Time
    last: Time
    confidence: Confidence
    evidence: CountEvidence


class LongList(Part):
    """In place of a list that is too long for an event: its length, and SHA-256 of its sorted lines."""

    number: Count
    sha256: Hash


class CountQuality(Part):
    """How well the zone was being read: the share of the time for which each antenna was watching."""

    duty: Confidence
    antennas: dict[str, Confidence]
    antennas_down: list[str]
    conditions: dict[str, list[str]]


class CountEvidence(Part):
    config: str
    algorithm: str


class CountRounds(Part):
    """The rounds of a count: those that could see something, those in which nobody was watching, and what ended it."""

    looked: Count
    blind: Count
    ended_by: Literal["no new tags", "time limit", "duration"]


class CountEstimate(Part):
    """How many tags there are, judged from how often the count saw those that it saw.

    `interval` begins with what was seen; at `level` the truth lies in it, unless tags that cannot be read at all stand
    apart from the others. `missed` are those that are not in `population` of the count. `unheard`: tags that are too
    weak to be heard, judged from the levels of the others; null where these say nothing, and then `population` is a
    lower bound. `new_lately` are tags that were read for the first time in the last third of the rounds; `covered` is
    false where the count does not show that it has been all over the zone, and there may be more beyond `interval`.
    """

    population: Annotated[float, Field(ge=0)]
    interval: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]
    level: Confidence
    missed: Annotated[float, Field(ge=0)]
    coverage: Confidence
    rounds: Count
    seen_once: Count
    seen_twice: Count
    new_lately: Count
    covered: bool
    unheard: Annotated[float, Field(ge=0)] | None
    method: Literal["chao2", "chao2+levels"]
    lower_bound: bool


class LastSighting(Part):
    zone: Identifier
    time: Time
    rssi: float
    rssi_unit: Literal["dBm", "raw"]


class MissingTag(Part):
    """A tag that was expected and not seen in this count, and where it was seen last. It may well be there."""

    uid: Uid
    status: Literal["not seen in this count", "not seen", "seen elsewhere", "departed", "never seen"]
    last: LastSighting | None


class MisplacedTag(Part):
    """A tag that was seen here and is expected in another zone."""

    uid: Uid
    expected_in: Identifier


class Differences(Part):
    """UIDs: how many, SHA-256 of their sorted lines, and how many are not told about here."""

    number: Count
    sha256: Hash
    beyond: Count


class Missing(Differences):
    tags: list[MissingTag]


class Extra(Differences):
    tags: list[Uid]


class Elsewhere(Differences):
    tags: list[MisplacedTag]


class CountExpected(Part):
    """The count against the `number` of tags that were expected: `found` and `missing` are all of these. Tags that
    were seen and not expected are `elsewhere` where another zone expects them, else `extra`."""

    number: Count
    sha256: Hash
    as_of: Time
    source: str
    found: Count
    missing: Missing
    extra: Extra
    elsewhere: Elsewhere


class CountData(Part):
    """How many tags are in a zone. `seen` of the `population` were read during the count; `unconfirmed` were not.
    `settling` were read too late in the count to say that they belong there. `scheduled` is when the calendar had it
    due; `expected` is null where nobody has said what ought to be there."""

    zone: Identifier
    trigger: Literal["periodic", "command", "calendar"]
    request: str | None
    scheduled: Time | None
    started: Time
    ended: Time
    rounds: CountRounds
    population: Count
    seen: Count
    unconfirmed: Count
    settling: Count
    not_seen: Count
    foreign: Count
    estimate: CountEstimate | None
    uids: list[Uid] | LongList
    not_seen_uids: list[Uid] | LongList
    expected: CountExpected | None
    quality: CountQuality
    confidence: Confidence
    evidence: CountEvidence


class Alarm(Part):
    """Something needs a person, or no longer does. `places` are the zones and portals that are not watched because of
    it, where it is a reader or an antenna."""

    alarm: Literal["reader-down", "antenna-down", "beam-stuck"]
    state: Literal["raised", "cleared"]
    reader: Identifier
    antenna: Annotated[int, Field(ge=1)] | None = None
    portal: Identifier | None = None
    input: Annotated[int, Field(ge=1)] | None = None
    since: Time
    reason: str
    places: list[Identifier] = []


class AlarmNoted(Part):
    """`by` has taken note of an alarm about `subject` at `time`; ``cleared`` where only a person can end it."""

    alarm: Identifier
    state: Literal["acknowledged", "cleared"]
    subject: str
    uid: Uid | None
    by: str
    reason: str
    time: Time


class Access(Part):
    """An access-control system said what happened at a door; the event's time is its own, `received` is ours."""

    door: Identifier
    person: str
    action: str
    source: str
    received: Time


class Loss(Part):
    """Reads (or, with `first_sequence` and `last_sequence`, events) between `start` and `end` are lost.

    `certain` false: they may be lost. `reader` is the gateway's own name where it is not a reader that lost them.
    `tags` (cause ``tags-given-up``): so many that had been seen once were forgotten to make room for others.
    `rebuilt` (cause ``state-rebuilt``): sections of the saved state that a release could not read and built again from
    the events; what was not in an event, such as a passage under way or a manifest, is not known any more.
    """

    reader: Identifier
    cause: str
    start: Time
    end: Time
    certain: bool
    first_sequence: Annotated[int, Field(ge=1)] | None = None
    last_sequence: Annotated[int, Field(ge=1)] | None = None
    rebuilt: list[str] = []
    tags: Annotated[int, Field(ge=1)] | None = None


class ClockStep(Part):
    """The gateway's wall clock was set by `by_us`, and event time moved by `jump_us` of them: event times before and
    after this event lie so much further apart than what they tell of. Where the clock was set back, event time goes on
    in its own time, ahead of the wall clock by what is left of it. `cause`: somebody (or NTP) set the clock, the
    machine was asleep, or a start found the clock behind the time of the run before it."""

    by_us: int
    jump_us: Annotated[int, Field(ge=0)]
    cause: Literal["set", "suspended", "behind"]


class Envelope(Part, Generic[Data]):
    """CloudEvents 1.0, structured mode. `sequence` is contiguous within an `epoch`; `prevhash` is SHA-256 of the
    payload before this one, byte for byte, or 64 zeros for the first."""

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


MODELS: dict[str, type[Envelope[Any]]] = {
    events.MOVEMENT: Envelope[Movement | Passage | Revision | GroupPassage],
    events.COUNT: Envelope[CountData],
    events.GATE: Envelope[GateData],
    events.ALARM: Envelope[Alarm | GateAlarm | AlarmNoted],
    events.ACCESS: Envelope[Access],
    events.LOSS: Envelope[Loss],
    events.CLOCK_STEP: Envelope[ClockStep],
}
"""The model of each event type that is published."""
