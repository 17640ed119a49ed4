"""What the history answers, as models: the JSON of the commands, of the web API and of the command line.

Every answer begins with `holds`: how far the history had come when it was asked. What is not in it may still be on its
way from the ledger.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from gateway.clock import rfc3339

Time = Annotated[int, PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""Microseconds UTC; RFC 3339 in JSON."""


class Answer(BaseModel):
    """Values come from the history's own tables, as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Gap(Answer):
    """Events that the history never had: the ledger had given them up before it came to them."""

    epoch: str
    first: int
    last: int


class Holds(Answer):
    """Up to which event of which epoch the history holds; the `gaps` in it, newest first; and how many events it
    could not understand."""

    epoch: str | None
    sequence: int
    gaps: list[Gap]
    unread: int


class Source(Answer):
    """The event that says so."""

    epoch: str
    sequence: int


class Evidence(Answer):
    """The reads behind a statement. `antennas` are written ``reader/port``."""

    reads: int
    strongest_rssi: float
    rssi_unit: str
    antennas: list[str]
    first: Time
    last: Time
    clock: str
    algorithm: str
    config: str


class Item(Answer):
    """What a package is, by whoever said it last, `as_of` then. RFID says nothing of it."""

    identifier: str | None
    product: str | None
    batch: str | None
    category: str | None
    quantity: float | None
    unit: str | None
    expires: str | None
    source: str
    as_of: Time


class Stay(Answer):
    """What was known of a tag from `since` to `until` (null: it still holds). `state`: ``present``; ``unseen``, which
    does not say that it is gone: it was last seen in `zone`; ``away``. `overtaken`: the next event said what was so
    from an earlier time on (a pass is judged a moment after it), so that this one held at no time."""

    entry: Literal["stay"] = "stay"
    overtaken: bool
    zone: str | None
    state: Literal["present", "unseen", "away"]
    since: Time
    until: Time | None
    movement: str
    before: str | None
    portal: str | None
    confidence: float
    evidence: Evidence
    event: Source


class Pass(Answer):
    """A passage through a portal, with the direction as it was judged."""

    entry: Literal["pass"] = "pass"
    portal: str
    direction: str
    before: str | None
    after: str | None
    first: Time
    last: Time
    confidence: float
    group: str | None
    reason: str
    evidence: Evidence
    event: Source


class GateDecision(Answer):
    """What the gate said of the package: at a pass or a scan (``item``), or in the verdict; or what named persons said
    at it: that one answers for it (``overridden``), or that it was ``destroyed``, then without a dock."""

    entry: Literal["gate"] = "gate"
    kind: Literal["item", "verdict", "overridden", "destroyed"]
    time: Time
    dock: str
    session: str
    manifest: str | None
    delivery: str | None
    status: str | None
    previous: str | None
    verdict: str
    reasons: str
    event: Source


class Counted(Answer):
    """What a count said of the package."""

    entry: Literal["count"] = "count"
    time: Time
    zone: str
    said: Literal["present", "not_seen", "missing", "extra", "elsewhere"]
    detail: str
    event: Source


class HandRead(Answer):
    """A handheld read the package, for the count `session` of `zones` or for none. It was near the handheld; in which
    zone it is, that does not say."""

    entry: Literal["handheld"] = "handheld"
    time: Time
    reader: str
    how: Literal["rfid", "barcode"]
    by: str
    session: str | None
    zones: list[str]
    reads: int
    event: Source


class Alarm(Answer):
    """The life of an alarm."""

    entry: Literal["alarm"] = "alarm"
    kind: str
    subject: str
    place: str
    uid: str | None
    state: Literal["raised", "acknowledged", "cleared"]
    since: Time
    raised: Time
    last_said: Time
    repeats: int
    reason: str
    acknowledged: Time | None
    acknowledged_by: str | None
    note: str | None
    cleared: Time | None
    cleared_reason: str | None
    event: Source


class OpenAlarms(Answer):
    """The open alarms (``state/alarms``): how many, the newest of them, and why that is not known."""

    open: int
    alarms: list[Alarm]
    problem: str


class Notice(Answer):
    """One word about an alarm: it was raised (or is still so), acknowledged, or cleared."""

    time: Time
    kind: str
    subject: str
    state: Literal["raised", "acknowledged", "cleared"]
    place: str
    uid: str | None
    since: Time
    reason: str
    by: str | None
    event: Source


class Unwatched(Answer):
    """A time in which something that the tag could have done was not seen: a reader or an antenna of a place it was in
    did not work, or reads were lost. A gap in the trail, not a statement about the tag."""

    entry: Literal["unwatched"] = "unwatched"
    since: Time
    until: Time | None
    what: str
    reason: str
    certain: bool
    event: Source


class Access(Answer):
    """What an access-control system said of a door, near in time to a change of place."""

    entry: Literal["access"] = "access"
    time: Time
    door: str
    person: str
    action: str
    source: str
    event: Source


class Footage(Answer):
    """Where to look at a camera's recording of a change of place. `url` is null where the camera has no link."""

    entry: Literal["camera"] = "camera"
    camera: str
    start: Time
    end: Time
    url: str | None
    frigate: bool


Entry = Annotated[
    Stay | Pass | GateDecision | Counted | HandRead | Alarm | Unwatched | Access | Footage, Field(discriminator="entry")
]


class Package(Answer):
    """A package, and where it is. `here` is null for a tag that no reader has seen in a zone."""

    uid: str
    item: Item | None
    here: Stay | None
    last_pass: Pass | None
    last_decision: GateDecision | None
    open_alarms: list[Alarm]


class Where(Answer):
    """The packages that the question names, and as what it named them. `more`: there are others. `unit`: the index of
    the retail unit whose code was scanned."""

    holds: Holds
    asked: str
    by: Literal["uid", "identifier", "retail id", "last digits", "batch", "product", "nothing"]
    unit: int | None
    packages: list[Package]
    more: bool


class Trail(Answer):
    """Everything about one tag in the order of time, oldest first. `more`: there is an older part, to be asked for with
    `before` set to the time of the first entry. `also`: further UIDs that the question could have meant."""

    holds: Holds
    asked: str
    uid: str | None
    item: Item | None
    also: list[str]
    entries: list[Entry]
    more: bool


class Inside(Answer):
    """A tag that was in the zone at the time."""

    uid: str
    product: str | None
    batch: str | None
    stay: Stay


class Zone(Answer):
    """Who was in a zone at a time, as the events of that time had it. `watched`: an antenna of the configuration looks
    at the zone; of one without, only what portals and people say is known; null: it is not in the configuration.
    `unwatched`: what was not working then. `more`: ask again with `after` set to the last UID."""

    holds: Holds
    zone: str
    at: Time
    watched: bool | None
    present: int
    unseen: int
    tags: list[Inside]
    unwatched: list[Unwatched]
    more: bool


class Batch(Answer):
    """Where the packages of a batch are, for a recall. `zones` counts them; packages that no reader has seen, and those
    that have left, are under ``never seen`` and ``away``."""

    holds: Holds
    batch: str
    zones: dict[str, int]
    packages: list[Package]
    more: bool


class Alarms(Answer):
    """Open alarms, or all of a time, newest first."""

    holds: Holds
    open: int
    alarms: list[Alarm]
    more: bool


class Count(Answer):
    """A count. The sums against what was expected are null where nothing was."""

    zone: str
    trigger: str
    request: str | None
    started: Time
    ended: Time
    population: int
    seen: int
    not_seen: int
    expected: int | None
    found: int | None
    missing: int | None
    extra: int | None
    elsewhere: int | None
    duty: float
    confidence: float
    source: str | None
    by: str | None
    note: str | None
    event: Source


class Line(Answer):
    """What a count said of one tag, and what is known of it."""

    uid: str
    said: Literal["present", "not_seen", "missing", "extra", "elsewhere"]
    detail: str
    product: str | None
    batch: str | None


class Counts(Answer):
    """Counts, newest first. `lines` are those of the newest, where one zone was asked for. `more`: there are earlier
    counts, or, with 1,000 lines, more lines: ask again with `after`."""

    holds: Holds
    counts: list[Count]
    lines: list[Line]
    more: bool
