"""A gate session: which packages have been loaded at one dock, and what that makes each of them.

Every package is in one place: loaded, outside, or nobody knows. A pass in the direction of loading loads it, one the
other way takes it out again, one that cannot be decided leaves it unknown until another pass or a handheld says. The
place and the judgement of the rules together give its status::

                 loaded                                   outside              not known
    a line       matched, or blocked where a rule says    missing              undetermined
    no line      extra, or blocked (another delivery's)   returned, or nothing undetermined
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from gateway.clock import SECOND, rfc3339
from gateway.events.gate_parts import ClosedWhy, Confirmation, HandheldProof, OpenedWhy, Override, PortalProof
from gateway.floor.gate.manifest import DeliveryKey
from gateway.floor.gate.rules import Judgement
from gateway.floor.passes import Direction, Pass

MAX_TAGS = 5_000
"""Packages that a session keeps apart: ten vans. More are counted, and the session cannot end complete."""


class Where(StrEnum):
    """Where a package is, as far as its passes say."""

    LOADED = "loaded"
    OUTSIDE = "outside"
    UNSURE = "unsure"


class Status(StrEnum):
    """The set of the verdict that a package belongs to."""

    MATCHED = "matched"
    MISSING = "missing"
    EXTRA = "extra"
    BLOCKED = "blocked"
    RETURNED = "returned"
    UNDETERMINED = "undetermined"


RED = (Status.EXTRA, Status.BLOCKED)
"""One such package, and nothing may leave."""


@dataclass(slots=True)
class Tag:
    """A package that passed. `proof` is the pass, or the handheld's read, that decided where it is, ready for JSON.
    `is_line` and `is_returned` are what it was counted as with its status: a line, and one that came back."""

    where: Where = Where.OUTSIDE
    loads: int = 0
    returns: int = 0
    passes: int = 0
    first: int = 0
    last: int = 0
    carried: bool = False  # from an earlier session of the same delivery
    proof: PortalProof | HandheldProof | None = None
    status: Status | None = None
    judgement: Judgement | None = None
    is_line: bool = False
    is_returned: bool = False

    def redate(self, by: int) -> None:
        """The package passed `by` microseconds later than was thought."""
        self.first, self.last = self.first + by, self.last + by

    @property
    def was_loaded(self) -> bool:
        """The package is loaded, or was until something else made that doubtful."""
        return self.where is Where.LOADED or (self.where is Where.UNSURE and self.loads > 0)

    @property
    def was_found(self) -> bool:
        """A person has found the package loaded."""
        return self.where is Where.LOADED and self.proof is not None and self.proof["source"] == "handheld"

    def place(self, where: Where, t: int, proof: PortalProof | HandheldProof) -> None:
        """Notes where the package is since `t`, and by which proof."""
        self.loads += where is Where.LOADED
        self.returns += where is Where.OUTSIDE and self.where is not Where.OUTSIDE
        self.where, self.last, self.proof = where, t, proof


_WORDS: dict[Direction, Literal["in", "out", "undetermined"]] = {
    Direction.IN: "in",
    Direction.OUT: "out",
    Direction.UNDETERMINED: "undetermined",
}
"""Directions that decide where a package is."""


def portal_proof(p: Pass) -> PortalProof:
    """A pass as the evidence of where a package is."""
    return {
        "source": "portal",
        "direction": _WORDS[p.direction],
        "start": rfc3339(p.start),
        "end": rfc3339(p.end),
        "confidence": p.confidence,
        "group": p.group,
        "evidence": p.evidence,
    }


@dataclass(slots=True)
class Ending:
    """A session is to end at `at`; `since` is when that was asked for."""

    at: int
    since: int
    by: str
    why: ClosedWhy


@dataclass(slots=True)
class Session:
    """A session at a dock. `key` is the delivery, None where nobody knows which; `version` the manifest's."""

    dock: str
    inbound: bool
    key: DeliveryKey | None
    version: int | None
    opened: int
    by: str
    why: OpenedWhy
    tags: dict[str, Tag] = field(default_factory=dict)
    counts: Counter[Status] = field(default_factory=Counter)
    placed: int = 0  # lines that are not missing
    came_back: int = 0  # packages that were loaded, or may have been, and are outside
    last: int = 0
    stale_at: int = 0
    beyond: int = 0  # packages that MAX_TAGS left out
    strays: int = 0  # passes of tags that stood there, or came and went on the outside
    ending: Ending | None = None
    dark: dict[str, int] = field(default_factory=dict)  # dark time of each antenna of the portal when it began
    before: dict[str, int] = field(default_factory=dict)  # and for how long in earlier sessions of the same delivery
    confirmed: list[Confirmation] = field(default_factory=list)
    overrides: dict[str, Override] = field(default_factory=dict)  # by UID; with one the session never ends complete

    @property
    def red(self) -> bool:
        """Something is loaded that must not be: blocked lines that somebody answers for do not count."""
        return self.counts[Status.EXTRA] > 0 or self.counts[Status.BLOCKED] > sum(map(self.excused, self.overrides))

    def excused(self, uid: str) -> bool:
        """Whether a package is blocked for what is not known alone, and a named person answers for it."""
        tag = self.tags.get(uid)
        return (
            uid in self.overrides
            and tag is not None
            and tag.status is Status.BLOCKED
            and tag.judgement is not None
            and not tag.judgement.blocked
        )

    @property
    def loading(self) -> Direction:
        """The direction of a pass that loads."""
        return Direction.IN if self.inbound else Direction.OUT

    def may_have(self, uid: str) -> bool:
        """Whether a package is loaded, or may be."""
        tag = self.tags.get(uid)
        return tag is not None and tag.where is not Where.OUTSIDE

    def can_be(self, *, inbound: bool) -> bool:
        """Whether the delivery may come in, or go out: not where a package has passed that way which unloads it."""
        return self.inbound == inbound or all(
            tag.where is Where.OUTSIDE and not tag.loads for tag in self.tags.values()
        )

    def become(self, *, inbound: bool) -> None:
        """The delivery is known to come in, or to go out, as `can_be` has it: what came in before that is received."""
        if self.inbound != inbound:
            self.inbound = inbound
            for tag in self.tags.values():
                if tag.proof is not None and tag.proof["source"] == "portal":
                    tag.where, tag.loads, tag.returns = Where.LOADED, tag.passes, 0

    def passed(self, p: Pass, *, is_line: bool) -> Tag | None:
        """Takes a pass in. Returns the package whose place it decides, or None where it decides nothing. While nobody
        knows for which delivery the session is, that may turn out to be one that comes in: nothing is a stray then."""
        self.last = max(self.last, p.end)
        known = self.tags.get(p.uid)
        decides = p.direction in (Direction.IN, Direction.OUT, Direction.UNDETERMINED)
        unloads = p.direction not in (self.loading, Direction.UNDETERMINED)
        if not decides or (known is None and not is_line and unloads and not self._may_come_in):
            self.strays += 1
            return None
        tag = self._tag(p.uid)
        if tag is None:
            return None
        tag.passes += 1
        tag.first = min(tag.first or p.start, p.start)
        if p.end < tag.last:
            return None
        tag.place(self._where(p.direction), p.end, portal_proof(p))
        return tag

    def found(self, uid: str, where: Where, t: int, proof: HandheldProof) -> Tag | None:
        """Takes the read of a handheld in."""
        tag = self._tag(uid)
        if tag is None or t < tag.last:
            return None
        tag.first = tag.first or t
        tag.place(where, t, proof)
        self.last = max(self.last, t)
        return tag

    @property
    def _may_come_in(self) -> bool:
        """Its delivery may still be one that comes in, and there is room for what has come."""
        return self.key is None and len(self.tags) < MAX_TAGS

    def doubt(self, uid: str, t: int, proof: PortalProof | HandheldProof) -> Tag | None:
        """A package that is loaded here was seen at `t` where it cannot be then. Returns it, or None where it was
        loaded after that."""
        tag = self.tags[uid]
        if tag.where is not Where.LOADED or t < tag.last:
            return None
        tag.place(Where.UNSURE, t, proof)
        self.last = max(self.last, t)
        return tag

    def _where(self, direction: Direction) -> Where:
        if direction is Direction.UNDETERMINED:
            return Where.UNSURE
        return Where.LOADED if direction is self.loading else Where.OUTSIDE

    def _tag(self, uid: str) -> Tag | None:
        tag = self.tags.get(uid)
        if tag is None:
            if len(self.tags) >= MAX_TAGS:
                self.beyond += 1
                return None
            tag = self.tags[uid] = Tag()
        return tag

    def classify(self, tag: Tag, judgement: Judgement, *, is_line: bool, is_known: bool) -> None:
        """Gives a package its status. `is_line`: this delivery names it; `is_known`: some delivery does."""
        status = _status(tag, judgement, is_line=is_line, is_known=is_known)
        self._count(tag, -1)
        tag.status, tag.judgement = status, judgement
        self._enter(tag, is_line=is_line)

    def _enter(self, tag: Tag, *, is_line: bool) -> None:
        tag.is_line, tag.is_returned = is_line, tag.where is Where.OUTSIDE and tag.returns > 0
        self._count(tag, 1)

    def _count(self, tag: Tag, by: int) -> None:
        if tag.status is not None:
            self.counts[tag.status] += by
            self.placed += by * (tag.is_line and tag.status is not Status.MISSING)
            self.came_back += by * tag.is_returned

    def count_anew(self, lines: Container[str]) -> None:
        """Counts the packages of a session that was saved: each has its status, and some are `lines`."""
        for uid, tag in self.tags.items():
            self._enter(tag, is_line=uid in lines)


def _status(tag: Tag, judgement: Judgement, *, is_line: bool, is_known: bool) -> Status | None:
    if tag.where is Where.UNSURE:
        return Status.UNDETERMINED
    if tag.where is Where.OUTSIDE:
        if is_line:
            return Status.MISSING
        return Status.RETURNED if tag.returns else None
    if not is_known:
        return Status.EXTRA
    return Status.MATCHED if judgement.passed else Status.BLOCKED


Dark: TypeAlias = Callable[[str, int], Mapping[str, int]]
"""Portal and time to the microseconds for which each of its antennas has been dark up to then, by name."""


def always_watching(portal: str, t: int) -> Mapping[str, int]:
    """The answer of a floor that watches everything: no antenna was dark."""
    return {}


def unwatched(session: Session, dark: Mapping[str, int]) -> dict[str, int]:
    """Microseconds for which each antenna was dark since the session began or was last confirmed, where any."""
    total = dict(session.before)
    for antenna, now in dark.items():
        total[antenna] = total.get(antenna, 0) + max(0, now - session.dark.get(antenna, now))
    return {antenna: length for antenna, length in sorted(total.items()) if length}


def in_seconds(lengths: Mapping[str, int]) -> dict[str, float]:
    """Lengths in microseconds as seconds, to the millisecond."""
    return {antenna: round(length / SECOND, 3) for antenna, length in lengths.items()}
