"""What is said of passes: their facts, the passes for the dock gate, and what they mean for where the tags are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from drivers.api import RssiUnit
from gateway.clock import SECOND, rfc3339
from gateway.config import PortalConfig
from gateway.events.envelope import Fact, movement
from gateway.events.models import GroupPassage, MovementEvidence, Passage, PassEvidence, PassSide, Stories
from gateway.floor.evidence import Evidence, Proof
from gateway.floor.levels import CENTI, UNITS
from gateway.floor.passes import Direction, Pass
from gateway.floor.places import Places
from gateway.floor.portals.finding import Finding
from gateway.floor.portals.groups import Judged, Load
from gateway.floor.portals.judge import MOST, Verdict
from gateway.floor.portals.photo_eyes import PhotoEyes
from gateway.floor.portals.track import Profile, Track
from gateway.floor.portals.walk_model import Likelihood
from gateway.floor.presence.presence import Presence
from gateway.floor.tags import uid

ALGORITHM = "pass/3"

MAX_UIDS = 10_000
"""Members or strays that are listed in one event, as in a count. A portal holds few hundreds."""

OnPass = Callable[[Pass], list[Fact]]


class Reported(Protocol):
    """The portal of a report, as far as that tells of it; `antennas` are its antennas by number, with their sides."""

    config: PortalConfig
    antennas: dict[int, str]
    photo_eyes: PhotoEyes

    def decided_by(self, finding: Finding) -> dict[str, float]:
        """The features of a pass that did most for its likeliest story."""
        ...


class Reports:
    """Writes passes down and hands them on: to presence, and to `on_pass` where somebody wants them."""

    def __init__(self, places: Places, evidence: Evidence, presence: Presence) -> None:
        self.on_pass: OnPass | None = None
        self._places = places
        self._evidence = evidence
        self._presence = presence

    def passed(self, portal: Reported, finding: Finding, verdict: Verdict) -> Passage:
        """What is published of a pass, as far as it is known before its group is."""
        config, track = portal.config, finding.track
        source, target = _ways(config, verdict.direction)
        return {
            "movement": "passed",
            "uid": uid(track.epc),
            "epc": uid(track.epc),
            "portal": config.id,
            "direction": verdict.direction.value,
            "from": source,
            "to": target,
            "confidence": round(min(max(verdict.confidence, 0.0), MOST), 3),
            "group": None,
            "first": rfc3339(track.since),
            "last": rfc3339(track.last),
            "evidence": self._proof(portal, finding, verdict),
        }

    def _proof(self, portal: Reported, finding: Finding, verdict: Verdict) -> PassEvidence:
        track = finding.track
        names = {number: self._places.spots[number].name for number in portal.antennas}
        seen = {look[1] for look in track.looks}
        newest = max(track.looks)[1]
        proof: PassEvidence = {
            "reads": sum(look[2] for look in track.looks),
            "antennas": sorted(names[number] for number in seen),
            "strongest_rssi": _rssi(track, max(look[3] for look in track.looks)),
            "rssi_unit": "raw" if _raw(track) else "dBm",
            "first": rfc3339(track.since),
            "last": rfc3339(track.last),
            "late_reads": track.late,
            "clock": self._evidence.clock(self._places.spots[newest].reader),
            "config": self._evidence.digest,
            "algorithm": ALGORITHM,
            "reason": verdict.reason,
            "leaning": None if verdict.leaning is None else "in" if verdict.leaning is Direction.IN else "out",
            "sides": {
                "inside": _side(portal, track, "inside", finding.case.inside),
                "outside": _side(portal, track, "outside", finding.case.outside),
            },
            "likelihood": _stories(finding.trace.likelihood),
            "walk": _stories(finding.case.walk),
            "decided_by": portal.decided_by(finding),
            "company": verdict.company,
            "photo_eyes": _eyes(finding.case.photo_eyes),
            "antennas_down": sorted(names[number] for number in finding.down),
        }
        if portal.photo_eyes.stuck:
            proof["photo_eyes_stuck"] = portal.photo_eyes.stuck
        return proof

    def one(self, config: PortalConfig, judged: Judged) -> list[Fact]:
        """A pass, and what follows from it."""
        facts = [movement(config.id, judged.crossing, judged.data)]
        if judged.passes:
            facts += self._moved(config, judged)
        return facts + self._hand_on(config, judged)

    def group(self, config: PortalConfig, load: Load, strays: list[str]) -> Fact:
        """A load whose members are all said."""
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

    def _moved(self, config: PortalConfig, judged: Judged) -> list[Fact]:
        """The tag is where it passed to."""
        target = judged.data["to"]
        zone = None if target is None else self._places.zone_numbers[target]
        evidence = judged.data["evidence"]
        unit = UNITS.index(RssiUnit.RAW) if evidence["rssi_unit"] == "raw" else UNITS.index(RssiUnit.CENTI_DBM)
        raw = evidence["rssi_unit"] == "raw"
        proof = Proof(
            antenna=0 if zone is None else self._places.holder(zone),
            mask=0,
            reads=evidence["reads"],
            strongest=round(evidence["strongest_rssi"] * (CENTI[unit] if raw else 100)),
            first=judged.crossing,
            last=judged.end,
            unit=unit,
            late=evidence["late_reads"],
        )
        words: MovementEvidence = {
            "reads": evidence["reads"],
            "antennas": evidence["antennas"],
            "strongest_rssi": evidence["strongest_rssi"],
            "rssi_unit": evidence["rssi_unit"],
            "first": evidence["first"],
            "last": evidence["last"],
            "late_reads": evidence["late_reads"],
            "clock": evidence["clock"],
            "config": evidence["config"],
            "algorithm": ALGORITHM,
        }
        self._presence.passed(bytes.fromhex(judged.uid), zone, proof, judged.confidence, (config.id, words))
        return self._presence.said()

    def _hand_on(self, config: PortalConfig, judged: Judged) -> list[Fact]:
        if self.on_pass is None:
            return []
        return self.on_pass(
            Pass(
                uid=judged.uid,
                portal=config.id,
                direction=judged.direction,
                start=judged.start,
                end=judged.end,
                confidence=judged.data["confidence"],
                group=judged.data["group"],
                evidence=judged.data["evidence"],
            )
        )


def _ways(config: PortalConfig, direction: Direction) -> tuple[str | None, str | None]:
    """From which zone to which a direction leads."""
    ways = {Direction.IN: (config.outside, config.inside), Direction.OUT: (config.inside, config.outside)}
    return ways.get(direction, (None, None))


def _side(portal: Reported, track: Track, side: str, profile: Profile | None) -> PassSide | None:
    """What one side saw, or None where it saw nothing."""
    if profile is None:
        return None
    looks = [look for look in track.looks if portal.antennas[look[1]] == side]
    return {
        "reads": sum(look[2] for look in looks),
        "windows": len(profile.bins),
        "strongest_rssi": _rssi(track, max(look[3] for look in looks)),
        "centroid": rfc3339(track.since + round(profile.centroid * SECOND)),
        "spread_s": round(profile.spread, 3),
    }


def _stories(story: Likelihood) -> Stories:
    return {"in": story.inward, "out": story.outward, "back": story.back, "still": story.still}


def _raw(track: Track) -> bool:
    return UNITS[track.unit] is RssiUnit.RAW


def _rssi(track: Track, strength: int) -> float:
    return strength // CENTI[track.unit] if _raw(track) else strength / 100


def _eyes(photo_eyes: Direction | None) -> Literal["in", "out", "returned"] | None:
    """What the photo-eyes say of the direction, in words."""
    if photo_eyes is Direction.IN:
        return "in"
    if photo_eyes is Direction.OUT:
        return "out"
    return "returned" if photo_eyes is Direction.TURNED_BACK else None
