"""What a count says: who is there, how many were missed, and how that compares with who ought to be there.

RFID never says that a package is gone. A tag that was expected and not read is *missing from the count*, and each one
carries what is known of it: when and where it was seen last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from drivers.api import RssiUnit
from gateway.clock import rfc3339
from gateway.events.count_models import (
    CountEstimate,
    CountExpected,
    Differences,
    LastSighting,
    LongList,
    MissingStatus,
    MissingTag,
)
from gateway.floor.counts.estimate import LEVEL, Estimate
from gateway.floor.counts.expected import ExpectedSets
from gateway.floor.counts.run import Running
from gateway.floor.levels import CENTI, UNITS
from gateway.floor.places import Places
from gateway.floor.presence.presence import Presence
from gateway.floor.presence.states import State
from gateway.floor.tags import uid

MAX_UIDS = 10_000
"""UIDs that are listed in one event (270 kB); beyond it there is their number and their digest."""

MAX_DETAILS = 2_000
"""Tags of an expected set that one event tells about (300 kB). With more differences it is the set that is wrong."""

BY_ROUNDS: Final = "chao2"
BY_LEVELS: Final = "chao2+levels"
"""How the missed tags were estimated: from the rounds alone, or from the levels of the tags as well."""


def digest(uids: Iterable[str]) -> str:
    """SHA-256 of the UIDs in order, one a line."""
    return hashlib.sha256("\n".join(uids).encode()).hexdigest()


def listed(uids: list[str]) -> LongList | list[str]:
    """Sorted UIDs; beyond MAX_UIDS their number and the digest of the list."""
    return uids if len(uids) <= MAX_UIDS else {"number": len(uids), "sha256": digest(uids)}


def described(estimate: Estimate | None, population: int, others: int, count: Running) -> CountEstimate | None:
    """The estimate ready for JSON. Tags that are held for present count, even if no round has seen them; `others`, of
    the zone but not seen any more or still settling, may be there, so that the interval reaches them. Tags that are too
    weak to be heard come on top of all that are known. While a count has not been all over its zone, as many tags as
    came in the last third of it are expected of another third."""
    if estimate is None:
        return None
    weak = estimate.unheard
    total = max(estimate.population, population + (weak.tags if weak else 0))
    high = max(estimate.high, total, population + others + (weak.high if weak else 0))
    high += 0 if count.covered else count.new_lately
    return {
        "population": round(total, 1),
        "interval": [estimate.seen, round(high, 1)],
        "level": LEVEL,
        "missed": round(total - population, 1),
        "coverage": round(estimate.coverage, 4),
        "rounds": estimate.rounds,
        "seen_once": estimate.once,
        "seen_twice": estimate.twice,
        "new_lately": count.new_lately,
        "covered": count.covered,
        "unheard": round(weak.tags, 1) if weak else None,
        "method": BY_LEVELS if weak else BY_ROUNDS,
        "lower_bound": weak is None,
    }


class Comparison:
    """Compares what a count saw with an expected set."""

    def __init__(self, places: Places, presence: Presence, sets: ExpectedSets) -> None:
        self._places = places
        self._presence = presence
        self._sets = sets

    def expected(
        self, zone: str, own: list[str] | None, t: int, seen: set[str], passing: set[str]
    ) -> CountExpected | None:
        """`own` is the set that came with the count, if any; else that of the zone is taken, None where it has none.

        `seen` and `passing` are the UIDs that the count read in the zone. The latter belong to another zone, have left,
        or it is not decided yet where they are, so that they can be found but not be extra.
        """
        held = self._sets.get(zone)
        if own is None and held is None:
            return None
        wanted = own if own is not None else held.uids if held is not None else []
        as_of, source = (t, "command") if own is not None or held is None else (held.as_of, held.source)
        known = set(wanted)
        missing = [name for name in wanted if name not in seen and name not in passing]
        others = sorted(seen - known)
        elsewhere = [(name, where) for name in others if (where := self._sets.zone_of(name)) not in (None, zone)]
        strangers = {name for name, _ in elsewhere}
        extra = [name for name in others if name not in strangers]
        return {
            "number": len(wanted),
            "sha256": digest(wanted),
            "as_of": rfc3339(as_of),
            "source": source,
            "found": len(wanted) - len(missing),
            "missing": {
                **_bounded(missing, min(len(missing), MAX_DETAILS)),
                "tags": [self._missing(name, zone) for name in missing[:MAX_DETAILS]],
            },
            "extra": {**_bounded(extra, min(len(extra), MAX_DETAILS)), "tags": extra[:MAX_DETAILS]},
            "elsewhere": {
                **_bounded([name for name, _ in elsewhere], min(len(elsewhere), MAX_DETAILS)),
                "tags": [{"uid": name, "expected_in": where} for name, where in elsewhere[:MAX_DETAILS]],
            },
        }

    def _missing(self, name: str, zone: str) -> MissingTag:
        """A tag that was expected and not seen in this count, and where it was seen last."""
        tags = self._presence.tags
        slot = tags.slots.get(bytes.fromhex(name))
        if slot is None:
            seen = self._sets.last_seen(name)
            return {"uid": name, "status": "never seen" if seen is None else "departed", "last": seen}
        antenna = tags.antenna[slot]
        place = self._places.zones[self._places.zone_of[antenna]].id
        status: MissingStatus
        if tags.state[slot] == State.UNSEEN:
            status = "not seen"
        elif place == zone:
            status = "not seen in this count"
        else:
            status = "seen elsewhere"
        unit = self._presence.unit(antenna)
        raw = UNITS[unit] is RssiUnit.RAW
        level = tags.level[slot]
        last: LastSighting = {
            "zone": place,
            "time": rfc3339(tags.last[slot]),
            "rssi": round(level / CENTI[unit]) if raw else round(level / 100, 1),
            "rssi_unit": "raw" if raw else "dBm",
        }
        return {"uid": name, "status": status, "last": last}

    def held_in(self, name: str) -> str | None:
        """The zone in which fixed antennas see a tag now; None where none does."""
        tags = self._presence.tags
        slot = tags.slots.get(bytes.fromhex(name))
        if slot is None or tags.state[slot] in (State.SETTLING, State.UNSEEN):
            return None
        return self._places.zones[self._places.zone_of[tags.antenna[slot]]].id

    def uids(self, slots: Iterable[int]) -> list[str]:
        """The UIDs in some slots, sorted."""
        epcs = self._presence.tags.epcs
        return sorted(uid(epcs[slot]) for slot in slots)


def _bounded(names: list[str], told: int) -> Differences:
    """The number and digest of some UIDs, of which `told` are told about, and how many are beyond those."""
    return {"number": len(names), "sha256": digest(names), "beyond": len(names) - told}
