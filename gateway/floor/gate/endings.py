"""How a session ends: its verdict, what its dock shows then, and what it leaves to the next one of its delivery."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.clock import micros
from gateway.config.gate import DockConfig
from gateway.events.envelope import Fact
from gateway.events.gate_models import Sets
from gateway.events.gate_parts import Outcome, Proven
from gateway.floor.gate import verdict
from gateway.floor.gate.asking import Judges
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.reports import Reports
from gateway.floor.gate.session import Session, in_seconds
from gateway.floor.gate.signals import Lamp, Signals
from gateway.floor.gate.unfinished import LastVerdicts, Unfinished


class Endings:
    """Ends sessions at `docks`, and those of docks that are not configured any more. `last` are the verdicts given."""

    def __init__(
        self,
        docks: Mapping[str, DockConfig],
        catalogue: Catalogue,
        judges: Judges,
        signals: Signals,
        reports: Reports,
        unfinished: Unfinished,
    ) -> None:
        self.last = LastVerdicts()
        self._docks = docks
        self._catalogue = catalogue
        self._judges = judges
        self._signals = signals
        self._reports = reports
        self._unfinished = unfinished

    def verdict(self, session: Session, t: int, unwatched: Mapping[str, int], *, result: Outcome) -> Fact:
        """The verdict of a session that is ending and whose packages were judged at `t`: `result`. `unwatched` is for
        how many microseconds each antenna was not watching."""
        ending = session.ending
        assert ending is not None
        delivery, manifest = self._catalogue.delivery(session.key), self._catalogue.manifest(session.key)
        sets = self.sets(session, t)
        proof: Proven = {
            "rules": self._judges.rules(session),
            "facts_as_of": verdict.facts_age(delivery, manifest.as_of if manifest else None),
            "unwatched_s": in_seconds(unwatched),
            "confirmed": session.confirmed,
            "strays": session.strays,
            "beyond": session.beyond,
        }
        if session.overrides:
            proof["overrides"] = [session.overrides[uid] for uid in sorted(session.overrides)]
        fact = self._reports.verdict(session, t, ending, result, sets, proof)
        self._remember(session, t, unwatched, done=result == "complete")
        dock = self._docks.get(session.dock)
        if dock is not None:
            self.last.given(session.dock, fact.data, sets)
            self._signals.show(session.dock, _lamp(session, result), t + micros(dock.verdict_shown))
        return fact

    def sets(self, session: Session, t: int) -> Sets:
        """The packages of a session by sets, as they stand at `t`."""
        delivery = self._catalogue.delivery(session.key)
        judges = self._judges
        return verdict.sets(
            session,
            delivery,
            lambda uid: judges.line_of(session, uid),
            lambda uid: judges.judge(session, uid, t),
            judges.product,
        )

    def _remember(self, session: Session, t: int, unwatched: Mapping[str, int], *, done: bool) -> None:
        """What has left, what has come back, and where an unfinished delivery will go on."""
        self._unfinished.shipped(session, t)
        if session.key is None or self._catalogue.delivery(session.key) is None:
            return
        if done:
            self._catalogue.mark_done(session.key, t)
        self._unfinished.leave(session.key, session, dict(unwatched))


def _lamp(session: Session, result: Outcome) -> Lamp:
    """What the dock of a session shows after its verdict."""
    if session.key is None and not session.tags:
        return Lamp.OFF
    return Lamp.GREEN if result == "complete" else Lamp.RED
