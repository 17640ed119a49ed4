"""Plain counters of the floor, for metrics. They are no part of its state and start at zero with the process."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class FloorStats:
    """Counts since the process started, except the three gauges at the end."""

    reads: int = 0
    late: int = 0  # reads for windows that were closed already
    misdated: int = 0  # reads whose time was impossible; they count as made when they arrived
    unmapped: int = 0  # reads of readers or antennas that the configuration does not name
    foreign: dict[str, int] = field(default_factory=dict)  # reads per class of foreign tag
    encoded_twice: int = 0  # reads of stock whose EPC looks like hex that was encoded again
    sightings: int = 0
    forced: int = 0  # times that windows had to be closed early to stay within `max_windows`
    untracked: int = 0  # sightings of new tags that found no room
    ignored: int = 0  # commands that were not understood
    events: dict[str, int] = field(default_factory=dict)  # facts per type

    windows: int = 0
    tags: int = 0
    event_time: int = 0  # up to where everything is judged, microseconds UTC; 0 before the first tick
