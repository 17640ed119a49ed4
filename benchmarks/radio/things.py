"""What is on the floor: tags, the goods that they are in, and bodies that stand in the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from benchmarks.radio.shapes import Path, Vector, unit

ALWAYS = (-math.inf, math.inf)


@dataclass(slots=True, frozen=True)
class Body:
    """A person, a cart, a truck: shadows what is behind it and reflects, from the floor to above every antenna.

    `radius` is half its width, `length` half its extent along its way (what a photo-eye sees). `shade` in dB on a
    path that goes through its middle; water is a good mirror too, hence `mirror`, the amplitude that it reflects.
    `present`: from when until when it is on the floor at all, in seconds.
    """

    path: Path
    radius: float = 0.25
    length: float = 0.25
    shade: float = 12.0
    mirror: float = 0.35
    present: tuple[float, float] = ALWAYS


@dataclass(slots=True, frozen=True)
class Goods:
    """A load of packages: a box of half sizes `size` around a path, which weakens a wave by `loss` dB a metre."""

    path: Path
    size: Vector
    loss: float

    def way_out(self, offset: Vector, towards: Vector) -> float:
        """Metres inside the box from a point at `offset` from its middle in the direction `towards`."""
        way = math.inf
        for place, half, step in zip(offset, self.size, towards, strict=True):
            if step > 1e-6:
                way = min(way, (half - place) / step)
            elif step < -1e-6:
                way = min(way, (-half - place) / step)
        return max(way, 0.0)

    def shortest_way_out(self, offset: Vector) -> float:
        """Metres of goods between a place within them, given from their middle, and the nearest face."""
        return max(min(half - abs(place) for place, half in zip(offset, self.size, strict=True)), 0.0)


@dataclass(slots=True, frozen=True, eq=False)
class RadioTag:
    """A tag on its way.

    `dipole`: the direction of its antenna in the frame of its way (forwards, left, up), so it turns with whoever
    carries it. `sensitivity`: the power in dBm that its chip needs. `matter`: dB lost to what it is stuck on, each
    way (liquids 6 to 15, foil and metal up to 30, cardboard next to nothing). `modulation`: dB of its answer.
    `goods` and `offset`: the load that it is in, and where in it. `hold`: seconds for which its session 1 flag lasts.
    `present`: from when until when it is on the floor at all.
    """

    epc: bytes
    path: Path
    dipole: Vector = (0.0, 1.0, 0.0)
    sensitivity: float = -18.0
    matter: float = 2.0
    modulation: float = 6.0
    turn: float = 0.0  # phase that its circuit adds, in radians
    goods: Goods | None = None
    offset: Vector = (0.0, 0.0, 0.0)
    hold: float = 1.5
    present: tuple[float, float] = ALWAYS

    @property
    def uid(self) -> str:
        """The EPC in capital hex."""
        return self.epc.hex().upper()


def epc(number: int, random: Random) -> bytes:
    """The EPC of the `number`-th package of a scene, shaped like a state system's identifier."""
    return (
        bytes.fromhex("1A4060300048") + random.getrandbits(32).to_bytes(4, "big") + (number & 0xFFFF).to_bytes(2, "big")
    )


def matter(random: Random, wet: float = 0.15, metal: float = 0.03) -> float:
    """dB lost to the package: a share `wet` holds liquid, a share `metal` is foil or a tin, the rest is dry."""
    draw = random.random()
    if draw < metal:
        return random.uniform(10.0, 22.0)
    if draw < metal + wet:
        return random.uniform(4.0, 11.0)
    return random.uniform(0.0, 4.0)


def make(
    number: int,
    path: Path,
    random: Random,
    *,
    loss: float | None = None,
    goods: Goods | None = None,
    offset: Vector = (0.0, 0.0, 0.0),
    present: tuple[float, float] = ALWAYS,
) -> RadioTag:
    """A tag as they come off the roll: directions, chips and circuits differ."""
    return RadioTag(
        epc=epc(number, random),
        path=path,
        dipole=unit(random.gauss(0, 1), random.gauss(0, 1), random.gauss(0, 0.6) + 1e-6),
        sensitivity=random.gauss(-18.0, 1.0),
        matter=matter(random) if loss is None else loss,
        modulation=random.gauss(6.0, 1.0),
        turn=random.uniform(0.0, 2 * math.pi),
        goods=goods,
        offset=offset,
        hold=random.uniform(0.6, 4.0),
        present=present,
    )
