"""Where each tag is: arrived, moved, not seen, seen again, departed.

::

    (new) --first sighting--> SETTLING --after `dwell`: arrived--> PRESENT <--> CONTESTED (another zone sees it too)
    PRESENT, CONTESTED --silence beyond its own window: not seen--> UNSEEN --seen in its zone: seen again--> PRESENT
    PRESENT, CONTESTED, UNSEEN --another zone takes it over: moved--> CONTESTED
    UNSEEN --silence for `departs_after` more, where the zone has it: departed--> (forgotten)

A tag that is seen once only has arrived too, with the confidence of one look: it may be a stray, and it may be all
that there is to be seen of a package. Sightings come from sightings.py; what falls due without one is found here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from gateway.clock import micros
from gateway.config import Config
from gateway.events import Fact
from gateway.floor.columns import CHUNK_BITS, Columns, State
from gateway.floor.departure import GAPS, Departure
from gateway.floor.evidence import Evidence, Passed, Proof, by_looks, by_margin
from gateway.floor.places import Places
from gateway.floor.rivals import Arbitration, Rival
from gateway.floor.timers import Waiting
from gateway.floor.watch import LIT, Cause, Watch


class Presence:
    """The tags, their states, and the facts that a change of state is. `present` and `unseen` count by zone number."""

    def __init__(self, config: Config, places: Places, watch: Watch, evidence: Evidence, window: int) -> None:
        self.tags = Columns()
        self.rivals: dict[int, dict[int, Rival]] = {}  # slot to zone number to that zone's view of the tag
        self.late: dict[int, int] = {}  # slot to late reads in its zone
        self.units: dict[str, int] = {}  # reader to unit code of its newest reads
        self.present = [0] * len(places.zones)
        self.unseen = [0] * len(places.zones)
        self.arbitration = Arbitration(config.presence)
        self._departure = Departure(config.presence, window)
        self._places = places
        self._watch = watch
        self._evidence = evidence
        self._window = window
        self._waiting = Waiting(window)
        self._now = 0  # everything that was due before is said
        self._facts: list[Fact] = []

    def said(self) -> list[Fact]:
        """Hands over what was said since it was asked for last."""
        facts, self._facts = self._facts, []
        return facts

    # ---- the columns of one tag

    def enter(
        self, slot: int, antenna: int, last: int, level: float, looks: int, reads: int, strongest: int, mask: int
    ) -> None:
        """The tag's columns begin anew in the zone of `antenna`."""
        tags = self.tags
        tags.antenna[slot] = antenna
        tags.last[slot] = last
        tags.dark[slot] = self._watch.dark(antenna, last)
        tags.level[slot] = level
        tags.looks[slot] = looks
        tags.reads[slot] = reads
        tags.strongest[slot] = strongest
        tags.mask[slot] = mask
        tags.mean[slot] = self._departure.shortest
        tags.widest[slot] = 0.0
        tags.dirty[slot >> CHUNK_BITS] = 1

    def switch(self, slot: int, antenna: int) -> None:
        """The antenna that saw the tag last is now `antenna`, of the same zone."""
        tags = self.tags
        old = tags.antenna[slot]
        tags.antenna[slot] = antenna
        tags.mask[slot] |= self._places.spots[antenna].bit
        tags.dark[slot] = self._watch.dark(antenna, tags.last[slot])
        if antenna != old:
            self._unpark(slot, old)

    def silence(self, slot: int, t: int) -> int:
        """For how long the antenna that saw the tag last was watching in vain at `t`."""
        tags = self.tags
        return t - tags.last[slot] - (self._watch.dark(tags.antenna[slot], t) - tags.dark[slot])

    def level(self, slot: int, t: int) -> float:
        """How strongly the tag's own zone still holds it at `t`, in hundredths of a decibel."""
        tags = self.tags
        if tags.state[slot] == State.UNSEEN or Cause.RETIRED in self._watch.causes[tags.antenna[slot]]:
            return -math.inf
        scale = max(tags.mean[slot], tags.widest[slot])
        return self.arbitration.faded(tags.level[slot], self.silence(slot, t), scale)

    def unit(self, antenna: int) -> int:
        """The code of the unit in which the reader of an antenna gives RSSI."""
        return self.units.get(self._places.spots[antenna].reader, 0)

    def _zone(self, slot: int) -> int:
        return self._places.zone_of[self.tags.antenna[slot]]

    def _proof(self, slot: int) -> Proof:
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

    # ---- what a sighting leads to

    def seen_again(self, slot: int, proof: Proof) -> None:
        """A tag that was not seen any more was seen in its own zone."""
        zone = self._zone(slot)
        self.unseen[zone] -= 1
        self.present[zone] += 1
        self.tags.state[slot] = State.CONTESTED if slot in self.rivals else State.PRESENT
        self.queue(slot)
        self._say("seen_again", slot, proof.last, proof, by_looks(1), target=zone, since=self.tags.since[slot])

    def move(self, slot: int, zone: int, t: int) -> None:
        """The rival in `zone` takes the tag over, as is found at `t`."""
        tags, views = self.tags, self.rivals[slot]
        rival = views.pop(zone)
        source = self._zone(slot)
        confidence = by_looks(rival.looks) * by_margin((rival.level - self.level(slot, t)) / 100)
        since = tags.since[slot]
        (self.unseen if tags.state[slot] == State.UNSEEN else self.present)[source] -= 1
        self.present[zone] += 1
        self._swap(slot, rival)
        tags.state[slot] = State.CONTESTED
        self.queue(slot)
        self._say("moved", slot, rival.entered, self._proof(slot), confidence, source=source, target=zone, since=since)
        self.late.pop(slot, None)

    def _swap(self, slot: int, rival: Rival) -> None:
        """The tag is in the rival's zone, with the rival's evidence; the zone that it was in is a rival now."""
        tags = self.tags
        old = tags.antenna[slot]
        self.rivals[slot][self._zone(slot)] = Rival(old, tags.level[slot], tags.last[slot])
        self._unpark(slot, old)
        tags.since[slot] = rival.entered
        self.enter(slot, rival.antenna, rival.last, rival.level, rival.looks, rival.reads, rival.strongest, rival.mask)
        if rival.looks > 1:
            tags.mean[slot] = max(self._window, (rival.last - rival.first) / (rival.looks - 1))

    # ---- what falls due

    def queue(self, slot: int) -> None:
        """The tag is looked at when it is next due, if it is not waiting already."""
        if not self.tags.queued[slot]:
            self.tags.queued[slot] = 1
            self._look(slot, self._now)

    def _look(self, slot: int, now: int) -> None:
        """Looks at the tag again when it is due, and before that often enough to notice that it is due earlier."""
        tags = self.tags
        ahead = self._departure.shortest
        if tags.looks[slot] >= GAPS:
            ahead = max(ahead, self._departure.expected(tags.mean[slot], tags.widest[slot]) // 4)
        self._waiting.add(slot, max(now, min(self._due(slot), now + max(ahead, self._window))))

    def fire(self, limit: int) -> list[Fact]:
        """Says what falls due before `limit` without another sighting, in the order of time."""
        for antenna in self._watch.lit_again:
            for slot in self._waiting.lit(antenna):
                self._waiting.add(slot, self._now)
        self._watch.lit_again.clear()
        later: list[tuple[int, int]] = []
        while bucket := self._waiting.next(limit):
            now, slots = bucket
            slots = self._living(slots)
            waiting = [(self._due(slot), self.tags.epcs[slot], slot) for slot in slots]
            waiting.sort()
            for t, _, slot in waiting:
                if self._park(slot, t):
                    continue
                if t < limit and t < now + self._window:
                    if self._fall_due(slot, t):
                        self._look(slot, now + self._window)
                elif t < now + self._window:
                    later.append((slot, now))
                else:
                    self._look(slot, now)
        for slot, now in later:
            self._waiting.add(slot, now)
        self._now = max(self._now, limit)
        return self.said()

    def _living(self, slots: Iterable[int]) -> list[int]:
        """The slots that hold a tag; those whose tag was given up while they waited are free now."""
        state = self.tags.state
        living = []
        for slot in slots:
            if state[slot] == State.FREE:
                self.tags.unqueue(slot)
            else:
                living.append(slot)
        return living

    def settle(self) -> list[Fact]:
        """Says that the tags whose arrival is being thought over have arrived: nothing more will be heard of them."""
        tags = self.tags
        new = [slot for slot, state in enumerate(tags.state) if state == State.SETTLING]
        for slot in sorted(new, key=lambda slot: (tags.since[slot], tags.epcs[slot])):
            self._arrived(slot)
        return self.said()

    def _due(self, slot: int) -> int:
        """When something is to be said of the tag, if it is not seen until then and its antenna keeps watching."""
        tags = self.tags
        state = tags.state[slot]
        if state == State.SETTLING:
            return tags.since[slot] + self.arbitration.dwell
        wait = self._departure.expected(tags.mean[slot], tags.widest[slot])
        if state == State.UNSEEN:
            wait += micros(self._places.zones[self._zone(slot)].departs_after or 0)
        return tags.last[slot] + wait + self._watch.total[tags.antenna[slot]] - tags.dark[slot]

    def _park(self, slot: int, t: int) -> bool:
        """Puts the tag aside until its antenna is lit again, where it has been dark since before `t`."""
        antenna = self.tags.antenna[slot]
        since = self._watch.since[antenna]
        if since == LIT or t <= since or self.tags.state[slot] == State.SETTLING:
            return False
        self._waiting.park(slot, antenna)
        return True

    def _unpark(self, slot: int, antenna: int) -> None:
        """The tag does not wait for `antenna` any more."""
        if self._waiting.unpark(slot, antenna):
            self._waiting.add(slot, self._now)

    def _fall_due(self, slot: int, t: int) -> bool:
        """Says what is due. Returns whether the tag waits for something more."""
        self.tags.dirty[slot >> CHUNK_BITS] = 1
        state = self.tags.state[slot]
        if state == State.SETTLING:
            self._arrived(slot)
            return True
        if state == State.UNSEEN:
            if self._places.zones[self._zone(slot)].departs_after is None:  # not any more, that is
                self.tags.queued[slot] = 0
            else:
                self._departed(slot, t)
            return False
        return self._not_seen(slot, t)

    def _arrived(self, slot: int) -> None:
        """It is in the zone in which the most power was received, of those that saw it since it came."""
        tags, views = self.tags, self.rivals.get(slot, {})
        score = tags.level[slot] + _looks_db(tags.looks[slot])
        certain = 1.0
        if views:
            scores = {zone: view.level + _looks_db(view.looks) for zone, view in views.items()}
            best = max(scores, key=lambda zone: (scores[zone], -zone))
            certain = by_margin(abs(scores[best] - score) / 100)
            if scores[best] > score:
                self._swap(slot, views.pop(best))
            for view in views.values():
                view.restart()
        tags.state[slot] = State.CONTESTED if views else State.PRESENT
        zone = self._zone(slot)
        self.present[zone] += 1
        confidence = certain * by_looks(tags.looks[slot])
        self._say("arrived", slot, tags.since[slot], self._proof(slot), confidence, target=zone)

    def _not_seen(self, slot: int, t: int) -> bool:
        tags, zone = self.tags, self._zone(slot)
        tags.state[slot] = State.UNSEEN
        self.present[zone] -= 1
        self.unseen[zone] += 1
        self._say_silence("not_seen", slot, t)
        departs = self._places.zones[zone].departs_after is not None
        tags.queued[slot] = departs
        return departs

    def _departed(self, slot: int, t: int) -> None:
        self.unseen[self._zone(slot)] -= 1
        self._say_silence("departed", slot, t)
        self.tags.queued[slot] = 0
        self.forget(slot)

    def forget(self, slot: int) -> None:
        """Nothing is known of the tag any more."""
        self.rivals.pop(slot, None)
        self.late.pop(slot, None)
        self.tags.release(slot)

    # ---- what a portal says

    def passed(self, epc: bytes, zone: int | None, proof: Proof, confidence: float, portal: Passed) -> None:
        """The tag passed into `zone` (None: off the site) at ``proof.first``. Where it was known to be there already,
        there is nothing to be said."""
        slot = self.tags.slots.get(epc)
        if slot is None or self.tags.state[slot] == State.SETTLING:
            if zone is not None:
                self._place(epc, proof)
                self._tell("arrived", epc, proof, confidence, portal, target=zone)
            elif slot is not None:
                self.forget(slot)
            return
        source, since = self._zone(slot), self.tags.since[slot]
        if zone is None:
            self._uncount(slot)
            self.forget(slot)
            self._tell("departed", epc, proof, confidence, portal, source=source, since=since)
        elif zone != source:
            self._place(epc, proof)
            self._tell("moved", epc, proof, confidence, portal, source=source, target=zone, since=since)

    def _place(self, epc: bytes, proof: Proof) -> None:
        """The tag is in the zone of ``proof.antenna``, and its reads there are yet to come."""
        self.place(epc, proof, seen=True)
        slot = self.tags.slots[epc]
        self.tags.looks[slot] = 1
        self.late.pop(slot, None)

    def _tell(self, movement: str, epc: bytes, proof: Proof, confidence: float, portal: Passed, **where: int) -> None:
        self._facts.append(
            self._evidence.movement(movement, epc, proof.first, proof, confidence, portal=portal, **where)  # type: ignore[arg-type]
        )

    # ---- what an event or a checkpoint says

    def place(self, epc: bytes, proof: Proof, *, seen: bool) -> None:
        """Takes over from an event that the tag is in the zone of ``proof.antenna`` since ``proof.first``."""
        tags = self.tags
        slot = tags.slots.get(epc)
        if slot is None:
            slot = tags.new(epc)
        else:
            self._uncount(slot)
        self.rivals.pop(slot, None)
        looks = max(1, tags.looks[slot])
        level = float(proof.strongest)
        tags.since[slot] = proof.first
        self._unpark(slot, tags.antenna[slot])
        self.enter(slot, proof.antenna, proof.last, level, looks, proof.reads, proof.strongest, proof.mask)
        tags.state[slot] = State.PRESENT if seen else State.UNSEEN
        self._count(slot)

    def remove(self, epc: bytes) -> None:
        """Takes over from an event that the tag is gone."""
        slot = self.tags.slots.get(epc)
        if slot is not None:
            self._uncount(slot)
            self._waiting.discard(slot)
            self.forget(slot)

    def _uncount(self, slot: int) -> None:
        if self.tags.state[slot] == State.UNSEEN:
            self.unseen[self._zone(slot)] -= 1
        elif self.tags.state[slot] != State.SETTLING:
            self.present[self._zone(slot)] -= 1

    def _count(self, slot: int) -> None:
        """Counts a tag in its zone, and lets it wait where it has to."""
        zone, state = self._zone(slot), self.tags.state[slot]
        if state == State.UNSEEN:
            self.unseen[zone] += 1
        elif state != State.SETTLING:
            self.present[zone] += 1
        if state != State.UNSEEN or self._places.zones[zone].departs_after is not None:
            self.queue(slot)

    def dump(self) -> dict[str, Any]:
        """Everything but the columns and the timers, ready for JSON."""
        return {
            "now": self._now,
            "units": self.units,
            "late": list(self.late.items()),
            "rivals": [[slot, [view.dump() for view in views.values()]] for slot, views in self.rivals.items()],
        }

    def dump_waiting(self) -> bytes:
        return self._waiting.dump()

    def load(self, dump: Any, waiting: bytes, columns: list[bytes], numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        self._now = int(dump["now"])
        self.units.update(dump["units"])
        self.late = {int(slot): int(reads) for slot, reads in dump["late"]}
        self._waiting.load(waiting, numbers)
        self.tags.load(columns)
        zones = len(self._places.zones)
        self.present, self.unseen = [0] * zones, [0] * zones
        antenna = self.tags.antenna
        for slot in self.tags.slots.values():
            antenna[slot] = numbers[antenna[slot]]
            self._count(slot)
        for slot, views in dump["rivals"]:
            self._load_rivals(slot, [Rival.load(view, numbers) for view in views])

    def _load_rivals(self, slot: int, views: list[Rival]) -> None:
        zone_of = self._places.zone_of
        rivals = {zone_of[view.antenna]: view for view in views if zone_of[view.antenna] != self._zone(slot)}
        if rivals:
            self.rivals[slot] = rivals
        elif self.tags.state[slot] == State.CONTESTED:
            self.tags.state[slot] = State.PRESENT

    # ---- words

    def _say(self, movement: str, slot: int, t: int, proof: Proof, confidence: float, **where: int) -> None:
        self._facts.append(
            self._evidence.movement(movement, self.tags.epcs[slot], t, proof, confidence, **where)  # type: ignore[arg-type]
        )

    def _say_silence(self, movement: str, slot: int, t: int) -> None:
        """Confidence is that of the tag having been there, and of such a silence not being chance."""
        tags = self.tags
        expected = self._departure.expected(tags.mean[slot], tags.widest[slot])
        chance = math.exp(-expected / max(tags.mean[slot], 1.0))
        self._facts.append(
            self._evidence.movement(
                movement,
                tags.epcs[slot],
                t,
                self._proof(slot),
                by_looks(tags.looks[slot]) * (1 - chance),
                source=self._zone(slot),
                since=tags.since[slot],
                silence=(t - tags.last[slot], expected),
            )
        )


def _looks_db(looks: int) -> float:
    """What seeing a tag in so many windows adds to its level, in hundredths of a decibel of received power."""
    return 1000 * math.log10(max(looks, 1))
