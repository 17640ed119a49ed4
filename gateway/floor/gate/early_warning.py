"""The dock warns before it judges: a package that must not leave is near the door of an open session.

What the inside antennas of a dock hear is looked at with every tick, before lateness has passed and before anything is
known of a direction. A package that the rules block, that is on another delivery or on none, is shown at once, with its
name and the reason, and no longer shown once it is not heard there any more. A warning is a light: it claims no pass,
nothing is published of it, and no verdict rests on it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Set
from dataclasses import dataclass, field

from gateway.clock import NEVER, SECOND, rfc3339
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.session import Session, Where
from gateway.floor.gate.sessions import Sessions
from gateway.floor.gate.watchlists import WatchLists

CLEAR_AFTER = 2 * SECOND
"""A package that has not been heard for so long is not near the door any more."""

MAX_WARNINGS = 100
"""Packages shown at one dock: beyond that it is not one package that went astray."""

MAX_KNOWN = 20_000
"""Packages that are remembered as being in order, or as nothing to warn of; beyond it they are asked about again."""


@dataclass(slots=True)
class Warned:
    """A package that is shown: since when, when it was heard last (microseconds UTC), and why."""

    since: int
    heard: int
    reason: str


@dataclass(slots=True)
class _Near:
    """What is known of the packages near one dock, as long as `facts` are as they were and not too old, `until` then.
    `known` are those that are in order, or nothing to warn of, and have not passed."""

    facts: Hashable = None
    until: int = NEVER
    known: set[bytes] = field(default_factory=set)
    warned: dict[bytes, Warned] = field(default_factory=dict)


class EarlyWarning:
    """The warnings of `docks`."""

    def __init__(self, docks: Iterable[str], sessions: Sessions, catalogue: Catalogue, watch_lists: WatchLists) -> None:
        self._near = {dock: _Near() for dock in docks}
        self._sessions = sessions
        self._catalogue = catalogue
        self._watch_lists = watch_lists

    @property
    def are_on(self) -> bool:
        """Something could leave at one of the docks now."""
        return any(self._facts(dock) is not None for dock in self._near)

    def _facts(self, dock: str) -> Hashable:
        """What it rests on whether a package may leave; None where none can leave there now."""
        session = self._sessions.at(dock)
        if session is None or session.inbound or session.ending is not None:
            return None
        answered = tuple(session.overrides)
        return session.opened, session.key, answered, self._catalogue.revision, self._watch_lists.changes

    def _reason(self, near: _Near, session: Session, epc: bytes, t: int) -> str:
        """Why a package must not leave; nothing where it may, or is loaded and the verdict's business."""
        uid = epc.hex().upper()
        tag = session.tags.get(uid)
        if tag is not None and tag.where is Where.LOADED:
            return ""
        line, judgement = self._sessions.judges.judge(session, uid, t)
        near.until = min(near.until, judgement.fresh_until)
        if line is None:
            return "on no manifest"
        answered_for = uid in session.overrides and not judgement.blocked
        return "" if judgement.passed or answered_for else judgement.words()

    def hear(self, dock: str, heard: Set[bytes], t: int) -> None:
        """The packages that the inside antennas of a dock hear now."""
        near, session, facts = self._near[dock], self._sessions.at(dock), self._facts(dock)
        if facts is None or session is None:
            near.facts, near.known, near.warned = None, set(), {}
            return
        again = {epc for epc in near.warned if epc.hex().upper() in session.tags}
        if facts != near.facts or t >= near.until or len(near.known) > MAX_KNOWN:
            near.facts, near.until, near.known = facts, NEVER, set()
            again = set(near.warned)
        for epc in sorted(again):
            near.warned[epc].reason = self._reason(near, session, epc, t)
            if not near.warned[epc].reason:
                del near.warned[epc]
        for epc in sorted(heard - near.known - near.warned.keys()):
            if len(near.warned) >= MAX_WARNINGS:
                break  # the others are asked about when there is room
            if reason := self._reason(near, session, epc, t):
                near.warned[epc] = Warned(t, t, reason)
            elif epc.hex().upper() not in session.tags:
                near.known.add(epc)
        for epc in heard & near.warned.keys():
            near.warned[epc].heard = t
        gone = [epc for epc, warned in near.warned.items() if t - warned.heard > CLEAR_AFTER]
        for epc in gone:
            del near.warned[epc]

    def at(self, dock: str) -> dict[str, Warned]:
        """The warnings shown at a dock, by UID."""
        return {epc.hex().upper(): warned for epc, warned in self._near[dock].warned.items()}

    def state(self, dock: str) -> list[dict[str, str]]:
        """The warnings shown at a dock, ready for JSON."""
        return [
            {"uid": uid, "since": rfc3339(warned.since), "reason": warned.reason}
            for uid, warned in sorted(self.at(dock).items())
        ]
