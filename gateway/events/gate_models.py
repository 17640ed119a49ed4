"""What the dock gate publishes, as models: the types `rfid.gate.v1` and the gate's part of `rfid.alarm.v1`.

One event type with several kinds, told apart by `gate`. UIDs in the sets of a verdict are sorted.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from gateway.config.base import Identifier
from gateway.events.base import Count, Part, Time, Uid

Set = Literal["matched", "missing", "extra", "blocked", "returned", "undetermined"]


class GateEvidence(Part):
    config: str
    algorithm: str


class FactsAge(Part):
    """As of when the oldest facts behind the verdict were true."""

    manifest: Time | None
    records: Time | None
    lab_results: Time | None


Lengths = dict[str, Annotated[float, Field(ge=0)]]
"""Antenna, as ``reader/port``, to seconds for which it was not watching."""


class Confirmation(Part):
    """Somebody looked into the van because the portal had not been watched."""

    by: str
    time: Time
    reason: str
    unwatched_s: Lengths


class VerdictEvidence(GateEvidence):
    """`unwatched_s`: what nobody has confirmed. `strays`: passes that decide nothing. `beyond`: packages more than a
    session can keep apart."""

    rules: list[str]
    facts_as_of: FactsAge
    unwatched_s: Lengths
    confirmed: list[Confirmation]
    strays: Count
    beyond: Count


class BrokenRule(Part):
    rule: str
    reason: str


class UnknownRule(Part):
    rule: str
    missing: str


class PassProof(Part):
    """The pass that decided where a package is; `evidence` is the portal's own."""

    source: Literal["portal"]
    direction: Literal["in", "out", "undetermined"]
    start: Time
    end: Time
    confidence: Annotated[float, Field(ge=0, le=1)]
    group: str | None
    evidence: dict[str, Any]


class HandheldProof(Part):
    source: Literal["handheld"]
    reader: Identifier
    time: Time
    by: str


class Item(Part):
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


class Tally(Part):
    """How many packages are in each set, of `lines` lines."""

    lines: Count
    matched: Count
    missing: Count
    extra: Count
    blocked: Count
    returned: Count
    undetermined: Count


class _OfSession(Part):
    dock: Identifier
    session: str
    direction: Literal["out", "in"]
    manifest: str | None
    delivery: str | None
    version: int | None
    source: str | None
    recipient: str | None
    evidence: GateEvidence


class Opened(_OfSession):
    """A session began. `carried` packages were loaded in an earlier session of the same delivery."""

    gate: Literal["opened"]
    by: str
    why: Literal["command", "door", "first pass"]
    carried: Count


class Attached(_OfSession):
    """A session that was opened without a delivery has one now."""

    gate: Literal["attached"]
    by: str
    carried: Count


class ItemDecided(_OfSession):
    """A pass or a handheld decided where a package is. `ready`: the verdict would be complete now."""

    gate: Literal["item"]
    uid: Uid
    status: Set | None
    previous: Set | None
    item: Item
    counts: Tally
    ready: bool


class Confirmed(_OfSession):
    """Somebody looked into the van because the portal had not been watched."""

    gate: Literal["confirmed"]
    by: str
    reason: str
    unwatched_s: Lengths
    ready: bool


class Change(Part):
    uid: Uid
    from_: Annotated[str | None, Field(alias="from")]
    to: str | None


class LineChanges(Part):
    added: list[Uid]
    removed: list[Uid]
    changed: list[Uid]


class Revised(_OfSession):
    """What is known of the packages changed, and with it the verdict on `items`; `lines` is what a correction did."""

    gate: Literal["revised"]
    why: Literal["manifest", "manifest withdrawn", "watch list", "facts too old"]
    items: list[Change]
    counts: Tally
    lines: LineChanges | None = None


class Verdict(_OfSession):
    """The end of a session. The lines are divided into matched, missing, blocked and undetermined; extra, and some of
    the blocked and undetermined, are on no line; returned is a note, and a line in it is missing too."""

    gate: Literal["verdict"]
    outcome: Literal["complete", "incomplete", "mismatch"]
    complete: bool
    opened: Time
    opened_by: str
    opened_why: str
    closed: Time
    closed_by: str
    closed_why: Literal["command", "door", "idle"]
    counts: Tally
    matched: list[Item]
    missing: list[Item]
    extra: list[Item]
    blocked: list[Item]
    returned: list[Item]
    undetermined: list[Item]
    evidence: VerdictEvidence


class Stop(Part):
    delivery: str
    dock: Identifier | None
    recipient: str
    lines: Count


class ManifestEvent(Part):
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


class WatchChanged(Part):
    """`by` has put packages on a watch list, or taken them from it."""

    gate: Literal["watch-changed"]
    list: Identifier
    added: Uids
    removed: Uids
    by: str
    reason: str
    evidence: GateEvidence


class Precheck(Part):
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
    why: Literal["manifest", "watch list"]
    lines: Count
    blocked: Count
    unknown: Count
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    items: list[Item]
    evidence: GateEvidence


class CameBack(Part):
    """A package that had left came back through a dock that had no session."""

    gate: Literal["came-back"]
    dock: Identifier
    uid: Uid
    manifest: str | None
    delivery: str | None
    proof: PassProof
    evidence: GateEvidence


class CommandRefused(Part):
    """A command that was accepted could not be carried out when its time came; it changed nothing."""

    gate: Literal["refused"]
    command: str
    dock: Identifier | None
    reason: str
    evidence: GateEvidence


class GateData(
    RootModel[
        Annotated[
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
    ]
):
    """An event of the dock gate."""


class Stay(Part):
    zone: Identifier
    first: Time
    last: Time


class WatchAlarm(Part):
    """A tag on a watch list is where it may not be, or no longer is. `custody`: where it has been, newest last."""

    alarm: Literal["watch-list"]
    state: Literal["raised", "cleared"]
    list: Identifier
    uid: Uid
    zone: Identifier
    since: Time
    sightings: Count
    reason: str
    list_as_of: Time
    custody: Annotated[list[Stay], Field(max_length=8)]  # type: ignore[valid-type]
    evidence: GateEvidence


class ManifestRefusedAlarm(Part):
    """A manifest could not be taken from its source. `unsaid`: how often that was so since it was last said."""

    alarm: Literal["manifest-refused"]
    state: Literal["raised"]
    since: Time
    source: Identifier
    name: str
    reason: str
    unsaid: Count
    evidence: GateEvidence


class NoSessionAlarm(Part):
    """A package left through a dock that has no session, and that a first pass does not open."""

    alarm: Literal["no-session"]
    state: Literal["raised"]
    since: Time
    dock: Identifier
    uid: Uid
    reason: str
    unsaid: Count
    evidence: GateEvidence


class GateAlarm(
    RootModel[Annotated[WatchAlarm | ManifestRefusedAlarm | NoSessionAlarm, Field(discriminator="alarm")],]
):
    """An alarm of the dock gate or of the watch lists."""


def gate_event(data: Any) -> GateData:
    """The event in `data`. Raises pydantic's ValidationError."""
    return GateData.model_validate(data)
