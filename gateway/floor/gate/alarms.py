"""Alarms of the gate that do not shout all the time."""

from __future__ import annotations

from typing import Any

from gateway.clock import micros, rfc3339
from gateway.events.envelope import ALARM, Fact, alarm
from gateway.events.gate_alarms import (
    ClosedHoursAlarm,
    ManifestRefusedAlarm,
    NoSessionAlarm,
    UnreadCrossingAlarm,
)
from gateway.floor.bounded import Bounded
from gateway.floor.gate.reports import MANIFESTS
from gateway.floor.gate.verdict import ALGORITHM

MAX_ALARMS = 256
"""Different alarms whose last time is remembered; beyond it the oldest may be said again sooner."""


class Alarms:
    """Alarms of the gate, each kind and subject at most once in `every` seconds."""

    def __init__(self, every: float, digest: str) -> None:
        self._every = micros(every)
        self._digest = digest
        self._said: Bounded[str, list[int]] = Bounded(MAX_ALARMS)
        """Kind and subject to the time when it was said, and how often it was not said since."""

    def manifest_refused(self, source: str, name: str, reason: str, t: int) -> list[Fact]:
        """A manifest could not be taken from its source."""
        unsaid = self._again("manifest-refused", f"{source}/{name}", t)
        if unsaid is None:
            return []
        data: ManifestRefusedAlarm = {
            "alarm": "manifest-refused",
            "state": "raised",
            "since": rfc3339(t),
            "source": source,
            "name": name,
            "reason": reason,
            "unsaid": unsaid,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return [alarm(MANIFESTS, t, data)]

    def no_session(self, portal: str, dock: str, uid: str, t: int, *, how: str = "without a session") -> list[Fact]:
        """A package left through a dock that had no session of its own for it; `how`, in words."""
        unsaid = self._again("no-session", f"{dock}/{uid}", t)
        if unsaid is None:
            return []
        data: NoSessionAlarm = {
            "alarm": "no-session",
            "state": "raised",
            "since": rfc3339(t),
            "dock": dock,
            "uid": uid,
            "reason": f"{uid} left through dock {dock} {how}",
            "unsaid": unsaid,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return [alarm(portal, t, data)]

    def unread_crossing(self, portal: str, why: str, t: int) -> list[Fact]:
        """Something went through a portal, and no tag was read there."""
        unsaid = self._again("unread-crossing", portal, t)
        if unsaid is None:
            return []
        data: UnreadCrossingAlarm = {
            "alarm": "unread-crossing",
            "state": "raised",
            "since": rfc3339(t),
            "portal": portal,
            "reason": f"something went through {portal} and no tag was read there, {why}",
            "unsaid": unsaid,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return [alarm(portal, t, data)]

    def closed_hours(self, place: str, uid: str, t: int) -> list[Fact]:
        """A package moved while the site was closed."""
        unsaid = self._again("closed-hours", f"{place}/{uid}", t)
        if unsaid is None:
            return []
        data: ClosedHoursAlarm = {
            "alarm": "closed-hours",
            "state": "raised",
            "since": rfc3339(t),
            "name": place,
            "uid": uid,
            "reason": f"{uid} moved at {place} while the site was closed",
            "unsaid": unsaid,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return [alarm(place, t, data)]

    def ended(self, facts: list[Fact]) -> None:
        """Somebody has dealt with alarms that `facts` clear: when it happens again it is said, however soon that is."""
        for data in (fact.data for fact in facts if fact.type == ALARM and fact.data["state"] == "cleared"):
            for key in list(self._said):
                kind, _, subject = key.partition(" ")
                if kind == data["alarm"] and f"{data['subject']}/".startswith(f"{subject}/"):
                    del self._said[key]

    def _again(self, kind: str, subject: str, t: int) -> int | None:
        """How often an alarm was not said since the last time; None, and one more, where it is too soon."""
        key = f"{kind} {subject}"
        last = self._said.get(key)
        if last is not None and t - last[0] < self._every:
            self._said.renew(key, [last[0], last[1] + 1])
            return None
        self._said.renew(key, [t, 0])
        return last[1] if last else 0

    def redate(self, by: int) -> None:
        """Dates all remembered alarms `by` microseconds later: the clock was set."""
        for said in self._said.values():
            said[0] += by

    def dump(self) -> dict[str, list[int]]:
        """The state for a checkpoint, ready for JSON."""
        return {key: list(said) for key, said in self._said.items()}

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        for key, said in dump.items():
            self._said.renew(key, list(said))
