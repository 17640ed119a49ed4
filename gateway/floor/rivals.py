"""Which zone a tag is in, when more than one sees it.

Each zone that sees a tag keeps a smoothed RSSI. The zone of the tag keeps it until another zone has been stronger by
`hysteresis` for `dwell`, in at least LOOKS windows, and half as often as the tag's own zone saw it meanwhile: stray
reads, however strong, move nothing.

A zone that has stopped seeing the tag loses strength as its silence becomes harder to explain: at a mean gap m,
silence s has the likelihood exp(-s/m), which is 4.34 dB for each m. The scale is never below `smoothing` nor the
widest gap that is remembered, so that a tag which is simply hard to read at home is not given away to a neighbour
that hears it faintly all the time. While the antenna is dark its silence says nothing, and its strength stays.
"""

from __future__ import annotations

from typing import Any

from gateway.clock import SECOND, micros
from gateway.config import PresenceConfig

LOOKS = 3
"""Windows in which a zone must have seen a tag before it can take it over: two can be one reflection."""

NEPER = 434.29
"""exp(-1) in hundredths of a decibel of power."""

FADED = 60 * SECOND
"""A rival that was silent for so long starts from nothing when it comes back."""


def smooth(level: float, strength: float, gap: float, smoothing: float) -> float:
    """The new level after `gap` without a sighting. The weight of one sighting rises with the gap, up to a half."""
    return level + (strength - level) * gap / (2 * gap + smoothing)


class Rival:
    """Another zone's view of a tag. Its evidence starts with its lead: since when it has been stronger all the time.

    `against` is in how many windows the tag's own zone saw it during the lead. `came` is when this zone first saw it
    after its own zone had seen it last, 0 where it has not: the tag came no later than that.
    """

    __slots__ = ("against", "antenna", "came", "first", "last", "level", "looks", "mask", "reads", "strongest")

    def __init__(self, antenna: int, level: float, t: int) -> None:
        self.antenna = antenna
        self.level = level
        self.last = t
        self.came = 0
        self.restart()

    def restart(self) -> None:
        """The lead is over: evidence starts with the next sighting."""
        self.first = self.reads = self.looks = self.against = self.mask = 0
        self.strongest = -32_768

    def see(self, antenna: int, bit: int, t: int, start: int, reads: int, strength: int, smoothing: float) -> None:
        """Adds a sighting at `t` in the window that began at `start`."""
        if t - self.last > FADED:
            self.level = float(strength)
            self.came = 0
            self.restart()
        self.came = self.came or t
        if not self.looks:
            self.first = t
        if self.last < start or not self.looks:
            self.looks += 1
        self.level = smooth(self.level, strength, max(t - self.last, 0), smoothing)
        self.last = max(self.last, t)
        self.antenna = antenna
        self.mask |= bit
        self.reads += reads
        self.strongest = max(self.strongest, strength)

    @property
    def entered(self) -> int:
        """When the tag came into this zone, if it did."""
        return min(self.came or self.first, self.first)

    def dump(self) -> list[Any]:
        return [getattr(self, name) for name in self.__slots__]

    @classmethod
    def load(cls, values: list[Any], numbers: list[int]) -> Rival:
        rival = cls(0, 0.0, 0)
        for name, value in zip(cls.__slots__, values, strict=True):
            setattr(rival, name, value)
        rival.antenna = numbers[rival.antenna]
        return rival


class Arbitration:
    """The rule with the settings of a configuration. Levels in hundredths of a decibel, times in microseconds."""

    def __init__(self, config: PresenceConfig) -> None:
        self.smoothing = float(micros(config.smoothing))
        self.hysteresis = config.hysteresis * 100
        self.dwell = micros(config.dwell)

    def faded(self, level: float, silence: int, scale: float) -> float:
        """The level of a zone after so much silence, where gaps of `scale` are usual."""
        return level - NEPER * max(silence, 0) / max(scale, self.smoothing)

    def won(self, rival: Rival, home: float, t: int) -> bool:
        """Whether the rival takes over at `t` a tag that its zone holds with `home`. Ends a lead that broke."""
        if self.faded(rival.level, t - rival.last, 0.0) - home < self.hysteresis:
            rival.restart()
            return False
        return rival.looks >= max(LOOKS, rival.against / 2) and t - rival.first >= self.dwell
