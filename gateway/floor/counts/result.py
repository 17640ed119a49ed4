"""What a count comes to: the data of its event when it ends, and the same while it goes on, for who stands there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drivers.api import RssiUnit
from gateway.clock import rfc3339
from gateway.events.count_models import CountData
from gateway.floor.counts.estimate import estimate
from gateway.floor.counts.levels import Unheard, unheard
from gateway.floor.counts.report import Comparison, described, listed
from gateway.floor.counts.run import Running
from gateway.floor.counts.sessions import Session
from gateway.floor.counts.watched import Watched
from gateway.floor.evidence import MOST, Evidence
from gateway.floor.levels import UNITS
from gateway.floor.places import Places
from gateway.floor.presence.presence import Presence
from gateway.floor.presence.states import State
from gateway.floor.tags import Foreign, uid

ALGORITHM = "count/5"


@dataclass(slots=True, frozen=True)
class Results:
    """Where a count finds what it has to say."""

    places: Places
    presence: Presence
    foreign: Foreign
    evidence: Evidence
    watched: Watched
    comparison: Comparison

    def of(self, count: Running, t: int, session: Session | None = None) -> CountData:
        """The count as it stands at `t`, ready for JSON. What it read is there: a tag that fell silent since then is
        not missing, and one whose zone is another was found here all the same.

        What the handhelds of its `session` read is counted as well, but for tags that fixed antennas see elsewhere.
        """
        zone = self.places.zone_numbers[count.zone]
        present, unseen, settling = self._members(zone, count.start)
        tags = self.presence.tags
        epcs, last = tags.epcs, tags.last
        seen = [slot for slot in present if last[slot] >= count.start]
        uids = self.comparison.uids
        known = set(uids(seen))
        hand, through = self._by_hand(count, session)
        if hand:
            settling = [slot for slot in settling if uid(epcs[slot]) not in hand]
            unseen = [slot for slot in unseen if uid(epcs[slot]) not in hand]
            known |= hand
        counted = uids(present) if not hand else sorted({*uids(present), *hand})
        passing = {uid(epc) for epc in count.near | count.tags.keys()} | through
        quality = self.watched.quality(count, t)
        guess = None
        if not count.too_many and count.rounds:
            weak = None if hand else self._unheard([*present, *settling, *unseen])
            frequencies = count.frequencies({*(epcs[slot] for slot in (*seen, *settling)), *map(bytes.fromhex, hand)})
            found = estimate(frequencies, count.rounds, weak)
            guess = described(found, len(counted), len(settling) + len(unseen), count)
        total = max(guess["population"] if guess else len(counted), len(counted))
        looked = max(quality["duty"], count.rounds / max(count.rounds + count.blind, 1) if hand else 0.0)
        return {
            "zone": count.zone,
            "trigger": count.trigger,
            "request": count.request,
            "by": count.by,
            "scheduled": rfc3339(count.due) if count.due else None,
            "started": rfc3339(count.start),
            "ended": rfc3339(t),
            "rounds": {"looked": count.rounds, "blind": count.blind, "ended_by": count.finished or "duration"},
            "population": len(counted),
            "seen": len(known),
            "unconfirmed": len(counted) - len(known),
            "settling": len(settling),
            "not_seen": len(unseen),
            "foreign": self.foreign.count(zone, count.start),
            "estimate": guess,
            "uids": listed(counted),
            "not_seen_uids": listed(uids(unseen)),
            "expected": self.comparison.expected(
                count.zone, count.expected, count.start, known, (passing - known) | set(uids(settling))
            ),
            "session": session.described(sorted(hand), len(through), t, guess["coverage"] if guess else None)
            if session is not None
            else None,
            "quality": quality,
            "confidence": round(min(looked * (len(known) / total if total else 1.0), MOST), 3),
            "evidence": {"config": self.evidence.digest, "algorithm": ALGORITHM},
        }

    def _by_hand(self, count: Running, session: Session | None) -> tuple[set[str], set[str]]:
        """UIDs of the zone that handhelds read, and those that they read and fixed antennas see in another zone."""
        if session is None:
            return set(), set()
        read = set(session.of(count.zone))
        through = {name for name in read if self.comparison.held_in(name) not in (None, count.zone)}
        return read - through, through

    def _unheard(self, slots: list[int]) -> Unheard | None:
        """What the levels of all tags of a zone say of those that are too weak. A raw level has no unit, and nothing
        follows from how it falls off."""
        tags = self.presence.tags
        units = {UNITS[self.presence.unit(antenna)] for antenna in {tags.antenna[slot] for slot in slots}}
        return None if RssiUnit.RAW in units else unheard(tags.strongest[slot] for slot in slots)

    def _members(self, zone: int, start: int) -> tuple[list[int], list[int], list[int]]:
        """Slots of the tags in a zone: those that are present or were read since `start`, those that were not seen any
        more before, and those that were read since `start` but not long enough to say that they have arrived."""
        tags, zone_of = self.presence.tags, self.places.zone_of
        present: list[int] = []
        unseen: list[int] = []
        settling: list[int] = []
        for slot, state in enumerate(tags.state):
            if state != State.FREE and zone_of[tags.antenna[slot]] == zone:
                read = tags.last[slot] >= start
                if state == State.SETTLING:
                    settling += [slot] * read
                elif read or state != State.UNSEEN:
                    present.append(slot)
                else:
                    unseen.append(slot)
        return present, unseen, settling


def outline(data: Mapping[str, Any]) -> dict[str, Any]:
    """A count in short, for the retained state of its zone."""
    keep = ("started", "ended", "population", "seen", "not_seen", "confidence")
    short = {key: data[key] for key in keep}
    if data["expected"] is not None:
        short["expected"] = data["expected"]["number"]
        short["found"] = data["expected"]["found"]
        short |= {key: data["expected"][key]["number"] for key in ("missing", "extra", "elsewhere")}
    return short
