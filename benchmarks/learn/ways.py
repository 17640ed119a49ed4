"""Ways of a single tag: across a passage, half way and back, along it, round, or none at all.

A way is drawn for antennas `half` metres from the middle, from the outside to the inside. In a field it begins and ends
between the antennas, at a door out of reach.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Random: TypeAlias = np.random.Generator

Drawn: TypeAlias = tuple[Array, Array]
"""Times, and places on the ground by row."""


def _pace(random: Random, door: bool) -> float:
    if door:
        return random.uniform(*[(0.3, 0.8), (0.8, 1.6), (0.8, 1.6), (1.6, 2.6)][random.integers(4)])
    return random.uniform(0.2, 0.8) if random.random() < 0.6 else random.uniform(0.4, 1.6)


def _timed(random: Random, points: Array, halts: float = 0.06, *, door: bool = False) -> Drawn:
    """The times at which somebody comes to the points, who waits a little at the ends and now and then on the way."""
    pace = _pace(random, door)
    times, ways = [0.0], [points[0]]
    if random.random() < 0.4:
        times.append(random.uniform(0.1, 2.5))
        ways.append(points[0])
    for before, after in pairwise(points):
        length = float(np.hypot(*(after - before)))
        times.append(times[-1] + max(length, 0.01) / (pace * random.uniform(0.75, 1.3)))
        ways.append(after)
        if random.random() < halts:
            times.append(times[-1] + random.uniform(0.3, 4.0 if door else 2.5))
            ways.append(after)
    if random.random() < 0.4:
        times.append(times[-1] + random.uniform(0.1, 2.5))
        ways.append(points[-1])
    return np.array(times), np.array(ways)


def _across(random: Random, half: float) -> Drawn:
    begin, end = half * random.uniform(0.3, 1.1, 2)
    y = half * random.uniform(-0.5, 0.5)
    drift = half * random.uniform(-0.5, 0.5) if random.random() < 0.8 else half * random.uniform(-1.6, 1.6)
    shares = np.linspace(0, 1, random.integers(3, 6))
    ys = y + (shares - 0.5) * drift + random.normal(0, 0.08, len(shares))
    return _timed(random, np.column_stack([-begin + shares * (begin + end), ys]))


def _halfway(random: Random, half: float) -> Drawn:
    begin = half * random.uniform(0.4, 1.15)
    turn = max(half * random.uniform(-0.9, 1.0), -begin + 0.4)
    y = half * random.uniform(-0.5, 0.5)
    ys = y + random.normal(0, 0.3, 5)
    home = -begin + random.normal(0, 0.15)
    xs = np.array([-begin, (turn - begin) / 2, turn, (turn + home) / 2, home])
    return _timed(random, np.column_stack([xs, ys]), halts=0.15)


def _along(random: Random, half: float) -> Drawn:
    x = half * random.uniform(-1.0, 0.9)
    drift = random.normal(0, 0.15 * half)
    shares = np.linspace(0, 1, 4)
    ys = half * (random.uniform(0.5, 1.2) * 2 * shares - random.uniform(0.5, 1.2)) * random.choice([1.0, -1.0])
    xs = x + drift * np.sin(np.pi * shares) + random.normal(0, 0.08, 4)
    return _timed(random, np.column_stack([xs, ys]))


def _round(random: Random, half: float) -> Drawn:
    long, wide = half * random.uniform(0.3, 1.0, 2)
    if random.random() < 0.6:
        wide = long * random.uniform(0.8, 1.2)
    rounds, sense = int(random.choice([1, 1, 1, 1, 2, 3])), random.choice([1.0, -1.0])
    begin = random.uniform(0, 2 * math.pi) if random.random() < 0.5 else random.integers(4) * math.pi / 2
    angles = begin + sense * np.linspace(0, 2 * math.pi, 12 * rounds + 1)
    middle = random.normal(0, 0.15 * half, 2)
    points = np.column_stack([long * np.cos(angles), wide * np.sin(angles)]) + middle
    return _timed(random, points + random.normal(0, 0.05, points.shape), halts=0.005)


def _still(random: Random, half: float) -> Drawn:
    place = half * random.uniform(-1.0, 1.0, 2)
    length = random.uniform(1.5, 20.0)
    kind = random.random()
    if kind < 0.4:
        return np.array([0.0, length]), np.array([place, place])
    times = np.arange(0.0, length + 0.5, 0.5)
    if kind < 0.7:  # turned where it is
        angles = 2 * math.pi * times / random.uniform(3.0, 20.0)
        around = random.uniform(0.02, 0.15) * np.column_stack([np.cos(angles), np.sin(angles)])
    else:  # held by somebody who stands there
        around = random.normal(0, random.uniform(0.01, 0.08), (len(times), 2))
    return times, place + around


# ---- at a door


def _through(random: Random, half: float) -> Drawn:
    begin, end = random.uniform(1.5, 8.0, 2) + half
    near = half + random.uniform(1.0, 3.5, 2)
    xs = np.array([-begin, -min(near[0], begin), random.uniform(-0.5, 0.5), min(near[1], end), end])
    ys = random.uniform(-0.7, 0.7) + random.normal(0, [0.8, 0.2, 0.1, 0.2, 0.8])
    return _timed(random, np.column_stack([xs, ys]), halts=0.15, door=True)


def _turning(random: Random, half: float) -> Drawn:
    begin = half + random.uniform(2.0, 8.0)
    turn = random.uniform(-3.0, half + 5.0)
    turn = max(turn, -begin + 0.5)
    home = min(-half - random.uniform(1.5, 8.0), turn - 0.5)
    xs = np.array([-begin, (turn - begin) / 2, turn, (turn + home) / 2, home])
    ys = random.uniform(-0.7, 0.7) + random.normal(0, [0.8, 0.2, 0.2, 0.2, 0.8])
    return _timed(random, np.column_stack([xs, ys]), halts=0.15, door=True)


def _past(random: Random, half: float) -> Drawn:
    x = -half - random.uniform(0.2, 3.0)
    ys = np.array([-1.0, -0.3, 0.3, 1.0]) * random.uniform(3.0, 7.0)
    return _timed(random, np.column_stack([x + random.normal(0, 0.3, 4), ys]), halts=0.08, door=True)


def _rounds(random: Random, half: float) -> Drawn:
    long, wide = half + random.uniform(0.4, 2.0), random.uniform(0.3, 0.9)
    rounds, sense = int(random.integers(1, 4)), random.choice([1.0, -1.0])
    angles = sense * np.linspace(0, 2 * math.pi, 12 * rounds + 1)
    circle = np.column_stack([-long * np.cos(angles), wide * np.sin(angles)])
    end = np.array([[-half - random.uniform(2.5, 7.0), 0.0]])
    return _timed(random, np.vstack([end, circle, end]), halts=0.005, door=True)


def _beside(random: Random, half: float) -> Drawn:
    times, places = _still(random, 1.0)
    x = random.choice([-1.0, 1.0]) * random.uniform(0.1, half + 3.0)
    y = random.choice([-1.0, 1.0]) * random.uniform(0.2, 3.0)
    return times * random.choice([1.0, 1.0, 3.0]), places - places[0] + np.array([x, y])


Way: TypeAlias = Callable[[Random, float], Drawn]

WAYS: tuple[tuple[str, float, Way, Way, int, bool], ...] = (
    ("across", 0.38, _across, _through, 1, True),
    ("half way", 0.18, _halfway, _turning, 0, True),
    ("along", 0.06, _along, _past, 0, True),
    ("round", 0.16, _round, _rounds, 0, True),
    ("standing", 0.22, _still, _beside, 0, False),
)
"""Name, share, drawing in a field and at a door, crossings and whether it moves, of each kind of way."""
