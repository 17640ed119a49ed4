"""Passes as facts: the one place where what was decided becomes JSON.

A pass goes three ways from here: to the ledger as a fact, to presence as where the tag is now, and to the dock gate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from drivers.api import RssiUnit
from gateway.clock import SECOND, rfc3339
from gateway.config import PortalConfig
from gateway.events.envelope import Fact, movement
from gateway.events.models import GroupPassage, MovementEvidence, Passage, PassEvidence, PassSide, Revision, Stories
from gateway.floor.evidence import Evidence, Proof
from gateway.floor.levels import CENTI, UNITS
from gateway.floor.passes import Direction, Pass
from gateway.floor.places import Places
from gateway.floor.portals.groups import Judged, Load
from gateway.floor.portals.judge import MOST, Verdict
from gateway.floor.portals.photo_eyes import Crossing
from gateway.floor.portals.proof import PassProof, SideProof
from gateway.floor.portals.walk_model import Likelihood
from gateway.floor.presence.presence import Presence

ALGORITHM = "pass/8"

MAX_UIDS = 10_000
"""Members or strays that are listed in one event, as in a count. A portal holds few hundreds."""

OnPass = Callable[[Pass], list[Fact]]
"""Takes a pass; the facts that it returns follow that of the pass."""

OnUnread = Callable[..., list[Fact]]
"""Takes a portal, a crossing of its photo-eyes without a tag, the time and whether it was `watched`; returns facts."""


class Reports:
    """Writes passes down and hands them on: to presence, and to `on_pass` where somebody wants them."""

    def __init__(self, places: Places, evidence: Evidence, presence: Presence) -> None:
        self.on_pass: OnPass | None = None
        self.on_unread: OnUnread | None = None
        self._places = places
        self._evidence = evidence
        self._presence = presence

    def one(self, config: PortalConfig, judged: Judged) -> list[Fact]:
        """The fact of a pass, and the facts that follow from it."""
        data = self._passage(config, judged)
        facts = [movement(config.id, judged.crossing, data)]
        if judged.passes:
            facts += self._moved(config, judged, data["to"])
        if self.on_pass is None:
            return facts
        return facts + self.on_pass(
            Pass(
                uid=judged.uid,
                portal=config.id,
                direction=judged.told,
                start=judged.start,
                end=judged.end,
                confidence=data["confidence"],
                group=judged.group,
                evidence=data["evidence"],
            )
        )

    def unread(self, portal: str, crossing: Crossing, t: int, *, watched: bool) -> list[Fact]:
        """What follows from a crossing of photo-eyes at which no tag was read."""
        return [] if self.on_unread is None else self.on_unread(portal, crossing, t, watched=watched)

    def group(self, config: PortalConfig, load: Load, strays: list[str]) -> Fact:
        """The fact of a load whose members are all said."""
        data: GroupPassage = {
            "movement": "group_passed",
            "portal": config.id,
            "direction": "in" if load.direction is Direction.IN else "out",
            "group": load.name,
            "number": len(load.members),
            "members": sorted(load.members)[:MAX_UIDS],
            "strays": strays[:MAX_UIDS],
            "first": rfc3339(load.first),
            "last": rfc3339(load.last),
            "confidence": round(load.confidence, 3),
            "evidence": {"config": self._evidence.digest, "algorithm": ALGORITHM},
        }
        return movement(config.id, load.last, data)

    def _moved(self, config: PortalConfig, judged: Judged, target: str | None) -> list[Fact]:
        """The facts of presence: the tag is in the zone that it passed to, or off the site."""
        zone = None if target is None else self._places.zone_numbers[target]
        proof = Proof(
            antenna=0 if zone is None else self._places.holder(zone),
            mask=0,
            reads=judged.proof.reads,
            strongest=judged.proof.strongest,
            first=judged.crossing,
            last=judged.end,
            unit=judged.proof.unit,
            late=judged.proof.late,
        )
        evidence = self._reads(judged.proof)
        self._presence.passed(bytes.fromhex(judged.uid), zone, proof, judged.confidence, (config.id, evidence))
        return self._presence.said()

    def _passage(self, config: PortalConfig, judged: Judged) -> Passage | Revision:
        source, target = _ways(config, judged.direction)
        verdict, proof = judged.verdict, judged.proof
        passage: Passage = {
            "movement": "passed",
            "uid": judged.uid,
            "epc": judged.uid,
            "portal": config.id,
            "direction": verdict.direction.value,
            "from": source,
            "to": target,
            "confidence": round(min(max(verdict.confidence, 0.0), MOST), 3),
            "group": judged.group,
            "first": rfc3339(proof.first),
            "last": rfc3339(proof.last),
            "evidence": self._pass_evidence(proof, verdict),
        }
        if judged.revises is None:
            return passage
        return {**passage, "movement": "revised", "was": "in" if judged.revises is Direction.IN else "out"}

    def _pass_evidence(self, proof: PassProof, verdict: Verdict) -> PassEvidence:
        reads = self._reads(proof)
        evidence: PassEvidence = {
            "reads": reads["reads"],
            "antennas": reads["antennas"],
            "strongest_rssi": reads["strongest_rssi"],
            "rssi_unit": reads["rssi_unit"],
            "first": reads["first"],
            "last": reads["last"],
            "late_reads": reads["late_reads"],
            "clock": reads["clock"],
            "config": reads["config"],
            "algorithm": reads["algorithm"],
            "reason": verdict.reason,
            "leaning": None if verdict.leaning is None else "in" if verdict.leaning is Direction.IN else "out",
            "sides": {"inside": _side(proof, proof.inside), "outside": _side(proof, proof.outside)},
            "likelihood": _stories(proof.likelihood),
            "walk": _stories(proof.walk),
            "decided_by": dict(proof.decided_by),
            "companions": verdict.companions,
            "photo_eyes": _photo_eyes(proof.photo_eyes),
            "antennas_down": self._names(proof.down),
        }
        if proof.stuck:
            evidence["photo_eyes_stuck"] = list(proof.stuck)
        return evidence

    def _reads(self, proof: PassProof) -> MovementEvidence:
        """What is told of the reads, whether the pass is told or where the tag is by it."""
        return {
            "reads": proof.reads,
            "antennas": self._names(proof.antennas),
            "strongest_rssi": _rssi(proof.unit, proof.strongest),
            "rssi_unit": "raw" if UNITS[proof.unit] is RssiUnit.RAW else "dBm",
            "first": rfc3339(proof.first),
            "last": rfc3339(proof.last),
            "late_reads": proof.late,
            "clock": self._evidence.clock(self._places.spots[proof.newest].reader),
            "config": self._evidence.digest,
            "algorithm": ALGORITHM,
        }

    def _names(self, antennas: frozenset[int] | tuple[int, ...]) -> list[str]:
        return sorted(self._places.spots[number].name for number in antennas)


def _ways(config: PortalConfig, direction: Direction) -> tuple[str | None, str | None]:
    """From which zone to which a direction leads."""
    ways = {Direction.IN: (config.outside, config.inside), Direction.OUT: (config.inside, config.outside)}
    return ways.get(direction, (None, None))


def _side(proof: PassProof, side: SideProof | None) -> PassSide | None:
    if side is None:
        return None
    return {
        "reads": side.reads,
        "windows": side.windows,
        "strongest_rssi": _rssi(proof.unit, side.strongest),
        "centroid": rfc3339(proof.first + round(side.centroid * SECOND)),
        "spread_s": round(side.spread, 3),
    }


def _stories(story: Likelihood) -> Stories:
    return {"in": story.inward, "out": story.outward, "turned_back": story.turned_back, "standing": story.standing}


def _rssi(unit: int, strength: int) -> float:
    """Hundredths of a decibel in dBm, or as the steps of a reader that has no unit."""
    return strength // CENTI[unit] if UNITS[unit] is RssiUnit.RAW else strength / 100


def _photo_eyes(direction: Direction | None) -> Literal["in", "out", "turned_back"] | None:
    """What the photo-eyes say of the direction, in words."""
    if direction is Direction.IN:
        return "in"
    if direction is Direction.OUT:
        return "out"
    return "turned_back" if direction is Direction.TURNED_BACK else None
