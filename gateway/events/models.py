"""What is published: the types by which the floor builds events and the type check holds it to them, and from which the
JSON Schemas under config/ are made. Those of counts are in count_models.py, the dock gate's in gate_models.py.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from gateway.config import Identifier
from gateway.events.base import Count, From, Share, Time, Uid, strict

MovementKind: TypeAlias = Literal["arrived", "moved", "departed", "not_seen", "seen_again"]
RssiWord: TypeAlias = Literal["dBm", "raw"]
Quality: TypeAlias = Literal["synced", "corrected", "uptime", "arrival", "unknown"]
AlarmState: TypeAlias = Literal["raised", "cleared"]


@strict
class Clock(TypedDict):
    """Where the times of the reads come from, and by how much they were corrected."""

    quality: Quality
    offset_us: int


@strict
class MovementEvidence(TypedDict):
    """The reads behind a movement. `antennas` are written ``reader/port``; RSSI in ``raw`` has no physical scale."""

    reads: Count
    antennas: list[str]
    strongest_rssi: float
    rssi_unit: RssiWord
    first: Time
    last: Time
    late_reads: Count
    clock: Clock
    config: str
    algorithm: str
    silence_s: NotRequired[float | None]
    expected_within_s: NotRequired[float | None]


@strict
class Movement(From):
    """A tag arrived, moved, departed, is not seen any more (which does not say that it is gone), or is seen again.
    `uid` names the package, as everywhere in events; `epc` is what its tag holds. They are the same for every tag that
    there is: what a state calls a package whose tag does not hold its name is the `identifier` of gate events."""

    uid: Uid
    epc: Uid
    movement: MovementKind
    to: Identifier | None
    since: Time | None
    confidence: Share
    evidence: MovementEvidence
    portal: NotRequired[
        Annotated[Identifier | None, Field(description="The portal whose pass moved the tag, if one did.")]
    ]


@strict
class PassSide(TypedDict):
    """What one side of a portal saw of a pass: `centroid` is the power-weighted mean time, `spread_s` its width."""

    reads: Count
    windows: Count
    strongest_rssi: float
    centroid: Time
    spread_s: float


Stories = dict[Literal["in", "out", "turned_back", "standing"], Share]


@strict
class PassEvidence(MovementEvidence):
    """The reads behind a pass. How well it explains them that the tag went in, or out, or came and went back, or stands
    there, as shares of one, says `walk` by the model of the way alone and `likelihood` by the learned layer over the
    whole pass; `decided_by` are the features of the pass that did most for the likeliest of these, each with the
    logarithm of the odds that it adds. `companions` is how many others, that came and went with it, were taken into
    account. `leaning` is the likelier direction of a pass that is undetermined."""

    reason: str
    leaning: Literal["in", "out"] | None
    sides: dict[Literal["inside", "outside"], PassSide | None]
    likelihood: Stories
    walk: NotRequired[Stories]
    decided_by: NotRequired[dict[str, float]]
    companions: Count
    photo_eyes: Literal["in", "out", "turned_back"] | None
    antennas_down: list[str]
    photo_eyes_stuck: NotRequired[list[str]]


@strict
class PassBase(From):
    """A tag was in a portal from `first` to `last`. `confidence` is that of the direction; where that is undetermined,
    of the direction that the evidence leans to. `from` and `to` are zones, null for the world beyond the site and where
    there is no direction."""

    uid: Uid
    epc: Uid
    portal: Identifier
    direction: Literal["in", "out", "turned_back", "standing", "undetermined"]
    to: Identifier | None
    confidence: Share
    group: str | None
    first: Time
    last: Time
    evidence: PassEvidence


@strict
class Passage(PassBase):
    """What became of a tag in a portal. Passes of one `group` went together."""

    movement: Literal["passed"]


@strict
class Revision(PassBase):
    """A pass that was said while its tag was still read, with the direction `was`, is taken back: the whole of it shows
    another direction, or makes that one less likely than not, where `direction` is undetermined. The tag is taken to be
    at `to`, where it was before."""

    movement: Literal["revised"]
    was: Literal["in", "out"]


@strict
class GroupPassage(TypedDict):
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
    confidence: Share
    evidence: CountEvidence


@strict
class CountEvidence(TypedDict):
    """Under which configuration, and by which version of the algorithm, it was found."""

    config: str
    algorithm: str


@strict
class Alarm(TypedDict):
    """Something needs a person, or no longer does. `places` are the zones and portals that are not watched because of
    it, where it is a reader or an antenna. ``antenna-silent``: it reads nothing against its own habit, since its newest
    read; nobody has said that it is down."""

    alarm: Literal["reader-down", "antenna-down", "antenna-silent", "photo-eye-stuck"]
    state: AlarmState
    reader: Identifier
    antenna: NotRequired[Annotated[int, Field(ge=1)] | None]
    portal: NotRequired[Identifier | None]
    input: NotRequired[Annotated[int, Field(ge=1)] | None]
    since: Time
    reason: str
    places: NotRequired[list[Identifier]]


@strict
class AlarmNoted(TypedDict):
    """`by` has taken note of an alarm about `subject` at `time`; ``cleared`` where only a person can end it."""

    alarm: Identifier
    state: Literal["acknowledged", "cleared"]
    subject: str
    uid: Uid | None
    by: str
    reason: str
    time: Time


@strict
class Loss(TypedDict):
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
    first_sequence: NotRequired[Annotated[int, Field(ge=1)] | None]
    last_sequence: NotRequired[Annotated[int, Field(ge=1)] | None]
    rebuilt: NotRequired[list[str]]
    tags: NotRequired[Annotated[int, Field(ge=1)]]
