"""Presence: the zone of each tag, by sightings, portals, events and silence, and the movements that are published of
it.

Sightings come from sightings.py, what falls due without one from timeouts.py; the states and their transitions are in
states.py. A tag that is seen once only has arrived too, with the confidence of one look: it may be a stray, and it may
be all that there is to be seen of a package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from gateway.clock import SECOND
from gateway.config import Config
from gateway.events.envelope import Fact
from gateway.floor.evidence import Evidence, Passed, Proof, by_windows
from gateway.floor.places import Places
from gateway.floor.presence.contest import Rival
from gateway.floor.presence.register import Whereabouts
from gateway.floor.presence.rivals import dumped
from gateway.floor.presence.silence import forgiven
from gateway.floor.presence.states import Change, State
from gateway.floor.presence.strays import GIVEN_UP_DIVISOR, MAX_TAGS, strays, too_many
from gateway.floor.presence.timeouts import Due
from gateway.floor.readers.antennas import AntennaClock

LOOK_AGAIN = 10 * SECOND
"""After nothing could be given up. A look at a million tags takes a tenth of a second."""


class Presence(Whereabouts):
    """The whereabouts of the tags, and what changes them: sightings, passes, events, and time that goes by.

    `room` is how many tags are kept; no more are ever loaded.
    """

    def __init__(
        self,
        config: Config,
        places: Places,
        antenna_clock: AntennaClock,
        evidence: Evidence,
        window: int,
        room: int = MAX_TAGS,
    ) -> None:
        super().__init__(config.presence, places, antenna_clock, evidence, window)
        self.room = min(room, MAX_TAGS)
        self._left_out = (0, 0)  # tags for which a checkpoint was too large, and when the last of them was seen
        self._full_until = 0  # nothing can be given up before
        self._due = Due(self)

    # ---- time

    def queue(self, slot: int) -> None:
        """The tag is looked at when it is next due, if it is not waiting already."""
        self._due.queue(slot)

    def begin(self, t: int) -> None:
        """Time has come to `t` at least, whatever the timers know: without it they would count from 1970. Tags may be
        in zones, too, that only a checkpoint still speaks of."""
        self._due.now = max(self._due.now, t)
        self.states.grow(len(self.places.zones))

    def fire(self, limit: int) -> Iterator[list[Fact]]:
        """Says, a piece at a time, what falls due before `limit` without another sighting, in the order of time."""
        for _ in self._due.fire(limit):
            yield self.said()

    def settle(self) -> list[Fact]:
        """Says that the tags whose arrival is being thought over have arrived: nothing more will be heard of them."""
        self._due.settle()
        return self.said()

    def redate(self, by: int) -> None:
        """All that is known of the tags was `by` microseconds, whole windows, later than was thought."""
        self.tags.redate(by)
        self._due.redate(by)
        self.gone.redate(by)
        for views in self.rivals.values():
            for view in views.values():
                view.redate(by)

    # ---- what a sighting leads to

    def switch(self, slot: int, antenna: int) -> None:
        """The antenna that saw the tag last is now `antenna`, of the same zone."""
        tags = self.tags
        old = tags.antenna[slot]
        tags.antenna[slot] = antenna
        tags.mask[slot] |= self.places.spots[antenna].bit
        tags.dark[slot] = self.antenna_clock.dark(antenna, tags.last[slot])
        if antenna != old:
            self._due.unpark(slot, old)

    def seen_again(self, slot: int, proof: Proof, gap: float) -> None:
        """A tag that was not seen any more was seen in its own zone, after `gap` microseconds of watching."""
        tags, zone = self.tags, self.zone(slot)
        tags.widest[slot] = max(tags.widest[slot], forgiven(gap))
        self.states.change(slot, Change.SEEN_AGAIN, zone)
        if slot in self.rivals:
            self.states.change(slot, Change.RIVALLED, zone)
        self.queue(slot)
        self.say("seen_again", tags.epcs[slot], proof.last, proof, by_windows(1), target=zone, since=tags.since[slot])

    def move(self, slot: int, zone: int, t: int) -> None:
        """The rival in `zone` takes the tag over, as is found at `t`."""
        tags, views = self.tags, self.rivals[slot]
        rival = views.pop(zone)
        source = self.zone(slot)
        confidence = self.contest.confidence(rival, t)
        since = tags.since[slot]
        for other in views.values():
            other.restart()
            other.at = t
        self._due.unpark(slot, tags.antenna[slot])
        self.swap(slot, rival)
        self.states.change(slot, Change.MOVED, source, zone)
        self.queue(slot)
        self.say(
            "moved",
            tags.epcs[slot],
            rival.entered,
            self.proof(slot),
            confidence,
            source=source,
            target=zone,
            since=since,
        )
        self.late.pop(slot, None)

    # ---- what a portal says

    def passed(self, epc: bytes, zone: int | None, proof: Proof, confidence: float, portal: Passed) -> None:
        """The tag passed into `zone` (None: off the site) at ``proof.first``. Where it was known to be there already,
        there is nothing to be said."""
        slot = self.tags.slots.get(epc)
        if slot is None or self.tags.state[slot] == State.SETTLING:
            if zone is not None:
                self._place(epc, proof)
                self.say("arrived", epc, proof.first, proof, confidence, portal=portal, target=zone)
            elif slot is not None:
                self.forget(slot)
            return
        source, since = self.zone(slot), self.tags.since[slot]
        if zone is None:
            self.forget(slot)
            self.say("departed", epc, proof.first, proof, confidence, portal=portal, source=source, since=since)
        elif zone != source:
            self._place(epc, proof)
            self.say(
                "moved", epc, proof.first, proof, confidence, portal=portal, source=source, target=zone, since=since
            )

    def _place(self, epc: bytes, proof: Proof) -> None:
        """The tag is in the zone of ``proof.antenna``, and its reads there are yet to come."""
        self.place(epc, proof, seen=True)
        slot = self.tags.slots[epc]
        self.tags.windows[slot] = 1
        self.late.pop(slot, None)

    # ---- what an event or a checkpoint says

    def place(self, epc: bytes, proof: Proof, *, seen: bool) -> None:
        """Takes over from an event that the tag is in the zone of ``proof.antenna`` since ``proof.first``."""
        tags = self.tags
        slot = tags.slots.get(epc)
        if slot is None:
            slot = tags.new(epc)
        before = self.zone(slot)
        self.rivals.pop(slot, None)
        windows = max(1, tags.windows[slot])
        level = float(proof.strongest)
        tags.since[slot] = proof.first
        self._due.unpark(slot, tags.antenna[slot])
        self.enter(slot, proof.antenna, proof.last, level, windows, proof.reads, proof.strongest, proof.mask)
        self.states.change(slot, Change.PLACED if seen else Change.LOST, before, self.zone(slot))
        self._wait(slot)

    def remove(self, epc: bytes) -> None:
        """Takes over from an event that the tag is gone."""
        slot = self.tags.slots.get(epc)
        if slot is not None:
            self._due.unpark(slot, self.tags.antenna[slot])
            self.forget(slot)

    def make_room(self, t: int) -> bool:
        """Gives up some of the tags that were seen once and never again, and says so; False where there are none."""
        slots = strays(self.tags, max(1, self.room // GIVEN_UP_DIVISOR)) if t >= self._full_until else []
        if not slots:
            self._full_until = max(self._full_until, t + LOOK_AGAIN)
            return False
        self._give_up(slots, t)
        return True

    def set_room(self, number: int, t: int) -> None:
        """From now on so many tags are kept: the oldest strays beyond are given up, and what was left out is said."""
        self.room = max(1, min(number, MAX_TAGS))
        self._full_until = 0
        (left_out, until), self._left_out = self._left_out, (0, 0)
        if left_out:
            self.say_given_up(left_out, until, until, t)
        excess = len(self.tags) - self.room
        if excess > 0 and (slots := strays(self.tags, excess)):
            self._give_up(slots, t)

    def _give_up(self, slots: list[int], t: int) -> None:
        """Forgets these tags, the oldest in front, and says how many they were."""
        first, last = self.tags.last[slots[0]], self.tags.last[slots[-1]]
        for slot in slots:
            self._due.unpark(slot, self.tags.antenna[slot])
            self.forget(slot)
        self.say_given_up(len(slots), first, last, t)

    def _wait(self, slot: int) -> None:
        """Lets a tag wait for its time, where there is something to wait for."""
        if self.tags.state[slot] != State.UNSEEN or self.places.zones[self.zone(slot)].departs_after is not None:
            self.queue(slot)

    def dump(self) -> dict[str, Any]:
        """Everything but the columns and the timers, ready for JSON."""
        return {
            "now": self._due.now,
            "units": self.units,
            "late": list(self.late.items()),
            "gone": self.gone.dump(),
            "room": self.room,
        }

    def dump_waiting(self) -> bytes:
        """The timers for a checkpoint."""
        return self._due.dump()

    def load(self, dump: Any, waiting: bytes, rivals: bytes, columns: list[bytes], numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        self.units.update(dump["units"])
        self._due.load(int(dump["now"]), waiting, numbers)
        self.room = min(self.room, int(dump.get("room", MAX_TAGS)))
        until = too_many(columns, self.room)
        self._left_out = (self.tags.load(columns, until), until)
        antenna = self.tags.antenna
        for slot in self.tags.slots.values():
            antenna[slot] = numbers[antenna[slot]]
            self._wait(slot)
        self.states.recount(self.tags.slots.values(), self.zone, len(self.places.zones))
        self.late = {int(slot): int(reads) for slot, reads in dump["late"] if self.tags.state[int(slot)]}
        self.gone.load(dump["gone"], numbers)
        self._load_views(chain(dump.get("rivals", ()), dumped(rivals)), numbers)
        for slot, state in enumerate(self.tags.state):
            if state == State.CONTESTED and slot not in self.rivals:
                self.states.change(slot, Change.ALONE, self.zone(slot))

    def _load_views(self, dump: Iterable[Any], numbers: list[int]) -> None:
        """The view of a zone that is the tag's own by now is left out."""
        zone_of = self.places.zone_of
        for slot, entries in dump:
            if self.tags.state[slot] == State.FREE:
                continue
            views = {zone_of[view.antenna]: view for view in (Rival.load(entry, numbers) for entry in entries)}
            views.pop(self.zone(slot), None)
            if views:
                self.rivals[slot] = views
