"""The retained state of a zone: how many are there, and who is watching."""

from __future__ import annotations

from typing import Any

from gateway.floor.counts.counts import Counts
from gateway.floor.places import Places
from gateway.floor.presence.presence import Presence
from gateway.floor.readers.history import ReaderHistory


def zone_state(zone: str, places: Places, presence: Presence, readers: ReaderHistory, counts: Counts) -> dict[str, Any]:
    """The state of the zone with this id, ready for JSON."""
    number = places.zone_numbers[zone]
    antennas = {places.spots[antenna].name: readers.words(antenna) for antenna in places.in_zone[number]}
    return {
        "zone": zone,
        "name": places.zones[number].name,
        "population": presence.present[number],
        "not_seen": presence.unseen[number],
        "watched": "watching" in antennas.values(),
        "antennas": dict(sorted(antennas.items())),
    } | counts.zone_state(zone)
