"""One tag in one portal, from the first read on: what the antennas of the portal saw of it."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.clock import SECOND
from gateway.floor.passes import Direction
from gateway.floor.portals.phases import Pairs, Phase, pairs_of

Sighting = tuple[int, int, int, int, int, int]
"""One antenna's sighting of a tag: start of the window and antenna number, reads, strongest RSSI in hundredths of a
decibel, sum of linear power, and sum of power x microseconds into the window."""


@dataclass(slots=True, frozen=True)
class Bin:
    """One window of one side: seconds since the beginning of the pass, and linear power."""

    t: float
    power: float


@dataclass(slots=True, frozen=True)
class Profile:
    """One side. `power` is the sum of its bins; `centroid` is the power-weighted mean time and `spread` its standard
    deviation, in seconds since the beginning of the pass."""

    bins: tuple[Bin, ...]
    power: float
    centroid: float
    spread: float


def profile(sightings: Iterable[Sighting], origin: int) -> Profile | None:
    """The profile of a side from its sightings, which are sorted. None without any."""
    sums: dict[int, list[int]] = {}
    for start, _, _, _, power, moment in sightings:
        entry = sums.setdefault(start, [0, 0])
        entry[0] += power
        entry[1] += moment
    if not sums:
        return None
    bins = tuple(
        Bin((start - origin + moment / power) / SECOND, float(power)) for start, (power, moment) in sums.items()
    )
    total = math.fsum(entry.power for entry in bins)
    centroid = math.fsum(entry.power * entry.t for entry in bins) / total
    variance = math.fsum(entry.power * (entry.t - centroid) ** 2 for entry in bins) / total
    return Profile(bins, total, centroid, math.sqrt(variance))


def inside_of(sides: Mapping[int, str]) -> frozenset[int]:
    """The antennas of the inside, of those whose sides are given."""
    return frozenset(number for number, side in sides.items() if side == "inside")


def sides_of(
    sightings: Sequence[Sighting], inside: frozenset[int], origin: int
) -> tuple[Profile | None, Profile | None]:
    """The profiles of both sides; `inside` are the antenna numbers of that side."""
    ordered = sorted(sightings)
    return (
        profile((sighting for sighting in ordered if sighting[1] in inside), origin),
        profile((sighting for sighting in ordered if sighting[1] not in inside), origin),
    )


MAX_SIGHTINGS = 4_000
"""Sightings kept of one pass: thirty seconds of eight antennas are a thousand. Beyond it the older half is given up."""

PATIENCE = 4
"""Mean gaps between sightings that are waited for before silence means anything: at random gaps, one in 55 is longer.
The mean is taken as if there had been one gap more, of `silence`: what was read once or twice is hard to read."""

AT_MOST = 3
"""Times `silence` that a tag which is hard to read is waited for."""


@dataclass(slots=True)
class Track:
    """A tag that is read in a portal. Times in microseconds UTC. `since` is from when on its sightings are kept;
    `standing` says that it was there for the longest time that a pass takes, `doubt` how probable it is that it has
    passed meanwhile, where that is not ruled out, and `began` what the inside and the outside received of it in the
    beginning, linear, which is forgotten otherwise. `late` counts late reads. `dark` is the dark time of each antenna
    of the portal when the track was opened. `pairs` are those of its phases, `newest` is the newest phase by each
    antenna. `leads` is the way that has been certain since `leads_since`, `way` the one that was said while it is still
    read, at `said` (early.py)."""

    epc: bytes
    first: int
    last: int
    since: int
    dark: dict[int, int]
    unit: int = 0
    sightings: list[Sighting] = field(default_factory=list)
    late: int = 0
    standing: bool = False
    doubt: float = 0.0
    began: tuple[int, int] | None = None
    pairs: list[Pairs] = field(default_factory=list)
    newest: dict[int, Phase] = field(default_factory=dict)
    leads: Direction | None = None
    leads_since: int = 0
    way: Direction | None = None
    said: int = 0

    @property
    def power(self) -> int:
        """All that was received of it, linear."""
        return sum(sighting[4] for sighting in self.sightings)

    def see(self, sighting: Sighting, t: int) -> None:
        """Takes in a sighting, of which `t` is the power-weighted mean time."""
        self.sightings.append(sighting)
        self.first = min(self.first, t)
        self.since = min(self.since, t)
        self.last = max(self.last, t)

    def turn(self, start: int, antenna: int, reads: Sequence[Phase]) -> None:
        """Takes in the phases of one antenna in the window that began at `start`."""
        found = pairs_of(reads, self.newest.get(antenna))
        if any(found):
            self.pairs.append((start, antenna, *found))
        self.newest[antenna] = reads[-1]

    def ends(self, silence: int, least: int, longest: int, sides: Mapping[int, str]) -> int:
        """When the pass is over, if nothing more is read: `least` after the last read of what is read well. What one
        side alone saw may be on its way to the other."""
        windows = len({sighting[0] for sighting in self.sightings})
        mean = (self.last - self.since + least) // max(windows, 1)
        wait = min(max(least, PATIENCE * mean), AT_MOST * silence)
        if len({sides[sighting[1]] for sighting in self.sightings}) == 1:
            wait = AT_MOST * silence
        return min(self.last + wait, self.since + longest)

    def redate(self, by: int) -> None:
        """Dates all reads `by` microseconds later: the clock was set."""
        self.first += by
        self.last += by
        self.since += by
        self.leads_since += by
        self.said += by
        self.sightings = [(sighting[0] + by, *sighting[1:]) for sighting in self.sightings]
        self.pairs = [(pairs[0] + by, *pairs[1:]) for pairs in self.pairs]
        self.newest = {antenna: (phase[0] + by, *phase[1:]) for antenna, phase in self.newest.items()}

    def forget(self) -> None:
        """Keeps nothing of what was read."""
        self.sightings, self.pairs = [], []
        self.began = None

    def begin(self, until: int, inside: Container[int]) -> None:
        """Notes how it began, up to `until`, before that is forgotten; `inside` are the antennas of that side."""
        if self.began is None:
            first = [(sighting[1] in inside, sighting[4]) for sighting in self.sightings if sighting[0] < until]
            self.began = sum(power for within, power in first if within), sum(p for within, p in first if not within)

    def forget_before(self, t: int) -> None:
        """Keeps only the sightings of windows from `t` on."""
        self.sightings = [sighting for sighting in self.sightings if sighting[0] >= t]
        self.pairs = [pairs for pairs in self.pairs if pairs[0] >= t]
        self.since = t

    def after(self, t: int) -> Track:
        """A track of its own of what was received from `t` on."""
        rest = replace(self, first=max(self.first, t), way=None, began=None)
        rest.forget_before(t)
        return rest

    def keep(self, antennas: Container[int]) -> None:
        """Forgets what was seen by any other antenna: they belong to the portal no longer."""
        self.sightings = [sighting for sighting in self.sightings if sighting[1] in antennas]
        self.pairs = [pairs for pairs in self.pairs if pairs[1] in antennas]
        self.newest = {antenna: phase for antenna, phase in self.newest.items() if antenna in antennas}

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON until more is read: what is long is not copied."""
        newest = [[antenna, *phase] for antenna, phase in self.newest.items()]
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"epc": self.epc.hex(), "dark": list(self.dark.items()), "newest": newest}

    @classmethod
    def load(cls, dump: dict[str, Any], numbers: list[int]) -> Track:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        said = dump.get("said", dump["last"])  # as it was before anything was made of what came after
        track = cls(**(dump | {"epc": bytes.fromhex(dump["epc"]), "pairs": [], "said": said}))
        track.sightings = [(sighting[0], numbers[sighting[1]], *sighting[2:]) for sighting in dump["sightings"]]
        track.dark = {numbers[antenna]: t for antenna, t in dump["dark"]}
        for start, antenna, number, near, forwards, *shifts in dump["pairs"]:
            shifted, nearing = shifts or (0, 0)  # as it was before there were Doppler shifts
            track.pairs.append((start, numbers[antenna], number, near, forwards, shifted, nearing))
        track.newest = {
            numbers[antenna]: (t, channel, phase, *(doppler or [0]))
            for antenna, t, channel, phase, *doppler in dump["newest"]
        }
        track.began = None if dump.get("began") is None else tuple(dump["began"])
        track.leads, track.way = (None if dump[key] is None else Direction(dump[key]) for key in ("leads", "way"))
        return track
