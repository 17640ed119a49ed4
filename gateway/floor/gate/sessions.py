"""The sessions at the docks: how they begin, what passes in them, and how they end in a verdict.

::

    idle ──open (command, page, door, first pass)──▶ open ──end (command, door, idle)──▶ ending ──settle──▶ verdict
                                                      ▲──────────────door opens again─────┘

A delivery that was closed before it was complete goes on where it was when it is opened again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gateway.clock import NEVER, micros, rfc3339
from gateway.config import Config
from gateway.events.envelope import Fact
from gateway.events.gate_models import LineChanges
from gateway.events.gate_parts import ClosedWhy, HandheldProof, OpenedWhy, Outcome, RevisedWhy
from gateway.floor.gate import verdict
from gateway.floor.gate.asking import Judges
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.commands import Confirm, Override, Reads
from gateway.floor.gate.endings import Endings
from gateway.floor.gate.manifest import DeliveryKey, Manifest
from gateway.floor.gate.reports import Reports, changes, outline
from gateway.floor.gate.returns import Returns
from gateway.floor.gate.saved import dump_session, load_session
from gateway.floor.gate.session import RED, Dark, Ending, Session, Tag, Where, in_seconds, portal_proof, unwatched
from gateway.floor.gate.shipped import Shipped
from gateway.floor.gate.signals import Lamp, Signals
from gateway.floor.gate.stock import Stock
from gateway.floor.gate.unfinished import Unfinished
from gateway.floor.gate.watchlists import WatchLists
from gateway.floor.passes import Pass

MAX_CONFIRMED = 20
"""Confirmations that a verdict lists: with more, it is the readers that need help."""


class Sessions:
    """At most one session at each dock."""

    def __init__(
        self,
        config: Config,
        catalogue: Catalogue,
        shipped: Shipped,
        watch_lists: WatchLists,
        stock: Stock,
        signals: Signals,
        reports: Reports,
        dark: Dark,
    ) -> None:
        self._docks = {dock.id: dock for dock in config.docks}
        self._catalogue = catalogue
        self._dark = dark
        self._signals = signals
        self._reports = reports
        self._open: dict[str, Session] = {}
        self.unfinished = Unfinished(shipped)
        self._returns = Returns(self._open, shipped, self.unfinished, reports)
        self.judges = Judges(config, catalogue, shipped, watch_lists, stock, self._open)
        self._endings = Endings(self._docks, catalogue, self.judges, signals, reports, self.unfinished)
        self.last = self._endings.last
        self._orphans: list[Session] = []  # their docks are not configured any more
        self._orphans_due = NEVER

    # ---- who is where

    def knows(self, dock: str) -> bool:
        """Whether there is such a dock."""
        return dock in self._docks

    def at(self, dock: str) -> Session | None:
        """The session at a dock."""
        return self._open.get(dock)

    def orphan(self, dock: str) -> Session | None:
        """The session of a dock that is not configured any more, which is yet to end."""
        return next((session for session in self._orphans if session.dock == dock), None)

    def taken(self) -> dict[DeliveryKey, str]:
        """Deliveries that have a session, and the dock."""
        return {session.key: dock for dock, session in self._open.items() if session.key is not None}

    def manifests(self) -> dict[str, str]:
        """Manifests that have a session, and the direction of it."""
        return {
            session.key[0]: "in" if session.inbound else "out"
            for session in self._open.values()
            if session.key is not None
        }

    # ---- beginning

    def open(self, dock: str, key: DeliveryKey | None, t: int, by: str, why: OpenedWhy) -> list[Fact]:
        """Opens a session at a dock that has none, for a delivery that has none."""
        manifest = self._catalogue.manifest(key)
        session = Session(
            dock=dock,
            inbound=manifest is not None and manifest.direction == "in",
            key=key,
            version=manifest.version if manifest else None,
            opened=t,
            by=by,
            why=why,
            last=t,
            stale_at=NEVER,
        )
        session.dark = dict(self._dark(self._docks[dock].portal, t))
        self._open[dock] = session
        carried = self.unfinished.carry(session)
        facts = [self._reports.opened(session, t, carried)]
        self.judges.classify_all(session, t)
        self._show(session, t)
        return facts

    def attach(self, dock: str, key: DeliveryKey, t: int, by: str) -> list[Fact]:
        """Says which delivery a session that was opened without one is for."""
        session = self._open[dock]
        manifest = self._catalogue.manifest(key)
        session.key = key
        session.become(inbound=manifest is not None and manifest.direction == "in")
        session.version = manifest.version if manifest else None
        carried = self.unfinished.carry(session)
        facts = [self._reports.attached(session, t, by, carried)]
        facts += self._rejudge(session, t, "manifest")
        return facts

    # ---- what passes

    def passed(self, dock: str, p: Pass) -> list[Fact]:
        """A package passed the portal of a dock; nothing follows where the dock has no session."""
        session = self._open.get(dock)
        return [] if session is None else self._passed(session, p)

    def _passed(self, session: Session, p: Pass) -> list[Fact]:
        tag = session.passed(p, is_line=self._catalogue.line(p.uid, session.key) is not None)
        return [] if tag is None else self._judged(session, p.uid, tag, p.end)

    def came_in(self, dock: str | None, p: Pass) -> list[Fact]:
        """A package passed inward, perhaps at a dock: it is on no van any more, whichever was loaded with it. Of the
        session at that dock the pass itself is the business."""
        here = None if dock is None else self._open.get(dock)
        facts = [fact for session in self._returns.loaded_with(p.uid, here) for fact in self._passed(session, p)]
        return facts + self._returns.came_back(here, p.portal, dock, p.uid, p.end, portal_proof(p))

    def went_out(self, dock: str | None, p: Pass) -> list[Fact]:
        """A package passed outward, perhaps at a dock: whether it is loaded elsewhere is doubtful now."""
        here = None if dock is None else self._open.get(dock)
        doubted = self._returns.doubted(p.uid, here, p.end, portal_proof(p))
        return [fact for session, tag in doubted for fact in self._judged(session, p.uid, tag, p.end)]

    def recall(self, dock: str, uid: str, where: Where, t: int, item: Mapping[str, Any]) -> None:
        """Puts a package where an event says that it was decided to be, for a start that knows no more than that."""
        session = self._open[dock]
        tag = session.tags.setdefault(uid, Tag())
        tag.where, tag.last, tag.first = where, t, tag.first or t
        tag.passes, tag.loads, tag.returns = item["passes"], item["loads"], item["returns"]
        tag.proof = item["proof"]
        session.last = max(session.last, t)
        self.judges.classify(session, uid, tag, t)
        self._show(session, t)

    def found(self, reads: Reads, when: int, t: int) -> list[Fact]:
        """A handheld has found packages. Each is a line of evidence of its own."""
        session = self._open[reads.dock]
        where = Where.LOADED if reads.where == "loaded" else Where.OUTSIDE
        proof: HandheldProof = {"source": "handheld", "reader": reads.reader, "time": rfc3339(when), "by": reads.by}
        facts: list[Fact] = []
        for uid in dict.fromkeys(reads.uids):
            others = self._returns.loaded_with(uid, session) if where is Where.OUTSIDE else []
            if where is Where.LOADED:
                doubted = self._returns.doubted(uid, session, when, proof)
                facts += [fact for one, known in doubted for fact in self._judged(one, uid, known, t)]
            for one in [*others, session]:
                tag = one.found(uid, where, when, proof)
                if tag is not None:
                    facts += self._judged(one, uid, tag, t)
            if where is Where.OUTSIDE:
                portal = self._docks[session.dock].portal
                facts += self._returns.came_back(session, portal, session.dock, uid, when, proof)
        return facts

    def _judged(self, session: Session, uid: str, tag: Tag, t: int) -> list[Fact]:
        """Judges a package whose place is decided, says so, and shows it."""
        before = tag.status
        line = self.judges.classify(session, uid, tag, t)
        judgement = tag.judgement
        assert judgement is not None
        self._show(session, t)
        if tag.status in RED and tag.status is not before and not session.excused(uid):
            self._signals.buzz(session.dock, t)
        item = verdict.entry(uid, line, tag, judgement)
        counts = verdict.tally(session, self._catalogue.delivery(session.key))
        return [self._reports.item(session, t, item, before, counts, now=tag.status, ready=self._complete(session, t))]

    # ---- what is known changes

    def rejudge(self, t: int, why: RevisedWhy, but: Collection[str] = ()) -> list[Fact]:
        """Judges every package of every session again, `but` of those at these docks, because what is known of them has
        changed."""
        docks = sorted(self._open.keys() - set(but))
        return [fact for dock in docks for fact in self._rejudge(self._open[dock], t, why)]

    def _rejudge(self, session: Session, t: int, why: RevisedWhy, lines: LineChanges | None = None) -> list[Fact]:
        was_red = session.red
        changed = self.judges.classify_all(session, t)
        self._show(session, t)
        if session.red and not was_red:
            self._signals.buzz(session.dock, t)
        if not changed and lines is None:
            return []
        counts = verdict.tally(session, self._catalogue.delivery(session.key))
        return [self._reports.revised(session, t, why, changed, counts, lines)]

    def corrected(self, manifest: Manifest, before: Manifest | None, t: int) -> list[Fact]:
        """A manifest was taken over: sessions on it go on under the new version, and packages of the others are judged
        again."""
        facts: list[Fact] = []
        judged: set[str] = set()
        for dock in sorted(self._open):
            session = self._open[dock]
            if session.key is not None and session.key[0] == manifest.manifest:
                session.version = manifest.version
                name = session.key[1]
                lines = changes(before.delivery(name) if before else None, manifest.delivery(name))
                facts += self._rejudge(session, t, "manifest", lines=lines if any(lines.values()) else None)
                judged.add(dock)
            elif session.key is None:
                waiting = [d.delivery for d in manifest.deliveries if d.dock == dock]
                fits = len(waiting) == 1 and session.can_be(inbound=manifest.direction == "in")
                if fits and (manifest.manifest, waiting[0]) not in self.taken():
                    facts += self.attach(dock, (manifest.manifest, waiting[0]), t, "gateway")
                    judged.add(dock)
        return facts + self.rejudge(t, "manifest", judged)

    # ---- ending

    def end(self, dock: str, t: int, by: str, why: ClosedWhy) -> list[Fact]:
        """The session at a dock is to end; its verdict comes once the last passes are decided."""
        session = self._open[dock]
        settle = micros(self._docks[dock].settle)
        session.ending = Ending(t + settle, t, by, why)
        return [] if settle else self.finish(session, t)

    def go_on(self, dock: str, why: str) -> None:
        """The door is open again: an ending that a closing door began is taken back."""
        session = self._open[dock]
        if session.ending is not None and session.ending.why == why:
            session.ending = None

    def finish(self, session: Session, t: int, said: Outcome | None = None) -> list[Fact]:
        """The verdict of a session that is ending; `said` where an event says what it was. At a dock that is not
        configured any more nobody has seen the end of it."""
        known = session.dock in self._docks
        self.judges.classify_all(session, t)
        unseen = self.unwatched(session, t)
        watched = known and self._watched(session, t)
        result = said or verdict.outcome(session, self._catalogue.delivery(session.key), watched=watched)
        fact = self._endings.verdict(session, t, unseen, result=result)
        if known:
            del self._open[session.dock]
        else:
            self._orphans.remove(session)
        return [fact]

    # ---- time

    @property
    def due(self) -> int:
        """When something is to be said although nothing happened."""
        return min((self._orphans_due, *map(self._due, self._open.values())))

    def _due(self, session: Session) -> int:
        end = session.ending.at if session.ending else session.last + micros(self._docks[session.dock].idle)
        return min(end, session.stale_at)

    def fire(self, t: int) -> list[Fact]:
        """Sessions that end by `t`, and those whose facts have become too old."""
        facts: list[Fact] = []
        if self._orphans_due <= t:
            self._orphans_due = NEVER
            for orphan in self._orphans.copy():
                orphan.ending = Ending(t, t, "gateway", "dock removed")
                facts += self.finish(orphan, t)
        for dock in sorted(self._open):
            session = self._open[dock]
            if session.ending is None and session.last + micros(self._docks[dock].idle) <= t:
                session.ending = Ending(t, t, "gateway", "idle")
            if session.ending is not None and session.ending.at <= t:
                facts += self.finish(session, t)
            elif session.stale_at <= t:
                facts += self._rejudge(session, t, "facts too old")
        return facts

    def redate(self, by: int) -> None:
        """The sessions that are open were last looked at `by` microseconds later than was thought."""
        self.unfinished.redate(by)
        for session in self._open.values():
            session.last += by
            for tag in session.tags.values():
                tag.redate(by)
            if session.ending is not None:
                session.ending.at += by
                session.ending.since += by

    # ---- what is shown

    def _complete(self, session: Session, t: int) -> bool:
        return verdict.complete(session, self._catalogue.delivery(session.key), watched=self._watched(session, t))

    def unwatched(self, session: Session, t: int) -> dict[str, int]:
        """Microseconds for which each antenna of the portal was not watching, where nobody has confirmed it yet."""
        dock = self._docks.get(session.dock)
        return unwatched(session, {} if dock is None else self._dark(dock.portal, t))

    def _watched(self, session: Session, t: int) -> bool:
        allowed = micros(self._docks[session.dock].unwatched)
        return all(length <= allowed for length in self.unwatched(session, t).values())

    def confirm(self, wanted: Confirm, t: int) -> list[Fact]:
        """Somebody has looked for themselves: what was not watched until now does not count any more."""
        session = self._open[wanted.dock]
        lengths = in_seconds(self.unwatched(session, t))
        session.confirmed = [
            *session.confirmed[1 - MAX_CONFIRMED :],
            {"by": wanted.by, "time": rfc3339(t), "reason": wanted.reason, "unwatched_s": lengths},
        ]
        session.before, session.dark = {}, dict(self._dark(self._docks[wanted.dock].portal, t))
        return [
            self._reports.confirmed(session, t, wanted.by, wanted.reason, lengths, ready=self._complete(session, t))
        ]

    def override(self, wanted: Override, unknown: Sequence[tuple[str, str]], t: int) -> list[Fact]:
        """A named person answers for a line of which something is not known."""
        session = self.answered_for(wanted.dock, wanted.uid, wanted.by, wanted.reason, t)
        return [self._reports.overridden(session, t, wanted.uid, wanted.by, wanted.reason, unknown)]

    def answered_for(self, dock: str, uid: str, by: str, reason: str, t: int) -> Session:
        """Takes note of who answers for a package, and shows it."""
        session = self._open[dock]
        session.overrides[uid] = {"uid": uid, "by": by, "time": rfc3339(t), "reason": reason}
        self._show(session, t)
        return session

    def _show(self, session: Session, t: int) -> None:
        """Amber while open, red while anything is loaded that must not be; green is for verdicts only."""
        self._signals.show(session.dock, Lamp.RED if session.red or session.beyond else Lamp.AMBER)

    def state(self, dock: str, t: int | None) -> dict[str, Any] | None:
        """The session at a dock in a few words, ready for JSON; as of its last pass where no time is given."""
        session = self._open.get(dock)
        if session is None:
            return None
        now = session.last if t is None else max(t, session.last)
        return outline(
            session,
            self._catalogue.delivery(session.key),
            ready=self._complete(session, now),
            dark={} if self._watched(session, now) else self.unwatched(session, now),
        )

    def lines(self, dock: str) -> dict[str, list[Any]]:
        """The sets of the session at a dock without evidence or, where there is none, of the verdict it still shows."""
        session = self._open.get(dock)
        if session is None:
            return self.last.lines(dock) if self._signals.lamp(dock) is not Lamp.OFF else {}
        return verdict.lines(self._endings.sets(session, session.last))

    # ---- state

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        sessions = [*(self._open[dock] for dock in sorted(self._open)), *self._orphans]
        return {
            "open": [dump_session(session) for session in sessions],
            "unfinished": self.unfinished.dump(),
            "last": self.last.dump(),
        }

    def load(self, dump: Mapping[str, Any], t: int) -> None:
        """Takes over the sessions at `t`; those of docks that are not there any more end at once. Manifests have to be
        there already."""
        for content in dump["open"]:
            session = load_session(content)
            session.count_anew({uid for uid in session.tags if self._catalogue.line(uid, session.key) is not None})
            if session.dock in self._docks:
                self._open[session.dock] = session
            else:
                self._orphans.append(session)
                self._orphans_due = max(t, session.last)
        self.unfinished.load(dump["unfinished"])
        self.last.load(dump["last"], self._docks)
