"""Days of standing still, quickly: the reads of tags while they are at rest, without playing every slot.

The levels are those of the same paths; in between only unrest changes anything. What is read on the way from one
rest to the next is left out: seconds in hours. Each antenna asks each tag so many
times a second; whether it answers is drawn from the level of the moment on a hop channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

from benchmarks.radio.inventory import RadioReader, Reporter
from benchmarks.radio.medium import CHANNELS, Medium
from benchmarks.radio.shapes import Path
from benchmarks.radio.things import RadioTag
from benchmarks.radio.unrest import Drift, Unrest
from drivers.emulators.scene import Seen


def standing_reads(
    reader: RadioReader,
    tags: Sequence[RadioTag],
    medium: Medium,
    unrest: Unrest,
    cover: Unrest,
    seed: str,
    start: float,
    end: float,
    looks: float,
) -> list[Seen]:
    """Reads in order of time. `looks`: how often a second each antenna would read a tag that always answers; `unrest`
    is between an antenna and a tag, `cover` about a tag, so that all antennas lose it together."""
    reporter = Reporter(reader, Random(f"{seed}/{reader.name}"))
    found: list[Seen] = []
    for tag in tags:
        rests = list(_rests(tag.path, start, end))
        for number, antenna in enumerate(reader.antennas):
            if antenna.dead:
                continue
            random = Random(f"{seed}/{reader.name}/{antenna.port}/{tag.uid}")
            own = Drift(unrest, random, start)
            about = Drift(cover, Random(f"{seed}/{tag.uid}"), start)
            for low, high in rests:
                levels = [medium.hear(antenna, tag, channel, (low + high) / 2) for channel in range(1, CHANNELS + 1)]
                best = max((heard.chip for heard in levels if heard is not None), default=-99.0) - tag.sensitivity
                t = low
                while t < high:
                    off = own.at(t) + about.at(t)
                    until = min(own.until, about.until, high)
                    t = t + random.expovariate(looks) if best + off > -3.0 else until
                    channel = random.randrange(CHANNELS)
                    heard = levels[channel]
                    if t >= until:
                        t = until
                    elif heard is not None and not reader.down_at(t) and reporter.answers(heard, tag, off):
                        found.append(reporter.seen(tag, number, channel + 1, t, heard, off))
    found.sort(key=lambda seen: seen.time)
    return found


def _rests(path: Path, start: float, end: float) -> Iterator[tuple[float, float]]:
    """When it is at rest."""
    times = [start, *(point[0] for point in path.points if start < point[0] < end), end]
    for low, high in pairwise(times):
        if low < high and path.velocity((low + high) / 2) == (0.0, 0.0, 0.0):
            yield low, high
