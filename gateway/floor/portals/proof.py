"""The reads behind a pass as numbers: what is told of them is rendered once, in reports.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.floor.passes import Direction
from gateway.floor.portals.finding import Finding
from gateway.floor.portals.track import Profile, Track
from gateway.floor.portals.walk_model import Likelihood


@dataclass(slots=True, frozen=True)
class SideProof:
    """What one side saw: reads, windows with any, and the strongest of them in hundredths of a decibel. `centroid`, the
    power-weighted mean time, and `spread`, its standard deviation, are seconds since the beginning of the pass."""

    reads: int
    windows: int
    strongest: int
    centroid: float
    spread: float


@dataclass(slots=True, frozen=True)
class PassProof:
    """The reads behind one pass. `first` and `last` are microseconds UTC, `strongest` is in hundredths of a decibel,
    `unit` the unit code of the reader. Antennas are numbers: those that saw the tag, the one that saw it last
    (`newest`), and those that were not at work all the while (`down`). `stuck` names the photo-eyes that were left
    out."""

    reads: int
    late: int
    first: int
    last: int
    strongest: int
    unit: int
    antennas: frozenset[int]
    newest: int
    down: tuple[int, ...]
    inside: SideProof | None
    outside: SideProof | None
    likelihood: Likelihood
    walk: Likelihood
    decided_by: Mapping[str, float]
    photo_eyes: Direction | None
    stuck: tuple[str, ...]


def proof_of(
    finding: Finding, sides: Mapping[int, str], decided_by: Mapping[str, float], stuck: list[str]
) -> PassProof:
    """The proof of a finding as it is now; `sides` gives the side of each antenna of the portal by its number."""
    track, case = finding.track, finding.case
    return PassProof(
        reads=sum(sighting[2] for sighting in track.sightings),
        late=track.late,
        first=track.since,
        last=track.last,
        strongest=max(sighting[3] for sighting in track.sightings),
        unit=track.unit,
        antennas=frozenset(sighting[1] for sighting in track.sightings),
        newest=max(track.sightings)[1],
        down=tuple(finding.down),
        inside=_side(track, sides, "inside", case.inside),
        outside=_side(track, sides, "outside", case.outside),
        likelihood=case.likelihood,
        walk=case.walk,
        decided_by=decided_by,
        photo_eyes=case.photo_eyes,
        stuck=tuple(stuck),
    )


def _side(track: Track, sides: Mapping[int, str], side: str, profile: Profile | None) -> SideProof | None:
    """What one side saw, or None where it saw nothing."""
    if profile is None:
        return None
    seen = [sighting for sighting in track.sightings if sides[sighting[1]] == side]
    return SideProof(
        reads=sum(sighting[2] for sighting in seen),
        windows=len(profile.bins),
        strongest=max(sighting[3] for sighting in seen),
        centroid=profile.centroid,
        spread=profile.spread,
    )
