"""A seeded floor of radio: tags that move, antennas that see them badly, and the truth beside the reads.

Nothing here knows what the reads are judged by. The levels come from geometry: direct path, floor and reflectors add
up as waves, so that a quarter of a wavelength changes what is heard; bodies and goods stand in the way; the reader
takes its antennas in turn and loses answers to collisions; reads are delivered late and out of order. The truth comes
from the same paths, never from the reads.

::

    paths, goods, bodies ──▶ medium ──▶ inventory ──▶ delivery ──▶ items as a driver hands them over
              └───────────────────────▶ truth

Units: seconds since the beginning of the scene, metres, dB, dBm; x points into the building, z up. Only what leaves
`run` is in microseconds UTC.
"""

from benchmarks.radio.delivery import Delivery
from benchmarks.radio.inventory import RadioReader
from benchmarks.radio.medium import Reflector, RoomAntenna
from benchmarks.radio.photo_eyes import PhotoEye
from benchmarks.radio.shapes import Doorway, Path, Place
from benchmarks.radio.things import Body, Goods, RadioTag
from benchmarks.radio.truth import Transit, Truth
from benchmarks.radio.world import Run, World, run

__all__ = [
    "Body",
    "Delivery",
    "Doorway",
    "Goods",
    "Path",
    "PhotoEye",
    "Place",
    "RadioReader",
    "RadioTag",
    "Reflector",
    "RoomAntenna",
    "Run",
    "Transit",
    "Truth",
    "World",
    "run",
]
