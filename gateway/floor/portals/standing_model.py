"""The fourth story of a tag in a portal: it stands there, and is read now and then.

What stands is read by each side with a chance of its own, and with a level of its own around which it fades. Neither is
known; both are learned from one step to the next, so that every step is held against what those before it have shown.
A tag that is read seldom shows one side first and then the other by chance as often as not, and that is all there is to
its order. What goes through is read better and better and then worse and worse, and its sides in turn.
"""

from __future__ import annotations

import math
from typing import TypeAlias

Heard: TypeAlias = tuple[int | None, int | None]
"""What the inside and the outside heard in one step: decibels below the loudest of the pass, None for nothing."""

SOME, NONE = 0.5, 0.5
"""How often it was read and was not, before anything is known: nothing speaks for much, or for little."""

USUAL, USUAL_SD = 10.0, 12.0
"""Where its level lies, in decibels below the loudest read, before anything is known."""


class StandingModel:
    """How probable it is that a tag which stands there was heard as it was: `log`, the logarithm of that."""

    def __init__(self, fading: float, stray: float) -> None:
        self.log = 0.0
        self._sides = (Side(fading, stray), Side(fading, stray))

    def take(self, heard: Heard, news: float) -> None:
        """Adds a step in which either side `heard` the tag so; `news`, 0 to 1, is how much of a step it counts."""
        for side, off in zip(self._sides, heard, strict=True):
            self.log += news * math.log(side.chance(off))
            side.learn(off)


class Side:
    """The chance that one side hears a standing tag, and the level that it hears, as learnt so far. `fading` is the
    standard deviation of a step in decibels, `stray` the probability of any one level that has nothing to do with the
    tag."""

    def __init__(self, fading: float, stray: float) -> None:
        self._variance = fading**2
        self._stray = stray
        self._read = SOME
        self._steps = SOME + NONE
        self._weight = self._variance / USUAL_SD**2
        self._sum = USUAL * self._weight

    def chance(self, off: int | None) -> float:
        """How probable it was to hear the tag `off` dB below the loudest, or not at all."""
        read = self._read / self._steps
        return 1 - read if off is None else read * self._level(off)

    def learn(self, off: int | None) -> None:
        """Takes in a step in which the side heard the tag `off` dB below the loudest, or not at all (None)."""
        self._steps += 1
        if off is not None:
            self._read += 1
            self._weight += 1
            self._sum += off

    def _level(self, off: int) -> float:
        variance = self._variance * (1 + 1 / self._weight)
        z = off - self._sum / self._weight
        return math.exp(-z * z / (2 * variance)) / math.sqrt(2 * math.pi * variance) + self._stray
