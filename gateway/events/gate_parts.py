"""What the events of the dock gate are made of: packages, rules, proofs, and how many are in which set."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from gateway.config.base import Identifier
from gateway.events.base import Count, Share, Time, Uid, strict
from gateway.events.models import PassEvidence

Set: TypeAlias = Literal["matched", "missing", "extra", "blocked", "returned", "undetermined"]
Outcome: TypeAlias = Literal["complete", "incomplete", "mismatch"]
OpenedWhy: TypeAlias = Literal["command", "door", "first pass"]
PrecheckWhy: TypeAlias = Literal["manifest", "watch list", "stock", "facts too old", "configuration"]
ClosedWhy: TypeAlias = Literal["command", "door", "idle", "dock removed"]
RevisedWhy: TypeAlias = Literal[PrecheckWhy, "manifest withdrawn"]


@strict
class GateEvidence(TypedDict):
    """Under which configuration, and by which version of the algorithm, the gate came to it."""

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
class Override(TypedDict):
    """`by` answers for a package of which something is not known, such as while the state system cannot be asked."""

    uid: Uid
    by: str
    time: Time
    reason: str


@strict
class Proven(TypedDict):
    """What a verdict rests on. `unwatched_s`: what nobody has confirmed. `strays`: passes that decide nothing.
    `beyond`: packages more than a session can keep apart. `overrides`, where there are any: a verdict with one is
    never complete."""

    rules: list[str]
    facts_as_of: FactsAge
    unwatched_s: Lengths
    confirmed: list[Confirmation]
    strays: Count
    beyond: Count
    overrides: NotRequired[list[Override]]


@strict
class VerdictEvidence(GateEvidence, Proven):
    """With the configuration and the algorithm that came to it."""


@strict
class BrokenRule(TypedDict):
    """A rule that a package breaks, and how."""

    rule: str
    reason: str


@strict
class UnknownRule(TypedDict):
    """A rule that could not be judged, and what is missing for it."""

    rule: str
    missing: str


@strict
class RuleWarning(TypedDict):
    """A rule that holds, and what somebody should know all the same."""

    rule: str
    reason: str


@strict
class PortalProof(TypedDict):
    """The pass that decided where a package is; `evidence` is the portal's own."""

    source: Literal["portal"]
    direction: Literal["in", "out", "undetermined"]
    start: Time
    end: Time
    confidence: Share
    group: str | None
    evidence: PassEvidence


@strict
class HandheldProof(TypedDict):
    """A package was found with a handheld."""

    source: Literal["handheld"]
    reader: Identifier
    time: Time
    by: str


@strict
class Item(TypedDict):
    """One package: what it is, the verdict in words, and how that is known. `identifier` is the state's, where that
    is not the UID. `warnings` and `override` are there where there are any."""

    uid: Uid
    identifier: str | None
    product: str
    quantity: float | None
    unit: str
    batch: str
    verdict: str
    rules: list[BrokenRule]
    unknown: list[UnknownRule]
    warnings: NotRequired[list[RuleWarning]]
    override: NotRequired[Override]
    passes: Count
    loads: Count
    returns: Count
    proof: Annotated[PortalProof | HandheldProof, Field(discriminator="source")] | None


@strict
class LikelyError(TypedDict):
    """A line that is `missing` and a package that is too many: probably one error. `why` is for people."""

    missing: Uid
    extra: Uid
    why: str


@strict
class NotStaged(TypedDict):
    """A line that does not stand in staging, and where it was seen last, if it was."""

    uid: Uid
    product: str
    zone: str | None
    last: Time | None


@strict
class StagedExtra(TypedDict):
    """A package that stands in staging and is on no manifest."""

    uid: Uid
    product: str
    zone: Identifier


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
