"""What falls due without a sighting: arrived, not seen, departed.

A tag that waits for its time is in exactly one place of a `Waiting` (timer_wheel.py), and is looked at when that comes.
So a sighting costs nothing here. A tag whose antenna is dark is put aside until it is lit again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from gateway.clock import micros
from gateway.floor.evidence import by_margin, by_windows
from gateway.floor.presence.register import Whereabouts
from gateway.floor.presence.silence import GAPS, Gaps
from gateway.floor.presence.states import Change, State
from gateway.floor.presence.table import CHUNK_BITS
from gateway.floor.presence.timer_wheel import Waiting
from gateway.floor.readers.antennas import LIT

PIECE = 2_000
"""Tags of which something is said before that is handed on: after a restart a million may be silent at once."""


class Due:
    """The tags of `known` that wait, and what is said of them when their time has come."""

    def __init__(self, known: Whereabouts) -> None:
        self.now = 0  # everything that was due before is said
        self._known = known
        self._tags = known.tags
        self._places = known.places
        self._antenna_clock = known.antenna_clock
        self._patience = known.patience
        self._window = known.window
        self._waiting = Waiting(known.window)

    # ---- who waits

    def queue(self, slot: int) -> None:
        """The tag is looked at when it is next due, if it is not waiting already."""
        if not self._tags.queued[slot]:
            self._tags.queued[slot] = 1
            self._look(slot, self.now)

    def unpark(self, slot: int, antenna: int) -> None:
        """The tag does not wait for `antenna` any more."""
        if self._waiting.unpark(slot, antenna):
            self._waiting.add(slot, self.now)

    def dump(self) -> bytes:
        """Who waits, and for what; `now` is kept with the rest of presence."""
        return self._waiting.dump()

    def load(self, now: int, waiting: bytes, numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        self.now = now
        self._waiting.load(waiting, numbers)

    def _look(self, slot: int, now: int) -> None:
        """Looks at the tag again when it is due, and before that often enough to notice that it is due earlier."""
        tags = self._tags
        ahead = self._patience.shortest
        if tags.windows[slot] >= GAPS:
            ahead = max(ahead, self._patience.expected(tags.mean[slot], tags.widest[slot]) // 4)
        self._waiting.add(slot, max(now, min(self._due(slot), now + max(ahead, self._window))))

    def _due(self, slot: int) -> int:
        """When something is to be said of the tag, if it is not seen until then and its antenna keeps watching.

        What another zone saw just now is neither out of sight nor gone, even while it is not clear where it is.
        """
        tags, known = self._tags, self._known
        state = tags.state[slot]
        if state == State.SETTLING:
            return tags.since[slot] + known.contest.dwell
        wait = self._patience.expected(tags.mean[slot], tags.widest[slot])
        if state == State.UNSEEN:
            wait += micros(self._places.zones[known.zone(slot)].departs_after or 0)
        due = tags.last[slot] + wait + self._antenna_clock.total[tags.antenna[slot]] - tags.dark[slot]
        elsewhere = [rival.last + wait for rival in known.rivals.get(slot, {}).values()]
        return max(due, *elsewhere) if elsewhere else due

    def _park(self, slot: int, t: int) -> bool:
        """Puts the tag aside until its antenna is lit again, where it has been dark since before `t`."""
        antenna = self._tags.antenna[slot]
        since = self._antenna_clock.since[antenna]
        if since == LIT or t <= since or self._tags.state[slot] == State.SETTLING:
            return False
        self._waiting.park(slot, antenna)
        return True

    # ---- time

    def fire(self, limit: int) -> Iterator[None]:
        """Says what falls due before `limit` without another sighting, in the order of time; yields after each piece
        of it, and must be exhausted."""
        said = 0
        for antenna in self._antenna_clock.lit_again:
            for slot in self._waiting.lit(antenna):
                self._waiting.add(slot, self.now)
        self._antenna_clock.lit_again.clear()
        later: list[tuple[int, int]] = []
        while bucket := self._waiting.next(limit):
            now, slots = bucket
            slots = self._living(slots)
            waiting = [(self._due(slot), self._tags.epcs[slot], slot) for slot in slots]
            waiting.sort()
            for t, _, slot in waiting:
                if self._park(slot, t):
                    continue
                if t < limit and t < now + self._window:
                    if self._fall_due(slot, t):
                        self._look(slot, now + self._window)
                    said += 1
                    if said % PIECE == 0:
                        yield
                elif t < now + self._window:
                    later.append((slot, now))
                else:
                    self._look(slot, now)
        for slot, now in later:
            self._waiting.add(slot, now)
        self.now = max(self.now, limit)
        yield

    def redate(self, by: int) -> None:
        """Everything falls due `by` microseconds, whole windows, later."""
        self.now += by
        self._waiting.redate(by // self._window)

    def settle(self) -> None:
        """Says that the tags whose arrival is being thought over have arrived: nothing more will be heard of them."""
        tags = self._tags
        new = [slot for slot, state in enumerate(tags.state) if state == State.SETTLING]
        for slot in sorted(new, key=lambda slot: (tags.since[slot], tags.epcs[slot])):
            self._arrived(slot)

    def _living(self, slots: Iterable[int]) -> list[int]:
        """The slots that hold a tag; those whose tag was given up while they waited are free now."""
        state = self._tags.state
        living = []
        for slot in slots:
            if state[slot] == State.FREE:
                self._tags.unqueue(slot)
            else:
                living.append(slot)
        return living

    # ---- what is said then

    def _fall_due(self, slot: int, t: int) -> bool:
        """Says what is due. Returns whether the tag waits for something more."""
        self._tags.dirty[slot >> CHUNK_BITS] = 1
        state = self._tags.state[slot]
        if state == State.SETTLING:
            self._arrived(slot)
            return True
        if state == State.UNSEEN:
            if self._places.zones[self._known.zone(slot)].departs_after is None:  # not any more, that is
                self._tags.queued[slot] = 0
            else:
                self._departed(slot, t)
            return False
        return self._not_seen(slot, t)

    def _arrived(self, slot: int) -> None:
        """States the arrival of a tag in the zone that received the most power, of those that saw it since it came."""
        known, tags = self._known, self._tags
        views = known.rivals.get(slot, {})
        score = tags.level[slot] + _windows_db(tags.windows[slot])
        certain = 1.0
        if views:
            scores = {zone: view.level + _windows_db(view.windows) for zone, view in views.items()}
            best = max(scores, key=lambda zone: (scores[zone], -zone))
            certain = by_margin(abs(scores[best] - score) / 100)
            if scores[best] > score:
                known.swap(slot, views.pop(best))
            for view in views.values():
                view.restart()
        zone = known.zone(slot)
        known.states.change(slot, Change.ARRIVED, zone)
        if views:
            known.states.change(slot, Change.RIVALLED, zone)
        confidence = certain * by_windows(tags.windows[slot])
        known.say("arrived", tags.epcs[slot], tags.since[slot], known.proof(slot), confidence, target=zone)

    def _not_seen(self, slot: int, t: int) -> bool:
        known, tags = self._known, self._tags
        zone = known.zone(slot)
        known.states.change(slot, Change.SILENT, zone)
        known.say_silence("not_seen", slot, t)
        departs = self._places.zones[zone].departs_after is not None
        tags.queued[slot] = departs
        return departs

    def _departed(self, slot: int, t: int) -> None:
        known, tags = self._known, self._tags
        known.say_silence("departed", slot, t)
        gaps = Gaps(tags.antenna[slot], tags.last[slot], tags.dark[slot], tags.mean[slot], tags.widest[slot])
        known.gone.keep(tags.epcs[slot], gaps)
        tags.queued[slot] = 0
        known.forget(slot)


def _windows_db(windows: int) -> float:
    """What seeing a tag in so many windows adds to its level, in hundredths of a decibel of received power."""
    return 1000 * math.log10(max(windows, 1))
