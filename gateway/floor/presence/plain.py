"""Sightings of tags that are where they were, a whole window at a time: what sightings.py does one at a time.

Most sightings are of a tag whose own zone sees it again, and no other zone does. Their rows of the table are gathered,
changed by the same sums in the same order of operations as one at a time, and put back: the same floats, bit for bit.
So are those of tags that have just come, and of tags that other zones see too, as far as nothing but sums comes of it
(contested.py). Everything else is handed back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gateway.floor.columns import Block
from gateway.floor.levels import CENTI
from gateway.floor.places import Places
from gateway.floor.presence.contested import ContestedSightings, Seen, Window
from gateway.floor.presence.presence import Presence
from gateway.floor.presence.rows import put_rows
from gateway.floor.presence.silence import GAPS, MEMORY, SHARES
from gateway.floor.presence.slot_index import SlotIndex
from gateway.floor.presence.states import State
from gateway.floor.presence.table import CHUNK_BITS, ROWS
from gateway.floor.readers.antennas import LIT
from gateway.floor.sighting_columns import PORT_SHIFT, READER_SHIFT, SightingColumns, among, distinct

if TYPE_CHECKING:
    import numpy.typing as npt

Ints: TypeAlias = "npt.NDArray[np.int64]"
Mask: TypeAlias = "npt.NDArray[np.bool_]"

_PRESENT, _SETTLING, _CONTESTED = int(State.PRESENT), int(State.SETTLING), int(State.CONTESTED)
_PORTS = 256


class PlainSightings:
    """Takes closed windows in as columns. `readers` are the readers' names by number, as in the keys of the
    sightings."""

    def __init__(
        self,
        readers: Sequence[str],
        places: Places,
        presence: Presence,
        portal_antennas: Sequence[int],
    ) -> None:
        self._readers = readers
        self._places = places
        self._antenna_clock = presence.antenna_clock
        self._tags = presence.tags
        self._contests = ContestedSightings(presence.rivals, presence.contest)
        self._portal_antennas = list(portal_antennas)
        self._smoothing = presence.contest.smoothing
        self._spots = -1

    @cached_property
    def _index(self) -> SlotIndex:
        """Made with the first window: a site that has none pays nothing for it."""
        return SlotIndex(self._tags)

    def take(self, start: int, block: Block, elsewhere: set[bytes]) -> SightingColumns:
        """Takes in what is plain of the window that began at `start`, and returns the rest.

        A tag is plain with all its sightings or with none; one in `elsewhere` has others that are not in the block.
        """
        columns = block.sightings
        if not self._tags.epcs or not len(columns):
            return columns
        self._renew()
        slots = self._slots(block, elsewhere)
        antennas = self._antenna[columns.keys >> np.uint32(READER_SHIFT), np.minimum(self._ports(columns), _PORTS)]
        states = np.frombuffer(self._tags.state, np.uint8)[slots]
        plain = (slots >= 0) & (antennas >= 0)
        plain &= self._open[antennas]
        table = np.frombuffer(self._tags.rows, ROWS)
        homes = table["antenna"][slots].astype(np.int64)
        sightings = _Sightings(start, slots, antennas, columns, states)
        contested = self._contested(table, sightings, plain & self._lit[homes])
        plain &= (states == _PRESENT) | (states == _SETTLING)
        plain &= self._zone[homes] == self._zone[antennas]
        watching = plain & ((homes == antennas) | self._lit[homes])
        plain = self._in_turn(table, sightings, block.begins, plain, watching)
        plain[contested] = True
        chosen = slots[plain]
        np.frombuffer(self._tags.dirty, np.uint8)[chosen >> CHUNK_BITS] = 1
        return columns if not len(chosen) else columns.at(np.flatnonzero(~plain))

    def _contested(self, table: Any, sightings: _Sightings, watching: Mask) -> Ints:
        """Takes in those of contested tags that are sums and no more; all of a tag's sightings or none."""
        slots = sightings.slots
        found = np.flatnonzero((sightings.states == _CONTESTED) & (slots >= 0))
        others = found[~watching[found]]
        if len(others):
            found = found[~among(slots[found], distinct(slots[others]))]
        if not len(found):
            return found
        window = Window(
            start=sightings.start,
            slots=slots,
            antennas=sightings.antennas,
            keys=sightings.columns.keys,
            reads=sightings.columns.reads,
            zones=self._zone,
            bits=self._bit,
            totals=self._total,
            table=table,
            times=sightings.times,
            strengths=sightings.strengths,
        )
        since = np.frombuffer(self._tags.since, np.int64)
        return self._contests.take(window, found, lambda at: self._update(table, sightings, at), since)

    def _renew(self) -> None:
        """What is known of the antennas, as arrays. Only an adopted checkpoint adds antennas."""
        spots = self._places.spots
        if len(spots) != self._spots:
            self._spots = len(spots)
            self._antenna = np.full((len(self._readers), _PORTS + 1), -1, np.int64)
            for number, reader in enumerate(self._readers):
                for port, antenna in self._places.ports[reader].items():
                    self._antenna[number, port] = antenna
            self._bit = np.array([spot.bit for spot in spots], np.uint32)
            self._zone = np.array(self._places.zone_of, np.int64)
            self._shares = np.array([*SHARES, SHARES[-1]])  # from GAPS sightings on the weight stays
        self._lit = np.array(self._antenna_clock.since, np.int64) == LIT
        self._total = np.array(self._antenna_clock.total, np.int64)
        self._open = self._lit.copy()
        self._open[self._portal_antennas] = False

    def _slots(self, block: Block, elsewhere: set[bytes]) -> Ints:
        """The slot of each row's tag; -1 where it has none, or is not to be looked at."""
        slots = self._index.find(block.sightings.epcs.take(block.begins, axis=0))
        if elsewhere:
            apart = sorted(slot for slot in map(self._tags.slots.get, elsewhere) if slot is not None)
            if apart:
                slots[among(slots, np.array(apart))] = -1
        return np.repeat(slots, np.diff(block.begins, append=len(block.sightings)))

    @staticmethod
    def _ports(columns: SightingColumns) -> Any:
        return columns.keys >> np.uint32(PORT_SHIFT) & np.uint32(0xFFFF)

    def _in_turn(self, table: Any, sightings: _Sightings, begins: Ints, plain: Mask, watching: Mask) -> Mask:
        """Takes in the tags, whose rows are from `begins` on: the first antenna of each, then the second of those that
        more than one saw, and so on. Returns which rows those are."""
        lengths = np.diff(begins, append=len(plain))
        turns = np.arange(len(plain)) - np.repeat(begins, lengths)
        # The antenna that saw the tag before this one must be watching: for the first that is the one it is at, for
        # the others one of this window, which is plain itself.
        good = np.where(turns == 0, watching, plain)
        good = np.repeat(np.logical_and.reduceat(good, begins), lengths)
        for turn in range(int(lengths.max())):
            now = np.flatnonzero(good & (turns == turn))
            if len(now):
                self._update(table, sightings, now)
        return np.asarray(good)

    def _update(self, table: Any, sightings: _Sightings, at: Ints) -> Seen:
        """These sightings, each of another tag. Returns their times, the levels after them, and which are of a window
        in which the tag was not seen before."""
        start, columns = sightings.start, sightings.columns
        slots, antennas, states = sightings.slots[at], sightings.antennas[at], sightings.states[at]
        rows = table.take(slots)
        strength = sightings.strengths(at)
        homes = rows["antenna"].astype(np.int64)
        paused, pause = self._total[antennas], self._total[homes]
        last, dark, windows = rows["last"], rows["dark"], rows["windows"]
        times = sightings.times(at)
        later = times > last
        new_window = later & (last < start)
        gap = (times - last - (pause - dark)).astype(np.float64)
        seen = later & (gap > 0)
        counted = seen & new_window
        with np.errstate(all="ignore"):
            level = rows["level"].astype(np.float64)
            better = level + (strength - level) * gap / (gap + gap + self._smoothing)
            mean = rows["mean"].astype(np.float64)
            longer = mean + (gap - mean) * self._shares[np.minimum(windows, GAPS)]
            faded = rows["widest"].astype(np.float64) / (1.0 + gap / MEMORY)
        anew = states != _PRESENT  # for these the antenna is set anew with every sighting
        moved = homes != antennas
        dark = np.where(later, pause, dark)
        rows["dark"] = np.where(anew, paused, np.where(moved, dark + (paused - pause), dark))
        rows["mask"] = np.where(moved | anew, rows["mask"] | self._bit[antennas], rows["mask"])
        rows["level"] = np.where(seen, better, level)
        rows["mean"] = np.where(counted, longer, mean)
        rows["widest"] = np.where(counted, np.maximum(faded, gap), rows["widest"])
        rows["windows"] = windows + new_window
        rows["last"] = np.where(later, times, last)
        rows["reads"] += columns.reads[at].astype(np.uint64)
        rows["antenna"] = antennas
        rows["strongest"] = np.maximum(rows["strongest"], strength)
        put_rows(table, slots, rows)
        if anew.any():
            coming = np.flatnonzero(states == _SETTLING)
            since = np.frombuffer(self._tags.since, np.int64)
            since[slots[coming]] = np.minimum(since[slots[coming]], times[coming])
        return times, rows["level"].astype(np.float64), new_window


class _Sightings:
    """The sightings of one window: beside their columns the slot and the state of each one's tag, and its antenna."""

    __slots__ = ("antennas", "columns", "slots", "start", "states")

    def __init__(self, start: int, slots: Ints, antennas: Ints, columns: SightingColumns, states: Any) -> None:
        self.start, self.slots, self.antennas, self.columns, self.states = start, slots, antennas, columns, states

    def times(self, at: Ints) -> Ints:
        """When, microseconds UTC."""
        return np.asarray(self.start + self.columns.moment[at] // self.columns.power[at])

    def strengths(self, at: Ints) -> Ints:
        """The strongest RSSI, hundredths of a decibel."""
        return np.asarray(self.columns.strongest[at] * np.array(CENTI)[self.columns.keys[at] & np.uint32(3)])
