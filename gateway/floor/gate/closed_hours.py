"""What must not be while nobody is there, and what went through a portal without a tag that could be read."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.clock import rfc3339
from gateway.config import Config
from gateway.config.hours import Hours
from gateway.events.envelope import MOVEMENT, Fact, gate
from gateway.events.gate_models import CrossedUnread
from gateway.floor.gate.alarms import Alarms
from gateway.floor.gate.reports import session_id
from gateway.floor.gate.sessions import Sessions
from gateway.floor.gate.verdict import ALGORITHM
from gateway.floor.passes import Direction
from gateway.floor.portals.photo_eyes import Crossing


class ClosedHours:
    """Looks at movements and at crossings of photo-eyes. `docks` maps portals to docks."""

    def __init__(self, config: Config, docks: Mapping[str, str], sessions: Sessions, alarms: Alarms) -> None:
        self._hours = Hours(config.gate.hours)
        self._docks = docks
        self._sessions = sessions
        self._alarms = alarms
        self._digest = config.digest()

    def moved(self, fact: Fact) -> list[Fact]:
        """A movement: an alarm where the site is closed. What arrived is a package that was not known, not one that
        moved."""
        if fact.type != MOVEMENT or not self._hours.closed(fact.time):
            return []
        data = fact.data
        match data["movement"]:
            case "moved":
                return self._alarms.closed_hours(data["to"], data["uid"], fact.time)
            case "passed" if data["direction"] in ("in", "out", "undetermined"):
                return self._alarms.closed_hours(data["portal"], data["uid"], fact.time)
        return []

    def crossed(self, portal: str, crossing: Crossing, t: int, *, watched: bool) -> list[Fact]:
        """Something went through a portal and no tag was read: an alarm in a session, or while the site is closed."""
        dock = self._docks.get(portal)
        session = None if dock is None else self._sessions.at(dock)
        closed = self._hours.closed(crossing.end)
        data: CrossedUnread = {
            "gate": "crossed-unread",
            "portal": portal,
            "dock": dock,
            "session": None if session is None else session_id(session),
            "direction": "in" if crossing.direction is Direction.IN else "out",
            "start": rfc3339(crossing.start),
            "end": rfc3339(crossing.end),
            "watched": watched,
            "closed": closed,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        facts = [gate(portal, t, data)]
        if session is not None or closed:
            why = "while the site was closed" if closed else f"while dock {dock} was being loaded: look what it was"
            facts += self._alarms.unread_crossing(portal, why, t)
        return facts
