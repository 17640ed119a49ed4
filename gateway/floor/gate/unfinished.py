"""Loads of ended sessions, kept for the next session of the same delivery, so that a door closed too early costs
nothing."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.clock import parse_rfc3339
from gateway.events.gate_models import Sets
from gateway.events.gate_parts import Confirmation, HandheldProof, Override, PortalProof
from gateway.floor.bounded import Bounded
from gateway.floor.gate import verdict
from gateway.floor.gate.manifest import DeliveryKey
from gateway.floor.gate.saved import dump_tags, load_tags
from gateway.floor.gate.session import Session, Tag, Where
from gateway.floor.gate.shipped import Shipped

MAX_UNFINISHED = 16
"""Deliveries whose loads are remembered. Beyond it the oldest begins from nothing, and what has left with it is blocked
by `shipped_once`."""


MAX_ANSWERED = 128
"""Deliveries for which it is remembered who answers for what: those of a week in which the state's system is away."""


@dataclass(slots=True)
class _Left:
    tags: dict[str, Tag]
    unwatched: dict[str, int]
    confirmed: list[Confirmation]
    inbound: bool = False


class Unfinished:
    """The loads of deliveries that had a session, the newest last, and who answers for what of a delivery. `left` is
    what has left with any of them."""

    def __init__(self, left: Shipped) -> None:
        self._shipped = left
        self._left: Bounded[DeliveryKey, _Left] = Bounded(MAX_UNFINISHED)
        self._answered: Bounded[DeliveryKey, dict[str, Override]] = Bounded(MAX_ANSWERED)

    def shipped(self, session: Session, t: int) -> None:
        """What has left with a session that ends, and what has come back."""
        for uid, tag in sorted(session.tags.items()):
            if session.inbound:
                if tag.where is Where.LOADED:
                    self._shipped.forget(uid)
            elif tag.where is not Where.OUTSIDE:
                if self._shipped.key(uid, t) is None:
                    self._shipped.add(uid, session.key or ("", ""), t)
            elif tag.returns:
                self._shipped.forget(uid)

    def leave(self, key: DeliveryKey, session: Session, unwatched: dict[str, int]) -> None:
        """Keeps what a session that ends leaves to the next one of its delivery."""
        for tag in session.tags.values():
            tag.carried = True
        self._left.renew(key, _Left(session.tags, unwatched, session.confirmed, session.inbound))
        if session.overrides:
            self._answered.renew(key, session.overrides)

    def carry(self, session: Session) -> int:
        """Gives a session what was left to it; returns how many packages that are. What was loaded is not received
        where the delivery goes the other way now."""
        if session.key is None:
            return 0
        session.overrides |= self._answered.pop(session.key, {})
        left = self._left.pop(session.key, None)
        if left is None or left.inbound != session.inbound:
            return 0
        for uid, tag in left.tags.items():
            tag.status = tag.judgement = None
            session.tags.setdefault(uid, tag)
        session.before, session.confirmed = left.unwatched, [*left.confirmed, *session.confirmed]
        return len(left.tags)

    def forget(self, deliveries: Iterable[DeliveryKey]) -> None:
        """Forgets what is left of deliveries that are not known any more: one of the same name is another."""
        for key in deliveries:
            self._left.pop(key, None)
            self._answered.pop(key, None)

    def came_back(self, uid: str, t: int, proof: PortalProof | HandheldProof) -> bool:
        """A package that had left is back since `t`; False where a delivery was loaded with it after that."""
        outbound = [left for left in self._left.values() if not left.inbound]
        tags = [tag for left in outbound if (tag := left.tags.get(uid)) is not None]
        if any(tag.where is not Where.OUTSIDE and tag.last > t for tag in tags):
            return False
        for tag in tags:
            if tag.where is not Where.OUTSIDE:
                tag.place(Where.OUTSIDE, t, proof)
        self._shipped.forget(uid)
        return True

    def redate(self, by: int) -> None:
        """What ended sessions have left was loaded `by` microseconds later than was thought."""
        for left in self._left.values():
            for tag in left.tags.values():
                tag.redate(by)

    def dump(self) -> list[Any]:
        """The state for a checkpoint, ready for JSON."""
        answered = [[*key, {}, {}, [], overrides] for key, overrides in self._answered.items()]
        loads = [
            [*key, dump_tags(left.tags), left.unwatched, left.confirmed, {}, left.inbound]
            for key, left in self._left.items()
        ]
        return answered + loads

    def load(self, dump: list[Any]) -> None:
        """Takes over what `dump` gave."""
        for manifest, delivery, tags, unwatched, confirmed, *more in dump:
            if more and more[0]:
                self._answered.renew((manifest, delivery), dict(more[0]))
            if tags or unwatched or confirmed or not (more and more[0]):
                left = _Left(load_tags(tags), dict(unwatched), list(confirmed), *more[1:])
                self._left.renew((manifest, delivery), left)


_OUTLINE = (
    "session", "manifest", "delivery", "version", "direction", "recipient", "outcome", "complete", "closed", "counts",
)  # fmt: skip
"""What is kept of a verdict; the ledger has it whole."""


class LastVerdicts:
    """The last verdict at each dock: an outline, which is kept over restarts, and its sets, which are only shown."""

    def __init__(self) -> None:
        self._outlines: dict[str, dict[str, Any]] = {}
        self._lines: dict[str, dict[str, list[Any]]] = {}

    def given(self, dock: str, data: Mapping[str, Any], sets: Sets) -> None:
        """A verdict was given: the data of its event, and the sets of packages as they are in it."""
        answered = sorted({override["by"] for override in data["evidence"].get("overrides", ())})
        self._outlines[dock] = {key: data[key] for key in _OUTLINE} | {"answered_by": answered}
        self._lines[dock] = verdict.lines(sets)

    def outline(self, dock: str) -> dict[str, Any] | None:
        """What is kept of the last verdict at a dock."""
        return self._outlines.get(dock)

    def closed(self, dock: str, key: DeliveryKey | None) -> int:
        """When the session of the last verdict at a dock was to end, microseconds UTC; 0 where there is none, or it was
        of the delivery `key`, which goes on."""
        outline = self._outlines.get(dock)
        if outline is None or (outline["manifest"], outline["delivery"]) == key:
            return 0
        return parse_rfc3339(outline["closed"])

    def lines(self, dock: str) -> dict[str, list[Any]]:
        """The sets without evidence; empty after a restart."""
        return self._lines.get(dock, {})

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return self._outlines

    def load(self, dump: Mapping[str, Any], docks: Container[str]) -> None:
        """Takes over the outlines of docks that are still there."""
        self._outlines = {dock: outline for dock, outline in dump.items() if dock in docks}
