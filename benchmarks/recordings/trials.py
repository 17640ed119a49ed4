"""Trials made of the recordings: chains of quadrants with moves at known times, and a person in a room."""

from __future__ import annotations

import itertools
from random import Random

from benchmarks.recordings.files import Read, Trial, load, of_tag, shifted, truth
from gateway.clock import SECOND

CHAINS = 16

QUADRANTS = {1: "q1", 2: "q2", 3: "q3", 4: "q4"}
"""Each antenna looks at a quadrant of the field."""

Recordings = dict[str, list[Read]]
"""The reads of each recording, by name."""

_TAG = "1A4060300048D3D0060002FF"


def _quadrant(name: str) -> str:
    return "q" + name.removeprefix("quad").removeprefix("z")[0]


def quadrants() -> Recordings:
    """The recording of each name, as reads of one tag from time 0 on."""
    found = {}
    for entry in truth("quadrants"):
        reads = of_tag(load(entry["reads"]), entry["uid"])
        found[entry["name"]] = shifted(reads, -reads[0].t, _TAG)
    return found


def chain(recordings: Recordings, names: list[str], piece: int | None = None, skip: int = 0) -> Trial:
    """Recordings one behind another; `piece`: only so many microseconds of each, after the first `skip`."""
    reads: list[Read] = []
    stays: list[tuple[int, str | None]] = []
    at = 1_700_000_000 * SECOND
    for name in names:
        own = recordings[name]
        if piece is not None:
            own = shifted([read for read in own if skip <= read.t < skip + piece], -skip, _TAG)
        stays.append((at, _quadrant(name)))
        reads += shifted(own, at, _TAG)
        at += own[-1].t + SECOND // 20 if piece is None else piece
    return Trial(" ".join(names), _TAG, reads, stays, at)


def chains(recordings: Recordings, number: int = CHAINS, seed: str = "1") -> list[Trial]:
    """Orders of the recordings in which each is in another quadrant than the one before."""
    random = Random(seed)
    found: list[Trial] = []
    names = sorted(recordings)
    while len(found) < number:
        random.shuffle(names)
        if all(_quadrant(a) != _quadrant(b) for a, b in itertools.pairwise(names)):
            found.append(chain(recordings, list(names)))
    return found


def walkers(recordings: Recordings, seconds: int, number: int = CHAINS) -> list[Trial]:
    """Somebody who stays for only so many seconds in each quadrant."""
    random = Random("walkers")
    found: list[Trial] = []
    names = sorted(recordings)
    while len(found) < number:
        random.shuffle(names)
        if all(_quadrant(a) != _quadrant(b) for a, b in itertools.pairwise(names)):
            skip = random.randrange(30, 100 - seconds) * SECOND
            found.append(chain(recordings, list(names), seconds * SECOND, skip))
    return found


def rooms() -> list[tuple[Trial, dict[int, str]]]:
    """The worn tag, each with the zone of each antenna: the one that faces the chair, and the rest of the room."""
    found = []
    for entry in truth("room"):
        reads = of_tag(load(entry["reads"]), entry["uid"])
        places = {"chair": "chair", "bed": "rest"}
        stays = [(round(t * SECOND), places.get(place)) for t, place in entry["places"]]
        zones = {port: "chair" if port == entry["chair_antenna"] else "rest" for port in entry["antennas"]}
        found.append((Trial(entry["reads"], entry["uid"], reads, stays, max(reads[-1].t, stays[-1][0])), zones))
    return found
