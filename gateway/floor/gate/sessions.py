"""The sessions at the docks: how they begin, what passes in them, and how they end in a verdict.

::

    idle ──open (command, page, door, first pass)──▶ open ──end (command, door, idle)──▶ ending ──settle──▶ verdict
                                                      ▲──────────────door opens again─────┘

A delivery that was closed before it was complete goes on where it was when it is opened again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.clock import micros, rfc3339
from gateway.config import Config
from gateway.events import Fact
from gateway.floor.gate import verdict
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.commands import Reads
from gateway.floor.gate.model import DeliveryKey, Line, Manifest
from gateway.floor.gate.reports import Reports, changes, session_id
from gateway.floor.gate.rules import Case, Judgement, judge
from gateway.floor.gate.saved import dump_session, dump_tags, load_session, load_tags
from gateway.floor.gate.session import RED, Ending, Session, Tag, Where, portal_proof
from gateway.floor.gate.shipped import Shipped
from gateway.floor.gate.signals import Lamp, Signals
from gateway.floor.gate.watchlists import WatchLists
from gateway.floor.passes import Pass
from gateway.floor.timeline import NEVER

MAX_UNFINISHED = 16
"""Deliveries that were closed and not complete, whose loads are remembered. Beyond it the oldest begins from nothing,
and what has left with it is blocked by `shipped_once`."""


class Sessions:
    """At most one session at each dock."""

    def __init__(
        self,
        config: Config,
        catalogue: Catalogue,
        shipped: Shipped,
        watch: WatchLists,
        signals: Signals,
        reports: Reports,
    ) -> None:
        self._config = config
        self._docks = {dock.id: dock for dock in config.docks}
        self._catalogue = catalogue
        self._shipped = shipped
        self._watch = watch
        self._signals = signals
        self._reports = reports
        self._open: dict[str, Session] = {}
        self._unfinished: dict[DeliveryKey, dict[str, Tag]] = {}
        self._last: dict[str, dict[str, Any]] = {}  # dock to the outline of its last verdict

    # ---- who is where

    def at(self, dock: str) -> Session | None:
        return self._open.get(dock)

    def taken(self) -> dict[DeliveryKey, str]:
        """Deliveries that have a session, and the dock."""
        return {session.key: dock for dock, session in self._open.items() if session.key is not None}

    def manifests(self) -> set[str]:
        """Manifests that have a session."""
        return {manifest for manifest, _ in self.taken()}

    # ---- beginning

    def open(self, dock: str, key: DeliveryKey | None, t: int, by: str, why: str) -> list[Fact]:
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
        self._open[dock] = session
        carried = self._carry(session)
        facts = [self._reports.session("opened", session, t, by=by, why=why, carried=carried)]
        self._judge_all(session, t)
        self._show(session, t)
        return facts

    def _carry(self, session: Session) -> int:
        """Takes over what an unfinished session of the same delivery had loaded; returns how many packages."""
        tags = {} if session.key is None else self._unfinished.pop(session.key, {})
        for uid, tag in tags.items():
            tag.status = tag.judgement = None
            session.tags.setdefault(uid, tag)
        return len(tags)

    def attach(self, dock: str, key: DeliveryKey, t: int, by: str) -> list[Fact]:
        """Says which delivery a session that was opened without one is for."""
        session = self._open[dock]
        manifest = self._catalogue.manifest(key)
        session.key = key
        session.inbound = manifest is not None and manifest.direction == "in"
        session.version = manifest.version if manifest else None
        carried = self._carry(session)
        facts = [self._reports.session("attached", session, t, by=by, carried=carried)]
        facts += self._rejudge(session, t, "manifest")
        return facts

    # ---- what passes

    def passed(self, dock: str, p: Pass) -> list[Fact]:
        session = self._open.get(dock)
        if session is None:
            return []
        tag = session.passed(p, is_line=self._catalogue.line(p.uid, session.key) is not None)
        return [] if tag is None else self._judged(session, p.uid, tag, p.end)

    def came_back(self, dock: str, p: Pass) -> list[Fact]:
        """A package that had left came back through a dock without a session: it is not on the van any more."""
        key = self._shipped.key(p.uid, p.end)
        if key is None:
            return []
        self._shipped.forget(p.uid)
        tag = self._unfinished.get(key, {}).get(p.uid)
        if tag is not None:
            tag.place(Where.OUTSIDE, p.end, portal_proof(p))
        return [self._reports.came_back(dock, p.uid, key, portal_proof(p), p.end)]

    def found(self, reads: Reads, when: int, t: int) -> list[Fact]:
        """A handheld has found packages. Each is a line of evidence of its own."""
        session = self._open[reads.dock]
        where = Where.LOADED if reads.where == "loaded" else Where.OUTSIDE
        proof = {"source": "handheld", "reader": reads.reader, "time": rfc3339(when), "by": reads.by}
        facts: list[Fact] = []
        for uid in dict.fromkeys(reads.uids):
            tag = session.found(uid, where, when, proof)
            if tag is not None:
                facts += self._judged(session, uid, tag, t)
        return facts

    def _judged(self, session: Session, uid: str, tag: Tag, t: int) -> list[Fact]:
        """Judges a package whose place is decided, says so, and shows it."""
        before = tag.status
        line = self._classify(session, uid, tag, t)
        judgement = tag.judgement
        assert judgement is not None
        self._show(session, t)
        if tag.status in RED and tag.status is not before:
            self._signals.buzz(session.dock, t)
        item = verdict.entry(uid, line, tag, judgement)
        counts = verdict.tally(session, self._catalogue.delivery(session.key))
        return [
            self._reports.session(
                "item",
                session,
                t,
                uid=uid,
                status=tag.status.value if tag.status else None,
                previous=before.value if before else None,
                item=item,
                counts=counts,
                ready=self._complete(session),
            )
        ]

    # ---- judging

    def _case(self, session: Session, uid: str, t: int) -> Case:
        direction = "in" if session.inbound else "out"
        owner = self._catalogue.owner(uid, session.key, direction)
        manifest = self._catalogue.manifest(owner)
        return Case(
            line=self._catalogue.line(uid, owner),
            owner=owner,
            here=session.key,
            as_of=manifest.as_of if manifest else 0,
            now=t,
            owner_dock=self._dock_of(owner),
            watched=self._watch.lists(uid),
            shipped=self._left_already(session, uid, t),
        )

    def _dock_of(self, key: DeliveryKey | None) -> str:
        """Where a delivery is loaded, as far as that is decided."""
        if key is None:
            return ""
        delivery = self._catalogue.delivery(key)
        return self.taken().get(key) or (delivery.dock if delivery and delivery.dock else "")

    def _left_already(self, session: Session, uid: str, t: int) -> str:
        """How a package has left, in words: with an earlier session, or just now at another dock."""
        key = self._shipped.key(uid, t)
        if key is not None and not (key == session.key and uid in session.tags and session.tags[uid].carried):
            return self._shipped.words(uid)
        for other in self._open.values():
            tag = other.tags.get(uid)
            if other is not session and not other.inbound and tag is not None and tag.where is Where.LOADED:
                return f"loaded at dock {other.dock}"
        return ""

    def _judge(self, session: Session, uid: str, t: int) -> tuple[Line | None, Judgement]:
        rules = self._config.gate.inbound_rules if session.inbound else self._config.gate.rules
        case = self._case(session, uid, t)
        return case.line, judge(case, self._config.gate, rules)

    def _classify(self, session: Session, uid: str, tag: Tag, t: int) -> Line | None:
        line, judgement = self._judge(session, uid, t)
        is_line = self._catalogue.line(uid, session.key) is not None
        session.classify(tag, judgement, is_line=is_line, is_known=line is not None)
        session.stale_at = min(session.stale_at, judgement.fresh_until)
        return line

    def _judge_all(self, session: Session, t: int) -> list[dict[str, Any]]:
        """Judges every package again; returns those whose status or reasons have changed."""
        session.stale_at = NEVER
        changed = []
        for uid in sorted(session.tags):
            tag = session.tags[uid]
            before = (tag.status, _words(tag))
            self._classify(session, uid, tag, t)
            after = (tag.status, _words(tag))
            if before != after:
                changed.append({"uid": uid, "from": before[1], "to": after[1]})
        return changed

    def rejudge(self, t: int, why: str) -> list[Fact]:
        """Judges every package of every session again, because what is known of them has changed."""
        return [fact for dock in sorted(self._open) for fact in self._rejudge(self._open[dock], t, why)]

    def _rejudge(self, session: Session, t: int, why: str, **more: Any) -> list[Fact]:
        was_red = session.red
        changed = self._judge_all(session, t)
        self._show(session, t)
        if session.red and not was_red:
            self._signals.buzz(session.dock, t)
        if not changed and not any(more.values()):
            return []
        counts = verdict.tally(session, self._catalogue.delivery(session.key))
        return [self._reports.session("revised", session, t, why=why, items=changed, counts=counts, **more)]

    def corrected(self, manifest: Manifest, before: Manifest | None, t: int) -> list[Fact]:
        """A manifest was taken over: sessions on it go on under the new version."""
        facts: list[Fact] = []
        for dock in sorted(self._open):
            session = self._open[dock]
            if session.key is not None and session.key[0] == manifest.manifest:
                session.version = manifest.version
                name = session.key[1]
                lines = changes(before.delivery(name) if before else None, manifest.delivery(name))
                facts += self._rejudge(session, t, "manifest", lines=lines if any(lines.values()) else None)
            elif session.key is None:
                waiting = [d.delivery for d in manifest.deliveries if d.dock == dock]
                if len(waiting) == 1 and (manifest.manifest, waiting[0]) not in self.taken():
                    facts += self.attach(dock, (manifest.manifest, waiting[0]), t, "gateway")
        return facts

    # ---- ending

    def end(self, dock: str, t: int, by: str, why: str) -> list[Fact]:
        """The session at a dock is to end; its verdict comes once the last passes are decided."""
        session = self._open[dock]
        settle = micros(self._docks[dock].settle)
        session.ending = Ending(t + settle, t, by, why)
        return [] if settle else self._finish(session, t)

    def go_on(self, dock: str, why: str) -> None:
        """The door is open again: an ending that a closing door began is taken back."""
        session = self._open[dock]
        if session.ending is not None and session.ending.why == why:
            session.ending = None

    def _finish(self, session: Session, t: int) -> list[Fact]:
        ending = session.ending
        assert ending is not None
        self._judge_all(session, t)
        delivery = self._catalogue.delivery(session.key)
        result = verdict.outcome(session, delivery)
        done = result == "complete"
        manifest = self._catalogue.manifest(session.key)
        fact = self._reports.session(
            "verdict",
            session,
            t,
            outcome=result,
            complete=done,
            opened=rfc3339(session.opened),
            opened_by=session.by,
            opened_why=session.why,
            closed=rfc3339(ending.since),
            closed_by=ending.by,
            closed_why=ending.why,
            counts=verdict.tally(session, delivery),
            **verdict.sets(session, delivery, lambda uid: self._judge(session, uid, t)),
            evidence={
                "rules": list(self._config.gate.inbound_rules if session.inbound else self._config.gate.rules),
                "facts_as_of": verdict.facts_age(delivery, manifest.as_of if manifest else None),
                "strays": session.strays,
                "beyond": session.beyond,
            },
        )
        self._remember(session, t, done=done)
        del self._open[session.dock]
        keep = ("session", "manifest", "delivery", "version", "direction", "outcome", "complete", "closed", "counts")
        self._last[session.dock] = {key: fact.data[key] for key in keep}
        shown = t + micros(self._docks[session.dock].verdict_shown)
        empty = session.key is None and not session.tags
        self._signals.show(session.dock, Lamp.OFF if empty else Lamp.GREEN if done else Lamp.RED, shown)
        return [fact]

    def _remember(self, session: Session, t: int, *, done: bool) -> None:
        """What has left, what has come back, and where an unfinished delivery will go on."""
        key = session.key or ("", "")
        for uid, tag in sorted(session.tags.items()):
            if session.inbound:
                if tag.where is Where.LOADED:
                    self._shipped.forget(uid)
            elif tag.where is not Where.OUTSIDE:
                if self._shipped.key(uid, t) is None:
                    self._shipped.add(uid, key, t)
            elif tag.returns:
                self._shipped.forget(uid)
        if session.key is None or self._catalogue.delivery(session.key) is None:
            return
        if done:
            self._catalogue.mark_done(session.key, t)
        for tag in session.tags.values():
            tag.carried = True
        self._unfinished.pop(session.key, None)
        self._unfinished[session.key] = session.tags
        while len(self._unfinished) > MAX_UNFINISHED:
            del self._unfinished[next(iter(self._unfinished))]

    # ---- time

    @property
    def due(self) -> int:
        return min((self._due(session) for session in self._open.values()), default=NEVER)

    def _due(self, session: Session) -> int:
        end = session.ending.at if session.ending else session.last + micros(self._docks[session.dock].idle)
        return min(end, session.stale_at)

    def fire(self, t: int) -> list[Fact]:
        """Sessions that end by `t`, and those whose facts have become too old."""
        facts: list[Fact] = []
        for dock in sorted(self._open):
            session = self._open[dock]
            if session.ending is None and session.last + micros(self._docks[dock].idle) <= t:
                session.ending = Ending(t, t, "gateway", "idle")
            if session.ending is not None and session.ending.at <= t:
                facts += self._finish(session, t)
            elif session.stale_at <= t:
                facts += self._rejudge(session, t, "facts too old")
        return facts

    # ---- what is shown

    def _complete(self, session: Session) -> bool:
        return verdict.complete(session, self._catalogue.delivery(session.key))

    def _show(self, session: Session, t: int) -> None:
        """Amber while open, red while anything is loaded that must not be; green is for verdicts only."""
        self._signals.show(session.dock, Lamp.RED if session.red or session.beyond else Lamp.AMBER)

    def state(self, dock: str) -> dict[str, Any] | None:
        session = self._open.get(dock)
        if session is None:
            return None
        delivery = self._catalogue.delivery(session.key)
        return {
            "session": session_id(session),
            "direction": "in" if session.inbound else "out",
            "manifest": session.key[0] if session.key else None,
            "delivery": session.key[1] if session.key else None,
            "version": session.version,
            "recipient": delivery.recipient if delivery else None,
            "opened": rfc3339(session.opened),
            "opened_by": session.by,
            "opened_why": session.why,
            "ending": session.ending is not None,
            "ready": self._complete(session),
            "counts": verdict.tally(session, delivery),
        }

    def last_verdict(self, dock: str) -> dict[str, Any] | None:
        return self._last.get(dock)

    def lines(self, dock: str) -> dict[str, list[Any]]:
        session = self._open.get(dock)
        if session is None:
            return {}
        delivery = self._catalogue.delivery(session.key)
        return verdict.sets(session, delivery, lambda uid: self._judge(session, uid, session.last), proofs=False)

    # ---- state

    def dump(self) -> dict[str, Any]:
        return {
            "open": [dump_session(self._open[dock]) for dock in sorted(self._open)],
            "unfinished": [[*key, dump_tags(tags)] for key, tags in self._unfinished.items()],
            "last": self._last,
        }

    def load(self, dump: Mapping[str, Any]) -> None:
        """Takes over the sessions at docks that are still there; manifests have to be there already."""
        for content in dump["open"]:
            session = load_session(content)
            if session.dock in self._docks:
                self._open[session.dock] = session
        self._unfinished = {(manifest, name): load_tags(tags) for manifest, name, tags in dump["unfinished"]}
        self._last = {dock: outline for dock, outline in dump["last"].items() if dock in self._docks}


def _words(tag: Tag) -> str | None:
    return None if tag.status is None or tag.judgement is None else verdict.words(tag, tag.judgement)
