"""What may be asked of the sessions at the docks: to open and to close them, and what people say of what is loaded.

Each command is planned here, which refuses it and changes nothing; what is planned is carried out at once.
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.clock import CLOCK_AHEAD
from gateway.errors import Refused
from gateway.floor.gate import commands
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.knowledge import Action, Plan
from gateway.floor.gate.session import Session
from gateway.floor.gate.sessions import Sessions
from gateway.inputs import Command


class NoSession(Refused):
    """A command is about the session at a dock, where there is none."""

    def __init__(self, command: str, dock: str, remedy: str = "") -> None:
        super().__init__(f"{command}: dock {dock} has no session{remedy}")
        self.dock = dock


class AtDocks:
    """The plans of the commands about sessions, by name. `docks` and `readers` are those of the configuration."""

    def __init__(
        self, docks: Collection[str], readers: Collection[str], catalogue: Catalogue, sessions: Sessions
    ) -> None:
        self._docks = docks
        self._readers = readers
        self._catalogue = catalogue
        self._sessions = sessions
        self.plans: dict[str, Plan] = {
            "gate.open": self._open,
            "gate.close": self._close,
            "gate.confirm": self._confirm,
            "gate.override": self._override,
            "reads": self._reads,
        }

    def _open(self, command: Command) -> Action:
        wanted = commands.read(commands.Open, command)
        t = command.t
        self._known_dock("gate.open", wanted.dock)
        session = self._sessions.at(wanted.dock)
        if session is not None and session.key is not None:
            raise Refused(
                f"gate.open: dock {wanted.dock} has a session for delivery {session.key[1]} of manifest "
                f"{session.key[0]}: close it first"
            )
        key = self._catalogue.meant(wanted, self._sessions.taken())
        if session is not None:
            manifest = self._catalogue.manifest(key)
            if manifest is not None and not session.can_be(inbound=manifest.direction == "in"):
                raise Refused(
                    f"gate.open: packages have gone out at dock {wanted.dock} in its session, and manifest {key[0]} "
                    f"comes in: close the session first"
                )
            return lambda: self._sessions.attach(wanted.dock, key, t, wanted.by)
        return lambda: self._sessions.open(wanted.dock, key, t, wanted.by, "command")

    def _close(self, command: Command) -> Action:
        wanted = commands.read(commands.Close, command)
        t = command.t
        session = self._session("gate.close", wanted.dock)
        if session.ending is not None:
            raise Refused(f"gate.close: the session at dock {wanted.dock} is ending already")
        return lambda: self._sessions.end(wanted.dock, t, wanted.by, "command")

    def _confirm(self, command: Command) -> Action:
        wanted = commands.read(commands.Confirm, command)
        t = command.t
        session = self._session("gate.confirm", wanted.dock)
        if not self._sessions.unwatched(session, t):
            raise Refused(f"gate.confirm: dock {wanted.dock} was watched all the time: there is nothing to confirm")
        return lambda: self._sessions.confirm(wanted, t)

    def _override(self, command: Command) -> Action:
        wanted = commands.read(commands.Override, command)
        t = command.t
        session = self._session("gate.override", wanted.dock, ": open one first")
        if self._catalogue.line(wanted.uid, session.key) is None:
            raise Refused(f"gate.override: {wanted.uid} is on no line of the delivery that is loaded here")
        _, judgement = self._sessions.judges.judge(session, wanted.uid, t)
        if judgement.blocked:
            raise Refused(
                f"gate.override: {wanted.uid} is {judgement.words()}: only what is not known can be answered for"
            )
        if not judgement.unknown:
            raise Refused(f"gate.override: nothing about {wanted.uid} is unknown")
        return lambda: self._sessions.override(wanted, judgement.unknown, t)

    def _reads(self, command: Command) -> Action:
        wanted = commands.read(commands.Reads, command)
        t = command.t
        session = self._session("reads", wanted.dock, ": open one first")
        if wanted.reader in self._readers:
            raise Refused(f"reads: {wanted.reader} is a reader of the gateway: a handheld has an id of its own")
        when = t if wanted.time is None else wanted.time
        if when > t + CLOCK_AHEAD:
            raise Refused("reads: the time is in the future: set the handheld's clock")
        if when < session.opened:
            raise Refused("reads: they are older than the session: scan again")
        return lambda: self._sessions.found(wanted, min(when, t), t)

    def _session(self, name: str, dock: str, remedy: str = "") -> Session:
        """The session at a dock. Raises `NoSession`, and `Refused` where there is no such dock."""
        self._known_dock(name, dock)
        session = self._sessions.at(dock)
        if session is None:
            raise NoSession(name, dock, remedy)
        return session

    def _known_dock(self, name: str, dock: str) -> None:
        if dock not in self._docks:
            raise Refused(f"{name}: no dock {dock!r}: docks are {', '.join(sorted(self._docks)) or 'none'}")
