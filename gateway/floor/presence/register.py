"""The register of tags: one row of the table for each, and its rivals, the views that other zones have of it.

This is the table. What changes it is elsewhere: sightings, passes and events in presence.py, silence in timeouts.py.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal, Unpack

from gateway.config import PresenceConfig
from gateway.events.envelope import Fact
from gateway.events.models import MovementKind
from gateway.floor.evidence import Evidence, Proof, Way
from gateway.floor.places import Places
from gateway.floor.presence.contest import PATIENCE, Contest, Rival
from gateway.floor.presence.rivals import Rivals
from gateway.floor.presence.silence import FIRST_MEAN, Gone, Silence
from gateway.floor.presence.states import Change, State, States
from gateway.floor.presence.table import CHUNK_BITS, Columns
from gateway.floor.readers.antennas import AntennaClock, DarkCause


class Whereabouts:
    """The tags by slot, and the facts that were said of them. `present` and `unseen` count by zone number."""

    def __init__(
        self, config: PresenceConfig, places: Places, antenna_clock: AntennaClock, evidence: Evidence, window: int
    ) -> None:
        self.tags = Columns()
        self.rivals = Rivals()  # slot to zone number to that zone's view of the tag
        self.late: dict[int, int] = {}  # slot to late reads in its zone
        self.units: dict[str, int] = {}  # reader to unit code of its newest reads
        self.states = States(self.tags.state, len(places.zones))
        self.present, self.unseen = self.states.present, self.states.unseen
        self.contest = Contest(config)
        self.patience = Silence(config, window)
        self.gone = Gone(self.patience.longest)
        self.places = places
        self.antenna_clock = antenna_clock
        self.window = window
        self._evidence = evidence
        self._facts: list[Fact] = []

    # ---- the columns of one tag

    def enter(
        self, slot: int, antenna: int, last: int, level: float, windows: int, reads: int, strongest: int, mask: int
    ) -> None:
        """The tag's columns begin anew in the zone of `antenna`; its gaps go on."""
        tags = self.tags
        tags.antenna[slot] = antenna
        tags.last[slot] = last
        tags.dark[slot] = self.antenna_clock.dark(antenna, last)
        tags.level[slot] = level
        tags.windows[slot] = windows
        tags.reads[slot] = reads
        tags.strongest[slot] = strongest
        tags.mask[slot] = mask
        tags.mean[slot] = tags.mean[slot] or FIRST_MEAN
        tags.dirty[slot >> CHUNK_BITS] = 1

    def recall(self, slot: int) -> None:
        """A new tag may be one that was taken to have departed from where it is seen now: its gaps are known then."""
        tags = self.tags
        gaps = self.gone.take(tags.epcs[slot])
        if gaps is not None and self.places.zone_of[gaps.antenna] == self.zone(slot):
            t = tags.last[slot]
            tags.mean[slot] = gaps.mean
            tags.widest[slot] = self.gone.widest(gaps, t, self.antenna_clock.dark(gaps.antenna, t))

    def forget(self, slot: int) -> None:
        """Nothing is known of the tag any more."""
        self.states.change(slot, Change.FORGOTTEN, self.zone(slot))
        self.rivals.pop(slot, None)
        self.late.pop(slot, None)
        self.tags.release(slot)

    def zone_of(self, epc: bytes) -> str | None:
        """The id of the zone that a tag is in, or was in last; empty while its arrival is not decided, None for a tag
        that is not known."""
        slot = self.tags.slots.get(epc)
        if slot is None:
            return None
        return "" if self.tags.state[slot] == State.SETTLING else self.places.zones[self.zone(slot)].id

    def seen(self, uid: str) -> tuple[str, int] | None:
        """The zone in which a tag is, or was seen last, and when; None where that is not known."""
        epc = bytes.fromhex(uid)
        zone = self.zone_of(epc)
        return (zone, self.tags.last[self.tags.slots[epc]]) if zone else None

    def holds(self, zone: int) -> bool:
        """Whether any tag is in the zone, read or not."""
        return self.present[zone] + self.unseen[zone] > 0

    def inside(self, zones: Collection[str]) -> dict[str, str]:
        """UID to zone of the tags that are in one of these zones: a look at every tag."""
        numbers = {self.places.zone_numbers[zone]: zone for zone in zones if zone in self.places.zone_numbers}
        tags, here = self.tags, (State.PRESENT, State.CONTESTED)
        return {
            epc.hex().upper(): numbers[zone]
            for epc, slot in tags.slots.items()
            if tags.state[slot] in here and (zone := self.zone(slot)) in numbers
        }

    def zone(self, slot: int) -> int:
        """The number of the zone in which the tag of a slot is."""
        return self.places.zone_of[self.tags.antenna[slot]]

    def silence(self, slot: int, t: int) -> int:
        """The microseconds up to `t` for which the antenna that saw the tag last has watched in vain."""
        tags = self.tags
        return t - tags.last[slot] - (self.antenna_clock.dark(tags.antenna[slot], t) - tags.dark[slot])

    def level(self, slot: int, t: int) -> float:
        """How strongly the tag's own zone still holds it at `t`, in hundredths of a decibel."""
        tags = self.tags
        if DarkCause.RETIRED in self.antenna_clock.causes[tags.antenna[slot]]:
            return -math.inf
        scale = max(tags.mean[slot], PATIENCE * tags.widest[slot])
        return self.contest.faded(tags.level[slot], self.silence(slot, t), scale)

    def unit(self, antenna: int) -> int:
        """The code of the unit in which the reader of an antenna gives RSSI."""
        return self.units.get(self.places.spots[antenna].reader, 0)

    # ---- the views of other zones

    def swap(self, slot: int, rival: Rival) -> None:
        """The tag is in the rival's zone, with the rival's evidence; the zone that it was in is a rival now. How well
        the tag is read, its mean and widest gap, is its own, and is taken along."""
        tags = self.tags
        loser = Rival(tags.antenna[slot], tags.level[slot], tags.last[slot])
        loser.at = rival.at
        self.rivals[slot][self.zone(slot)] = loser
        tags.since[slot] = rival.entered
        self.enter(
            slot, rival.antenna, rival.last, rival.level, rival.windows, rival.reads, rival.strongest, rival.mask
        )

    # ---- words

    def proof(self, slot: int) -> Proof:
        """What is known of the tag in its zone, as the proof of a movement."""
        tags = self.tags
        return Proof(
            tags.antenna[slot],
            tags.mask[slot],
            tags.reads[slot],
            tags.strongest[slot],
            tags.since[slot],
            tags.last[slot],
            self.unit(tags.antenna[slot]),
            self.late.get(slot, 0),
        )

    def say(
        self, movement: MovementKind, epc: bytes, t: int, proof: Proof, confidence: float, **way: Unpack[Way]
    ) -> None:
        """Says a movement; `way` is from where to where, and since when."""
        self._facts.append(self._evidence.movement(movement, epc, t, proof, confidence, **way))

    def say_silence(self, movement: Literal["not_seen", "departed"], slot: int, t: int) -> None:
        """Says that the tag is not seen, or has departed, since nothing read it up to `t`."""
        tags = self.tags
        silence = self.silence(slot, t)
        expected = self.patience.expected(tags.mean[slot], tags.widest[slot])
        self.say(
            movement,
            tags.epcs[slot],
            t,
            self.proof(slot),
            self.patience.confidence(tags.windows[slot], expected, silence),
            source=self.zone(slot),
            since=tags.since[slot],
            silence=(t - tags.last[slot], expected),
        )

    def say_given_up(self, number: int, first: int, last: int, t: int) -> None:
        """Says that so many tags, which were seen once between `first` and `last`, are forgotten for want of room."""
        self._facts.append(self._evidence.tags_given_up(number, first, last, t))

    def said(self) -> list[Fact]:
        """Hands over what was said since it was asked for last."""
        facts, self._facts = self._facts, []
        return facts
