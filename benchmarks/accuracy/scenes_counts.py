"""Scenes of counting: dense shelves of which a reader sees most, and one that is not being read well."""

from __future__ import annotations

from functools import partial
from random import Random

from benchmarks.accuracy.site import delivery_kind, reader_kind, room_config
from benchmarks.accuracy.trial import Scene, Trial
from benchmarks.radio import Path, Place, RoomAntenna, World
from benchmarks.radio.medium import reflectors
from benchmarks.radio.shapes import unit
from benchmarks.radio.things import make, matter
from benchmarks.radio.unrest import Unrest
from benchmarks.radio.world import EPOCH
from gateway.clock import micros
from gateway.inputs import Command

_CLOSE = 0.06
"""Metres: tags nearer than this detune each other."""

_ASK, _END = 5.0, 150.0
"""Seconds at which the count is asked for, and at which the scene ends."""


def _shelf(tags: int, antennas: int, random: Random, *, dead: bool = False) -> Trial:
    """Packages at random on two boards of 1.2 m, antennas above and in front."""
    spots = [
        (random.uniform(-0.6, 0.6), random.uniform(-0.22, 0.22), random.choice([0.8, 1.25]) + random.uniform(0, 0.2))
        for _ in range(tags)
    ]
    stock = []
    for number, spot in enumerate(spots):
        crowd = sum(1 for other in spots if other is not spot and _near(spot, other))
        loss = matter(random, wet=0.1, metal=0.01) + sum(random.uniform(1.0, 7.0) for _ in range(crowd))
        stock.append(make(number, Path.still(*spot), random, loss=loss))
    panels = [
        RoomAntenna(1, (-0.5, -1.3, 1.5), unit(0.3, 1.0, -0.2), power=26.0, dead=dead),
        RoomAntenna(2, (0.5, -1.3, 1.0), unit(-0.3, 1.0, 0.0), power=26.0),
        RoomAntenna(3, (0.0, 0.0, 2.6), unit(0.0, 0.0, -1.0), power=26.0),
        RoomAntenna(4, (0.0, 1.2, 1.2), unit(0.0, -1.0, 0.0), power=26.0),
    ][:antennas]
    reader = reader_kind("r1", panels, random)
    world = World(
        tags=stock,
        readers=[reader],
        places=[Place("shelf", -1.0, 1.0, -1.0, 1.0)],
        end=_END,
        reflectors=reflectors(random, 6, -2.5, 2.5, -2.5, 2.5),
        delivery=delivery_kind(random),
        unrest=Unrest(spread=1.5, blocked=0.03),
    )
    config = room_config({"shelf": {}}, [(reader, dict.fromkeys(range(1, antennas + 1), "shelf"))])
    count = Command(EPOCH + micros(_ASK), "count", {"zone": "shelf", "request": "bench"})
    return Trial(world, config, commands=[count])


def _near(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    return sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) < _CLOSE * _CLOSE


SCENES = [
    Scene("shelf of 97, 2 antennas", "counts", partial(_shelf, 97, 2), 16, 2),
    Scene("shelf of 180, 2 antennas", "counts", partial(_shelf, 180, 2), 12, 1),
    Scene("shelf of 97, 1 antenna", "counts", partial(_shelf, 97, 1), 12, 1),
    Scene("shelf of 97, 4 antennas, 1 dead", "counts", partial(_shelf, 97, 4, dead=True), 12, 1),
]
