"""How often somebody may try to log in: failed attempts of the last minute, counted by address."""

from __future__ import annotations

from collections import deque

from drivers.front_door import same_place
from gateway.floor.bounded import Bounded

PERIOD = 60.0
"""Seconds that a failed attempt counts."""

MAX_EACH = 5
"""Failed attempts of one address in a period: a person who mistypes; guessing a token would take for ever."""

MAX_ADDRESSES = 1000
"""Addresses that are remembered; beyond it the one that failed longest ago is forgotten. Whoever has so many addresses
is not kept out, and keeps nobody else out either: a token cannot be guessed in any number of attempts."""


class Attempts:
    """Times of the failed attempts, by address, in seconds of a clock that does not go back."""

    def __init__(self) -> None:
        self._failed: Bounded[str, deque[float]] = Bounded(MAX_ADDRESSES)

    def wait(self, address: str, now: float) -> float:
        """Seconds until `address` may try; 0 for now."""
        times = self._failed.get(same_place(address), ())
        recent = [when for when in times if when > now - PERIOD]
        return recent[0] + PERIOD - now if len(recent) >= MAX_EACH else 0.0

    def failed(self, address: str, now: float) -> None:
        """Counts a failed attempt."""
        place = same_place(address)
        times = self._failed.get(place) or deque(maxlen=MAX_EACH)
        times.append(now)
        self._failed.renew(place, times)
