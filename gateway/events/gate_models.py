"""What the dock gate publishes, as models: the types `rfid.gate.v1` and the gate's part of `rfid.alarm.v1`.

One event type with several kinds, told apart by `gate`. UIDs in the sets of a verdict are sorted.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from gateway.config.base import Identifier
from gateway.events.base import Count, FromWords, Share, Time, Uid, strict

Set: TypeAlias = Literal["matched", "missing", "extra", "blocked", "returned", "undetermined"]
Outcome: TypeAlias = Literal["complete", "incomplete", "mismatch"]
OpenedWhy: TypeAlias = Literal["command", "door", "first pass"]
PrecheckWhy: TypeAlias = Literal["manifest", "watch list"]
ClosedWhy: TypeAlias = Literal["command", "door", "idle"]
RevisedWhy: TypeAlias = Literal["manifest", "manifest withdrawn", "watch list", "facts too old"]


@strict
class GateEvidence(TypedDict):
    config: str
    algorithm: str


@strict
class FactsAge(TypedDict):
    """As of when the oldest facts behind the verdict were true."""

    manifest: Time | None
    records: Time | None
    lab_results: Time | None


Lengths = dict[str, Annotated[float, Field(ge=0)]]
"""Antenna, as ``reader/port``, to seconds for which it was not watching."""


@strict
class Confirmation(TypedDict):
    """Somebody looked into the van because the portal had not been watched."""

    by: str
    time: Time
    reason: str
    unwatched_s: Lengths


@strict
class Proven(TypedDict):
    """What a verdict rests on. `unwatched_s`: what nobody has confirmed. `strays`: passes that decide nothing.
    `beyond`: packages more than a session can keep apart."""

    rules: list[str]
    facts_as_of: FactsAge
    unwatched_s: Lengths
    confirmed: list[Confirmation]
    strays: Count
    beyond: Count


@strict
class VerdictEvidence(GateEvidence, Proven):
    """With the configuration and the algorithm that came to it."""


@strict
class BrokenRule(TypedDict):
    rule: str
    reason: str


@strict
class UnknownRule(TypedDict):
    rule: str
    missing: str


@strict
class PassProof(TypedDict):
    """The pass that decided where a package is; `evidence` is the portal's own."""

    source: Literal["portal"]
    direction: Literal["in", "out", "undetermined"]
    start: Time
    end: Time
    confidence: Share
    group: str | None
    evidence: dict[str, Any]


@strict
class HandheldProof(TypedDict):
    source: Literal["handheld"]
    reader: Identifier
    time: Time
    by: str


@strict
class Item(TypedDict):
    """One package: what it is, the verdict in words, and how that is known. `identifier` is the state's, where that
    is not the UID."""

    uid: Uid
    identifier: str | None
    product: str
    quantity: float | None
    unit: str
    batch: str
    verdict: str
    rules: list[BrokenRule]
    unknown: list[UnknownRule]
    passes: Count
    loads: Count
    returns: Count
    proof: Annotated[PassProof | HandheldProof, Field(discriminator="source")] | None


@strict
class Tally(TypedDict):
    """How many packages are in each set, of `lines` lines."""

    lines: Count
    matched: Count
    missing: Count
    extra: Count
    blocked: Count
    returned: Count
    undetermined: Count


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
class Change(FromWords):
    """The verdict on a package before and now, in words; null where it is in no set."""

    uid: Uid
    to: str | None


@strict
class LineChanges(TypedDict):
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
    the blocked and undetermined, are on no line; returned is a note, and a line in it is missing too."""

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
    evidence: VerdictEvidence


@strict
class Stop(TypedDict):
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
class CameBack(TypedDict):
    """A package that had left came back through a dock that had no session."""

    gate: Literal["came-back"]
    dock: Identifier
    uid: Uid
    manifest: str | None
    delivery: str | None
    proof: PassProof
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
    | Revised
    | Verdict
    | ManifestEvent
    | CameBack
    | CommandRefused
    | Precheck
    | WatchChanged,
    Field(discriminator="gate"),
]
"""An event of the dock gate."""

GateKind: TypeAlias = Literal[
    "opened",
    "attached",
    "item",
    "confirmed",
    "revised",
    "verdict",
    "manifest-received",
    "manifest-withdrawn",
    "came-back",
    "refused",
    "precheck",
    "watch-changed",
]
"""What tells the events of the gate apart."""
