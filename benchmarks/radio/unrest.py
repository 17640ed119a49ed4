"""A lively room: what doors, parked carts and people out of sight do to the level of a tag that stands still.

A level that stays for a while and then is another one. The stays are heavy-tailed (Pareto): most last seconds, a few
a quarter of an hour, which is what the gaps between the reads of a badly placed tag look like.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random


@dataclass(slots=True, frozen=True)
class Unrest:
    """`shortest` and `longest` stay in seconds, `tail` the exponent of their distribution; `spread` in dB; a share
    `blocked` of the stays is behind something that takes `depth` dB (least and most)."""

    shortest: float = 2.0
    longest: float = 900.0
    tail: float = 1.3
    spread: float = 2.5
    blocked: float = 0.08
    depth: tuple[float, float] = (6.0, 25.0)

    def stays(self, random: Random, start: float) -> Iterator[tuple[float, float]]:
        """Endlessly: until when, and by how many dB the level is off."""
        t = start
        while True:
            t += min(self.shortest * random.paretovariate(self.tail), self.longest)
            off = random.gauss(0.0, self.spread)
            if random.random() < self.blocked:
                off -= random.uniform(*self.depth)
            yield t, off


CALM = Unrest(spread=0.0, blocked=0.0)


class Drift:
    """The level of one tag (or of one tag and antenna) over time, asked for in order of time."""

    __slots__ = ("_off", "_stays", "until")

    def __init__(self, unrest: Unrest, random: Random, start: float) -> None:
        self._stays = unrest.stays(random, start)
        self.until, self._off = next(self._stays)

    def at(self, t: float) -> float:
        """dB at `t`; they hold until `until`."""
        while t >= self.until:
            self.until, self._off = next(self._stays)
        return self._off
