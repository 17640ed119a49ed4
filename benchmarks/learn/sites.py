"""The passages of the sketches: where the antennas hang, how well each of them hears, and what reflects.

Half of them are doors with antennas on a frame, on both faces of a wall or above, half are open fields with antennas at
their corners. Sites differ more than any fitter would make them differ, so that what is learned does not lean on what
ours have in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.learn.ways import Array, Random


@dataclass(slots=True, frozen=True)
class Site:
    """Antennas by row: place, front, exponent of the main lobe, and gain in decibels there and back; reflectors by row:
    place and strength; `half`: metres from the middle to the antennas of a side. `door`: what passes comes from out of
    reach and goes there, which it does not in a field. `falls`: how much of the 40 dB of free space a level falls by
    where it is ten times as far."""

    places: Array
    fronts: Array
    lobes: Array
    gains: Array
    inside: NDArray[np.bool_]
    reflectors: Array
    strengths: Array
    half: float
    door: bool
    falls: float


def one_of(random: Random, *values: float) -> float:
    """Any of the values."""
    return float(random.choice(np.array(values)))


def make_site(random: Random) -> Site:
    """A site of either kind."""
    door = random.random() < DOORS
    half, places, fronts, width = _door(random) if door else _field(random)
    fronts /= np.linalg.norm(fronts, axis=1, keepdims=True)
    inside = places[:, 0] > 0
    gains = 2 * random.normal(0, one_of(random, 0.7, 1.5, 3.0), len(places))
    if random.random() < UNEVEN:
        gains += np.where(inside == (random.random() < 0.5), -random.uniform(3.0, 16.0), 0.0)
    if random.random() < FAULTY:
        gains[random.integers(len(places))] -= 200.0 if len(places) > 2 else random.uniform(6.0, 20.0)
    number = random.integers(3, 16)
    angles = random.uniform(0, 2 * math.pi, number)
    far = max(half, 1.2) + random.uniform(0.8, 5.0, number)
    reflectors = np.column_stack([far * np.cos(angles), far * np.sin(angles), random.uniform(0.2, 2.8, number)])
    strengths = random.uniform(0.3, 1.0, number) * one_of(random, *((0.0, 0.2, 0.5, 0.8) if door else STRENGTHS))
    falls = random.uniform(0.6, 1.2) if door else random.uniform(0.2, 1.1)
    exponent = math.log(0.5) / math.log(math.cos(math.radians(width / 2))) / 2
    lobes = np.full(len(places), exponent)
    return Site(places, fronts, lobes, gains, inside, reflectors, strengths, half, door, falls)


DOORS, UNEVEN, FAULTY = 0.5, 0.35, 0.12
"""Shares of sites that are doors, that have one side which hears worse, and that have an antenna which is dead or on a
bad cable."""

STRENGTHS = (0.1, 0.2, 0.4, 0.6, 0.8)
"""What a reflector of a field sends on of an amplitude, at most."""


def _door(random: Random) -> tuple[float, Array, Array, float]:
    """Half of the distance of its sides, and the places, fronts and width of its antennas."""
    half = random.uniform(0.2, 0.7) if random.random() < 0.7 else random.uniform(0.7, 2.0)
    above, each = random.random() < 0.25, int(random.choice([1, 2, 2, 2, 4]))
    tilt = random.uniform(0.0, 0.6)
    beside, top = random.uniform(0.9, 1.8), random.uniform(2.3, 3.0)
    places, fronts = [], []
    for number in range(2 * each):
        side, left, low = (1.0 if number % 2 else -1.0), (1.0 if number // 2 % 2 else -1.0), number >= 4
        if above:
            places.append((side * half, 0.5 * left * beside * (each > 1) * (1 + low) / 2, top))
            fronts.append((side * tilt, 0.0, -1.0))
        else:
            places.append((side * half, left * beside, random.uniform(0.5, 1.2) if low else random.uniform(1.0, 2.2)))
            fronts.append((side * tilt, -left, -0.1))
    return half, np.array(places), np.array(fronts), random.uniform(55, 90)


def _field(random: Random) -> tuple[float, Array, Array, float]:
    """The same of an open field."""
    half = random.uniform(1.2, 3.2)
    beside = half * random.uniform(0.7, 1.3)
    height = random.uniform(0.8, 2.4)
    if random.random() < 0.8:
        ground = np.array([(half, beside), (-half, beside), (half, -beside), (-half, -beside)])
    else:
        ground = np.array([(half, 0.0), (-half, 0.0)])
    places = np.column_stack([ground, np.full(len(ground), height)]) + random.normal(0, 0.1, (len(ground), 3))
    target = np.column_stack([random.normal(0, 0.35 * half, (len(ground), 2)), random.uniform(0.8, 1.5, len(ground))])
    return half, places, target - places, random.uniform(55, 120)
