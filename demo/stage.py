"""Where each package is at each moment: the demo's people, who carry packages from antenna to antenna."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from drivers.emulators.scene import FOREVER, SECOND, Scene, Stay

LEVEL = -55.0
WALK = 3.0
"""Seconds from one side of the door to the other."""


@dataclass(slots=True, frozen=True)
class Spot:
    """An antenna of a reader on the stage."""

    reader: str
    antenna: int


@dataclass(slots=True, frozen=True)
class Actor:
    """A simulated reader: what it sees, and how many microseconds of its scene are over."""

    scene: Scene
    now: Callable[[], int]


class Stage:
    """Carries packages about before `readers` by name. `door_in` and `door_out` are the antennas of the door."""

    def __init__(self, readers: Mapping[str, Actor], door_in: Spot, door_out: Spot) -> None:
        self._readers = readers
        self._door_in = door_in
        self._door_out = door_out

    def put(self, uid: str, spot: Spot) -> None:
        """The package stands before one antenna from now on, and before no other."""
        self.take_away(uid)
        self._stay(uid, spot, 0.0, None)

    def take_away(self, uid: str) -> None:
        """Nobody reads the package any more."""
        for actor in self._readers.values():
            actor.scene.cut(bytes.fromhex(uid), actor.now())

    def carry_out(self, uid: str) -> None:
        """Through the door, from the inside to the outside, and away."""
        self._through(uid, self._door_in, self._door_out)

    def carry_in(self, uid: str, to: Spot) -> None:
        """Through the door from the outside, and to a place behind it."""
        self._through(uid, self._door_out, self._door_in)
        self._stay(uid, to, WALK, None)

    def _through(self, uid: str, first: Spot, then: Spot) -> None:
        self.take_away(uid)
        self._stay(uid, first, 0.0, WALK * 2 / 3, fade=1.0)
        self._stay(uid, then, WALK / 3, WALK, fade=1.0)

    def _stay(self, uid: str, spot: Spot, start: float, end: float | None, fade: float = 0.3) -> None:
        actor = self._readers[spot.reader]
        now = actor.now()
        until = FOREVER if end is None else now + round(end * SECOND)
        stay = Stay(spot.antenna, now + round(start * SECOND), until, LEVEL, fade=round(fade * SECOND))
        actor.scene.add(bytes.fromhex(uid), stay)
