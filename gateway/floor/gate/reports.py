"""The gate's facts, written down: what every one of them says, and alarms that do not shout all the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from gateway.clock import rfc3339
from gateway.config.gate import DockConfig
from gateway.events.envelope import Fact, gate
from gateway.events.gate_models import (
    Attached,
    CameBack,
    Change,
    CommandRefused,
    Confirmed,
    Destroyed,
    GateData,
    ItemDecided,
    LineChanges,
    ManifestEvent,
    OfSession,
    Opened,
    Overridden,
    Revised,
    Sets,
    StockChanged,
    Verdict,
)
from gateway.events.gate_parts import GateEvidence, HandheldProof, Item, Outcome, PortalProof, Proven, RevisedWhy, Tally
from gateway.events.gate_parts import Set as SetName
from gateway.floor.gate import verdict
from gateway.floor.gate.catalogue import Catalogue
from gateway.floor.gate.commands import Destroy, Stock
from gateway.floor.gate.manifest import Delivery, DeliveryKey, Manifest, as_json, essence
from gateway.floor.gate.session import Ending, Session, Status, in_seconds
from gateway.floor.gate.verdict import ALGORITHM, tally
from gateway.inputs import Command

MANIFESTS = "manifests"
"""The place of facts that are about no dock."""

DESTRUCTION = "destruction"
"""The place of facts about what was destroyed."""

STOCK = "stock"
"""The place of facts about what is said to be on the site."""


class Reports:
    """Facts about docks, sessions and manifests."""

    def __init__(self, docks: Iterable[DockConfig], catalogue: Catalogue, digest: str) -> None:
        self._portals = {dock.id: dock.portal for dock in docks}
        self._catalogue = catalogue
        self._digest = digest

    def opened(self, session: Session, t: int, carried: int) -> Fact:
        """A session began, with so many packages loaded in an earlier one of its delivery."""
        more: Opened = {
            **self._of(session),
            "gate": "opened",
            "by": session.by,
            "why": session.why,
            "carried": carried,
            "evidence": self._evidence(),
        }
        return self._fact(session, t, more)

    def attached(self, session: Session, t: int, by: str, carried: int) -> Fact:
        """A session that was opened without a delivery has one now."""
        more: Attached = {
            **self._of(session),
            "gate": "attached",
            "by": by,
            "carried": carried,
            "evidence": self._evidence(),
        }
        return self._fact(session, t, more)

    def item(
        self,
        session: Session,
        t: int,
        item: Item,
        before: Status | None,
        counts: Tally,
        *,
        now: Status | None,
        ready: bool,
    ) -> Fact:
        """The event of a package that came from the set `before` into the set `now`."""
        more: ItemDecided = {
            **self._of(session),
            "gate": "item",
            "uid": item["uid"],
            "status": _set(now),
            "previous": _set(before),
            "item": item,
            "counts": counts,
            "ready": ready,
            "evidence": self._evidence(),
        }
        return self._fact(session, t, more)

    def confirmed(
        self, session: Session, t: int, by: str, reason: str, unwatched: dict[str, float], *, ready: bool
    ) -> Fact:
        """Somebody looked into the van because the portal had not been watched for so many seconds."""
        more: Confirmed = {
            **self._of(session),
            "gate": "confirmed",
            "by": by,
            "reason": reason,
            "unwatched_s": unwatched,
            "ready": ready,
            "evidence": self._evidence(),
        }
        return self._fact(session, t, more)

    def overridden(
        self, session: Session, t: int, uid: str, by: str, reason: str, unknown: Sequence[tuple[str, str]]
    ) -> Fact:
        """Somebody answers for a line of which something is not known: rules, and what is missing for each."""
        more: Overridden = {
            **self._of(session),
            "gate": "overridden",
            "uid": uid,
            "by": by,
            "reason": reason,
            "unknown": [{"rule": rule, "missing": missing} for rule, missing in unknown],
            "evidence": self._evidence(),
        }
        return self._fact(session, t, more)

    def revised(
        self,
        session: Session,
        t: int,
        why: RevisedWhy,
        items: list[Change],
        counts: Tally,
        lines: LineChanges | None = None,
    ) -> Fact:
        """What is known of the packages changed; `lines` is what a correction of the manifest did."""
        more: Revised = {
            **self._of(session),
            "gate": "revised",
            "why": why,
            "items": items,
            "counts": counts,
            "lines": lines,
            "evidence": self._evidence(),
        }
        if lines is None:
            del more["lines"]
        return self._fact(session, t, more)

    def verdict(self, session: Session, t: int, ending: Ending, outcome: Outcome, sets: Sets, proof: Proven) -> Fact:
        """The end of a session: its packages by sets, how many are in each, and what that rests on."""
        more: Verdict = {
            **self._of(session),
            "gate": "verdict",
            "outcome": outcome,
            "complete": outcome == "complete",
            "opened": rfc3339(session.opened),
            "opened_by": session.by,
            "opened_why": session.why,
            "closed": rfc3339(ending.since),
            "closed_by": ending.by,
            "closed_why": ending.why,
            "counts": verdict.tally(session, self._catalogue.delivery(session.key)),
            **sets,
            "likely": verdict.likely(sets),
            "evidence": {**self._evidence(), **proof},
        }
        if not more["likely"]:
            del more["likely"]
        return self._fact(session, t, more)

    def _of(self, session: Session) -> OfSession:
        manifest = self._catalogue.manifest(session.key)
        delivery = self._catalogue.delivery(session.key)
        return {
            "dock": session.dock,
            "session": session_id(session),
            "direction": "in" if session.inbound else "out",
            "manifest": session.key[0] if session.key else None,
            "delivery": session.key[1] if session.key else None,
            "version": session.version,
            "source": manifest.source if manifest else None,
            "recipient": delivery.recipient if delivery else None,
        }

    def stock(self, said: Stock, packages: int, moved: tuple[int, int, int], t: int) -> Fact:
        """Somebody has said what is on the site: so many packages, of which so many have come, gone and changed."""
        added, removed, changed = moved
        data: StockChanged = {
            "gate": "stock-changed",
            "by": said.by,
            "as_of": None if said.as_of is None else rfc3339(said.as_of),
            "packages": packages,
            "added": added,
            "removed": removed,
            "changed": changed,
            "evidence": self._evidence(),
        }
        return gate(STOCK, t, data)

    def _evidence(self) -> GateEvidence:
        return {"config": self._digest, "algorithm": ALGORITHM}

    def _fact(self, session: Session, t: int, data: GateData) -> Fact:
        return gate(self._portals.get(session.dock, MANIFESTS), t, data)

    def manifest(
        self,
        kind: Literal["received", "withdrawn"],
        manifest: Manifest,
        before: Manifest | None,
        t: int,
        *,
        by: str = "",
        reason: str = "",
    ) -> Fact:
        """A manifest was received, corrected or withdrawn."""
        data: ManifestEvent = {
            "gate": "manifest-received" if kind == "received" else "manifest-withdrawn",
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
            "evidence": self._evidence(),
        }
        return gate(MANIFESTS, t, data)

    def came_back(
        self,
        portal: str,
        dock: str | None,
        uid: str,
        key: DeliveryKey,
        proof: PortalProof | HandheldProof,
        t: int,
    ) -> Fact:
        """A package that had left came back through a portal, perhaps that of a dock."""
        data: CameBack = {
            "gate": "came-back",
            "dock": dock,
            "uid": uid,
            "manifest": key[0] or None,
            "delivery": key[1] or None,
            "proof": proof,
            "evidence": self._evidence(),
        }
        return gate(portal, t, data)

    def destroyed(self, said: Destroy, product: str, zone: str | None, t: int) -> Fact:
        """A package was destroyed before the eyes of a witness."""
        data: Destroyed = {
            "gate": "destroyed",
            "uid": said.uid,
            "product": product,
            "weight": said.weight,
            "unit": said.unit,
            "method": said.method,
            "by": said.by,
            "witness": said.witness,
            "photo": said.photo,
            "reason": said.reason,
            "zone": zone,
            "evidence": self._evidence(),
        }
        return gate(DESTRUCTION, t, data)

    def refused(self, command: Command, reason: str) -> Fact:
        """A command that was admitted could not be carried out when its time came."""
        dock = command.args.get("dock")
        place = self._portals.get(dock, MANIFESTS) if isinstance(dock, str) else MANIFESTS
        data: CommandRefused = {
            "gate": "refused",
            "command": command.name,
            "dock": dock if isinstance(dock, str) and dock in self._portals else None,
            "reason": reason,
            "evidence": self._evidence(),
        }
        return gate(place, command.t, data)


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
        "answered_by": sorted({override["by"] for override in session.overrides.values()}),
        "counts": tally(session, delivery),
    }


def session_id(session: Session) -> str:
    """The id of a session, the same on every replay."""
    return f"{session.dock}/{rfc3339(session.opened)}"


def changes(before: Delivery | None, after: Delivery | None) -> LineChanges:
    """UIDs that a correction added, removed, and described anew."""
    old = {} if before is None else {line.uid: line for line in before.lines}
    new = {} if after is None else {line.uid: line for line in after.lines}
    kept = old.keys() & new.keys()
    return {
        "added": sorted(new.keys() - kept),
        "removed": sorted(old.keys() - kept),
        "changed": sorted(uid for uid in kept if essence(as_json(old[uid])) != essence(as_json(new[uid]))),
    }


def _set(status: Status | None) -> SetName | None:
    """The set of a status, by name."""
    return None if status is None else status.value
