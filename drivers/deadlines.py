"""Deadlines judged fairly by an event loop that was held up.

After a stall (a stopped process, a slow disk, a throttled container) the loop may run its timers before it reads what
the kernel has taken meanwhile. So a deadline that has passed means nothing yet: only one that has still not been met
a moment later, when the loop has read what was there, has been missed.
"""

from __future__ import annotations


class SecondLook:
    """Deadlines and times in seconds of one monotonic clock; `moment` is the time between the two looks."""

    def __init__(self, moment: float) -> None:
        self._moment = moment
        self._passed: float | None = None
        self._again = 0.0

    def confirms(self, deadline: float, at: float) -> bool:
        """Whether `deadline` is missed. The first look at one that has passed asks for another at `due`."""
        if at < deadline:
            return False
        if deadline != self._passed:
            self._passed, self._again = deadline, at + self._moment
            return False
        return at >= self._again

    def due(self, deadline: float) -> float:
        """When to look at `deadline`."""
        return self._again if deadline == self._passed else deadline
