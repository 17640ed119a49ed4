"""Days of standing still, quickly: the reads of tags that do not move, without playing every slot.

The levels are those of the same paths; in between only unrest changes anything. Each antenna asks each tag so many
times a second; whether it answers is drawn from the level of the moment on a hop channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from drivers.emulators.radio.inventory import RadioReader, Reporter
from drivers.emulators.radio.medium import CHANNELS, Medium
from drivers.emulators.radio.things import RadioTag
from drivers.emulators.radio.unrest import Unrest
from drivers.emulators.scene import Seen


def standing_reads(
    reader: RadioReader,
    tags: Sequence[RadioTag],
    medium: Medium,
    unrest: Unrest,
    seed: str,
    start: float,
    end: float,
    looks: float,
) -> list[Seen]:
    """Reads in order of time. `looks`: how often a second each antenna would read a tag that always answers."""
    reporter = Reporter(reader, Random(f"{seed}/{reader.name}"))
    found: list[Seen] = []
    for tag in tags:
        for number, antenna in enumerate(reader.antennas):
            if antenna.dead:
                continue
            random = Random(f"{seed}/{reader.name}/{antenna.port}/{tag.uid}")
            levels = [medium.hear(antenna, tag, channel, start) for channel in range(1, CHANNELS + 1)]
            best = max((heard.chip for heard in levels if heard is not None), default=-99.0) - tag.sensitivity
            t = start
            for until, off in unrest.stays(random, start):
                stop = min(until, end)
                if best + off < -3.0:
                    t = stop
                while t < stop:
                    t += random.expovariate(looks)
                    channel = random.randrange(CHANNELS)
                    heard = levels[channel]
                    if t < stop and heard is not None and not reader.down_at(t) and reporter.answers(heard, tag, off):
                        found.append(reporter.seen(tag, number, channel + 1, t, heard, off))
                t = stop
                if until >= end:
                    break
    found.sort(key=lambda seen: seen.time)
    return found
