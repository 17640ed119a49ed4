"""Tags that were read at a portal and are not known to have passed: the strays of what did pass meanwhile."""

from __future__ import annotations

from typing import Any

MAX_BYSTANDERS = 4_096
"""Tags remembered as read beside what may still be said to have passed."""


class Bystanders:
    """UIDs, each with the time from when to when it was read, microseconds UTC."""

    def __init__(self) -> None:
        self._spans: list[tuple[str, int, int]] = []

    def add(self, name: str, start: int, end: int) -> None:
        """Remembers a tag that was read from `start` to `end`; beyond MAX_BYSTANDERS the oldest is forgotten."""
        self._spans.append((name, start, end))
        del self._spans[:-MAX_BYSTANDERS]

    def between(self, start: int, end: int) -> set[str]:
        """The UIDs of tags that were read at some time between the two."""
        return {name for name, first, last in self._spans if first <= end and last >= start}

    def redate(self, by: int) -> None:
        """All were read `by` microseconds later than was thought."""
        self._spans = [(name, start + by, end + by) for name, start, end in self._spans]

    def dump(self) -> list[tuple[str, int, int]]:
        """The state for a checkpoint, ready for JSON."""
        return self._spans

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        self._spans = [(name, start, end) for name, start, end in dump]
