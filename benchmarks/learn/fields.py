"""Open passages: antennas at the corners of a floor, and walks that begin and end in full view of them.

A door frame shows a tag that comes out of nowhere and goes there again. A field does not: every antenna hears the tag
all the time, the levels of the sides differ by a few decibels, and what decides is how that difference runs. Real
recordings are of both kinds, so the training has both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from benchmarks.accuracy.site import Door, reader_kind
from benchmarks.accuracy.walks import Step
from benchmarks.radio import Doorway, RoomAntenna
from benchmarks.radio.shapes import unit


@dataclass(slots=True)
class Field:
    """A passage with antennas `half` metres before and behind its middle. `wide`: one that nobody leaves on the way."""

    door: Door
    half: float
    wide: bool

    def begin(self, random: Random, *, near: tuple[float, float] = (-0.3, 3.0)) -> float:
        """How far from the middle a walk begins or ends, in metres."""
        return self.half * random.uniform(0.45, 1.1) if self.wide else self.half + random.uniform(*near)


def make_field(random: Random) -> Field:
    """A field of four antennas at its corners or of two opposite ones, turned across it or towards its middle."""
    wide = random.random() < 0.7
    half = random.uniform(1.5, 3.0) if wide else random.uniform(0.6, 2.2)
    beside = half * random.uniform(0.8, 1.3) if wide else random.uniform(1.0, 2.2)
    aim = random.uniform(0.8, 1.2) if wide else random.uniform(0.0, 1.0)
    count = random.choice([4, 4, 2])
    height, power = random.uniform(0.8, 2.4), random.uniform(22.0, 30.0)
    spread = random.choice([1.0, 2.5])
    panels, sides = [], {}
    for port in range(1, count + 1):
        side = 1 if port % 2 else -1
        left = 1 if port <= 2 else -1
        x, y = side * half, left * beside if count > 2 else 0.0
        facing = unit(-aim * x + 1e-3, -y, -0.1)
        width = random.uniform(60, 110) if wide else random.uniform(60, 90)
        panels.append(RoomAntenna(port, (x, y, height), facing, power=power + random.gauss(0, spread), width=width))
        sides[port] = "inside" if side > 0 else "outside"
    return Field(Door(Doorway("door"), reader_kind("r1", panels, random), sides), half, wide)


def pace(random: Random) -> float:
    """Metres a second."""
    return random.uniform(0.25, 0.9) if random.random() < 0.5 else random.uniform(0.3, 1.6)


def across(random: Random, field: Field, way: int, start: float) -> list[Step]:
    """From one side to the other, with a halt on the way now and then."""
    begin, end, speed = -field.begin(random), field.begin(random), pace(random)
    y = random.uniform(-0.8, 0.8)
    drift = random.uniform(-0.8, 0.8)
    legs = random.randint(2, 4)
    t, steps = start, []
    for leg in range(legs + 1):
        share = leg / legs
        steps.append((t, way * (begin + share * (end - begin)), y + share * drift + random.uniform(-0.2, 0.2)))
        if 0 < leg < legs and random.random() < 0.08:
            t += random.uniform(0.5, 2.5)
            steps.append((t, *steps[-1][1:]))
        t += (end - begin) / legs / (speed * random.uniform(0.8, 1.2))
    return _waiting(random, steps)


def halfway(random: Random, field: Field, way: int, start: float) -> list[Step]:
    """Up to some place between the sides or just beyond, and back again."""
    begin, speed = -field.begin(random, near=(-0.5, 1.0)), pace(random)
    turn = max(random.uniform(-field.half, field.half + (0.3 if field.wide else 1.5)), begin + 0.5)
    y = random.uniform(-0.8, 0.8)
    there = start + (turn - begin) / speed
    steps = [(start, way * begin, y), (there, way * turn, y + random.uniform(-0.5, 0.5))]
    if random.random() < 0.5:
        there += random.uniform(0.1, 3.0)
        steps.append((there, *steps[-1][1:]))
    home = there + (turn - begin) / (speed * random.uniform(0.8, 1.25))
    steps.append((home, way * (begin + random.uniform(-0.3, 0.3)), y + random.uniform(-0.8, 0.8)))
    return _waiting(random, steps)


def loop(random: Random, field: Field, way: int, start: float) -> list[Step]:
    """Round and round between the antennas, mostly once, begun anywhere or on one side."""
    long = random.uniform(0.4, 1.0) * max(field.half - (0.3 if field.wide else 0.0), 1.0)
    wide, speed = random.uniform(0.4, 1.8), pace(random)
    phase = random.uniform(0, 2 * math.pi) if random.random() < 0.5 else math.pi + random.uniform(-0.7, 0.7)
    rounds, sense, corners = random.choice([1, 1, 1, 2, 3]), random.choice([1, -1]), 12
    around = 2 * math.pi * math.sqrt((long * long + wide * wide) / 2)
    return [
        (
            start + number / corners * around / speed,
            way * long * math.cos(phase + sense * 2 * math.pi * number / corners),
            wide * math.sin(phase + sense * 2 * math.pi * number / corners),
        )
        for number in range(rounds * corners + 1)
    ]


def _waiting(random: Random, steps: list[Step]) -> list[Step]:
    """The same walk with a wait at its beginning, at its end, or at neither."""
    before, after = (random.choice([0.0, 0.0, random.uniform(0.1, 3.0)]) for _ in range(2))
    t, x, y = steps[0]
    waited = [(t, x, y)] if before else []
    waited += [(t + before, x, y) for t, x, y in steps]
    if after:
        t, x, y = waited[-1]
        waited.append((t + after, x, y))
    return waited
