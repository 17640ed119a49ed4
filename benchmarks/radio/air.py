"""What the way between an antenna and a tag does to a level besides what geometry says: a steeper fall, and ripple."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.radio.shapes import Vector, unit


@dataclass(slots=True, frozen=True)
class Ripple:
    """A wave of levels that stands in the room: `vector` in radians a metre, `turn` radians from one port to the next,
    so that no two antennas have it alike."""

    vector: Vector
    turn: float


@dataclass(slots=True, frozen=True)
class Air:
    """What is added to the level that a reader reports: `fall` dB less for each tenfold of the distance beyond a metre,
    and `depth` dB (root mean square) of `ripples`. The chip has half of both."""

    fall: float = 0.0
    depth: float = 0.0
    ripples: Sequence[Ripple] = ()

    def level(self, port: int, position: Vector, distance: float) -> float:
        """dB that the reader of antenna `port` has more, of a tag at `position` and `distance` metres."""
        level = -self.fall * math.log10(distance)
        if self.ripples:
            x, y, z = position
            size = self.depth * math.sqrt(2 / len(self.ripples))
            for ripple in self.ripples:
                a, b, c = ripple.vector
                level += size * math.sin(a * x + b * y + c * z + ripple.turn * port)
        return level


CLEAR = Air()
"""Free space: nothing is added."""


def ripples(random: Random, count: int, shortest: float, longest: float) -> tuple[Ripple, ...]:
    """`count` ripples in directions of chance, `shortest` to `longest` metres from crest to crest."""
    found = []
    for _ in range(count):
        x, y, z = unit(random.gauss(0, 1), random.gauss(0, 1), random.gauss(0, 1))
        wave = 2 * math.pi / random.uniform(shortest, longest)
        found.append(Ripple((wave * x, wave * y, wave * z), random.uniform(0, 2 * math.pi)))
    return tuple(found)
