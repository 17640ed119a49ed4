"""The second stage: what the sightings of a window say about the tags.

Almost every sighting is of a tag that is where it was; `_plain` takes those in with nothing but columns and sums.
The others go one by one to the tag's own zone or to a rival of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.config import Config
from gateway.floor.columns import BlockSightings
from gateway.floor.evidence import Proof
from gateway.floor.levels import CENTI
from gateway.floor.places import NO_ZONE, Places
from gateway.floor.portals import Portals
from gateway.floor.portals.phases import Phase
from gateway.floor.portals.portal import Portal
from gateway.floor.presence.contest import FADED, Rival, smooth
from gateway.floor.presence.plain import PlainSightings
from gateway.floor.presence.presence import Presence
from gateway.floor.presence.silence import GAPS, MEMORY, SHARES, remember
from gateway.floor.presence.states import Change, State
from gateway.floor.presence.table import CHUNK_BITS, ROW
from gateway.floor.reader_windows import AntennaSightings, ClosedWindow
from gateway.floor.readers.antennas import LIT
from gateway.floor.readers.history import ReaderHistory
from gateway.floor.sighting_columns import dictionaries
from gateway.floor.stats import FloorStats
from gateway.floor.tags import Foreign, TagFilter, encoded_twice

_PRESENT = int(State.PRESENT)


@dataclass(slots=True)
class Sighting:
    """One sighting: antenna number, start of its window and its time, and RSSI in hundredths of a decibel."""

    antenna: int
    start: int
    t: int
    reads: int
    strength: int
    late: bool


class Sightings:
    """Takes closed windows in and keeps `presence` up to date; what that leads to is said there."""

    def __init__(
        self,
        config: Config,
        places: Places,
        reader_history: ReaderHistory,
        presence: Presence,
        portals: Portals,
        window: int,
        stats: FloorStats,
    ) -> None:
        self.foreign = Foreign()
        self._filter = TagFilter(config.tags)
        self._places = places
        self._reader_history = reader_history
        self._antenna_clock = reader_history.antenna_clock
        self._presence = presence
        self._portals = portals
        self._contest = presence.contest
        self._tags = presence.tags
        self._stats = stats
        self._columns = PlainSightings(sorted(places.ports), places, presence, list(portals.of_antenna))

    def take(self, closed: Sequence[ClosedWindow], start: int) -> None:
        """Takes in one window of event time, which began at `start`: what every antenna saw, in order."""
        left = self._take_columns(closed, start)
        for window in closed:
            sightings = window.sightings
            if left is not None and type(sightings) is BlockSightings:
                rest = left.get(sightings.key)
                if rest is None:  # all of them were plain
                    self._presence.units[window.reader] = window.unit
                    continue
                window = ClosedWindow(window.number, window.reader, window.port, window.late, window.unit, rest)
            self._take(window, start)

    def _take_columns(self, closed: Sequence[ClosedWindow], start: int) -> dict[int, AntennaSightings] | None:
        """Takes in the plain sightings of windows that are columns; returns the others by key. None: there are none."""
        block = next((window.sightings.block for window in closed if type(window.sightings) is BlockSightings), None)
        if block is None:
            return None
        apart = [window.sightings.keys() for window in closed if type(window.sightings) is not BlockSightings]
        rest = self._columns.take(start, block, set().union(*apart))
        self._stats.sightings += len(block.sightings) - len(rest)
        return dictionaries(rest)

    def _take(self, closed: ClosedWindow, start: int) -> None:
        """Takes in the sightings of one antenna in one window: each is of another tag, so their order is free."""
        self._stats.sightings += len(closed.sightings)
        antenna = self._places.ports[closed.reader].get(closed.port)
        if antenna is None:
            self._stats.unmapped += sum(sums[0] for sums in closed.sightings.values())
            return
        self._presence.units[closed.reader] = closed.unit
        portal = self._portals.of_antenna.get(antenna)
        if portal is not None:
            self._pass(portal, closed, antenna, start)
            return
        if not closed.sightings:
            return
        plain = not closed.late and self._antenna_clock.since[antenna] == LIT
        others = self._plain(closed, antenna, start) if plain else list(closed.sightings)
        others.sort()
        for epc in others:
            reads, rssi, power, moment = closed.sightings[epc]
            strength = rssi * CENTI[closed.unit]
            sighting = Sighting(antenna, start, start + moment // power, reads, strength, closed.late)
            slot = self._tags.slots.get(epc)
            if slot is None:
                self._unknown(epc, sighting)
            else:
                self._known(slot, sighting)

    def _pass(self, portal: Portal, closed: ClosedWindow, antenna: int, start: int) -> None:
        """The sightings of an antenna of a portal."""
        phases: Mapping[bytes, Sequence[Phase]] = {}
        if not closed.late:
            phases = self._portals.phases.of(closed.number, closed.reader, closed.port)
        for epc, sums in sorted(closed.sightings.items()):
            if portal.known(epc) or self._stock(epc, NO_ZONE, start, sums[0]):
                portal.see(epc, antenna, start, sums, closed.unit, closed.late, phases.get(epc, ()))

    def _plain(self, closed: ClosedWindow, antenna: int, start: int) -> list[bytes]:
        """The hot loop: takes in the sightings of tags that are where they were, and returns the others.

        It does for them what `_home` does, with the whole row of a tag in local names.
        """
        others = []
        scale, smoothing, steady = CENTI[closed.unit], self._contest.smoothing, SHARES[-1]
        tags, total, since, zone_of = (
            self._tags,
            self._antenna_clock.total,
            self._antenna_clock.since,
            self._places.zone_of,
        )
        find, state, dirty, rows = tags.slots.get, tags.state, tags.dirty, tags.rows
        size, unpack, pack = ROW.size, ROW.unpack_from, ROW.pack_into
        zone, bit, paused = zone_of[antenna], self._places.spots[antenna].bit, total[antenna]
        for epc, (n, rssi, power, moment) in closed.sightings.items():
            slot = find(epc, -1)
            if slot < 0 or state[slot] != _PRESENT:
                others.append(epc)
                continue
            at = slot * size
            last, dark, reads, windows, mask, level, mean, widest, home, strongest = unpack(rows, at)
            pause = paused
            if home != antenna:
                if zone_of[home] != zone or since[home] != LIT:
                    others.append(epc)
                    continue
                pause = total[home]
            t = start + moment // power
            strength = rssi * scale
            if t > last:
                gap = t - last
                if pause != dark:
                    gap -= pause - dark
                    dark = pause
                if gap > 0:
                    gap *= 1.0  # the same number, but sums of floats alone are faster than mixed ones
                    level += (strength - level) * gap / (gap + gap + smoothing)
                    if last < start:
                        mean += (gap - mean) * (SHARES[windows] if windows < GAPS else steady)
                        widest /= 1.0 + gap / MEMORY
                        if gap > widest:
                            widest = gap
                if last < start:
                    windows += 1
                last = t
            if home != antenna:
                dark += paused - pause
                mask |= bit
            if strength > strongest:
                strongest = strength
            pack(rows, at, last, dark, reads + n, windows, mask, level, mean, widest, antenna, strongest)
            dirty[slot >> CHUNK_BITS] = 1
        return others

    def _unknown(self, epc: bytes, sighting: Sighting) -> None:
        if not self._stock(epc, self._places.zone_of[sighting.antenna], sighting.t, sighting.reads):
            return
        if len(self._tags) >= self._presence.room and not self._presence.make_room(sighting.t):
            self._stats.untracked += 1
            return
        if encoded_twice(epc):
            self._stats.encoded_twice += sighting.reads
        slot = self._tags.new(epc)
        self._tags.since[slot] = sighting.t
        bit = self._places.spots[sighting.antenna].bit
        self._presence.enter(
            slot, sighting.antenna, sighting.t, float(sighting.strength), 1, sighting.reads, sighting.strength, bit
        )
        self._presence.states.change(slot, Change.SIGHTED, self._presence.zone(slot))
        self._presence.recall(slot)
        if sighting.late:
            self._presence.late[slot] = sighting.reads
        self._presence.queue(slot)

    def _stock(self, epc: bytes, zone: int, t: int, reads: int) -> bool:
        """Whether a tag is stock; a foreign one is counted in the zone."""
        kind = self.foreign.known(epc) or self._filter.foreign_class(epc)
        if kind is None:
            return True
        self.foreign.see(epc, kind, zone, t)
        self._stats.foreign[kind] = self._stats.foreign.get(kind, 0) + reads
        return False

    def _known(self, slot: int, sighting: Sighting) -> None:
        tags, zone_of = self._tags, self._places.zone_of
        tags.dirty[slot >> CHUNK_BITS] = 1
        if sighting.late:
            late = self._presence.late
            late[slot] = late.get(slot, 0) + sighting.reads
        if zone_of[sighting.antenna] == zone_of[tags.antenna[slot]]:
            self._home(slot, sighting)
        elif sighting.t >= tags.since[slot]:
            self._elsewhere(slot, sighting)

    def _home(self, slot: int, sighting: Sighting) -> None:
        """A sighting in the zone that the tag is in. The same sums as in `_plain`."""
        tags = self._tags
        before, state, gap = tags.last[slot], tags.state[slot], 0
        tags.reads[slot] += sighting.reads
        tags.strongest[slot] = max(tags.strongest[slot], sighting.strength)
        if sighting.t > before:
            gap = self._presence.silence(slot, sighting.t)
            if gap > 0:
                tags.level[slot] = smooth(tags.level[slot], sighting.strength, gap, self._contest.smoothing)
                if before < sighting.start:
                    count = tags.windows[slot]
                    tags.mean[slot] += (gap - tags.mean[slot]) * SHARES[min(count, GAPS - 1)]
                    tags.widest[slot] = remember(tags.widest[slot], gap)
            if before < sighting.start:
                tags.windows[slot] += 1
            tags.last[slot] = sighting.t
        self._presence.switch(slot, sighting.antenna)
        if state == State.SETTLING:
            tags.since[slot] = min(tags.since[slot], sighting.t)
        elif state == State.UNSEEN and sighting.t > before:
            self._presence.seen_again(slot, self._proof(sighting), gap)
        if tags.state[slot] == State.CONTESTED:
            self._weigh_rivals(slot, sighting.t, new_window=before < sighting.start)

    def _proof(self, sighting: Sighting) -> Proof:
        """The proof of a movement that rests on one sighting."""
        return Proof(
            antenna=sighting.antenna,
            mask=self._places.spots[sighting.antenna].bit,
            reads=sighting.reads,
            strongest=sighting.strength,
            first=sighting.t,
            last=sighting.t,
            unit=self._presence.unit(sighting.antenna),
            late=sighting.reads if sighting.late else 0,
        )

    def _elsewhere(self, slot: int, sighting: Sighting) -> None:
        """A sighting in another zone than that which the tag is in."""
        presence, state = self._presence, self._tags.state
        zone = self._places.zone_of[sighting.antenna]
        views = presence.rivals.setdefault(slot, {})
        rival = views.get(zone)
        if rival is None:
            rival = views[zone] = Rival(sighting.antenna, float(sighting.strength), sighting.t)
        bit = self._places.spots[sighting.antenna].bit
        smoothing = self._contest.smoothing
        rival.see(sighting.antenna, bit, sighting.t, sighting.start, sighting.reads, sighting.strength, smoothing)
        if state[slot] == State.SETTLING:
            return
        if state[slot] == State.PRESENT:
            presence.states.change(slot, Change.RIVALLED, presence.zone(slot))
        if self._contest.won(rival, presence.level(slot, sighting.t), self._tags.since[slot], sighting.t):
            presence.move(slot, zone, sighting.t)

    def _weigh_rivals(self, slot: int, t: int, *, new_window: bool) -> None:
        """Looks at the rivals of a tag that was just seen in its own zone."""
        presence = self._presence
        views = presence.rivals[slot]
        for rival in views.values():
            rival.against += new_window
            rival.came = 0
        for zone in [zone for zone, rival in views.items() if t - rival.last > FADED]:
            del views[zone]
        level, since = presence.level(slot, t), self._tags.since[slot]
        winners = [zone for zone, rival in views.items() if self._contest.won(rival, level, since, t)]
        if winners:
            presence.move(slot, max(winners, key=lambda zone: (views[zone].level, -zone)), t)
        elif not views:
            del presence.rivals[slot]
            presence.states.change(slot, Change.ALONE, presence.zone(slot))
