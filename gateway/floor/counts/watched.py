"""How well a zone was being read while it was counted."""

from __future__ import annotations

import math

from gateway.events.count_models import CountQuality
from gateway.floor.counts.run import Running
from gateway.floor.places import Places
from gateway.floor.readers.history import ReaderHistory


class Watched:
    """The antennas of each zone, and for how long they were watching."""

    def __init__(self, places: Places, reader_history: ReaderHistory) -> None:
        self._places = places
        self._reader_history = reader_history

    def _antennas(self, zone: str) -> list[int]:
        return self._places.in_zone[self._places.zone_numbers[zone]]

    def dark(self, zone: str, t: int) -> dict[str, int]:
        """Microseconds up to `t` for which each antenna of the zone, by name, was not watching."""
        spots, antenna_clock = self._places.spots, self._reader_history.antenna_clock
        return {spots[antenna].name: antenna_clock.dark(antenna, t) for antenna in self._antennas(zone)}

    def blindness(self, zone: str) -> str:
        """Why nobody reads a zone, in words; empty where at least one antenna is watching."""
        antenna_clock, spots = self._reader_history.antenna_clock, self._places.spots
        words = {spots[antenna].name: antenna_clock.words(antenna) for antenna in self._antennas(zone)}
        if "watching" in words.values():
            return ""
        said = ", ".join(f"{name} {what}" for name, what in sorted(words.items()))
        return f"no antenna of the zone is watching: {said or 'it has none'}"

    def quality(self, count: Running, end: int) -> CountQuality:
        """The share of a count for which each antenna was watching, and what was wrong meanwhile; ready for JSON."""
        length = max(end - count.start, 1)
        duties = {
            name: round(1 - min(max(total - count.dark.get(name, 0), 0) / length, 1), 3)
            for name, total in sorted(self.dark(count.zone, end).items())
        }
        spots = [self._places.spots[antenna] for antenna in self._antennas(count.zone)]
        readers = sorted({spot.reader for spot in spots} & self._reader_history.readers.keys())
        return {
            "duty": round(math.fsum(duties.values()) / len(duties), 3) if duties else 0.0,
            "antennas": duties,
            "antennas_down": [name for name, duty in duties.items() if duty < 1],
            "conditions": {
                reader: conditions
                for reader in readers
                if (conditions := self._reader_history.conditions(reader, count.start))
            },
        }
