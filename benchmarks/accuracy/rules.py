"""The simple rules for passes, on the same reads: each says in, out, turned_back, or nothing.

They are handed the reads of one true attempt of one tag, cut out by the truth: more than any rule has in life.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from drivers.emulators.scene import Seen

Side = str  # inside or outside
Rule = Callable[[Sequence[Seen], Mapping[int, Side]], str | None]

_OF = {"inside": "out", "outside": "in"}
"""Where a tag is going that was first on a side."""


def first_seen(reads: Sequence[Seen], sides: Mapping[int, Side]) -> str | None:
    """From the side that read it first to the other one."""
    firsts = {side: min(times) for side, times in _times(reads, sides).items()}
    return _earlier(firsts)


def peak_order(reads: Sequence[Seen], sides: Mapping[int, Side]) -> str | None:
    """From the side whose strongest read came first."""
    peaks: dict[Side, tuple[int, int]] = {}
    for read in reads:
        side = sides[read.antenna]
        peaks[side] = max(peaks.get(side, (-(1 << 30), 0)), (read.rssi, -read.time))
    return _earlier({side: -time for side, (_, time) in peaks.items()})


def mean_time(reads: Sequence[Seen], sides: Mapping[int, Side]) -> str | None:
    """From the side whose reads are earlier on average."""
    return _earlier({side: sum(times) / len(times) for side, times in _times(reads, sides).items()})


def weighted_time(reads: Sequence[Seen], sides: Mapping[int, Side]) -> str | None:
    """From the side whose reads are earlier on average, each weighted by its power."""
    sums: dict[Side, tuple[float, float]] = {}
    for read in reads:
        power = 10 ** (read.rssi / 1000)
        weight, moment = sums.get(sides[read.antenna], (0.0, 0.0))
        sums[sides[read.antenna]] = (weight + power, moment + power * read.time)
    return _earlier({side: moment / weight for side, (weight, moment) in sums.items()})


def six_db(reads: Sequence[Seen], sides: Mapping[int, Side]) -> str | None:
    """A location service: the tag is at the antenna with the best mean of its last 20 reads, and changes to another
    only for 6 dB more. Its way is from its first location to its last."""
    means: dict[int, deque[int]] = {}
    place = first = None
    for read in reads:
        window = means.setdefault(read.antenna, deque(maxlen=20))
        window.append(read.rssi)
        if place is None:
            place = first = read.antenna
        elif sum(window) / len(window) > sum(means[place]) / len(means[place]) + 600:
            place = read.antenna
    if place is None or first is None:
        return None
    before, after = sides[first], sides[place]
    return "turned_back" if before == after else _OF[before]


RULES: dict[str, Rule] = {
    "first seen": first_seen,
    "RSSI peak": peak_order,
    "mean time": mean_time,
    "weighted time": weighted_time,
    "6 dB location": six_db,
}


def _times(reads: Sequence[Seen], sides: Mapping[int, Side]) -> dict[Side, list[int]]:
    times: dict[Side, list[int]] = {}
    for read in reads:
        times.setdefault(sides[read.antenna], []).append(read.time)
    return times


def _earlier(when: Mapping[Side, float]) -> str | None:
    """The way from the side of the earlier time; nothing where only one side saw the tag."""
    if len(when) < 2 or when["inside"] == when["outside"]:
        return None
    return _OF["inside"] if when["inside"] < when["outside"] else _OF["outside"]
