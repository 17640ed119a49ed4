"""The rule by which a zone takes a tag over from another one: a cumulative sum (CUSUM; Page, Biometrika 41, 1954).

Each zone that reads a tag keeps a smoothed RSSI of it. The zone that the tag is in is its *home*, every other zone that
reads it a *rival*. The lead of a rival is its smoothed RSSI less that of the home, in decibels, limited to CLEAR. What
the lead exceeds half of `hysteresis` by is summed over time, in dB s; below zero the sum starts again. This is the test
that finds a lasting change of the mean soonest, and the time at which the sum left zero estimates when the tag came.

The rival takes the tag over when all of these hold:

- the sum has reached `needed`: OPENING for a tag that came just now, more for one that has stood (SETTLED, GROWTH);
- the lead is `hysteresis` now, and the sum has been above zero for `dwell`;
- the rival saw the tag in LEAST_WINDOWS windows or more since then, and in half as many as the home did, so that stray
  reads, however strong, move nothing.

The threshold follows the prior: a tag that has stood for a time T without moving moves in the next second with odds of
about 1 : T (rule of succession), and a threshold that grows with the logarithm of T holds the rate of false moves down
in proportion. It depends on nothing else. What a tag showed while it was in the wrong zone therefore cannot keep it
there, and a lead that came to nothing raises no later threshold.

Silence of the home is evidence too: at a mean gap m, a silence s has the likelihood exp(-s/m), which is 4.34 dB for
each m. The scale is never below `smoothing`, nor below PATIENCE of the widest gap remembered, so that a tag that is
hard to read at home is not given away to a neighbour that reads it faintly. Time in which the antenna of the home was
not watching is no silence.

What the constants cost, on recordings and in simulated rooms, is in docs/floor.md.
"""

from __future__ import annotations

import math
from typing import Any

from gateway.clock import SECOND, micros
from gateway.config import PresenceConfig

LEAST_WINDOWS = 5
"""Windows in which a rival must have seen a tag. Where reads are sparse, three come while somebody blocks the home."""

OPENING = 15.0
"""Sum in dB s that moves a tag which came just now: 6 dB of lead for 5 s, 20 dB for a second."""

GROWTH = 40.0
"""Sum in dB s that is needed more for each factor e in ``1 + stay / SETTLED``."""

SETTLED = 600.0
"""Seconds of stay from which on the threshold grows: carrying within a shift is answered as fast as it can be."""

CLEAR = 20.0
"""Decibels to which a lead counts, either way: a hundred times the power. More says no more."""

LASTS = 2.0
"""Seconds of a lead for which one look stands. On sparse reads the sum then grows with the looks, not with the gaps."""

PATIENCE = 0.35
"""Share of the widest gap of a tag that is the least scale of its home's silence."""

FADED = 60 * SECOND
"""Microseconds of silence after which a rival is forgotten; it starts from nothing when it reads the tag again."""

NEPER = 434.29
"""exp(-1) in hundredths of a decibel of power."""

EVEN_LEAD = 5 / 3
"""Mean lead, in halves of `hysteresis`, at which a move is as likely wrong as right (on recordings of carried tags)."""

SURER = 0.7
"""By how much the log odds of a move grow with each decibel of mean lead (on the same recordings)."""


def smooth(level: float, strength: float, gap: float, smoothing: float) -> float:
    """The new level after `gap` without a sighting. The weight of one sighting rises with the gap, up to a half."""
    return level + (strength - level) * gap / (2 * gap + smoothing)


class Rival:
    """The view that a zone has of a tag which is in another zone.

    `level` is the smoothed RSSI in hundredths of a decibel, `last` the time of the newest sighting, `lead` the CUSUM
    statistic in dB s up to the time `at`. Since the statistic left zero: `first` is the time of the first sighting,
    `windows` the number of windows with one, `against` the number of windows in which the home saw the tag, `reads` the
    number of reads, `mask` the antennas, `strongest` the strongest RSSI. `came` is when the rival first saw the tag
    after the home saw it last, 0 where it did not: the tag came no later than that. Times in microseconds UTC.
    """

    __slots__ = (
        "against",
        "antenna",
        "at",
        "came",
        "first",
        "last",
        "lead",
        "level",
        "mask",
        "reads",
        "strongest",
        "windows",
    )

    def __init__(self, antenna: int, level: float, t: int) -> None:
        self.antenna = antenna
        self.level = level
        self.last = self.at = t
        self.came = 0
        self.restart()

    def restart(self) -> None:
        """Sets the statistic to zero: evidence starts with the next sighting."""
        self.first = self.reads = self.windows = self.against = self.mask = 0
        self.lead = 0.0
        self.strongest = -32_768

    def see(self, antenna: int, bit: int, t: int, start: int, reads: int, strength: int, smoothing: float) -> None:
        """Adds a sighting at `t` in the window that began at `start`."""
        if t - self.last > FADED:
            self.level = float(strength)
            self.came = 0
            self.restart()
        self.came = self.came or t
        if not self.windows:
            self.first = t
        if self.last < start or not self.windows:
            self.windows += 1
        self.level = smooth(self.level, strength, max(t - self.last, 0), smoothing)
        self.last = max(self.last, t)
        self.antenna = antenna
        self.mask |= bit
        self.reads += reads
        self.strongest = max(self.strongest, strength)

    def weigh(self, ahead: float, slack: float, t: int) -> None:
        """Adds to the statistic that the lead is `ahead` decibels at `t`, of which `slack` is given away."""
        ahead = min(max(ahead, -CLEAR), CLEAR)
        gap = max(t - self.at, 0) / SECOND
        self.at = max(self.at, t)
        self.lead += (ahead - slack) * min(gap, LASTS)
        if self.lead <= 0:
            self.lead = 0.0
            if ahead < slack:
                self.restart()

    def redate(self, by: int) -> None:
        """All that it saw was `by` microseconds later than was thought."""
        self.last += by
        self.at += by
        self.came += by if self.came else 0
        self.first += by if self.windows else 0

    @property
    def entered(self) -> int:
        """When the tag came into this zone, if it did: microseconds UTC."""
        return min(self.came or self.first, self.first)

    def dump(self) -> list[Any]:
        """The values in the order of `__slots__`, ready for JSON."""
        return [getattr(self, name) for name in self.__slots__]

    @classmethod
    def load(cls, values: list[Any], numbers: list[int]) -> Rival:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        rival = cls(0, 0.0, 0)
        for name, value in zip(cls.__slots__, values, strict=True):
            setattr(rival, name, value)
        rival.antenna = numbers[rival.antenna]
        return rival


class Contest:
    """The rule with the settings of a configuration. Levels in hundredths of a decibel, times in microseconds."""

    def __init__(self, config: PresenceConfig) -> None:
        self.smoothing = float(micros(config.smoothing))
        self.hysteresis = config.hysteresis * 100
        self.dwell = micros(config.dwell)
        self.slack = config.hysteresis / 2

    def faded(self, level: float, silence: int, scale: float) -> float:
        """The level of a zone after so much silence, where gaps of `scale` are usual."""
        return level - NEPER * max(silence, 0) / max(scale, self.smoothing)

    def needed(self, stay: int) -> float:
        """The threshold of the statistic, in dB s, for a tag that has been in its zone for `stay`."""
        return OPENING + GROWTH * math.log1p(max(stay, 0) / SECOND / SETTLED)

    def won(self, rival: Rival, home: float, since: int, t: int) -> bool:
        """Whether the rival takes a tag over at `t` that its home, where it is since `since`, holds at `home`."""
        ahead = self.faded(rival.level, t - rival.last, 0.0) - home
        rival.weigh(ahead / 100, self.slack, t)
        return (
            ahead >= self.hysteresis
            and rival.windows >= max(LEAST_WINDOWS, rival.against / 2)
            and t - rival.first >= self.dwell
            and rival.lead >= self.needed(t - since)
        )

    def confidence(self, rival: Rival, t: int) -> float:
        """Probability that a move to the rival at `t` is right, by the logistic of its mean lead in decibels."""
        seconds = max(t - rival.first, self.dwell, 1) / SECOND
        mean = self.slack + rival.lead / seconds
        return 1 / (1 + math.exp(-SURER * min(mean - EVEN_LEAD * self.slack, CLEAR)))
