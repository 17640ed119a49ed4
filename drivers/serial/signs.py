"""Signs of a serial reader that are functions of time alone: that it lives, what troubles it, how good its line is."""

from __future__ import annotations

from drivers.api import Item, ReaderCondition

SECOND = 1_000_000

CONDITION_HOLD = 10 * SECOND
"""A reader repeats a warning while it lasts and never says that it is over: over is when it was not repeated."""

NOISY_SHARE = 0.005
NOISE_WINDOW = 10 * SECOND


class Heartbeat:
    """A reader that must give a sign of life every `limit` microseconds."""

    def __init__(self, limit: int, now: int) -> None:
        self.limit = limit
        self._last = now

    def beat(self, now: int) -> None:
        """A sign of life at `now`."""
        self._last = now

    def overdue(self, now: int) -> bool:
        """Whether the sign of life that was due by `now` has not come."""
        return now - self._last > self.limit


class Conditions:
    """Warnings that a reader repeats while they last."""

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._until: dict[str, int] = {}

    def seen(self, name: str, now: int, detail: str, hold: int = CONDITION_HOLD) -> list[Item]:
        """The item to hand over if this is news. The condition lasts `hold` microseconds unless it is seen again."""
        news = name not in self._until
        self._until[name] = now + hold
        return [ReaderCondition(self._reader, now, name, True, detail)] if news else []

    def lapse(self, now: int) -> list[Item]:
        """The conditions that were not repeated in time are over."""
        return [self._over(name, now) for name, until in list(self._until.items()) if now >= until]

    def clear(self, now: int) -> list[Item]:
        """All conditions are over."""
        return [self._over(name, now) for name in list(self._until)]

    def _over(self, name: str, now: int) -> Item:
        del self._until[name]
        return ReaderCondition(self._reader, now, name, False)


class LineQuality:
    """The share of bytes that belonged to no frame, in windows of `NOISE_WINDOW`."""

    def __init__(self, now: int) -> None:
        self._since = now
        self._received = 0
        self._skipped = 0

    def noise(self, received: int, skipped: int, now: int) -> str | None:
        """A sentence if the window that ends now was noisy. Both counts are totals since the port was opened."""
        if now - self._since < NOISE_WINDOW:
            return None
        bytes_, lost = received - self._received, skipped - self._skipped
        self._since, self._received, self._skipped = now, received, skipped
        if lost <= bytes_ * NOISY_SHARE:
            return None
        return f"{lost} of {bytes_} bytes in 10 s belonged to no whole frame: check cable, ground and baud"
