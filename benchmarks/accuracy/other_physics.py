"""A trial moved to where other physics hold: levels, lobes, shades, reflections and phases that no scene was made with.

What the floor knows was chosen and fitted in the worlds of `benchmarks/radio` as they are. Here the same people and
packages move, but each site draws how steeply levels fall, how they ripple, what bodies take, how many reads arrive
and how rough phases are from ranges that nothing was chosen by.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from benchmarks.accuracy.trial import Trial
from benchmarks.radio import RadioReader
from benchmarks.radio.air import Air, ripples

FALL = (-2.0, 8.0)
"""dB a decade of distance that the level at the reader falls beyond what free space and reflections make of it."""

RIPPLE = (0.0, 3.0)
WAVES, CREST = 3, (0.3, 1.5)
"""dB of ripple (root mean square), of so many waves with crests so many metres apart."""

WIDTH, BACK = (50.0, 110.0), (0.1, 0.35)
"""Degrees between an antenna's half-power directions, and the amplitude of its back and side lobes."""

SHADE, MIRROR = (0.4, 1.6), (0.5, 1.8)
"""Times what bodies shade, and what bodies and fixed reflectors reflect."""

KEPT = (0.2, 1.0)
BLUR, JITTER = (0.0, 0.5), (2.0, 8.0)
"""Share of the reads that arrive; radians and Hz of noise of their phases and Doppler shifts."""


def move(trial: Trial, random: Random) -> None:
    """Gives a trial physics of its own."""
    world = trial.world
    world.air = Air(random.uniform(*FALL), random.uniform(*RIPPLE), ripples(random, WAVES, *CREST))
    shade, mirror = random.uniform(*SHADE), random.uniform(*MIRROR)
    world.bodies = [
        replace(body, shade=shade * body.shade, mirror=min(mirror * body.mirror, 1.0)) for body in world.bodies
    ]
    world.reflectors = [
        replace(reflector, strength=min(mirror * reflector.strength, 1.0)) for reflector in world.reflectors
    ]
    there = {reader.name: _elsewhere(reader, random) for reader in world.readers}
    world.readers = list(there.values())
    for door in trial.doors:
        door.reader = there[door.reader.name]


def _elsewhere(reader: RadioReader, random: Random) -> RadioReader:
    width, back = random.uniform(*WIDTH), random.uniform(*BACK)
    return replace(
        reader,
        antennas=tuple(
            replace(antenna, width=min(max(random.gauss(width, 5.0), WIDTH[0]), WIDTH[1]), back=back)
            for antenna in reader.antennas
        ),
        kept=random.uniform(*KEPT),
        blur=random.uniform(*BLUR),
        jitter=random.uniform(*JITTER),
    )
