"""What the dock gate publishes, as models: the types `rfid.gate.v1` and the gate's part of `rfid.alarm.v1`.

One event type with several kinds, told apart by `gate`. UIDs in the sets of a verdict are sorted.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from gateway.config.base import Identifier
from gateway.events.base import Count, FromWords, Time, Uid, strict
from gateway.events.gate_parts import (
    ClosedWhy,
    GateEvidence,
    HandheldProof,
    Item,
    Lengths,
    LikelyError,
    NotStaged,
    OpenedWhy,
    Outcome,
    PortalProof,
    PrecheckWhy,
    RevisedWhy,
    Set,
    StagedExtra,
    Tally,
    UnknownRule,
    VerdictEvidence,
)


@strict
class OfSession(TypedDict):
    """What every event of a session says of it."""

    dock: Identifier
    session: str
    direction: Literal["out", "in"]
    manifest: str | None
    delivery: str | None
    version: int | None
    source: str | None
    recipient: str | None


@strict
class OfSessionKnown(OfSession):
    """With what it rests on; a verdict says more of that."""

    evidence: GateEvidence


@strict
class Opened(OfSessionKnown):
    """A session began. `carried` packages were loaded in an earlier session of the same delivery."""

    gate: Literal["opened"]
    by: str
    why: OpenedWhy
    carried: Count


@strict
class Attached(OfSessionKnown):
    """A session that was opened without a delivery has one now."""

    gate: Literal["attached"]
    by: str
    carried: Count


@strict
class ItemDecided(OfSessionKnown):
    """A pass or a handheld decided where a package is. `ready`: the verdict would be complete now."""

    gate: Literal["item"]
    uid: Uid
    status: Set | None
    previous: Set | None
    item: Item
    counts: Tally
    ready: bool


@strict
class Confirmed(OfSessionKnown):
    """Somebody looked into the van because the portal had not been watched."""

    gate: Literal["confirmed"]
    by: str
    reason: str
    unwatched_s: Lengths
    ready: bool


@strict
class Overridden(OfSessionKnown):
    """`by` answers for a line of which something is not known. It stays in the verdict, which is never complete."""

    gate: Literal["overridden"]
    uid: Uid
    by: str
    reason: str
    unknown: list[UnknownRule]


@strict
class Change(FromWords):
    """The verdict on a package before and now, in words; null where it is in no set."""

    uid: Uid
    to: str | None


@strict
class LineChanges(TypedDict):
    """UIDs of lines that differ between two versions of a manifest."""

    added: list[Uid]
    removed: list[Uid]
    changed: list[Uid]


@strict
class Revised(OfSessionKnown):
    """What is known of the packages changed, and with it the verdict on `items`; `lines` is what a correction did."""

    gate: Literal["revised"]
    why: RevisedWhy
    items: list[Change]
    counts: Tally
    lines: NotRequired[LineChanges | None]


@strict
class Sets(TypedDict):
    """The packages of a session by what became of them, each set by UID."""

    matched: list[Item]
    missing: list[Item]
    extra: list[Item]
    blocked: list[Item]
    returned: list[Item]
    undetermined: list[Item]


@strict
class Verdict(OfSession, Sets):
    """The end of a session. The lines are divided into matched, missing, blocked and undetermined; extra, and some of
    the blocked and undetermined, are on no line; returned is a note, and a line in it is missing too. `likely`, where
    there are any: a missing and an extra package that are probably one error."""

    gate: Literal["verdict"]
    outcome: Outcome
    complete: bool
    opened: Time
    opened_by: str
    opened_why: OpenedWhy
    closed: Time
    closed_by: str
    closed_why: ClosedWhy
    counts: Tally
    likely: NotRequired[list[LikelyError]]
    evidence: VerdictEvidence


@strict
class Stop(TypedDict):
    """One delivery of a manifest."""

    delivery: str
    dock: Identifier | None
    recipient: str
    lines: Count


@strict
class ManifestEvent(TypedDict):
    """A manifest was taken over, or withdrawn."""

    gate: Literal["manifest-received", "manifest-withdrawn"]
    manifest: str
    version: int
    previous_version: int | None
    direction: Literal["out", "in"]
    source: str
    as_of: Time
    deliveries: list[Stop]
    by: str
    reason: str
    evidence: GateEvidence


Uids = list[Uid]


@strict
class WatchChanged(TypedDict):
    """`by` has put packages on a watch list, or taken them from it."""

    gate: Literal["watch-changed"]
    list: Identifier
    added: Uids
    removed: Uids
    by: str
    reason: str
    evidence: GateEvidence


@strict
class StockChanged(TypedDict):
    """`by` has said what is on the site and when it expires, as of `as_of`: `packages` in all; so many have come, have
    gone, or are said to be another product or to expire at another time."""

    gate: Literal["stock-changed"]
    by: str
    as_of: Time | None
    packages: Count
    added: Count
    removed: Count
    changed: Count
    evidence: GateEvidence


@strict
class OutputSwitched(TypedDict):
    """`by` has switched an output of a reader by hand, such as a light or an interlock."""

    gate: Literal["output-switched"]
    reader: Identifier
    port: Annotated[int, Field(ge=1, le=255)]
    state: bool
    by: str


@strict
class Destroyed(TypedDict):
    """A package was destroyed by `by` before the eyes of `witness`; it is on the watch list `destroyed` from now on.
    `photo`: where the picture of it is kept. `zone`: where it was seen last, if it was."""

    gate: Literal["destroyed"]
    uid: Uid
    product: str
    weight: Annotated[float, Field(gt=0)]
    unit: str
    method: str
    by: str
    witness: str
    photo: str
    reason: str
    zone: Identifier | None
    evidence: GateEvidence


@strict
class Precheck(TypedDict):
    """The lines of a delivery, judged before anything is loaded: those that may not leave first. It is no verdict.

    `blocked` lines break a rule; of `unknown` ones a rule cannot be decided yet. A long delivery is said in `parts`.
    """

    gate: Literal["precheck"]
    manifest: str
    delivery: str
    version: int
    direction: Literal["out", "in"]
    source: str
    dock: Identifier | None
    recipient: str
    why: PrecheckWhy
    lines: Count
    blocked: Count
    unknown: Count
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    items: list[Item]
    evidence: GateEvidence


@strict
class Staged(TypedDict):
    """What of a delivery stands in the staging zones: `staged` of `lines`. `extra` packages stand there and are on no
    manifest. `not_staged` and `extras` name the first 200. It is no verdict."""

    gate: Literal["staging"]
    manifest: str
    delivery: str
    version: int
    dock: Identifier | None
    recipient: str
    lines: Count
    staged: Count
    not_staged: list[NotStaged]
    extra: Count
    extras: list[StagedExtra]
    likely: list[LikelyError]
    evidence: GateEvidence


@strict
class CrossedUnread(TypedDict):
    """Something went through the photo-eyes of a portal and no tag was read there meanwhile. `watched`: its antennas
    were working. `closed`: the site was closed."""

    gate: Literal["crossed-unread"]
    portal: Identifier
    dock: Identifier | None
    session: str | None
    direction: Literal["in", "out"]
    start: Time
    end: Time
    watched: bool
    closed: bool
    evidence: GateEvidence


@strict
class CameBack(TypedDict):
    """A package that had left came back through a portal, which is that of `dock` if it is a dock's, or was found by a
    handheld outside the van. No session of its delivery is open there."""

    gate: Literal["came-back"]
    dock: Identifier | None
    uid: Uid
    manifest: str | None
    delivery: str | None
    proof: Annotated[PortalProof | HandheldProof, Field(discriminator="source")]
    evidence: GateEvidence


@strict
class CommandRefused(TypedDict):
    """A command that was accepted could not be carried out when its time came; it changed nothing."""

    gate: Literal["refused"]
    command: str
    dock: Identifier | None
    reason: str
    evidence: GateEvidence


GateData: TypeAlias = Annotated[
    Opened
    | Attached
    | ItemDecided
    | Confirmed
    | Overridden
    | Destroyed
    | Revised
    | Verdict
    | ManifestEvent
    | CameBack
    | CommandRefused
    | Precheck
    | Staged
    | CrossedUnread
    | WatchChanged
    | StockChanged
    | OutputSwitched,
    Field(discriminator="gate"),
]
"""An event of the dock gate."""

GateKind: TypeAlias = Literal[
    "opened",
    "attached",
    "item",
    "confirmed",
    "overridden",
    "destroyed",
    "revised",
    "verdict",
    "manifest-received",
    "manifest-withdrawn",
    "came-back",
    "refused",
    "precheck",
    "staging",
    "crossed-unread",
    "watch-changed",
    "stock-changed",
    "output-switched",
]
"""What tells the events of the gate apart."""
