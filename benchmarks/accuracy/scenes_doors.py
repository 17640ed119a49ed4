"""Scenes at doors: passes of every kind, with antennas and photo-eyes in every state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from random import Random

from benchmarks.accuracy.site import (
    Door,
    delivery_kind,
    door_config,
    door_places,
    make_door,
    reader_kind,
    with_antenna,
)
from benchmarks.accuracy.trial import Scene, Trial
from benchmarks.accuracy.walks import Convoy, back_again, by_hand, circles, empty_handed, on_cart, on_pallet, through
from benchmarks.radio import Body, Path, RadioTag, RoomAntenna, World
from benchmarks.radio.medium import reflectors
from benchmarks.radio.shapes import unit
from benchmarks.radio.things import make
from benchmarks.radio.unrest import Unrest

_AFTER = 8.0
"""Seconds of quiet after the last step, so that silence can close a pass."""

_BY_THE_DOOR = Unrest(spread=1.0, blocked=0.05)


def _trial(
    random: Random,
    doors: Sequence[Door],
    convoys: Sequence[Convoy],
    *,
    stock: Sequence[RadioTag] = (),
    bare: bool = False,
    neighbours: bool = False,
) -> Trial:
    tags = [tag for convoy in convoys for tag in convoy.tags]
    ys = [door.doorway.y for door in doors]
    world = World(
        tags=[*tags, *stock],
        readers=[door.reader for door in doors],
        places=door_places(doors),
        end=max(convoy.end for convoy in convoys) + _AFTER,
        doorways=[door.doorway for door in doors],
        bodies=[body for convoy in convoys for body in convoy.bodies],
        reflectors=[
            *reflectors(random, random.randint(3, 6), -5.0, 5.0, min(ys) - 3.5, max(ys) + 3.5),
            *(near for y in ys for near in reflectors(random, random.randint(2, 4), -1.5, 1.5, y - 1.6, y + 1.6)),
        ],
        photo_eyes=[eye for door in doors for eye in door.photo_eyes],
        delivery=delivery_kind(random, bare=bare),
        unrest=_BY_THE_DOOR,
    )
    groups = [{tag.uid for tag in convoy.tags} for convoy in convoys if len(convoy.tags) > 1]
    return Trial(world, door_config(doors), list(doors), groups=groups, neighbours=neighbours)


def _way(random: Random) -> int:
    return random.choice([1, -1])


def _hand(slow: float, fast: float, random: Random, *, bare: bool = False, **door: object) -> Trial:
    """Three people one after the other, one to three packages each."""
    made = make_door(random, **door)  # type: ignore[arg-type]
    return _trial(random, [made], _three(random, slow, fast), bare=bare)


def _three(random: Random, slow: float, fast: float) -> list[Convoy]:
    convoys: list[Convoy] = []
    t = 1.0
    for number in range(3):
        steps = through(random, random.uniform(slow, fast), _way(random), t)
        convoys.append(by_hand(random, steps, random.randint(1, 3), 10 * number))
        t = convoys[-1].end + random.uniform(1.0, 6.0)
    return convoys


def _carts(random: Random) -> Trial:
    """Two carts one after the other."""
    convoys = []
    t = 1.0
    for number in range(2):
        steps = through(random, random.uniform(0.5, 1.5), _way(random), t)
        convoys.append(on_cart(random, steps, random.randint(6, 20), 100 * number))
        t = convoys[-1].end + random.uniform(2.0, 6.0)
    return _trial(random, [make_door(random)], convoys)


def _pallet(count: int, random: Random, *, strays: int = 6) -> Trial:
    """A pallet, and a few tags that happen to stand about."""
    steps = through(random, random.uniform(0.5, 1.4), _way(random), 1.0)
    stock = [make(5000 + number, _by_the_door(random), random) for number in range(strays)]
    return _trial(random, [make_door(random)], [on_pallet(random, steps, count, 0)], stock=stock)


def _two_way(random: Random) -> Trial:
    """One comes in while another goes out: they meet in the door."""
    speed = random.uniform(0.7, 1.4)
    a = by_hand(random, through(random, speed, 1, 1.0), random.randint(1, 4), 0)
    b = by_hand(random, through(random, speed, -1, 1.0 + random.uniform(0.0, 2.0)), random.randint(1, 4), 100)
    return _trial(random, [make_door(random)], [a, b])


def _broken(change: str, random: Random) -> Trial:
    """One of four antennas is dead, or weak, or they were set to unequal power."""
    door = make_door(random, spread=4.0 if change == "unequal" else 1.5)
    port = random.randint(1, 4)
    if change == "dead":
        with_antenna(door, port, dead=True)
    elif change == "weak":
        with_antenna(door, port, fault=random.uniform(6.0, 10.0))
    return _trial(random, [door], _three(random, 0.5, 1.8))


def _photo_eyes(state: str, random: Random) -> Trial:
    """Photo-eyes on both sides: both good, one stuck from the middle of the scene on, or one blind."""
    door = make_door(random, photo_eyes=True)
    convoys = _three(random, 0.5, 1.8)
    if state == "stuck":
        stuck = random.uniform(0.0, convoys[-1].end / 2)
        which = random.randrange(2)
        door.photo_eyes[which] = replace(door.photo_eyes[which], stuck=stuck)
    elif state == "blind":
        which = random.randrange(2)
        door.photo_eyes[which] = replace(door.photo_eyes[which], dead=True)
    return _trial(random, [door], convoys)


# ---- what is no passage


def _turning(least: float, most: float, random: Random, *, wait: tuple[float, float] = (0.0, 3.0)) -> Trial:
    """People, and sometimes a cart, that come to `least` to `most` metres beyond the door and go back."""
    convoys: list[Convoy] = []
    t = 1.0
    for number in range(2):
        turn, speed = random.uniform(least, most), random.uniform(0.5, 1.8)
        steps = back_again(random, speed, _way(random), t, turn, random.uniform(*wait))
        carry = on_cart if random.random() < 0.4 else by_hand
        convoys.append(carry(random, steps, random.randint(6, 10), 100 * number))
        t = convoys[-1].end + random.uniform(2.0, 5.0)
    return _trial(random, [make_door(random)], convoys)


def _circling(random: Random) -> Trial:
    steps = circles(random, random.uniform(0.6, 1.3), 1.0, random.randint(1, 4))
    return _trial(random, [make_door(random)], [by_hand(random, steps, random.randint(2, 6), 0)])


def _by_the_door(random: Random) -> Path:
    """A place for stock: 0.6 to 3 m from the door's plane, beside the way."""
    x = random.choice([1, -1]) * random.uniform(0.6, 3.0)
    y = random.choice([1, -1]) * random.uniform(1.0, 2.2)
    return Path.still(x, y, random.uniform(0.2, 1.8))


def _standing(random: Random) -> Trial:
    """Stock on both sides of the door, people with and without packages past it, and one who turns around."""
    stock = [make(5000 + number, _by_the_door(random), random) for number in range(random.randint(15, 30))]
    convoys: list[Convoy] = []
    t = 3.0
    for number in range(4):
        steps = through(random, random.uniform(0.6, 1.6), _way(random), t)
        if number % 2:
            convoys.append(empty_handed(random, steps))
        else:
            convoys.append(by_hand(random, steps, random.randint(1, 3), 10 * number))
        t = convoys[-1].end + random.uniform(2.0, 6.0)
    return _trial(random, [make_door(random)], convoys, stock=stock)


def _adjacent(random: Random) -> Trial:
    """Two docks 3.2 to 4 m apart, each with a reader that hears the other's packages; now and then both are in use."""
    apart = random.uniform(3.2, 4.0)
    doors = [
        make_door(random, name="door-1", reader="r1", outside="dock-1"),
        make_door(random, name="door-2", reader="r2", outside="dock-2", y=apart),
    ]
    convoys: list[Convoy] = []
    t = 1.0
    for number in range(3):
        y = random.choice([0.0, apart])
        steps = through(random, random.uniform(0.6, 1.6), _way(random), t, y=y)
        carry = on_cart if random.random() < 0.3 else by_hand
        convoys.append(carry(random, steps, random.randint(2, 5), 100 * number))
        if random.random() < 0.7:
            t = convoys[-1].end + random.uniform(1.0, 4.0)
    return _trial(random, doors, convoys, neighbours=True)


def _out_of_the_vault(random: Random) -> Trial:
    """Packages stand on a shelf that an antenna of its own looks at, and are carried out through the door."""
    door = make_door(random)
    shelf_antenna = RoomAntenna(1, (8.8, 3.0, 2.2), unit(-0.1, 0.3, -1.0), power=24.0)
    shelf = reader_kind("shelf", [shelf_antenna], random)
    convoys = []
    for number in range(2):
        leaves = random.uniform(15.0, 30.0) + 25.0 * number
        speed = random.uniform(0.6, 1.5)
        there = (8.8 + random.uniform(-0.4, 0.4), 3.6 + random.uniform(-0.3, 0.3))
        reach, gone = leaves + 8.0 / speed, leaves + 18.0 / speed
        for package in range(3):
            dx, dy, z = random.uniform(-0.15, 0.15), random.uniform(-0.15, 0.15), random.uniform(0.8, 1.3)
            path = Path(
                [
                    (leaves, there[0] + dx, there[1] + dy, z),
                    (reach, 1.0 + dx, dy, z),
                    (gone, -10.0 + dx, dy, z),
                ]
            )
            tag = make(10 * number + package, path, random)
            person = Body(path.shifted(0.4, 0.0, 0.0))
            convoys.append(Convoy([tag], [person] if package == 0 else [], gone))
    trial = _trial(random, [door], convoys)
    trial.world.readers.append(shelf)
    trial.config = door_config([door], [(shelf, {1: door.inside})])
    trial.watched = True
    return trial


_Build = Callable[[Random], Trial]


def _scene(name: str, build: _Build, full: int, quick: int, *, ordinary: bool = False) -> Scene:
    return Scene(name, "passes", build, full, quick, ordinary)


SCENES = [
    _scene("by hand, slow (0.3-0.8 m/s)", partial(_hand, 0.3, 0.8), 35, 5, ordinary=True),
    _scene("by hand, brisk (0.8-1.6 m/s)", partial(_hand, 0.8, 1.6), 45, 5, ordinary=True),
    _scene("by hand, fast (1.6-2.5 m/s)", partial(_hand, 1.6, 2.5), 45, 5, ordinary=True),
    _scene("bare recording: reads only", partial(_hand, 0.5, 1.8, bare=True), 35, 5, ordinary=True),
    _scene("two ways at once", _two_way, 25, 4, ordinary=True),
    _scene("carts", _carts, 12, 1, ordinary=True),
    _scene("pallet of 60", partial(_pallet, 60), 6, 1, ordinary=True),
    _scene("pallet of 200", partial(_pallet, 200), 3, 1, ordinary=True),
    _scene("photo-eyes", partial(_photo_eyes, "good"), 25, 4, ordinary=True),
    _scene("a photo-eye stuck", partial(_photo_eyes, "stuck"), 25, 4),
    _scene("a photo-eye blind", partial(_photo_eyes, "blind"), 25, 4),
    _scene("8 antennas", partial(_hand, 0.5, 1.8, antennas=8), 25, 3, ordinary=True),
    _scene("2 antennas", partial(_hand, 0.5, 1.8, antennas=2), 25, 4),
    _scene("1 antenna", partial(_hand, 0.5, 1.8, antennas=1), 20, 3),
    _scene("one dead antenna of 4", partial(_broken, "dead"), 25, 4),
    _scene("one weak antenna of 4", partial(_broken, "weak"), 25, 4),
    _scene("unequal power", partial(_broken, "unequal"), 25, 4),
    _scene("comes near, goes back", partial(_turning, -2.0, -0.5), 60, 3),
    _scene("half across, goes back", partial(_turning, -0.4, 0.9), 60, 3),
    _scene("across and back", partial(_turning, 1.2, 5.0, wait=(0.5, 6.0)), 30, 3),
    _scene("in circles", _circling, 20, 2),
    _scene("by standing stock", _standing, 20, 1),
    _scene("adjacent docks", _adjacent, 30, 3),
    _scene("out of the vault", _out_of_the_vault, 12, 2),
]
