"""Scenes in rooms: days of standing still, borders between zones, outages, and packages that really leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from benchmarks.accuracy.site import Door, delivery_kind, door_config, reader_kind, room_config
from benchmarks.accuracy.trial import Scene, Trial
from benchmarks.radio import Doorway, Path, Place, RadioReader, RadioTag, RoomAntenna, World
from benchmarks.radio.medium import reflectors
from benchmarks.radio.shapes import unit
from benchmarks.radio.things import make
from benchmarks.radio.unrest import Unrest

HOUR = 3600.0
_SIZE = 6.0  # metres, each way, of a room; two rooms are side by side along x
_LOUD = Unrest(spread=3.0, blocked=0.12)
_COVERED = Unrest(shortest=6.0, tail=1.1, spread=1.5, blocked=0.12, depth=(8.0, 35.0))


def _corner(port: int, x: float, y: float, middle: tuple[float, float], power: float) -> RoomAntenna:
    return RoomAntenna(port, (x, y, 2.6), unit(middle[0] - x, middle[1] - y, -1.6), power=power)


def _room(
    random: Random, antennas: int, west: float = 0.0, first: int = 1, power: float | None = None
) -> list[RoomAntenna]:
    """Antennas in the corners of a room, looking at its middle."""
    level = random.uniform(24.0, 28.0) if power is None else power
    corners = [
        (west + 0.3, 0.3),
        (west + _SIZE - 0.3, _SIZE - 0.3),
        (west + 0.3, _SIZE - 0.3),
        (west + _SIZE - 0.3, 0.3),
    ]
    middle = (west + _SIZE / 2, _SIZE / 2)
    return [
        _corner(first + number, x, y, middle, level + random.gauss(0, 1.0))
        for number, (x, y) in enumerate(corners[:antennas])
    ]


def _spot(random: Random, west: float = 0.0) -> tuple[float, float, float]:
    return random.uniform(west + 0.6, west + _SIZE - 0.6), random.uniform(0.6, _SIZE - 0.6), random.uniform(0.2, 1.9)


def _world(
    random: Random,
    tags: list[RadioTag],
    readers: list[RadioReader],
    places: list[Place],
    hours: float,
    looks: float,
    *,
    bare: bool = False,
) -> World:
    return World(
        tags=tags,
        readers=readers,
        places=places,
        end=hours * HOUR,
        reflectors=reflectors(random, 6, 0.0, max(place.east for place in places), 0.0, _SIZE),
        delivery=replace(delivery_kind(random, bare=bare), alive=None if bare else 5.0),
        unrest=_LOUD,
        cover=_COVERED,
        looks=looks,
    )


def _one_room(random: Random, *, tags: int, hours: float, settings: dict[str, Any], looks: float = 0.15) -> Trial:
    """One zone, three or four antennas, and tags that never leave it; some of them badly placed."""
    reader = reader_kind("r1", _room(random, random.choice([3, 4])), random)
    stock = [make(number, Path.still(*_spot(random)), random) for number in range(tags)]
    place = Place("room", 0.0, _SIZE, 0.0, _SIZE)
    world = _world(random, stock, [reader], [place], hours, looks, bare=random.random() < 0.5)
    return Trial(world, room_config({"room": settings}, [(reader, _ports(reader.antennas, "room"))]))


def _outage(random: Random) -> Trial:
    """The reader is away for minutes to an hour, three times."""
    trial = _one_room(random, tags=12, hours=6.0, settings={"departs_after": 60.0}, looks=0.3)
    starts = [HOUR * (1.0 + 1.6 * number) for number in range(3)]
    outages = tuple((start, start + random.choice([60.0, 600.0, 3000.0])) for start in starts)
    trial.world.readers[0] = replace(trial.world.readers[0], outages=outages)
    trial.world.delivery = replace(trial.world.delivery, alive=5.0)
    return trial


def _two_rooms(random: Random, *, border: bool, hours: float, tags: int, looks: float) -> Trial:
    """Two zones without a wall between them, two antennas each, all on one reader; every antenna hears both zones.

    With `border`, the tags stand within a metre of the line between them.
    """
    reader, places = _open_plan(random)
    stock = []
    for number in range(tags):
        x, y, z = _spot(random, random.choice([0.0, _SIZE]))
        if border:
            x = _SIZE + random.choice([1, -1]) * random.uniform(0.25, 1.0)
        stock.append(make(number, Path.still(x, y, z), random))
    return Trial(_world(random, stock, [reader], places, hours, looks), _two_config(reader))


def _shared_room(random: Random, zones: Sequence[Place], *, hours: float = 24.0, tags: int = 4) -> Trial:
    """One room that is divided into zones on the plan only: every antenna in its corners hears every tag in it."""
    antennas = _room(random, 4)
    reader = reader_kind("r1", antennas, random)
    stock = [make(number, Path.still(*_spot(random)), random) for number in range(tags)]
    ports = {antenna.port: zone.name for antenna in antennas for zone in zones if zone.holds(antenna.position)}
    world = _world(random, stock, [reader], list(zones), hours, 0.15, bare=random.random() < 0.5)
    return Trial(world, room_config({zone.name: {} for zone in zones}, [(reader, ports)]))


def _room_as_door(random: Random, *, hours: float = 4.0, tags: int = 4) -> Trial:
    """Four antennas in the corners of a room, two of them configured as one side of a door, and nothing ever moves."""
    antennas = _room(random, 4)
    reader = reader_kind("r1", antennas, random)
    stock = [make(number, Path.still(*_spot(random)), random) for number in range(tags)]
    doorway = Doorway("door", _MIDDLE, _MIDDLE, width=_SIZE, reach=_SIZE)
    sides = {antenna.port: "inside" if antenna.position[0] > _MIDDLE else "outside" for antenna in antennas}
    door = Door(doorway, reader, sides, inside="east", outside="west")
    world = _world(random, stock, [reader], _HALVES, hours, 0.15, bare=random.random() < 0.5)
    world.doorways = [doorway]
    return Trial(world, door_config([door]), doors=[door])


def _carried_over(random: Random) -> Trial:
    """Two zones as above; every tag is carried to the other one, once."""
    reader, places = _open_plan(random)
    stock = []
    for number in range(12):
        leaves = random.uniform(0.2, 0.8) * HOUR
        west = random.choice([0.0, _SIZE])
        x, y, z = _inner(random, west)
        there = _inner(random, _SIZE - west)
        stock.append(make(number, Path([(leaves, x, y, z), (leaves + 8.0, *there)]), random))
    return Trial(_world(random, stock, [reader], places, 1.0, 0.5), _two_config(reader))


def _inner(random: Random, west: float) -> tuple[float, float, float]:
    """A spot clear of the border."""
    return random.uniform(west + 1.8, west + _SIZE - 1.8), random.uniform(0.6, _SIZE - 0.6), random.uniform(0.2, 1.9)


def _open_plan(random: Random) -> tuple[RadioReader, list[Place]]:
    power = random.uniform(22.0, 26.0)
    antennas = [*_room(random, 2, 0.0, 1, power), *_room(random, 2, _SIZE, 3, power)]
    places = [Place("a", 0.0, _SIZE, 0.0, _SIZE), Place("b", _SIZE, 2 * _SIZE, 0.0, _SIZE)]
    return reader_kind("r1", antennas, random), places


def _two_config(reader: RadioReader) -> dict[str, Any]:
    return room_config({"a": {}, "b": {}}, [(reader, {1: "a", 2: "a", 3: "b", 4: "b"})])


def _leaving(random: Random) -> Trial:
    """An open dock without a portal: packages stand there for a while and are taken away by the open side."""
    reader = reader_kind("r1", _room(random, random.choice([3, 4])), random)
    stock = []
    for number in range(16):
        leaves = random.uniform(0.1, 1.5) * HOUR
        x, y, z = _spot(random)
        stock.append(make(number, Path([(leaves, x, y, z), (leaves + 20.0, -25.0, y, z)]), random))
    world = _world(random, stock, [reader], [Place("dock", 0.0, _SIZE, 0.0, _SIZE)], 2.5, 0.3)
    return Trial(world, room_config({"dock": {"departs_after": 60.0}}, [(reader, _ports(reader.antennas, "dock"))]))


def _ports(antennas: Sequence[RoomAntenna], zone: str) -> dict[int, str]:
    return {antenna.port: zone for antenna in antennas}


_MIDDLE = _SIZE / 2
_HALVES = [Place("west", 0.0, _MIDDLE, 0.0, _SIZE), Place("east", _MIDDLE, _SIZE, 0.0, _SIZE)]
_QUARTERS = [
    Place("south-west", 0.0, _MIDDLE, 0.0, _MIDDLE),
    Place("north-east", _MIDDLE, _SIZE, _MIDDLE, _SIZE),
    Place("north-west", 0.0, _MIDDLE, _MIDDLE, _SIZE),
    Place("south-east", _MIDDLE, _SIZE, 0.0, _MIDDLE),
]

SCENES = [
    Scene("a room's antennas as a door", "passes", _room_as_door, 20, 1),
    Scene("a day still, closed room", "presence", partial(_one_room, tags=8, hours=24.0, settings={}), 3, 0),
    Scene(
        "a day still, open dock",
        "presence",
        partial(_one_room, tags=8, hours=24.0, settings={"departs_after": 60.0}),
        3,
        0,
    ),
    Scene(
        "two hours still, open dock",
        "presence",
        partial(_one_room, tags=12, hours=2.0, settings={"departs_after": 60.0}, looks=0.5),
        8,
        2,
    ),
    Scene("a day still, two zones", "presence", partial(_two_rooms, border=False, hours=24.0, tags=8, looks=0.1), 2, 0),
    Scene(
        "by the border of two zones", "presence", partial(_two_rooms, border=True, hours=3.0, tags=12, looks=0.5), 6, 1
    ),
    Scene("one room, antennas in two zones", "presence", partial(_shared_room, zones=_HALVES), 2, 0),
    Scene("one room, four zones", "presence", partial(_shared_room, zones=_QUARTERS), 2, 0),
    Scene("reader away", "presence", _outage, 4, 1),
    Scene("carried to the next zone", "presence", _carried_over, 8, 2),
    Scene("taken from an open dock", "presence", _leaving, 10, 2),
]
