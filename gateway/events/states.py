"""Retained states that other programs read, as types: what is true now, whereas events say what has happened."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from gateway.config import Identifier
from gateway.events.base import Count, Share, Time, Uid, strict
from gateway.events.gate_parts import Lengths, OpenedWhy, Outcome, Tally

Port = Annotated[str, Field(pattern=r"^[0-9]{1,3}$")]


@strict
class ReaderClock(TypedDict):
    """Where the time of a reader's reads comes from, and by how many microseconds its clock is off."""

    quality: Literal["unknown", "synced", "corrected", "uptime", "arrival"]
    offset_us: int


@strict
class ReaderState(TypedDict):
    """A reader (``state/reader/{reader}``): up or not since when, what is wrong with it (`reason` in its own words,
    `error` that of the last attempt to reach it), its antennas that are down, with the reason, and those that read
    nothing against their own habit, since when; and its reads since the start of this state."""

    reader: Identifier
    status: Literal["unknown", "up", "catching-up", "down"]
    since: Time | None
    reason: str
    error: str
    model: str
    firmware: str
    antennas_down: dict[Port, str]
    antennas_silent: dict[Port, Time]
    conditions: dict[str, str]
    clock: ReaderClock
    reads: Count
    late_reads: Count


@strict
class Online(TypedDict):
    """A gateway that runs (``state/gateway``), since when, and how far it is: the newest event and the newest that the
    broker has, `health` and `reasons` as ``/healthz`` says them, and the hashes of the configuration."""

    status: Literal["online"]
    time: Time
    since: Time
    version: str
    epoch: str
    sequence: Count
    published: Count
    config: str
    whole_config: str
    health: Literal["ok", "degraded", "failing"]
    reasons: list[str]


@strict
class Offline(TypedDict):
    """A gateway that has stopped (`reason` is ``stopped``), or to which the broker has no connection any more."""

    status: Literal["offline"]
    reason: str
    since: Time
    version: str
    epoch: str


@strict
class Failing(TypedDict):
    """A gateway that cannot start, reads nothing and tries again, with the reason."""

    status: Literal["failing"]
    reason: str


GatewayState: TypeAlias = Annotated[Online | Offline | Failing, Field(discriminator="status")]


@strict
class LedgerState(TypedDict):
    """The newest event of the ledger (``state/ledger``), and the run of the gateway that says so."""

    epoch: str
    sequence: Count
    run: str


@strict
class CountInShort(TypedDict):
    """The last count of a zone: how many tags are there (`population`), by `seen` in it and `not_seen`, and how it
    compares with the expected set where there was one."""

    started: Time
    ended: Time
    population: Count
    seen: Count
    not_seen: Count
    confidence: Share
    expected: NotRequired[Count]
    found: NotRequired[Count]
    missing: NotRequired[Count]
    extra: NotRequired[Count]
    elsewhere: NotRequired[Count]


@strict
class CountPlan(TypedDict):
    """The place of a zone in the calendar of the counts: when it is due, and why it is overdue."""

    every: str
    at: str
    time_zone: str
    due: Time
    overdue: bool
    why: str
    last_done: Time | None


@strict
class ExpectedInShort(TypedDict):
    """The set that is expected in a zone: how many tags, as of when, and who says so."""

    number: Count
    as_of: Time
    source: str


@strict
class ZoneState(TypedDict):
    """A zone (``state/zone/{zone}``): how many tags are there and of how many it is not seen any more, and whether an
    antenna watches it; `antennas` by ``reader/port``, in words."""

    zone: Identifier
    name: str
    population: Count
    not_seen: Count
    watched: bool
    antennas: dict[str, str]
    last_count: CountInShort | None
    count_plan: CountPlan | None
    expected: ExpectedInShort | None


@strict
class MustNotLeave(TypedDict):
    """A package that stands at a dock and must not leave."""

    uid: Uid
    since: Time
    reason: str


@strict
class DeliveryInShort(TypedDict):
    """A delivery that waits at a dock, and how many of its lines are blocked, not known, or warned of; null before they
    are looked at."""

    manifest: str
    delivery: str
    version: int
    direction: Literal["out", "in"]
    dock: Identifier | None
    recipient: str
    lines: Count
    as_of: Time
    done: bool
    loading: bool
    blocked: Count | None
    unknown: Count | None
    warned: Count | None


@strict
class SessionInShort(TypedDict):
    """The session at a dock. `ready`: it would be complete if it ended now. `unwatched_s` is for how long each antenna
    was not watching; `answered_by` names who answers for packages of which something is not known."""

    session: str
    direction: Literal["out", "in"]
    manifest: str | None
    delivery: str | None
    version: int | None
    recipient: str | None
    opened: Time
    opened_by: str
    opened_why: OpenedWhy
    ending: bool
    ready: bool
    unwatched_s: Lengths
    answered_by: list[str]
    counts: Tally


@strict
class VerdictInShort(TypedDict):
    """The last verdict at a dock; the event has it whole."""

    session: str
    manifest: str | None
    delivery: str | None
    version: int | None
    direction: Literal["out", "in"]
    recipient: str | None
    outcome: Outcome
    complete: bool
    closed: Time
    counts: Tally
    answered_by: NotRequired[list[str]]


@strict
class DockState(TypedDict):
    """A dock (``state/dock/{dock}``): what its light shows, and the word for that; packages that must not leave, the
    first twenty deliveries that wait, the session and the last verdict."""

    dock: Identifier
    name: str
    portal: Identifier
    door: Literal["open", "closed", "unknown"]
    lamp: Literal["off", "amber", "red", "green"]
    word: str
    warnings: list[MustNotLeave]
    pending: list[DeliveryInShort]
    session: SessionInShort | None
    last_verdict: VerdictInShort | None
