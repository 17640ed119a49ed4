"""The outages of a portal's readers: a pass of which reads may be missing is not judged."""

from __future__ import annotations

from typing import Any

from gateway.clock import NEVER, SECOND

MARGIN = 1 * SECOND
"""Time before the first read of a pass in which an outage may have swallowed reads of it already."""

MAX_OUTAGES = 64
"""Times without a reader that are remembered. Those of the longest pass that is waited for are a few."""


class ReaderOutages:
    """Spans in which a reader was not reading, microseconds UTC, the oldest first; the last one ends at NEVER while it
    lasts."""

    def __init__(self) -> None:
        self._spans: list[list[int]] = []

    def down(self, t: int) -> None:
        """A reader is not reading from `t` on."""
        if not self._down:
            self._spans.append([t, NEVER])
            del self._spans[:-MAX_OUTAGES]

    def up(self, t: int, *, held: bool) -> None:
        """The readers are reading again; `held`: and will deliver what they read meanwhile."""
        if self._down and held:
            self._spans.pop()
        elif self._down:
            self._spans[-1][1] = t

    def within(self, start: int, end: int) -> bool:
        """Whether a reader was down at any time between `start` and `end`."""
        return any(since <= end and until >= start for since, until in self._spans)

    def redate(self, by: int) -> None:
        """The outages were `by` microseconds later than was thought."""
        self._spans = [[since + by, until if until == NEVER else until + by] for since, until in self._spans]

    def gap(self, start: int, end: int) -> None:
        """Nobody was reading from `start` to `end`."""
        if not self._down:
            self.down(start)
            self.up(end, held=False)

    @property
    def _down(self) -> bool:
        return bool(self._spans) and self._spans[-1][1] == NEVER

    def dump(self) -> list[list[int]]:
        """The state for a checkpoint, ready for JSON."""
        return self._spans

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        self._spans = [list(span) for span in dump]
