"""What an antenna and a tag have of each other: the sum of all paths between them, as waves.

The amplitude of a path of length d is that of free space (Friis), turned by 2 pi d / wavelength. Added up are the
direct path, its mirror image in the floor, fixed reflectors and the bodies about. The same sum holds forth and back,
so the chip gets its square and the reader hears its fourth power, and the phase of the answer is twice the phase of
the sum. What comes out: shadows, fades a hand's breadth apart, and phases that are only nearly those of the distance.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from benchmarks.radio.air import CLEAR, Air
from benchmarks.radio.shapes import Vector, unit
from benchmarks.radio.things import Body, RadioTag

LIGHT = 299_792_458.0
CHANNELS = 50
"""Hop channels of the FCC band, 902.75 to 927.25 MHz."""

RANGE = 12.0
"""Metres beyond which nothing is worked out: free space alone leaves a chip less than it needs."""

_TWO_PI = 2 * math.pi
_CIRCULAR = 10 ** (-3.0 / 20)  # a linear tag takes half the power of a circular wave
_TAG_GAIN = 10 ** (2.0 / 20)  # a half-wave dipole
_DIPOLE_FLOOR = 0.12  # amplitude along a dipole's axis: bent arms keep a null from being perfect
_HOUSING = 0.05  # metres: nothing is nearer than that, and nothing is divided by zero
_SIDE = 0.3  # cosine of the angle from which on there are only those
_DIPOLE_FLOOR_SQUARED = _DIPOLE_FLOOR**2


def wavelength(channel: int) -> float:
    """Metres, of hop channel 1 to 50."""
    return LIGHT / (902.75e6 + 0.5e6 * (channel - 1))


WAVELENGTHS = [wavelength(max(channel, 1)) for channel in range(CHANNELS + 1)]


@dataclass(slots=True, frozen=True)
class RoomAntenna:
    """An antenna of a reader's port: a circular panel. `power` in dBm at the connector, `width` the angle in degrees
    between its half-power directions, `back` the amplitude of its side and back lobes (14 dB below its front), `fault`
    dB that a bad cable takes each way, `dead`: it hears nothing."""

    port: int
    position: Vector
    facing: Vector
    power: float = 28.0
    gain: float = 6.0
    width: float = 70.0
    back: float = 0.2
    fault: float = 0.0
    dead: bool = False
    exponent: float = field(init=False)

    def __post_init__(self) -> None:
        half = math.cos(math.radians(self.width / 2))
        object.__setattr__(self, "exponent", math.log(0.5) / math.log(half) / 2)

    def amplitude(self, direction: Vector) -> float:
        """How much of a wave leaves in `direction` (a unit vector), against the panel's front."""
        ahead = direction[0] * self.facing[0] + direction[1] * self.facing[1] + direction[2] * self.facing[2]
        return ahead**self.exponent if ahead > _SIDE else self.back


@dataclass(slots=True, frozen=True)
class Reflector:
    """A shelf, a pillar, a door: reflects a share `strength` of the amplitude, turned by `turn` radians."""

    position: Vector
    strength: float
    turn: float


class Heard(NamedTuple):
    """A tag and an antenna at one moment: dBm at the chip, dBm at the reader, radians of the answer's phase."""

    chip: float
    reader: float
    phase: float


class _Way(NamedTuple):
    """The part of a reflected path that does not depend on the tag."""

    position: Vector
    before: float  # metres from the antenna to the reflector
    amplitude: float
    turn: float


def reflectors(
    random: Random, count: int, west: float, east: float, south: float, north: float, strength: float = 0.5
) -> list[Reflector]:
    """`count` reflectors about the edges of a rectangle, from knee to above head height."""
    found = []
    for _ in range(count):
        along = random.random()
        x, y = random.choice(
            [
                (west + along * (east - west), random.choice([south, north])),
                (random.choice([west, east]), south + along * (north - south)),
            ]
        )
        position = (x + random.gauss(0, 0.3), y + random.gauss(0, 0.3), random.uniform(0.3, 2.8))
        found.append(Reflector(position, random.uniform(0.3, 1.0) * strength, random.uniform(0, _TWO_PI)))
    return found


class Medium:
    """The paths of one scene. `floor_mirror`: amplitude that the floor reflects, with its sign turned."""

    def __init__(
        self, reflectors: Sequence[Reflector], bodies: Sequence[Body], floor_mirror: float = 0.5, air: Air = CLEAR
    ) -> None:
        self._reflectors = reflectors
        self._bodies = bodies
        self._floor = floor_mirror
        self._air = air
        self._ways: dict[int, list[_Way]] = {}
        self._still: dict[tuple[int, int, int], tuple[complex, complex, float]] = {}
        self._when = math.nan
        self._about: list[tuple[Body, Vector]] = []

    def hear(self, antenna: RoomAntenna, tag: RadioTag, channel: int, t: float) -> Heard | None:
        """What they have of each other at `t`, before noise; None where they are out of each other's range."""
        position = tag.path.at(t)
        length = WAVELENGTHS[channel]
        if len(tag.path.points) == 1:
            key = (id(antenna), id(tag), channel)
            fixed = self._still.get(key)
            if fixed is None:
                fixed = self._still[key] = self._fixed(antenna, tag, position, length, t)
        else:
            fixed = self._fixed(antenna, tag, position, length, t)
        direct, rest, distance = fixed
        if distance > RANGE:
            return None
        about = self._present(t)
        total = direct * _shade(antenna.position, position, about) + rest if about else direct + rest
        for body, place in about:
            total += _off_body(antenna, position, body, place, length)
        size = abs(total)
        if size < 1e-7:
            return None
        down = 20 * math.log10(size) + antenna.gain - tag.matter - antenna.fault
        if self._air is not CLEAR:
            down += self._air.level(antenna.port, position, max(distance, 1.0)) / 2
        return Heard(
            chip=antenna.power + down,
            reader=antenna.power + 2 * down - tag.modulation,
            phase=(tag.turn - 2 * cmath.phase(total)) % _TWO_PI,
        )

    def _fixed(
        self, antenna: RoomAntenna, tag: RadioTag, position: Vector, length: float, t: float
    ) -> tuple[complex, complex, float]:
        """The direct path, the sum of the others but for bodies, and the distance."""
        ax, ay, az = antenna.position
        dx, dy, dz = position[0] - ax, position[1] - ay, position[2] - az
        distance = math.sqrt(dx * dx + dy * dy + dz * dz)
        if distance > RANGE:
            return 0j, 0j, distance
        distance = max(distance, _HOUSING)
        direction = (dx / distance, dy / distance, dz / distance)
        dipole = _turned(tag, t)
        near, far = 1.0, 1.0
        if tag.goods is not None:
            back = (-direction[0], -direction[1], -direction[2])
            near = 10 ** (-tag.goods.loss * tag.goods.way_out(tag.offset, back) / 20)
            far = 10 ** (-tag.goods.loss * tag.goods.shortest_way_out(tag.offset) / 20)
        scale = length / (2 * _TWO_PI) * _CIRCULAR * _TAG_GAIN
        wave = _TWO_PI / length
        direct = cmath.rect(
            scale * near * antenna.amplitude(direction) * _taken(dipole, direction) / distance, -wave * distance
        )
        # The floor: the image of the antenna below it.
        dz = position[2] + az
        d = math.sqrt(dx * dx + dy * dy + dz * dz)
        leaves = (dx / d, dy / d, -dz / d)
        rest = cmath.rect(
            -scale * far * self._floor * antenna.amplitude(leaves) * _taken(dipole, (dx / d, dy / d, dz / d)) / d,
            -wave * d,
        )
        # The rest is the inner loop of every scene, so it is written out: `_taken`, and a wave as cosine and sine.
        px, py, pz = dipole
        x, y, z = position
        real = imag = 0.0
        for (wx, wy, wz), before, amplitude, turn in self._ways_of(antenna):
            dx, dy, dz = x - wx, y - wy, z - wz
            after = math.sqrt(dx * dx + dy * dy + dz * dz) + _HOUSING
            d = before + after
            along = (px * dx + py * dy + pz * dz) / after
            square = 1.0 - along * along
            taken = amplitude * math.sqrt(square if square > _DIPOLE_FLOOR_SQUARED else _DIPOLE_FLOOR_SQUARED) / d
            angle = turn - wave * d
            real += taken * math.cos(angle)
            imag += taken * math.sin(angle)
        rest += scale * far * complex(real, imag)
        return direct, rest, distance

    def _ways_of(self, antenna: RoomAntenna) -> list[_Way]:
        ways = self._ways.get(id(antenna))
        if ways is None:
            ways = self._ways[id(antenna)] = [_way(antenna, reflector) for reflector in self._reflectors]
        return ways

    def _present(self, t: float) -> list[tuple[Body, Vector]]:
        """The bodies and where they are now; worked out once for all tags of a moment."""
        if t != self._when:
            self._when = t
            self._about = [(body, body.path.at(t)) for body in self._bodies if body.present[0] <= t <= body.present[1]]
        return self._about


def _shade(a: Vector, b: Vector, about: Sequence[tuple[Body, Vector]]) -> float:
    """The share of the amplitude that gets past the bodies between two points."""
    shade = 0.0
    for body, place in about:
        off = _off_line(a, b, place)
        if off < body.radius:
            shade += body.shade * min(1.0, 2 * (1 - off / body.radius))
    return 10 ** (-min(shade, 30.0) / 20) if shade else 1.0


def _off_body(antenna: RoomAntenna, position: Vector, body: Body, place: Vector, length: float) -> complex:
    """The path over a body, at the height of the tag. Its nearness to the tag is bounded by its own width."""
    ax, ay, az = antenna.position
    dx, dy, dz = place[0] - ax, place[1] - ay, position[2] - az
    before = math.sqrt(dx * dx + dy * dy + dz * dz) + _HOUSING
    after = math.hypot(place[0] - position[0], place[1] - position[1]) + body.radius
    d = before + after
    leaves = antenna.amplitude((dx / before, dy / before, dz / before))
    # A body scatters all around: what it sends one way falls with the distance from it, as a cylinder's does.
    spread = math.sqrt(body.radius / after)
    scale = length / (2 * _TWO_PI) * _CIRCULAR * _TAG_GAIN
    return cmath.rect(scale * body.mirror * spread * leaves / d, -_TWO_PI / length * d)


def _way(antenna: RoomAntenna, reflector: Reflector) -> _Way:
    ax, ay, az = antenna.position
    x, y, z = reflector.position
    dx, dy, dz = x - ax, y - ay, z - az
    before = math.sqrt(dx * dx + dy * dy + dz * dz) + _HOUSING
    leaves = antenna.amplitude(unit(dx, dy, dz))
    return _Way(reflector.position, before, reflector.strength * leaves, reflector.turn)


def _turned(tag: RadioTag, t: float) -> Vector:
    """The dipole in the room's frame: it turns with the way."""
    ahead, left, up = tag.dipole
    c, s = tag.path.heading(t)
    return (c * ahead - s * left, s * ahead + c * left, up)


def _taken(dipole: Vector, direction: Vector) -> float:
    """Amplitude that a dipole takes from a wave in `direction`: the sine of the angle between them."""
    along = dipole[0] * direction[0] + dipole[1] * direction[1] + dipole[2] * direction[2]
    return math.sqrt(max(1.0 - along * along, _DIPOLE_FLOOR_SQUARED))


def _off_line(a: Vector, b: Vector, place: Vector) -> float:
    """How far from the straight line between `a` and `b` a place is, seen from above."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dy * dy
    if square < 1e-9:
        return math.inf
    share = ((place[0] - a[0]) * dx + (place[1] - a[1]) * dy) / square
    share = min(max(share, 0.0), 1.0)
    return math.hypot(a[0] + share * dx - place[0], a[1] + share * dy - place[1])
