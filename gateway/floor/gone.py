"""What departed tags were like, for when they come back.

A tag that departed by its silence and is read in the same zone again may never have left. If all that was known of it
were forgotten, it would be believed to have gone at the next such silence too, and at the one after it. So its gaps
are kept for a while, and the silence for which it was taken to be gone is one of them.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from gateway.floor.departure import MEMORY, remember

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
