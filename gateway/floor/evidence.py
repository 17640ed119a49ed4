"""What a fact rests on, and how sure it is.

Confidence is a share: of the facts published with confidence p, a share p should be right. The parts that it is made
of have a meaning each: one window alone may be a reflection (half of them are, at an open dock), and a margin
between two zones of so many decibels has the odds of that power ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypedDict, Unpack

from drivers.api import RssiUnit
from gateway.clock import SECOND, parse_rfc3339, rfc3339
from gateway.config import Config
from gateway.events.envelope import Fact, loss, movement
from gateway.events.models import Clock, Loss, Movement, MovementEvidence, MovementKind
from gateway.floor.levels import CENTI, UNITS
from gateway.floor.places import Places
from gateway.floor.readers.history import ReaderHistory
from gateway.floor.tags import uid

ALGORITHM = "presence/3"

MOST = 0.999
"""The highest confidence that is said: nothing that rests on radio is certain."""


def by_windows(windows: int) -> float:
    """Confidence that a tag was really there, from the number of windows in which it was seen."""
    return 1 - 0.5 ** min(windows, 20)


def by_margin(decibel: float) -> float:
    """Confidence that the stronger of two zones is the right one."""
    odds = 10 ** (min(max(decibel, 0.0), 60.0) / 10)
    return odds / (1 + odds)


Passed: TypeAlias = tuple[str, MovementEvidence]
"""The portal through which a tag passed, and the evidence of that."""


class Way(TypedDict, total=False):
    """From which zone a tag moved to which, by their numbers, and when it came to the first. `silence`: how long
    nothing read it, and how long that was expected. `portal` is what the movement rests on instead of reads, where a
    pass moved the tag. Times in microseconds."""

    source: int | None
    target: int | None
    since: int | None
    silence: tuple[int, int] | None
    portal: Passed | None


@dataclass(slots=True)
class Proof:
    """The reads behind a movement. Times in microseconds UTC, `strongest` in hundredths of a decibel,
    `unit` the unit code in which the reader said it."""

    antenna: int
    mask: int
    reads: int
    strongest: int
    first: int
    last: int
    unit: int
    late: int


class Evidence:
    """Writes movements down."""

    def __init__(self, config: Config, places: Places, reader_history: ReaderHistory) -> None:
        self._gateway = config.gateway
        self.digest = config.digest()
        self._places = places
        self._reader_history = reader_history

    def movement(
        self,
        kind: MovementKind,
        epc: bytes,
        t: int,
        proof: Proof,
        confidence: float,
        **way: Unpack[Way],
    ) -> Fact:
        """The fact of a movement."""
        source, target, since = way.get("source"), way.get("target"), way.get("since")
        silence, portal = way.get("silence"), way.get("portal")
        zones = self._places.zones
        place = zones[target if target is not None else source or 0].id
        data: Movement = {
            "uid": uid(epc),
            "epc": uid(epc),
            "movement": kind,
            "from": None if source is None else zones[source].id,
            "to": None if target is None else zones[target].id,
            "since": None if since is None else rfc3339(since),
            "confidence": round(min(max(confidence, 0.0), MOST), 3),
            "evidence": self._proof(proof) if portal is None else portal[1].copy(),
        }
        if portal is not None:
            data["portal"] = portal[0]
        if silence is not None:
            data["evidence"]["silence_s"] = round(silence[0] / SECOND, 3)
            data["evidence"]["expected_within_s"] = round(silence[1] / SECOND, 3)
        return movement(place, t, data)

    def tags_given_up(self, number: int, first: int, last: int, t: int) -> Fact:
        """The loss of `number` tags that were seen once, from `first` to `last`, and were forgotten at `t` for want
        of room."""
        data: Loss = {
            "reader": self._gateway,
            "cause": "tags-given-up",
            "start": rfc3339(first),
            "end": rfc3339(last),
            "certain": True,
            "tags": number,
        }
        return loss(self._gateway, t, data)

    def _proof(self, proof: Proof) -> MovementEvidence:
        spot = self._places.spots[proof.antenna]
        raw = UNITS[proof.unit] is RssiUnit.RAW
        return {
            "reads": proof.reads,
            "antennas": self._places.names(spot.zone, proof.mask),
            "strongest_rssi": proof.strongest // CENTI[proof.unit] if raw else proof.strongest / 100,
            "rssi_unit": "raw" if raw else "dBm",
            "first": rfc3339(proof.first),
            "last": rfc3339(proof.last),
            "late_reads": proof.late,
            "clock": self.clock(spot.reader),
            "config": self.digest,
            "algorithm": ALGORITHM,
        }

    def clock(self, reader: str) -> Clock:
        """Where the times of a reader's reads come from, and by how much they were corrected."""
        past = self._reader_history.readers.get(reader)
        if past is None:
            return {"quality": "unknown", "offset_us": 0}
        return {"quality": past.quality, "offset_us": past.offset}


def proof_from(data: Mapping[str, Any], zone: int, places: Places) -> Proof | None:
    """The proof of a movement that was written down, with its tag in `zone` since `first`.

    None where no antenna looks at the zone any more.
    """
    evidence = data["evidence"]
    antennas = places.in_zone[zone] or [number for number in (places.unwatched.get(zone),) if number is not None]
    if not antennas:
        return None
    named = [number for number in antennas if places.spots[number].name in evidence["antennas"]] or antennas[:1]
    raw = evidence["rssi_unit"] == "raw"
    entered = data["since"] if data["movement"] in ("not_seen", "seen_again") else evidence["first"]
    return Proof(
        antenna=named[-1],
        mask=sum({places.spots[number].bit for number in named}),
        reads=int(evidence["reads"]),
        strongest=round(evidence["strongest_rssi"] * (CENTI[UNITS.index(RssiUnit.RAW)] if raw else 100)),
        first=parse_rfc3339(entered or evidence["first"]),
        last=parse_rfc3339(evidence["last"]),
        unit=UNITS.index(RssiUnit.RAW if raw else RssiUnit.DBM),
        late=int(evidence["late_reads"]),
    )
