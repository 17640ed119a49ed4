"""What really happened, from the paths alone: who passed which doorway, and who was where."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from benchmarks.radio.shapes import Doorway, Path, Place
from benchmarks.radio.things import RadioTag

REST = 4.0
"""Seconds at rest by a doorway after which going on is another attempt."""

Direction = Literal["in", "out", "turned_back", "standing"]

_Piece = tuple[tuple[float, float, float, float], tuple[float, float, float, float]]


@dataclass(slots=True, frozen=True)
class Transit:
    """One tag at one doorway from `start` to `end`: it passed in or out, came and went back, or stood there."""

    uid: str
    doorway: str
    direction: Direction
    start: float
    end: float
    crossings: tuple[tuple[float, int], ...]  # when, and +1 inwards or -1 outwards


class Truth:
    """`transits` in order of time; `stays`: for each tag since when it is in which zone (None: in none)."""

    def __init__(
        self, tags: Iterable[RadioTag], doorways: Sequence[Doorway], places: Sequence[Place], start: float, end: float
    ) -> None:
        self.start, self.end = start, end
        self.transits: list[Transit] = []
        self.stays: dict[str, list[tuple[float, str | None]]] = {}
        for tag in tags:
            pieces = list(_pieces(tag.path, start, end))
            for doorway in doorways:
                self.transits += _transits(tag.uid, pieces, doorway)
            self.stays[tag.uid] = list(_stays(pieces, places))
        self.transits.sort(key=lambda transit: (transit.start, transit.doorway, transit.uid))

    def zone_at(self, uid: str, t: float) -> str | None:
        """The zone in which a tag is at `t` seconds, or None."""
        stays = self.stays[uid]
        return stays[max(bisect_right(stays, t, key=lambda stay: stay[0]) - 1, 0)][1]

    def zones_between(self, uid: str, start: float, end: float) -> set[str | None]:
        """Every zone that the tag was in at some time between the two."""
        inside = {zone for since, zone in self.stays[uid] if start < since <= end}
        return inside | {self.zone_at(uid, start)}

    def population(self, zone: str, t: float) -> set[str]:
        """The tags in a zone at `t`."""
        return {uid for uid in self.stays if self.zone_at(uid, t) == zone}

    def leavings(self) -> Iterator[tuple[str, str, float]]:
        """Each time that a tag left a zone: tag, zone, when."""
        for uid, stays in self.stays.items():
            for (_, before), (when, _) in pairwise(stays):
                if before is not None:
                    yield uid, before, when


def _pieces(path: Path, start: float, end: float) -> Iterator[_Piece]:
    """The straight pieces between two times, rests included."""
    times = sorted({start, end, *(point[0] for point in path.points if start < point[0] < end)})
    for ta, tb in pairwise(times):
        yield (ta, *path.at(ta)), (tb, *path.at(tb))


def _clipped(piece: _Piece, west: float, east: float, south: float, north: float) -> tuple[float, float] | None:
    """When, on a straight piece, it is inside a rectangle."""
    (ta, xa, ya, _), (tb, xb, yb, _) = piece
    low, high = 0.0, 1.0
    for a, b, least, most in ((xa, xb, west, east), (ya, yb, south, north)):
        if abs(b - a) < 1e-12:
            if not least <= a < most:
                return None
            continue
        first, second = sorted(((least - a) / (b - a), (most - a) / (b - a)))
        low, high = max(low, first), min(high, second)
    return (ta + low * (tb - ta), ta + high * (tb - ta)) if low < high else None


def _transits(uid: str, pieces: Sequence[_Piece], doorway: Doorway) -> Iterator[Transit]:
    half = doorway.width / 2 + 1.0
    spans: list[tuple[float, float]] = []
    crossings: list[tuple[float, int]] = []
    stood = 0.0
    for piece in pieces:
        (ta, xa, _, _), (tb, xb, _, _) = piece
        span = _clipped(piece, doorway.x - doorway.reach, doorway.x + doorway.reach, doorway.y - half, doorway.y + half)
        if span is None:
            continue
        if piece[0][1:] == piece[1][1:]:
            stood += span[1] - span[0]
            continue
        spans.append(span)
        if (xa < doorway.x) != (xb < doorway.x):
            when = ta + (doorway.x - xa) / (xb - xa) * (tb - ta)
            if span[0] - 1e-6 <= when <= span[1] + 1e-6:
                crossings.append((when, 1 if xb > xa else -1))
    if not spans:
        if stood:
            yield Transit(uid, doorway.name, "standing", pieces[0][0][0], pieces[-1][1][0], ())
        return
    for low, high in _attempts(spans):
        mine = tuple((when, sign) for when, sign in crossings if low - 1e-6 <= when <= high + 1e-6)
        net = sum(sign for _, sign in mine)
        direction: Direction = "turned_back" if net == 0 else "in" if net > 0 else "out"
        yield Transit(uid, doorway.name, direction, low, high, mine)


def _attempts(spans: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Spans of moving with only short rests between them are one attempt."""
    low, high = spans[0]
    for start, end in spans[1:]:
        if start - high > REST:
            yield low, high
            low = start
        high = max(high, end)
    yield low, high


def _stays(pieces: Sequence[_Piece], places: Sequence[Place]) -> Iterator[tuple[float, str | None]]:
    """Changes of zone, the first at the beginning."""
    changes: list[tuple[float, str | None]] = []
    for piece in pieces:
        (ta, *_), (tb, *_) = piece
        cuts = {ta}
        for place in places:
            span = _clipped(piece, place.west, place.east, place.south, place.north)
            if span is not None:
                cuts.update(cut for cut in span if ta <= cut < tb)
        for low, high in pairwise([*sorted(cuts), tb]):
            middle = ((low + high) / 2 - ta) / (tb - ta)
            (_, xa, ya, za), (_, xb, yb, zb) = piece
            position = (xa + middle * (xb - xa), ya + middle * (yb - ya), za + middle * (zb - za))
            changes.append((low, next((place.name for place in places if place.holds(position)), None)))
    last: tuple[str | None] | None = None
    for when, zone in changes:
        if last != (zone,):
            yield when, zone
        last = (zone,)
