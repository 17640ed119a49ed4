"""Whether what a reader reports can be read: a reader of whose reports nothing is understood is not watching.

One odd report among good ones is only worth a warning. Where odd ones come and no good one for `limit`, the reader
is lively and useless, which nothing else would show: heartbeats and answers go on.
"""

from __future__ import annotations

PATIENCE = 10.0
"""Seconds of reports of which none is understood after which the connection is given up."""


class Comprehension:
    """Times in seconds of one monotonic clock. `in_doubt`: odd reports came, and no good one since."""

    def __init__(self, limit: float = PATIENCE) -> None:
        self._limit = limit
        self._since: float | None = None
        self.odd = 0  # reports not understood since the last good one
        self.example = ""

    @property
    def in_doubt(self) -> bool:
        """No sign of life counts now: nobody knows whether the reader sees anything."""
        return self._since is not None

    def understood(self) -> None:
        """A report was read."""
        self._since, self.odd = None, 0

    def puzzled(self, at: float, example: str, count: int = 1) -> None:
        """`count` reports could not be read; `example` says what was wrong with one."""
        self.odd += count
        if self._since is None:
            self._since, self.example = at, example

    def defer(self, seconds: float) -> None:
        """Nothing was taken from the reader for so long: that time does not count."""
        if self._since is not None:
            self._since += seconds

    @property
    def ends(self) -> float | None:
        """When the patience is over."""
        return None if self._since is None else self._since + self._limit

    def verdict(self, at: float) -> str | None:
        """The sentence for the operator once nothing has been understood for too long."""
        if self._since is None or at < self._since + self._limit:
            return None
        return (
            f"none of its {self.odd} reports of the last {at - self._since:.0f} s is understood ({self.example}): "
            "it is not watching as far as anybody can tell; look for a firmware update or other report settings"
        )
