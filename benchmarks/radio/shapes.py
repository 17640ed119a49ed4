"""Where things are: paths through time, places and doorways. Seconds and metres."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

Vector: TypeAlias = tuple[float, float, float]


def unit(x: float, y: float, z: float = 0.0) -> Vector:
    """The direction of a vector that is not zero."""
    length = math.sqrt(x * x + y * y + z * z)
    return (x / length, y / length, z / length)


class Path:
    """Straight pieces between points ``(time, x, y, z)`` in order of time; at rest before the first and after the last.

    The heading is that of the piece, and stays what it was while the thing is at rest.
    """

    __slots__ = ("_headings", "_times", "moves", "points")

    def __init__(self, points: Iterable[tuple[float, float, float, float]]) -> None:
        self.points = tuple(points)
        if not self.points or any(b[0] <= a[0] for a, b in pairwise(self.points)):
            raise ValueError("a path has at least one point, and each is later than the one before")
        self._times = [point[0] for point in self.points]
        self._headings = list(self._turns())
        self.moves = any(a[1:] != b[1:] for a, b in pairwise(self.points))

    @classmethod
    def still(cls, x: float, y: float, z: float) -> Path:
        """The path of something that does not move."""
        return cls([(0.0, x, y, z)])

    def _turns(self) -> Iterator[tuple[float, float]]:
        heading = (1.0, 0.0)
        for a, b in pairwise(self.points):
            dx, dy = b[1] - a[1], b[2] - a[2]
            length = math.hypot(dx, dy)
            if length > 1e-9:
                heading = (dx / length, dy / length)
            yield heading
        yield heading

    def at(self, t: float) -> Vector:
        """The position at `t`."""
        points = self.points
        number = bisect_right(self._times, t)
        if number == 0:
            return points[0][1:]
        if number == len(points):
            return points[-1][1:]
        ta, xa, ya, za = points[number - 1]
        tb, xb, yb, zb = points[number]
        share = (t - ta) / (tb - ta)
        return (xa + share * (xb - xa), ya + share * (yb - ya), za + share * (zb - za))

    def heading(self, t: float) -> tuple[float, float]:
        """Cosine and sine of the direction in which it moves, or last moved, seen from above."""
        return self._headings[max(bisect_right(self._times, t) - 1, 0)]

    def velocity(self, t: float) -> Vector:
        """Metres a second; zero at rest."""
        number = bisect_right(self._times, t)
        if number == 0 or number == len(self.points):
            return (0.0, 0.0, 0.0)
        ta, xa, ya, za = self.points[number - 1]
        tb, xb, yb, zb = self.points[number]
        return ((xb - xa) / (tb - ta), (yb - ya) / (tb - ta), (zb - za) / (tb - ta))

    def shifted(self, dx: float, dy: float, dz: float) -> Path:
        """A path beside this one, as that of another package in the same load, which does not turn."""
        return Path((t, x + dx, y + dy, z + dz) for t, x, y, z in self.points)


@dataclass(slots=True, frozen=True)
class Place:
    """A zone as it is on the floor: a rectangle seen from above. `name` is the zone's id in a configuration."""

    name: str
    west: float
    east: float
    south: float
    north: float

    def holds(self, position: Vector) -> bool:
        """Whether a position is in the place."""
        return self.west <= position[0] < self.east and self.south <= position[1] < self.north


@dataclass(slots=True, frozen=True)
class Doorway:
    """An opening in a wall that runs along y at `x`; inside is where x is greater.

    `reach`: nearer than this to the wall, and opposite the opening or in it, a thing is at the doorway.
    """

    name: str
    x: float = 0.0
    y: float = 0.0
    width: float = 2.6
    reach: float = 3.0

    def depth(self, position: Vector) -> float:
        """How far inside, negative outside."""
        return position[0] - self.x

    def near(self, position: Vector) -> bool:
        """Whether a position is within reach of the doorway's antennas."""
        return abs(position[0] - self.x) < self.reach and abs(position[1] - self.y) < self.width / 2 + 1.0
