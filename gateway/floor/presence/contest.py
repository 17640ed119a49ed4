"""Which zone a tag is in, when more than one sees it.

Each zone that sees a tag keeps a smoothed RSSI. What counts is the *mean* of its lead over the tag's own zone: the
levels of a tag that stands still wander by several decibels, and stay where they are for seconds or minutes, so that
by a border either zone is ahead now and then. A zone takes a tag over by a cumulative sum (Page 1954): the lead less
half of `hysteresis`, times time, added up for as long as the sum is above zero. That is the test which finds a lasting
lead of `hysteresis` soonest, and the time at which the sum left zero is when the tag came.

How large the sum must be says what is known of the tag. For a difference of variance `spread`, in stays of STAY, the
sum exceeds ``spread * STAY / distance * log(1 / odds)`` with those odds, where `distance` is how far the usual lead
lies below what is added up (the tail of a reflected Brownian motion). Mean and variance of the lead are learned for
each tag, and the odds are the less the longer it has stood. One that its own zone alone used to hear is taken over in
ten to twenty seconds; one that both hear alike, after many minutes. And a sum that fell back to zero has shown what
this tag does without moving: the next one must be WIDER times as large as any that is remembered, and so must one that
undoes a move. So no place, however noisy, makes a tag go to and fro for long.

Besides, a zone must be ahead by `hysteresis` when it takes a tag over, have seen it for `dwell`, in at least LOOKS
windows, and half as often as the tag's own zone saw it meanwhile: stray reads, however strong, move nothing.

A zone that has stopped seeing the tag loses strength as its silence becomes harder to explain: at a mean gap m,
silence s has the likelihood exp(-s/m), which is 4.34 dB for each m. The scale is never below `smoothing` nor the
widest gap that is remembered, so that a tag which is simply hard to read at home is not given away to a neighbour
that hears it faintly all the time. While the antenna is dark its silence says nothing, and its strength stays.
"""

from __future__ import annotations

import math
from typing import Any

from gateway.clock import SECOND, micros
from gateway.config import PresenceConfig
from gateway.floor.presence.silence import MEMORY, WIDER

LOOKS = 3
"""Windows in which a zone must have seen a tag before it can take it over: two can be one reflection."""

NEPER = 434.29
"""exp(-1) in hundredths of a decibel of power."""

FADED = 60 * SECOND
"""A rival that was silent for so long starts from nothing when it comes back."""

CLEAR = 20.0
"""Decibels at which a zone is ahead for certain (a hundred times the power): more says no more."""

WANDER = 4.0
"""Decibels by which the difference of two zones wanders at least: shadows of 3 dB on each side, usual indoors."""

STAY = 10.0
"""Seconds for which a level stays: somebody stands in the way. A look that comes later says nothing about between."""

UNKNOWN = STAY
"""Seconds of hearing it alike that a usual lead begins with: one stay, so that the first reads alone settle nothing."""

SAMPLES = 12 * STAY
"""Seconds for which WANDER counts when the spread is learned: a variance needs a dozen stays to mean something."""

ODDS = 1e-4
"""Share of the leads that may move a tag which stands still and of which no more than a stay is known. One by a border
has some ten an hour. What has stood longer is believed to stand: the odds fall by as much (the rule of succession)."""

NARROWEST = 1.0
"""Decibels below which the distance is not taken to be known."""


def smooth(level: float, strength: float, gap: float, smoothing: float) -> float:
    """The new level after `gap` without a sighting. The weight of one sighting rises with the gap, up to a half."""
    return level + (strength - level) * gap / (2 * gap + smoothing)


class Rival:
    """Another zone's view of a tag. Its evidence starts with its lead: since when the sum has been above zero.

    `against` is in how many windows the tag's own zone saw it during the lead. `came` is when this zone first saw it
    after its own zone had seen it last, 0 where it has not: the tag came no later than that.

    `usual` is the mean lead in decibels over `known` seconds before the present one, `spread` the variance. The present
    one has the mean ``ahead / leading`` over `leading` seconds. `lead` is the sum in dB s up to `at`, `peak` its
    largest value, `record` the largest of all that came to nothing.
    """

    __slots__ = (
        "against",
        "ahead",
        "antenna",
        "at",
        "came",
        "first",
        "known",
        "last",
        "lead",
        "leading",
        "level",
        "looks",
        "mask",
        "peak",
        "reads",
        "record",
        "spread",
        "strongest",
        "usual",
    )

    def __init__(
        self, antenna: int, level: float, t: int, *, usual: float = 0.0, spread: float = WANDER**2, record: float = 0.0
    ) -> None:
        self.antenna = antenna
        self.level = level
        self.last = self.at = t
        self.came = 0
        self.usual = usual
        self.spread = spread
        self.known = UNKNOWN
        self.record = record
        self.restart()

    def restart(self) -> None:
        """The lead is over: evidence starts with the next sighting."""
        self.first = self.reads = self.looks = self.against = self.mask = 0
        self.lead = self.peak = self.ahead = self.leading = 0.0
        self.strongest = -32_768

    def see(self, antenna: int, bit: int, t: int, start: int, reads: int, strength: int, smoothing: float) -> None:
        """Adds a sighting at `t` in the window that began at `start`."""
        if t - self.last > FADED:
            self.level = float(strength)
            self.came = 0
            self.give_up()
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

    def rebase(self, t: int) -> None:
        """The tag is in another zone from `t` on, over which the usual lead is not known."""
        self.give_up()
        self.usual, self.spread, self.known, self.at = 0.0, WANDER**2, UNKNOWN, t

    def redate(self, by: int) -> None:
        """All that it saw was `by` microseconds later than was thought."""
        self.last += by
        self.at += by
        self.came += by if self.came else 0
        self.first += by if self.looks else 0

    def alone(self, t: int) -> None:
        """The tag's own zone alone has seen it up to `t`."""
        if t > self.at:
            self._learn(-CLEAR, (t - self.at) / SECOND)
            self.at = t

    def weigh(self, ahead: float, slack: float, t: int) -> None:
        """Its lead over the tag's own zone is `ahead` decibels at `t`; what exceeds `slack` adds up."""
        ahead = min(max(ahead, -CLEAR), CLEAR)
        gap = max(t - self.at, 0) / SECOND
        self.at = max(self.at, t)
        self.lead += (ahead - slack) * min(gap, STAY)
        if self.lead > 0:
            self.peak = max(self.peak, self.lead)
            self.ahead += ahead * min(gap, FADED / SECOND)
            self.leading += min(gap, FADED / SECOND)
        else:
            if ahead < slack:
                self.give_up()
            self._learn(ahead, min(gap, FADED / SECOND))

    def give_up(self) -> None:
        """The lead came to nothing; what it was is remembered."""
        self.record = max(self.peak, self.record)
        if self.leading:
            self._learn(self.ahead / self.leading, self.leading)
        self.restart()

    def _learn(self, ahead: float, seconds: float) -> None:
        memory = MEMORY / SECOND
        self.record /= 1 + seconds / memory
        fresh = self.known == UNKNOWN
        self.known = min(self.known + seconds, memory)
        seconds = min(seconds, self.known)
        share, off = seconds / self.known, ahead - self.usual
        self.usual += off * share
        if not fresh:  # the first mean differs from no knowledge, not from a level
            self.spread += (off * off * (1 - share) - self.spread) * seconds / (self.known + SAMPLES)

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
        self._slack = config.hysteresis / 2

    def faded(self, level: float, silence: int, scale: float) -> float:
        """The level of a zone after so much silence, where gaps of `scale` are usual."""
        return level - NEPER * max(silence, 0) / max(scale, self.smoothing)

    def needed(self, rival: Rival) -> float:
        """How large the sum of a lead must be to move the tag, in dB s."""
        distance = max(self._slack - rival.usual, NARROWEST)
        rare = STAY * math.log(rival.known / UNKNOWN / ODDS)
        return max(rare * max(rival.spread, WANDER**2) / distance, WIDER * rival.record)

    def won(self, rival: Rival, home: float, t: int) -> bool:
        """Whether the rival takes over at `t` a tag that its zone holds with `home`. Ends a lead that broke."""
        ahead = self.faded(rival.level, t - rival.last, 0.0) - home
        rival.weigh(ahead / 100, self._slack, t)
        return (
            ahead >= self.hysteresis
            and rival.lead >= self.needed(rival)
            and rival.looks >= max(LOOKS, rival.against / 2)
            and t - rival.first >= self.dwell
        )
