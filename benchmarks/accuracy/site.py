"""Sites to try: doors with their antennas as fitters hang them, rooms, and the configuration that describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import Any

from benchmarks.radio import Delivery, Doorway, PhotoEye, Place, RadioReader, RoomAntenna
from benchmarks.radio.shapes import unit

FAR = 12.0
"""Metres from the door to the ends of what is simulated."""


HANGINGS = [(0.5, 0.25), (0.35, 0.05), (0.3, 0.0)]
"""Metres from the wall's plane, and how far a panel that looks across the way is turned to its own side."""


@dataclass(slots=True)
class Door:
    """A doorway with the antennas that watch it. `sides`: inside or outside, for each port of `reader`."""

    doorway: Doorway
    reader: RadioReader
    sides: dict[int, str]
    inside: str = "vault"
    outside: str = "dock"
    photo_eyes: list[PhotoEye] = field(default_factory=list)


def reader_kind(name: str, antennas: Sequence[RoomAntenna], random: Random) -> RadioReader:
    """A reader of one of the kinds that are in use: with phase or without, RSSI in whole or half decibels."""
    return RadioReader(
        name,
        tuple(antennas),
        dwell=random.choice([0.05, 0.1, 0.2]),
        noise=random.uniform(0.4, 1.2),
        step=random.choice([0.5, 1.0]),
        phase=random.random() < 0.6,
        half_turns=random.random() < 0.3,
        deaf=(random.uniform(2.0, 10.0), random.uniform(0.1, 0.4)),
    )


def delivery_kind(random: Random, *, bare: bool = False) -> Delivery:
    """A fifth to three quarters of the reads come after newer ones."""
    return Delivery(
        late=random.uniform(0.2, 0.75),
        bound=random.uniform(0.05, 0.6),
        report=random.choice([0.02, 0.05, 0.1]),
        alive=None if bare else random.uniform(1.0, 5.0),
    )


def make_door(
    random: Random,
    *,
    name: str = "door",
    reader: str = "r1",
    y: float = 0.0,
    antennas: int = 4,
    spread: float = 1.5,
    outside: str = "dock",
    photo_eyes: bool = False,
) -> Door:
    """A door whose antennas hang on both faces of the wall, on the frame, or above; `antennas` from 1 to 8.

    The kinds differ in how well they tell the sides apart: on the frame both sides look nearly the same way.
    `spread` in dB is how much the levels of equal antennas differ.
    """
    offset, tilt = random.choice(HANGINGS)
    power = random.uniform(25.0, 30.0)
    above = random.random() < 0.25
    panels, sides = [], {}
    for port in range(1, antennas + 1):
        side = 1 if port % 2 else -1
        pair = (port - 1) // 2
        left = 1 if pair % 2 == 0 else -1
        if antennas <= 2 or above:
            position = (side * offset, y + left * (0.0 if antennas <= 2 else 0.7), 2.7)
            facing = unit(side * tilt, 0.0, -1.0)
        else:
            position = (side * offset, y + left * 1.45, 0.8 if pair >= 2 else 1.8)
            facing = unit(side * tilt, -left, -0.1)
        panels.append(
            RoomAntenna(port, position, facing, power=power + random.gauss(0, spread), width=random.uniform(60, 80))
        )
        sides[port] = "inside" if side > 0 else "outside"
    doorway = Doorway(name, y=y)
    door = Door(doorway, reader_kind(reader, panels, random), sides, outside=outside)
    if photo_eyes:
        door.photo_eyes = [PhotoEye(reader, port, x, y - 1.3, y + 1.3) for port, x in ((1, 0.35), (2, -0.35))]
    return door


def with_antenna(door: Door, port: int, **changes: Any) -> None:
    """Changes one antenna of a door: dead, weak, louder."""
    antennas = tuple(
        replace(antenna, **changes) if antenna.port == port else antenna for antenna in door.reader.antennas
    )
    door.reader = replace(door.reader, antennas=antennas)


def door_places(doors: Sequence[Door]) -> list[Place]:
    """Inside of all doors is one place; outside of each is the strip before it."""
    places = [Place(doors[0].inside, 0.0, FAR, -FAR, FAR)]
    edges = sorted(door.doorway.y for door in doors)
    cuts = [-FAR, *((a + b) / 2 for a, b in pairwise(edges)), FAR]
    ordered = sorted(doors, key=lambda door: door.doorway.y)
    places += [
        Place(door.outside, -FAR, 0.0, low, high) for door, (low, high) in zip(ordered, pairwise(cuts), strict=True)
    ]
    return places


def door_config(doors: Sequence[Door], more: Sequence[tuple[RadioReader, dict[int, str]]] = ()) -> dict[str, Any]:
    """The configuration of a site with doors; `more`: readers that look at zones, with the zone of each port."""
    portals = []
    for door in doors:
        portal: dict[str, Any] = {"id": door.doorway.name, "inside": door.inside, "outside": door.outside}
        if door.photo_eyes:
            portal["photo_eyes"] = [
                {"reader": eye.reader, "port": eye.port, "side": "inside" if eye.x > 0 else "outside"}
                for eye in door.photo_eyes
            ]
        portals.append(portal)
    readers = [
        {
            "id": door.reader.name,
            "driver": "llrp",
            "host": "localhost",
            "antennas": [
                {"port": port, "portal": door.doorway.name, "side": side} for port, side in sorted(door.sides.items())
            ],
        }
        for door in doors
    ]
    zones = {door.inside: None, **{door.outside: None for door in doors}}
    config = room_config({zone: {} for zone in zones}, more)
    config["readers"] = readers + config["readers"]
    return config | {"portals": portals}


def room_config(
    zones: dict[str, dict[str, Any]], readers: Sequence[tuple[RadioReader, dict[int, str]]]
) -> dict[str, Any]:
    """The configuration of a site without doors: zones with their settings, and what each port looks at."""
    return {
        "site": "bench",
        "gateway": "bench",
        "tags": {"include": ["1A40"]},
        "zones": [{"id": zone, **settings} for zone, settings in zones.items()],
        "readers": [
            {
                "id": reader.name,
                "driver": "llrp",
                "host": "localhost",
                "antennas": [{"port": port, "zone": zone} for port, zone in sorted(ports.items())],
            }
            for reader, ports in readers
        ],
    }
