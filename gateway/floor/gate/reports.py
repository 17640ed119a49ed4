"""The gate's facts, written down: what every one of them says, and alarms that do not shout all the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.clock import micros, rfc3339
from gateway.config.gate import DockConfig
from gateway.events.envelope import ALARM, GATE, Fact
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.manifest import Delivery, DeliveryKey, Manifest
from gateway.floor.gate.session import Session, in_seconds
from gateway.floor.gate.verdict import ALGORITHM, tally
from gateway.inputs import Command

MANIFESTS = "manifests"
"""The place of facts that are about no dock."""

MAX_ALARMS = 256
"""Different alarms whose last time is remembered; beyond it the oldest may be said again sooner."""


class Reports:
    """Facts about docks, sessions and manifests."""

    def __init__(self, docks: Iterable[DockConfig], catalogue: Catalogue, digest: str) -> None:
        self._portals = {dock.id: dock.portal for dock in docks}
        self._catalogue = catalogue
        self._digest = digest

    def session(self, kind: str, session: Session, t: int, **more: Any) -> Fact:
        """A fact about a session; `more` is what the kind adds."""
        manifest = self._catalogue.manifest(session.key)
        delivery = self._catalogue.delivery(session.key)
        data: dict[str, Any] = {
            "gate": kind,
            "dock": session.dock,
            "session": session_id(session),
            "direction": "in" if session.inbound else "out",
            "manifest": session.key[0] if session.key else None,
            "delivery": session.key[1] if session.key else None,
            "version": session.version,
            "source": manifest.source if manifest else None,
            "recipient": delivery.recipient if delivery else None,
            **more,
        }
        data["evidence"] = {"config": self._digest, "algorithm": ALGORITHM, **data.get("evidence", {})}
        return Fact(GATE, self._portals[session.dock], t, data)

    def manifest(
        self, kind: str, manifest: Manifest, before: Manifest | None, t: int, *, by: str = "", reason: str = ""
    ) -> Fact:
        """A manifest was received, corrected or withdrawn."""
        data: dict[str, Any] = {
            "gate": f"manifest-{kind}",
            "manifest": manifest.manifest,
            "version": manifest.version,
            "previous_version": before.version if before else None,
            "direction": manifest.direction,
            "source": manifest.source,
            "as_of": rfc3339(manifest.as_of),
            "deliveries": [
                {
                    "delivery": delivery.delivery,
                    "dock": delivery.dock,
                    "recipient": delivery.recipient,
                    "lines": len(delivery.lines),
                }
                for delivery in manifest.deliveries
            ],
            "by": by,
            "reason": reason,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return Fact(GATE, MANIFESTS, t, data)

    def came_back(self, dock: str, uid: str, key: DeliveryKey, proof: dict[str, Any], t: int) -> Fact:
        """A package that had left came back while the dock had no session."""
        data = {
            "gate": "came-back",
            "dock": dock,
            "uid": uid,
            "manifest": key[0] or None,
            "delivery": key[1] or None,
            "proof": proof,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return Fact(GATE, self._portals[dock], t, data)

    def refused(self, command: Command, reason: str) -> Fact:
        """A command that was admitted could not be carried out when its time came."""
        dock = command.args.get("dock")
        place = self._portals.get(dock, MANIFESTS) if isinstance(dock, str) else MANIFESTS
        data = {
            "gate": "refused",
            "command": command.name,
            "dock": dock if isinstance(dock, str) and dock in self._portals else None,
            "reason": reason,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return Fact(GATE, place, command.t, data)


class Alarms:
    """Alarms of the gate, each kind and subject at most once in `every` seconds."""

    def __init__(self, every: float, digest: str) -> None:
        self._every = micros(every)
        self._digest = digest
        self._said: dict[str, list[int]] = {}  # kind and subject to the time it was said, and how often not said since

    def say(self, place: str, kind: str, subject: str, detail: dict[str, Any], t: int) -> list[Fact]:
        """Says it, or counts it for the next time."""
        key = f"{kind} {subject}"
        last = self._said.pop(key, None)
        if last is not None and t - last[0] < self._every:
            self._said[key] = [last[0], last[1] + 1]
            return []
        while len(self._said) >= MAX_ALARMS:
            del self._said[next(iter(self._said))]
        self._said[key] = [t, 0]
        data = {
            "alarm": kind,
            "state": "raised",
            "since": rfc3339(t),
            **detail,
            "unsaid": last[1] if last else 0,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return [Fact(ALARM, place, t, data)]

    def dump(self) -> dict[str, list[int]]:
        return {key: list(said) for key, said in self._said.items()}

    def load(self, dump: Any) -> None:
        self._said = {key: list(said) for key, said in dump.items()}


def outline(session: Session, delivery: Delivery | None, *, ready: bool, dark: Mapping[str, int]) -> dict[str, Any]:
    """A session in a few words, ready for JSON; `dark` is for how long each antenna was, in microseconds."""
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
        "ready": ready,
        "unwatched_s": in_seconds(dark),
        "counts": tally(session, delivery),
    }


def session_id(session: Session) -> str:
    """The same for the same session on every replay."""
    return f"{session.dock}/{rfc3339(session.opened)}"


def essence(manifest: Manifest) -> Any:
    """Everything in a manifest but its version and when its facts were true."""
    return _without_times(manifest.model_dump(mode="json", exclude={"version"}))


def changes(before: Delivery | None, after: Delivery | None) -> dict[str, list[str]]:
    """UIDs that a correction added, removed, and described anew."""
    old = {} if before is None else {line.uid: line for line in before.lines}
    new = {} if after is None else {line.uid: line for line in after.lines}
    kept = old.keys() & new.keys()
    return {
        "added": sorted(new.keys() - kept),
        "removed": sorted(old.keys() - kept),
        "changed": sorted(
            uid for uid in kept if _without_times(old[uid].model_dump()) != _without_times(new[uid].model_dump())
        ),
    }


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_times(value) for key, value in content.items() if key != "as_of"}
    if isinstance(content, list):
        return [_without_times(value) for value in content]
    return content
