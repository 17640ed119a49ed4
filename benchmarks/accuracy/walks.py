"""How packages move: in a hand, on a cart, on a pallet; straight through, or back again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from benchmarks.radio import Body, Goods, Path, RadioTag
from benchmarks.radio.things import make

Step = tuple[float, float, float]
"""Time, x, y of whoever walks."""

_ARM = 0.4  # metres from the middle of a person to what is carried
_SWING = 0.7  # seconds to turn around with it


@dataclass(slots=True)
class Convoy:
    """What moves together."""

    tags: list[RadioTag]
    bodies: list[Body]
    end: float


def through(
    random: Random, speed: float, way: int, start: float, *, y: float = 0.0, near: float = 8.0, far: float = 10.0
) -> list[Step]:
    """Through the door, `way` +1 in or -1 out, in legs of differing speed; `y` is the middle of the door.

    Every second one or so waits before the door or behind it for a while, in full view of the antennas; the slow
    ones halt in the door now and then.
    """
    across = y + random.uniform(-0.7, 0.7)
    xs = [-near, -random.uniform(3.1, 4.5), random.uniform(-0.5, 0.5), random.uniform(3.1, 4.5), far]
    halts = [0.3, 0.06 if speed < 1.0 else 0.0, 0.3, 0.0]
    t = start
    steps = [(t, way * xs[0], across + random.uniform(-1.5, 1.5))]
    for (a, b), halt in zip(pairwise(xs), halts, strict=True):
        t += (b - a) / (speed * random.uniform(0.8, 1.2))
        beside = random.uniform(-1.5, 1.5) if b == far else random.uniform(-0.3, 0.3)
        steps.append((t, way * b, across + beside))
        if random.random() < halt:
            t += random.uniform(0.5, 3.9) if abs(b) > 1 else random.uniform(0.5, 3.0)
            steps.append((t, *steps[-1][1:]))
    return steps


def back_again(
    random: Random, speed: float, way: int, start: float, turn: float, wait: float, *, y: float = 0.0, near: float = 8.0
) -> list[Step]:
    """Up to `turn` metres beyond the door (negative: before it), a while there, and back."""
    across = y + random.uniform(-0.6, 0.6)
    begin = (-near, y + random.uniform(-1.0, 1.0))
    there = start + (near + turn) / speed
    back = there + wait
    home = back + (near + turn) / (speed * random.uniform(0.8, 1.25))
    steps = [(start, way * begin[0], begin[1]), (there, way * turn, across)]
    if wait > 0:
        steps.append((back, way * turn, across))
    return [*steps, (home, way * begin[0], y + random.uniform(-1.0, 1.0))]


def circles(random: Random, speed: float, start: float, rounds: int, *, y: float = 0.0) -> list[Step]:
    """Round and round through the door: in on one hand, out on the other."""
    long, wide = random.uniform(1.2, 2.5), random.uniform(0.4, 0.7)
    corners = 12
    around = 2 * math.pi * math.sqrt((long * long + wide * wide) / 2)
    steps = [(start, -7.0, y)]
    t = start + (7.0 - long) / speed
    for number in range(rounds * corners + 1):
        angle = 2 * math.pi * number / corners
        steps.append((t, -long * math.cos(angle), y - wide * math.sin(angle)))
        t += around / corners / speed
    steps.append((t + (7.0 - long) / speed, -7.0, y))
    return steps


def by_hand(random: Random, steps: Sequence[Step], count: int, first: int, *, loss: float | None = None) -> Convoy:
    """One person with `count` packages: mostly held before the body, else at the side or on the back."""
    body, hand = _carried(steps, random.choice([0.0, 0.0, 0.0, 0.5 * math.pi, -0.5 * math.pi, math.pi]))
    height = random.uniform(0.8, 1.4)
    tags = []
    for number in range(count):
        dx, dy, dz = random.uniform(-0.1, 0.1), random.uniform(-0.15, 0.15), random.uniform(-0.15, 0.15)
        path = Path((t, x + dx, y + dy, height + dz) for t, x, y in hand)
        tags.append(make(first + number, path, random, loss=loss, present=_span(body)))
    person = Body(Path((t, x, y, 1.0) for t, x, y in body), present=_span(body))
    return Convoy(tags, [person], body[-1][0])


def empty_handed(random: Random, steps: Sequence[Step]) -> Convoy:
    """A person with nothing."""
    return Convoy([], [Body(Path((t, x, y, 1.0) for t, x, y in steps), present=_span(steps))], steps[-1][0])


def on_cart(random: Random, steps: Sequence[Step], count: int, first: int) -> Convoy:
    """A cart with open shelves, pushed. It goes straight: `steps` do not turn around."""
    return _loaded(random, steps, count, first, (0.45, 0.3, 0.5), 0.8, random.uniform(2.0, 6.0), 4.0)


def on_pallet(random: Random, steps: Sequence[Step], count: int, first: int) -> Convoy:
    """A pallet of cartons on a jack: the tags in the middle are behind goods on every side."""
    return _loaded(random, steps, count, first, (0.6, 0.5, 0.75), 0.9, random.uniform(6.0, 16.0), 8.0)


def _loaded(
    random: Random,
    steps: Sequence[Step],
    count: int,
    first: int,
    size: tuple[float, float, float],
    middle: float,
    loss: float,
    shade: float,
) -> Convoy:
    way = 1.0 if steps[1][1] > steps[0][1] else -1.0
    path = Path((t, x, y, middle) for t, x, y in steps)
    goods = Goods(path, size, loss)
    tags = []
    for number in range(count):
        offset = (
            random.uniform(-size[0], size[0]),
            random.uniform(-size[1], size[1]),
            random.uniform(-size[2], size[2]),
        )
        tags.append(
            make(first + number, path.shifted(*offset), random, goods=goods, offset=offset, present=_span(steps))
        )
    load = Body(path, radius=0.35, length=size[0], shade=shade, mirror=0.2, present=_span(steps))
    pusher = Body(path.shifted(-way * (size[0] + 0.5), 0.0, 0.0), present=_span(steps))
    return Convoy(tags, [pusher, load], steps[-1][0])


def _carried(steps: Sequence[Step], where: float) -> tuple[list[Step], list[Step]]:
    """The ways of a person and of what is carried, at an angle `where` from straight ahead. Whoever turns around takes
    a moment for it."""
    body: list[Step] = []
    hand: list[Step] = []
    late = 0.0
    c, s = _ARM * math.cos(where), _ARM * math.sin(where)
    heading = _direction(steps, 0)
    for number, (t, x, y) in enumerate(steps):
        body.append((t + late, x, y))
        hand.append((t + late, x + c * heading[0] - s * heading[1], y + c * heading[1] + s * heading[0]))
        onward = _direction(steps, number)
        if onward[0] * heading[0] + onward[1] * heading[1] < 0:
            late += _SWING
            body.append((t + late, x, y))
            hand.append((t + late, x + c * onward[0] - s * onward[1], y + c * onward[1] + s * onward[0]))
        heading = onward
    return body, hand


def _span(steps: Sequence[Step]) -> tuple[float, float]:
    """Whoever walks comes out of the distance and is gone there afterwards."""
    return steps[0][0], steps[-1][0]


def _direction(steps: Sequence[Step], number: int) -> tuple[float, float]:
    """Where the next leg that goes anywhere goes to; at the end, where the last one went."""
    legs = list(pairwise(steps))
    for (_, xa, ya), (_, xb, yb) in [*legs[number:], *reversed(legs)]:
        length = math.hypot(xb - xa, yb - ya)
        if length > 1e-6:
            return (xb - xa) / length, (yb - ya) / length
    return 1.0, 0.0
