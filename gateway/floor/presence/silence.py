"""The silence, in microseconds, after which a tag is published as *not seen*, and the confidence of that.

The silence that is expected of a tag at most is the sum of three parts, all in time for which its antenna was watching:

- `shortest`, which stands for what happens to tags of which nothing is known yet: somebody walks past;
- the adaptive binomial window known from RFID data cleaning: looks at a tag are taken to be independent, one succeeds
  with the chance p of one window over the mean gap, so that all of n looks fail with the chance (1 - p)^n; n is the
  number for which that falls below `miss_odds`. It is RATE_MOST at most: a tag that is hardly read has few gaps, and
  their mean says little;
- WIDER of the widest gap of the tag within the last MEMORY. Gaps have a heavy tail (people and goods stand in the way
  for minutes), and the widest so far is the best predictor of the next wide one. A tag that was called not seen too
  early is not called so again for a gap of that size (`forgiven`), which bounds flapping.

On recordings of a worn tag that never left its room this sum gives two thirds of the false statements that a fixed
timeout gives at the same mean delay (docs/floor.md).

`Gone` keeps the gaps of tags that departed, for when they come back: a tag that departed by its silence and is read in
the same zone again may never have left, and the silence for which it was taken to be gone is one of its gaps.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace
from typing import Any

from gateway.clock import MILLISECOND, SECOND, micros
from gateway.config import PresenceConfig
from gateway.floor.bounded import Bounded

MEMORY = 3600.0 * SECOND
"""Microseconds of watching after which a gap has faded to 1/e. What blocks a shelf, a pallet or a cart, stays for less
than an hour; a longer memory delays each later statement by what happened once."""

WIDER = 0.75
"""Share of the widest gap that is expected beyond the rest."""

RATE_MOST = 60 * SECOND
"""Microseconds that the read rate of a tag adds at most."""

FIRST_MEAN = 5.0 * SECOND
"""Mean gap, in microseconds, that a tag begins with."""

GAPS = 64
"""Gaps over which the mean is taken, once there are so many."""

SHARES = [1.0] + [1 / (n + 1) for n in range(1, GAPS)]
"""Weight of the next gap in the mean after n sightings. The first gap meets the prior, FIRST_MEAN, as its equal."""

AWAY = 0.88
"""Share of the silences beyond the expected one in which the tag is gone, for tags with many gaps. The others end with
the tag where it was, whatever the window (on recordings of worn tags)."""

FEW_SIGHTINGS = 4
"""Sightings at which that share is halved: the gaps of a tag that was seen a few times say little about the next."""


def remember(widest: float, gap: float) -> float:
    """The widest gap that is remembered after one more; an older one fades."""
    return max(gap, widest / (1 + gap / MEMORY))


def forgiven(gap: float) -> float:
    """The widest gap to remember of a tag that was called not seen, or departed, during a gap and never was away."""
    return gap / WIDER


class Silence:
    """The rule with the settings of a configuration; times in microseconds of watching."""

    def __init__(self, config: PresenceConfig, window: int) -> None:
        self.shortest = micros(config.shortest)
        self.longest = max(micros(config.longest), self.shortest)
        self._window = window
        self._surprise = math.log(config.miss_odds)

    def expected(self, mean: float, widest: float) -> int:
        """The longest silence that is expected, from the mean and the widest gap. Whole milliseconds."""
        p = min(self._window / max(mean, 1.0), 0.99)
        rate = min(self._surprise / math.log1p(-p) * self._window, RATE_MOST)
        silence = min(self.shortest + rate + WIDER * widest, self.longest)
        return int(silence) // MILLISECOND * MILLISECOND

    def confidence(self, windows: int, expected: int, silence: int) -> float:
        """Probability that a tag is gone that was seen in `windows` windows and then silent for `silence`.

        Beyond the expected silence the tail of the gaps falls as 1 / silence (Pareto), and the odds rise as that.
        """
        share = AWAY * windows / (windows + FEW_SIGHTINGS)
        odds = share / (1 - share) * max(silence / max(expected, 1), 1.0)
        return odds / (1 + odds)


MAX_GONE = 4096
"""Departed tags remembered: a busy day of a dock. A flood of stray reads must not fill the memory."""


@dataclass(slots=True, frozen=True)
class Gaps:
    """Antenna that saw the tag last, when, and the dark time of it then; mean and widest gap in microseconds."""

    antenna: int
    last: int
    dark: int
    mean: float
    widest: float


class Gone:
    """The gaps of departed tags by EPC, the one that departed last at the end."""

    def __init__(self, longest: int) -> None:
        self._gaps: Bounded[bytes, Gaps] = Bounded(MAX_GONE)
        self._longest = longest

    def keep(self, epc: bytes, gaps: Gaps) -> None:
        """Remembers the gaps of a tag that departs."""
        self._gaps.renew(epc, gaps)

    def take(self, epc: bytes) -> Gaps | None:
        """Hands over, and forgets, what is known of a tag that is read again."""
        return self._gaps.pop(epc, None)

    def redate(self, by: int) -> None:
        """Dates all remembered sightings `by` microseconds later: the clock was set."""
        for epc, gaps in self._gaps.items():
            self._gaps[epc] = replace(gaps, last=gaps.last + by)

    def widest(self, gaps: Gaps, t: int, dark: int) -> float:
        """The widest gap of a tag that is back at `t`, when the dark time of its antenna was `dark`.

        A silence beyond the longest that is ever waited for is no gap: the tag was away.
        """
        gap = t - gaps.last - (dark - gaps.dark)
        return remember(gaps.widest, forgiven(gap)) if gap <= self._longest else gaps.widest / (1 + gap / MEMORY)

    def dump(self) -> list[Any]:
        """EPC in hex with its gaps, the oldest first, ready for JSON."""
        return [[epc.hex(), *astuple(gaps)] for epc, gaps in self._gaps.items()]

    def load(self, dump: list[Any], numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        for epc, antenna, *values in dump:
            self._gaps.renew(bytes.fromhex(epc), Gaps(numbers[antenna], *values))
