"""The dock gate: sessions, manifests, watch lists and lights behind one door.

Pure and synchronous like the rest of the floor: everything comes in as a command, a pass, a sighting, an input or the
time, and facts come out. Each command is first planned, which refuses it and changes nothing, and then carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.clock import NEVER
from gateway.config import Config
from gateway.errors import LedgerError, Refused
from gateway.events.envelope import GATE, Fact
from gateway.floor.gate import commands
from gateway.floor.gate.alarms import Alarms
from gateway.floor.gate.at_docks import AtDocks, NoSession
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.closed_hours import ClosedHours
from gateway.floor.gate.doors import Doors
from gateway.floor.gate.early_warning import EarlyWarning
from gateway.floor.gate.from_events import FromEvents
from gateway.floor.gate.knowledge import Action, Knowledge, Plan
from gateway.floor.gate.precheck import Prechecks
from gateway.floor.gate.reports import Reports
from gateway.floor.gate.session import Dark, always_watching
from gateway.floor.gate.sessions import Sessions
from gateway.floor.gate.shipped import Shipped
from gateway.floor.gate.signals import Lamp, Signals, Switch
from gateway.floor.gate.staging import Blind, Staging, Whereabouts
from gateway.floor.gate.stock import Stock
from gateway.floor.gate.watchlists import WatchLists
from gateway.floor.passes import Direction, Pass
from gateway.inputs import Command

COMMANDS = commands.COMMANDS


class Gate:
    """The gate of a configuration. `dark` tells for how long the antennas of a portal have not been watching,
    `whereabouts` where the tags are."""

    def __init__(self, config: Config, dark: Dark = always_watching, whereabouts: Whereabouts | None = None) -> None:
        self._docks = {dock.id: dock for dock in config.docks}
        self._at_portal = {dock.portal: dock.id for dock in config.docks}
        digest = config.digest()
        self._catalogue = Catalogue()
        self._shipped = Shipped(config.gate.shipped_for)
        self._watch_lists = WatchLists(config.watch, digest)
        self._stock = Stock()
        self._signals = Signals(config.docks)
        self._doors = Doors(config.docks)
        self._alarms = Alarms(config.gate.alarm_every, digest)
        reports = Reports(config.docks, self._catalogue, digest)
        self._sessions = Sessions(
            config, self._catalogue, self._shipped, self._watch_lists, self._stock, self._signals, reports, dark
        )
        self._prechecks = Prechecks(self._catalogue, self._sessions.judges, self._sessions.taken, digest)
        self.staging = Staging(
            *(config.gate.staging, self._catalogue, whereabouts or Blind()),
            *(self._sessions.judges.product, self._sessions.taken, digest),
        )
        self._reports = reports
        self._from_events = FromEvents(self._catalogue, self._sessions, self._watch_lists)
        self.warnings = EarlyWarning(self._docks, self._sessions, self._catalogue, self._watch_lists)
        self.closed_hours = ClosedHours(config, self._at_portal, self._sessions, self._alarms)
        self._saved: dict[str, int] = {}
        self._digest = self._judged_by = digest
        self._judged_again = NEVER  # when packages are, which another configuration has judged
        knowledge = Knowledge(
            self._docks,
            self._catalogue,
            self._watch_lists,
            self._stock,
            self._sessions,
            self._prechecks,
            reports,
            self._alarms,
            self.staging,
        )
        readers = {reader.id for reader in config.readers}
        self._plans: Mapping[str, Plan] = {
            **knowledge.plans,
            **AtDocks(self._docks, readers, self._catalogue, self._sessions).plans,
        }

    # ---- commands

    def admit(self, command: Command, waiting: Sequence[Command] = ()) -> None:
        """Raises Refused, saying why, where a command would not be carried out once those that are `waiting`, which
        were accepted before it, are. Changes nothing."""
        try:
            self._plan(command)
        except NoSession as refusal:
            if not any(other.name == "gate.open" and other.args.get("dock") == refusal.dock for other in waiting):
                raise

    def command(self, command: Command) -> list[Fact]:
        """Carries out a command; one that cannot be carried out any more changes nothing and becomes a fact."""
        try:
            action = self._plan(command)
        except Refused as refusal:
            return [self._reports.refused(command, str(refusal))]
        return self._with_prechecks(action(), command.t)

    def _plan(self, command: Command) -> Action:
        plan = self._plans.get(command.name)
        if plan is None:
            raise Refused(f"no command {command.name!r}: the gate takes {', '.join(COMMANDS)}")
        return plan(command)

    # ---- what happens on the floor

    def passed(self, p: Pass) -> list[Fact]:
        """A tag passed a portal."""
        dock = self._at_portal.get(p.portal)
        facts: list[Fact] = []
        if p.direction is Direction.IN:
            facts = self._sessions.came_in(dock, p)
        elif p.direction is Direction.OUT:
            facts = self._sessions.went_out(dock, p)
        if dock is None:
            return facts
        session = self._sessions.at(dock)
        if session is None:
            facts += self._without_session(dock, p)
        elif p.end < session.opened and p.end <= self._sessions.last.closed(dock, session.key):
            return facts + self._too_late(dock, p)
        elif session.inbound and p.direction is Direction.OUT and not session.may_have(p.uid):
            facts += self._alarms.no_session(p.portal, dock, p.uid, p.end, how="while it was receiving")
        return facts + self._sessions.passed(dock, p)

    def _too_late(self, dock: str, p: Pass) -> list[Fact]:
        """A pass in the time of the session before, whose verdict was given, is none of the present one's: what left so
        is an alarm."""
        if p.direction is not Direction.OUT:
            return []
        return self._alarms.no_session(p.portal, dock, p.uid, p.end, how="before its session began")

    def _without_session(self, dock: str, p: Pass) -> list[Fact]:
        """A first pass opens a session. What leaves without one, or on no manifest that could be meant, is an alarm."""
        if p.direction in (Direction.STANDING, Direction.TURNED_BACK):
            return []
        facts: list[Fact] = []
        key = self._catalogue.begun_by(dock, p.uid, p.direction, self._sessions.taken())
        outward = p.direction is Direction.OUT
        opens = self._docks[dock].open_on_pass
        if opens and (outward or key is not None):
            facts += self._sessions.open(dock, key, p.start, "gateway", "first pass")
        if outward and not (opens and key is not None):
            facts += self._alarms.no_session(p.portal, dock, p.uid, p.end)
        return facts

    @property
    def watched(self) -> frozenset[bytes]:
        """The EPCs of all tags on watch lists."""
        return self._watch_lists.epcs

    def watch_listed(self, uid: str) -> bool:
        """Whether a tag is on any watch list."""
        return bool(self._watch_lists.lists(uid))

    def has_door(self, reader: str, port: int) -> bool:
        """Whether the contact of a dock door is at this input."""
        return self._doors.at(reader, port)

    def sighted(self, uid: str, zone: str, t: int) -> list[Fact]:
        """A tag was seen in a zone."""
        return self._watch_lists.sighted(uid, zone, t)

    def dealt_with(self, facts: list[Fact]) -> list[Fact]:
        """Somebody has ended alarms, as `facts` say, which are given back: what comes after is said at once."""
        self._alarms.ended(facts)
        return facts

    def input_changed(self, reader: str, port: int, state: bool, t: int) -> list[Fact]:
        """An input of a reader changed: perhaps a dock door."""
        facts: list[Fact] = []
        for dock, is_open in self._doors.changed(reader, port, state):
            door, session = self._docks[dock].door, self._sessions.at(dock)
            assert door is not None
            if is_open and session is not None:
                self._sessions.go_on(dock, "door")
            elif is_open and door.opens:
                pending = self._catalogue.pending(dock, self._sessions.taken())
                facts += self._sessions.open(dock, pending[0] if len(pending) == 1 else None, t, "gateway", "door")
            elif not is_open and door.closes and session is not None and session.ending is None:
                facts += self._sessions.end(dock, t, "gateway", "door")
        return self._with_prechecks(facts, t)

    # ---- time

    @property
    def due(self) -> int:
        """When `fire` is to be called next."""
        dues = (self._sessions.due, self._signals.due, self._prechecks.due, self.staging.due)
        return min(self._judged_again, *dues)

    def fire(self, t: int) -> list[Fact]:
        """What falls due at `t`: sessions end, facts become too old, lamps go out."""
        facts = self._with_prechecks(self._sessions.fire(t), t)
        self._signals.fire(t)
        if self._judged_again <= t:
            self._judged_by, self._judged_again = self._digest, NEVER
            facts += self._sessions.rejudge(t, "configuration") + self._prechecks.all(t, "configuration")
        return facts + self._prechecks.fire(t) + self.staging.fire(t)

    def _with_prechecks(self, facts: list[Fact], t: int) -> list[Fact]:
        """These facts, and what is to be said of deliveries whose sessions have ended by them."""
        for data in [fact.data for fact in facts if fact.type == GATE and fact.data["gate"] == "verdict"]:
            facts += self._prechecks.session_over((data["manifest"], data["delivery"]), t)
        return facts

    # ---- what is true now

    def redate(self, by: int) -> None:
        """What happened at the docks was `by` microseconds later than was thought."""
        self._sessions.redate(by)
        self._shipped.redate(by)
        self._signals.redate(by)
        self._alarms.redate(by)
        self._watch_lists.redate(by)
        self._prechecks.redate(by)
        self.staging.redate(by)

    def outputs(self) -> list[Switch]:
        """Outputs to switch since the last call, as reader, port and level; all of them on the first."""
        return self._signals.changes()

    def outputs_of(self, reader: str | None = None) -> list[Switch]:
        """What every output of a reader, or of all, should be, for when it is connected again."""
        return [(*at, level) for at, level in self._signals.wanted().items() if reader in (None, at[0])]

    def outputs_unlit(self) -> dict[tuple[str, int], bool]:
        """Reader and port to level for every output, as it is while nothing is shown."""
        return self._signals.unlit()

    def docks(self) -> list[str]:
        """The ids of the docks."""
        return list(self._docks)

    def state(self, dock: str, now: int | None = None) -> dict[str, Any]:
        """The retained state of a dock, ready for JSON: what it shows, whom it loads, and how many of each set.

        With the time it says at once when an antenna goes dark, without it at the next pass.
        """
        lamp = self._signals.lamp(dock)
        pending = self._catalogue.pending(dock, self._sessions.taken())
        return {
            "dock": dock,
            "name": self._docks[dock].name,
            "portal": self._docks[dock].portal,
            "door": self._doors.word(dock),
            "lamp": lamp.value,
            "word": self._word(dock, lamp),
            "warnings": self.warnings.state(dock),
            "pending": [self._prechecks.outline(key) for key in pending[:20]],
            "session": self._sessions.state(dock, now),
            "last_verdict": self._sessions.last.outline(dock),
        }

    def _word(self, dock: str, lamp: Lamp) -> str:
        """What a lamp means, in a word or two: colour alone is not enough."""
        session = self._sessions.at(dock)
        if session is None:
            return {Lamp.GREEN: "complete", Lamp.RED: "not complete"}.get(lamp, "no session")
        if lamp is Lamp.RED or self.warnings.at(dock):
            return "stop" if lamp is Lamp.RED else "must not leave"
        return "closing" if session.ending is not None else "loading" if not session.inbound else "receiving"

    def manifests(self) -> list[dict[str, Any]]:
        """Every delivery that is known, in a few words, with what the pre-check and staging found last."""
        return self._prechecks.outlines()

    def manifest(self, name: str, delivery: str, t: int) -> dict[str, Any] | None:
        """One delivery with every line judged as if it passed now, and what is staged of it; None where it is not
        known."""
        found = self._prechecks.whole((name, delivery), t)
        return None if found is None else found | {"staging": self.staging.of((name, delivery))}

    def lines(self, dock: str) -> dict[str, list[Any]]:
        """The sets of the session at a dock, line by line, without evidence; without a session those of the verdict
        that the dock still shows."""
        return self._sessions.lines(dock)

    # ---- state

    def dump(self) -> dict[str, Any]:
        """The whole state by parts, ready for JSON."""
        return {name: dump() for name, (_, dump) in self._parts().items()}

    def changed(self) -> dict[str, Any]:
        """The parts of `dump` that may have changed since the last call; all of them on the first."""
        parts = self._parts()
        fresh = {name for name, (revision, _) in parts.items() if self._saved.get(name, -1) != revision}
        self._saved = {name: revision for name, (revision, _) in parts.items()}
        return {name: parts[name][1]() for name in parts if name in fresh or name == "docks"}

    def _parts(self) -> dict[str, tuple[int, Callable[[], Any]]]:
        """Each part with its revision; what is about docks is small and changes all the time."""
        return {
            "manifests": (self._catalogue.revision, self._catalogue.dump),
            "shipped": (self._shipped.revision, self._shipped.dump),
            "watch": (self._watch_lists.revision, self._watch_lists.dump),
            "stock": (self._stock.revision, self._stock.dump),
            "docks": (0, self._dump_docks),
        }

    def _dump_docks(self) -> dict[str, Any]:
        return {
            "sessions": self._sessions.dump(),
            "signals": self._signals.dump(),
            "doors": self._doors.dump(),
            "alarms": self._alarms.dump(),
            "prechecks": self._prechecks.dump(),
            "staging": self.staging.dump(),
            "judged_by": self._judged_by,
        }

    def apply(self, data: Mapping[str, Any], t: int) -> None:
        """Takes over an event of the gate (its data and its time) that is newer than what was loaded; oldest first.

        For a start whose journal is lost. Raises LedgerError where it cannot be understood.
        """
        try:
            self._from_events.apply(data, t)
        except (KeyError, ValueError, TypeError) as error:
            raise LedgerError(f"an event of the gate cannot be understood ({error!r})") from error

    def load(self, parts: Mapping[str, Any], t: int = 0) -> None:
        """Takes over at `t`, in a gate that was given nothing yet, what `dump` gave. Sessions at docks that are not in
        the configuration any more end, lists that are not are forgotten, and what other rules have judged is judged
        again. Raises LedgerError where it cannot be understood."""
        try:
            self._catalogue.load(parts["manifests"])
            self._shipped.load(parts["shipped"])
            self._watch_lists.load(parts["watch"])
            self._stock.load(parts.get("stock", []))
            docks = parts["docks"]
            self._signals.load(docks["signals"])
            self._doors.load(docks["doors"])
            self._alarms.load(docks["alarms"])
            self._sessions.load(docks["sessions"], t)
            self._prechecks.load(docks.get("prechecks", []))
            if "staging" in docks:
                self.staging.load(docks["staging"])
            self._judged_by = docks.get("judged_by", self._digest)
            if self._judged_by != self._digest:
                self._judged_again = t
        except (Refused, KeyError, ValueError, TypeError, IndexError) as error:
            raise LedgerError(f"the state of the gate cannot be understood ({error!r}): restore the ledger") from error
