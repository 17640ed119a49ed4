"""The worlds that the learned layer is trained on: every kind of attempt, at doors and in fields of every kind."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

from benchmarks.accuracy.site import Door, delivery_kind, door_config, door_places, make_door, with_antenna
from benchmarks.accuracy.trial import Trial
from benchmarks.accuracy.walks import (
    Convoy,
    Step,
    back_again,
    by_hand,
    circles,
    empty_handed,
    on_cart,
    on_pallet,
    through,
)
from benchmarks.learn.fields import Field, across, halfway, loop, make_field
from benchmarks.radio import Path, RadioTag, World
from benchmarks.radio.medium import reflectors
from benchmarks.radio.shapes import Vector, unit
from benchmarks.radio.things import make
from benchmarks.radio.unrest import Unrest

_AFTER = 8.0
"""Seconds of quiet after the last step."""

_SHADES = (0.5, 1.0, 3.0, 6.0, 12.0)
"""Decibels that the body of whoever carries something takes at most, each way: it may be held aloft or at arm's
length."""


@dataclass(slots=True, frozen=True)
class Kind:
    """One kind of world. `trials` of it make a usual training; `field`: in a field instead of at a door; `stock`: how
    many tags stand about, at least and at most; `convoys`, the same; `kept`: so many tags of a world count at most."""

    name: str
    trials: int
    walk: str
    carry: str = "hand"
    field: bool = False
    stock: tuple[int, int] = (0, 2)
    convoys: tuple[int, int] = (2, 3)
    kept: int = 40


KINDS = (
    Kind("field, across", 40, "across", field=True),
    Kind("field, half way", 25, "halfway", field=True),
    Kind("field, round", 15, "loop", field=True),
    Kind("field, standing", 20, "across", "some", field=True, stock=(3, 10)),
    Kind("door, through", 65, "through"),
    Kind("door, back", 60, "back"),
    Kind("door, round", 20, "circles"),
    Kind("door, carts", 10, "through", "cart"),
    Kind("door, cart back", 7, "back", "cart"),
    Kind("door, pallet", 5, "through", "pallet", convoys=(1, 1), kept=12),
    Kind("door, standing", 17, "through", "some", stock=(3, 10)),
)


def build(kind: Kind, random: Random) -> Trial:
    """A world of this kind."""
    if kind.field:
        field = make_field(random)
        door = field.door
    else:
        door = make_door(random, antennas=random.choice([4, 4, 4, 4, 8, 2]), spread=random.choice([1.5, 1.5, 4.0]))
        field = Field(door, 0.6, False)
    door.reader = replace(door.reader, phase=random.random() < 0.85, half_turns=False)
    if random.random() < 0.18:
        _spoil(random, door)
    convoys: list[Convoy] = []
    t = 1.0
    for number in range(random.randint(*kind.convoys)):
        steps = _walk(kind.walk, random, field, t)
        convoys.append(_carried(kind.carry, random, steps, 1000 * number))
        t = convoys[-1].end + random.uniform(3.0, 8.0)
    stock = [_standing(random, number, t, near=kind.field) for number in range(random.randint(*kind.stock))]
    strength = random.choice([0.15, 0.3, 0.6, 1.0] if kind.field else [0.5, 0.5, 0.8, 1.1])
    world = World(
        tags=[tag for convoy in convoys for tag in convoy.tags] + stock,
        readers=[door.reader],
        places=door_places([door]),
        end=max(convoy.end for convoy in convoys) + _AFTER,
        doorways=[door.doorway],
        bodies=[body for convoy in convoys for body in convoy.bodies],
        reflectors=[
            *reflectors(random, random.randint(3, 8), -5.0, 5.0, -3.5, 3.5, strength),
            *reflectors(random, random.randint(2, 4), -1.5, 1.5, -1.6, 1.6, strength),
        ],
        delivery=delivery_kind(random, bare=random.random() < 0.3),
        unrest=Unrest(spread=random.choice([1.0, 2.5]), blocked=0.05),
    )
    return Trial(world, door_config([door]), [door])


def _spoil(random: Random, door: Door) -> None:
    """One antenna is dead, or on a bad cable."""
    port = random.choice(sorted(door.sides))
    if random.random() < 0.5:
        with_antenna(door, port, dead=len(door.sides) > 2)
    else:
        with_antenna(door, port, fault=random.uniform(3.0, 10.0))


def _walk(name: str, random: Random, field: Field, t: float) -> list[Step]:
    way = random.choice([1, -1])
    speed = random.uniform(*random.choice([(0.3, 0.8), (0.8, 1.6), (0.8, 1.6), (1.6, 2.5)]))
    match name:
        case "across":
            return across(random, field, way, t)
        case "halfway":
            return halfway(random, field, way, t)
        case "loop":
            return loop(random, field, way, t)
        case "through":
            return through(random, speed, way, t)
        case "back":
            wait = random.choice([0.0, random.uniform(0.0, 3.0), random.uniform(0.0, 6.0)])
            return back_again(random, speed, way, t, random.uniform(-2.0, 5.0), wait)
        case _:
            return circles(random, random.uniform(0.6, 1.3), t, random.randint(1, 3))


def _carried(name: str, random: Random, steps: list[Step], first: int) -> Convoy:
    convoy = _loaded(name, random, steps, first)
    shade = random.choice(_SHADES)
    convoy.bodies = [replace(body, shade=min(body.shade, shade)) for body in convoy.bodies]
    if random.random() < 0.75:
        convoy.tags = [replace(tag, dipole=_upright(random)) for tag in convoy.tags]
    return convoy


def _upright(random: Random) -> Vector:
    """A dipole that stands nearly upright: every antenna sees it alike, whichever way it goes."""
    return unit(random.gauss(0, 0.3), random.gauss(0, 0.3), 1.0)


def _loaded(name: str, random: Random, steps: list[Step], first: int) -> Convoy:
    match name:
        case "cart":
            return on_cart(random, steps, random.randint(4, 12), first)
        case "pallet":
            return on_pallet(random, steps, random.randint(15, 50), first)
        case "some":
            return empty_handed(random, steps) if random.random() < 0.6 else by_hand(random, steps, 1, first)
        case _:
            return by_hand(random, steps, random.choice([1, 1, 1, 2, 3]), first)


def _standing(random: Random, number: int, end: float, *, near: bool) -> RadioTag:
    """A tag that stands about or turns where it is, all the time or for some seconds."""
    x = random.choice([1, -1]) * random.uniform(0.2, 3.0)
    y = random.choice([1, -1]) * random.uniform(0.2 if near else 1.0, 2.2)
    z = random.uniform(0.2, 1.8)
    since, until = -math.inf, math.inf
    if random.random() < 0.5:
        since = random.uniform(0.0, end)
        until = since + random.uniform(1.0, 14.0)
    path = _turning(random, x, y, z, end + _AFTER) if random.random() < 0.35 else Path.still(x, y, z)
    return make(5000 + number, path, random, present=(since, until))


def _turning(random: Random, x: float, y: float, z: float, end: float) -> Path:
    """Round in a circle of a hand's width: what it shows of itself changes all the time."""
    radius, period, corners = random.uniform(0.02, 0.1), random.uniform(3.0, 20.0), 12
    return Path(
        (
            number / corners * period,
            x + radius * math.cos(2 * math.pi * number / corners),
            y + radius * math.sin(2 * math.pi * number / corners),
            z,
        )
        for number in range(round(end / period * corners) + 2)
    )
