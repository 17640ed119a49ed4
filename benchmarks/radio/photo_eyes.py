"""Photo-eyes across a doorway: what bodies and goods on their way do to a reader's inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.radio.shapes import Path


@dataclass(slots=True, frozen=True)
class PhotoEye:
    """A beam along y at `x`, between `south` and `north`, on an input of a reader. True while it is interrupted.

    `stuck`: from this second on it says that it is interrupted (dirt, a leaning broom). `dead`: it never says so.
    """

    reader: str
    port: int
    x: float
    south: float
    north: float
    stuck: float | None = None
    dead: bool = False

    def edges(self, extents: Iterable[tuple[Path, float]], start: float, end: float) -> list[tuple[float, bool]]:
        """Times and states of the photo-eye's changes. `extents`: what may interrupt it, as a path and half its length
        along x."""
        if self.dead:
            return []
        broken = _joined(sorted(span for path, half in extents for span in self._spans(path, half, start, end)))
        edges: list[tuple[float, bool]] = []
        for low, high in broken:
            if self.stuck is not None and high >= self.stuck:
                if low < self.stuck:
                    edges.append((low, True))
                break
            edges += [(low, True), (high, False)]
        if self.stuck is not None and (not edges or not edges[-1][1]):
            edges.append((self.stuck, True))
        return edges

    def _spans(self, path: Path, half: float, start: float, end: float) -> Iterator[tuple[float, float]]:
        """When something on `path` is in the beam."""
        points = path.points
        if len(points) == 1:
            _, x, y, _ = points[0]
            if abs(x - self.x) < half and self.south < y < self.north:
                yield start, end
            return
        for (ta, xa, ya, _), (tb, xb, yb, _) in pairwise(points):
            if not (self.south < (ya + yb) / 2 < self.north):
                continue
            if xa == xb:
                if abs(xa - self.x) < half:
                    yield ta, tb
                continue
            times = sorted(ta + (edge - xa) / (xb - xa) * (tb - ta) for edge in (self.x - half, self.x + half))
            low, high = max(times[0], ta), min(times[1], tb)
            if low < high:
                yield low, high


def _joined(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Overlapping spans as one; a beam has no time to recover in under 50 ms."""
    joined: list[tuple[float, float]] = []
    for low, high in spans:
        if joined and low <= joined[-1][1] + 0.05:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined
