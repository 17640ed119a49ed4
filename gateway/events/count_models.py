"""What is published of counts and of those who count by hand: the types of these events, as in models.py."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from gateway.config import Identifier
from gateway.events.base import Count, Hash, Share, Time, Uid, strict
from gateway.events.models import CountEvidence, RssiWord

Trigger: TypeAlias = Literal["periodic", "command", "calendar", "session"]
EndedBy: TypeAlias = Literal["no new tags", "time limit", "duration", "closed", "zone removed"]
MissingStatus: TypeAlias = Literal["not seen in this count", "not seen", "seen elsewhere", "departed", "never seen"]
How: TypeAlias = Literal["rfid", "barcode"]


@strict
class LongList(TypedDict):
    """In place of a list that is too long for an event: its length, and SHA-256 of its sorted lines."""

    number: Count
    sha256: Hash


@strict
class CountQuality(TypedDict):
    """How well the zone was being read: the share of the time for which each antenna was watching."""

    duty: Share
    antennas: dict[str, Share]
    antennas_down: list[str]
    conditions: dict[str, list[str]]


@strict
class CountRounds(TypedDict):
    """The rounds of a count: those that could see something, those in which nobody was watching, and what ended it."""

    looked: Count
    blind: Count
    ended_by: EndedBy


@strict
class CountEstimate(TypedDict):
    """How many tags there are, judged from how often the count saw those that it saw.

    `interval` begins with what was seen; at `level` the truth lies in it, unless tags that cannot be read at all stand
    apart from the others. `missed` are those that are not in `population` of the count. `unheard`: tags that are too
    weak to be heard, judged from the levels of the others; null where these say nothing, and then `population` is a
    lower bound. `new_lately` are tags that were read for the first time in the last third of the rounds; `covered` is
    false where the count does not show that it has been all over the zone, and there may be more beyond `interval`.
    """

    population: Annotated[float, Field(ge=0)]
    interval: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]
    level: Share
    missed: Annotated[float, Field(ge=0)]
    coverage: Share
    rounds: Count
    seen_once: Count
    seen_twice: Count
    new_lately: Count
    covered: bool
    unheard: Annotated[float, Field(ge=0)] | None
    method: Literal["chao2", "chao2+levels"]
    lower_bound: bool


@strict
class LastSighting(TypedDict):
    """Where and when a tag was seen last, and how strongly."""

    zone: Identifier
    time: Time
    rssi: float
    rssi_unit: RssiWord


@strict
class MissingTag(TypedDict):
    """A tag that was expected and not seen in this count, and where it was seen last. It may well be there."""

    uid: Uid
    status: MissingStatus
    last: LastSighting | None


@strict
class MisplacedTag(TypedDict):
    """A tag that was seen here and is expected in another zone."""

    uid: Uid
    expected_in: Identifier


@strict
class Differences(TypedDict):
    """UIDs: how many, SHA-256 of their sorted lines, and how many are not told about here."""

    number: Count
    sha256: Hash
    beyond: Count


@strict
class Missing(Differences):
    """Expected tags that were seen nowhere."""

    tags: list[MissingTag]


@strict
class Extra(Differences):
    """Tags that were not expected."""

    tags: list[Uid]


@strict
class Elsewhere(Differences):
    """Expected tags that are in another zone."""

    tags: list[MisplacedTag]


@strict
class CountExpected(TypedDict):
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


@strict
class HandRead(TypedDict):
    """A tag that handhelds read in a session: how (a barcode says that somebody held the package), how often, with what
    device it was read last. A sled reads through shelves: it was near, not necessarily in the zone."""

    uid: Uid
    how: How
    reads: Count
    first: Time
    last: Time
    reader: Identifier


@strict
class Device(TypedDict):
    """What a handheld gave to a session."""

    reader: Identifier
    reads: Count
    tags: Count


@strict
class SessionData(TypedDict):
    """The session of somebody who counted. `devices` are the handhelds; fixed antennas are in `quality`. `hand` are the
    tags of the zone that handhelds read, `through` the number of those that they read and fixed antennas see elsewhere.
    `closed_by` is the gateway where nobody closed it in time. `beyond`: reads of tags for which there was no room,
    where any; some of what is missing may be among them."""

    id: str
    by: str
    zones: list[Identifier]
    opened: Time
    closed: Time
    closed_by: str
    note: str
    duration_s: Annotated[float, Field(ge=0)]
    devices: list[Device]
    hand: list[HandRead] | LongList
    confirmed_by_barcode: Count
    through: Count
    coverage: Share | None
    beyond: NotRequired[Annotated[int, Field(ge=1)]]


@strict
class CountData(TypedDict):
    """How many tags are in a zone. `seen` of the `population` were read during the count; `unconfirmed` were not.
    `settling` were read too late in the count to say that they belong there. `scheduled` is when the calendar had it
    due; `expected` is null where nobody has said what ought to be there. `by` asked for it, where somebody did;
    `session` is that of a count by hand, whose reads are among `seen` and `uids`."""

    zone: Identifier
    trigger: Trigger
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
    confidence: Share
    evidence: CountEvidence
    by: NotRequired[str | None]
    session: NotRequired[SessionData | None]


@strict
class CountSession(TypedDict):
    """`by` opened or closed the session `id`, a count of `zones` with fixed antennas and handhelds; `devices` where it
    is only for these handhelds. What was counted is in the counts of its zones."""

    state: Literal["opened", "closed"]
    id: str
    zones: list[Identifier]
    by: str
    started: Time
    request: str | None
    devices: list[Identifier]
    note: str


@strict
class HandheldTag(TypedDict):
    """A tag that a handheld read, and how often."""

    uid: Uid
    reads: Count


@strict
class HandheldReads(TypedDict):
    """A handheld has read tags between `start` and `end`: each tag once while the handheld goes on reading. `session`
    is the count that it was for. It says that they were near the handheld, and in no zone. `foreign` is how many tags
    were no stock."""

    reader: Identifier
    by: str
    how: How
    start: Time
    end: Time
    session: str | None
    zones: list[Identifier]
    tags: list[HandheldTag]
    foreign: Count


@strict
class ExpectedChanged(TypedDict):
    """`by` has said what ought to be in a zone: `number` tags now, with SHA-256 of their sorted lines; null where
    nothing is said of it any more. `added` and `removed` are the difference to before, where they are not too many."""

    zone: Identifier
    mode: Literal["set", "add", "remove"]
    by: str
    source: str
    as_of: Time | None
    request: str | None
    number: Count | None
    sha256: Hash | None
    added: list[Uid] | LongList
    removed: list[Uid] | LongList
