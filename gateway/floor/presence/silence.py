"""How long a tag may be silent before that means anything.

A window of its own for each tag, out of its own reads. Looks at a tag are taken to be independent: with a share `p`
of them successful, all of ``n`` looks miss with probability ``(1 - p)^n``, and silence is remarkable once that has
fallen below `miss_odds` (the adaptive binomial window known from RFID data cleaning). `p` is one look over the mean
gap between sightings.

Real rooms are worse than that: people and goods stand in the way for minutes, gaps have a heavy tail, looks are not
independent. So the widest gap of the last hours is remembered for each tag, and silence is expected to last up to
WIDER times as long. That also bounds flapping by arithmetic: a tag that was given up too early has just shown a
wider gap, so that within the memory it can be given up again no more than ``log2(longest / shortest)`` times. That
holds for departures too: `Gone` remembers the gaps of tags that departed by their silence.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace
from typing import Any

from gateway.clock import MILLISECOND, SECOND, micros
from gateway.config import PresenceConfig

WIDER = 2.0
MEMORY = 4 * 3600.0 * SECOND
"""Time after which a gap is forgotten (to 1/e). A shift: what blocks a shelf comes back on the same day."""

GAPS = 64
"""Gaps over which the mean is taken, once there are so many."""

SHARES = [1.0] + [1 / (n + 1) for n in range(1, GAPS)]
"""Weight of the next gap in the mean after n sightings. The first gap meets the prior, `shortest`, as its equal."""


def remember(widest: float, gap: float) -> float:
    """The widest gap that is remembered after one more; an older one fades."""
    return max(gap, widest / (1 + gap / MEMORY))


class Departure:
    """The rule with the settings of a configuration; times in microseconds of watching."""

    def __init__(self, config: PresenceConfig, window: int) -> None:
        self.shortest = micros(config.shortest)
        self.longest = max(micros(config.longest), self.shortest)
        self._window = window
        self._surprise = math.log(config.miss_odds)

    def expected(self, mean: float, widest: float) -> int:
        """How long silence is expected at most, given the mean and the widest gap. Whole milliseconds."""
        p = min(self._window / max(mean, 1.0), 0.99)
        looks = self._surprise / math.log1p(-p)
        silence = min(max(looks * self._window, WIDER * widest, self.shortest), self.longest)
        return int(silence) // MILLISECOND * MILLISECOND


MAX_GONE = 4096
"""Tags remembered: a busy day of a dock. Newer ones push out the oldest; a flood of strays must not fill the memory."""


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
        self._gaps: dict[bytes, Gaps] = {}
        self._longest = longest

    def keep(self, epc: bytes, gaps: Gaps) -> None:
        self._gaps.pop(epc, None)
        while len(self._gaps) >= MAX_GONE:
            del self._gaps[next(iter(self._gaps))]
        self._gaps[epc] = gaps

    def take(self, epc: bytes) -> Gaps | None:
        """Hands over what is known of a tag that is read again."""
        return self._gaps.pop(epc, None)

    def redate(self, by: int) -> None:
        """They were seen `by` microseconds later than was thought."""
        self._gaps = {epc: replace(gaps, last=gaps.last + by) for epc, gaps in self._gaps.items()}

    def widest(self, gaps: Gaps, t: int, dark: int) -> float:
        """The widest gap of a tag that is back at `t`, when the dark time of its antenna was `dark`.

        A silence beyond the longest that is ever waited for is no gap: the tag was away.
        """
        gap = t - gaps.last - (dark - gaps.dark)
        return remember(gaps.widest, gap) if gap <= self._longest else gaps.widest / (1 + gap / MEMORY)

    def dump(self) -> list[Any]:
        return [[epc.hex(), *astuple(gaps)] for epc, gaps in self._gaps.items()]

    def load(self, dump: list[Any], numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        for epc, antenna, *values in dump:
            self._gaps[bytes.fromhex(epc)] = Gaps(numbers[antenna], *values)
