"""How often somebody may try to log in."""

from __future__ import annotations

from collections import deque

PERIOD = 60.0
"""Seconds that a failed attempt counts."""

MAX_EACH = 5
"""Failed attempts of one address in a period: a person who mistypes; guessing a token would take for ever."""

MAX_ALL = 50
"""Failed attempts of all addresses together: bounds what is remembered as well."""


class Attempts:
    """Failed attempts of the last period."""

    def __init__(self) -> None:
        self._failed: deque[tuple[float, str]] = deque()

    def wait(self, address: str, now: float) -> float:
        """Seconds until `address` may try; 0 for now. `now` is any clock in seconds that does not go back."""
        while self._failed and self._failed[0][0] <= now - PERIOD:
            self._failed.popleft()
        own = [when for when, who in self._failed if who == address]
        waits = [0.0]
        if len(own) >= MAX_EACH:
            waits.append(own[-MAX_EACH] + PERIOD - now)
        if len(self._failed) >= MAX_ALL:
            waits.append(self._failed[0][0] + PERIOD - now)
        return max(waits)

    def failed(self, address: str, now: float) -> None:
        self._failed.append((now, address))
