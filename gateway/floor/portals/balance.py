"""How much better one side of a portal hears than the other: learned from what went through.

What goes through comes near to both sides, so over many passes both should hear it equally loud at their loudest. One
that does not has a bad cable, less power or a worse place, which a single pass cannot tell from a tag that did not come
near. The prior is that both hear alike; it counts as much as PRIOR loads. So a new door is judged as it always was.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.floor.portals.track import Profile, Sighting

PRIOR = 6
"""Loads for which the expectation counts that both sides hear alike: one differs by some 7 dB, as a window fades."""

MOST = 60
"""Loads over which the mean is taken: a day of a quiet door. An antenna that is mended is known to be soon."""

LEAST, WIDEST = 3, 15
"""Decibels below which a difference is left alone, and above which no more is made good."""


@dataclass(slots=True)
class Balance:
    """The mean of the differences of `number` loads, in decibels: positive where the inside hears better."""

    mean: float = 0.0
    number: int = 0

    def learn(self, passes: Iterable[tuple[Profile | None, Profile | None]]) -> None:
        """Takes in what the inside and the outside saw of all that went through together: that counts once, however
        many packages it had."""
        differences = [_difference(one, other) for one, other in passes if one is not None and other is not None]
        if differences:
            self.number = min(self.number + 1, MOST)
            self.mean += (math.fsum(differences) / len(differences) - self.mean) / self.number

    @property
    def lift(self) -> int:
        """Whole decibels that the weaker side is to be given: positive where that is the outside."""
        known = round(self.mean * self.number / (self.number + PRIOR))
        return max(min(known, WIDEST), -WIDEST) if abs(known) >= LEAST else 0


def _difference(inside: Profile, outside: Profile) -> float:
    one, other = (max(entry.power for entry in side.bins) for side in (inside, outside))
    return 10 * math.log10(one / other)


def lifted(sightings: list[Sighting], inside: frozenset[int], lift: int) -> list[Sighting]:
    """The sightings as if the weaker side heard `lift` decibels better."""
    if not lift:
        return sightings
    factor = 10 ** (abs(lift) / 10)
    return [
        (start, antenna, reads, rssi + 100 * abs(lift), round(power * factor), round(moment * factor))
        if (antenna in inside) == (lift < 0)
        else (start, antenna, reads, rssi, power, moment)
        for start, antenna, reads, rssi, power, moment in sightings
    ]
