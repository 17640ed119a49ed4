"""What a reader is asked beside the reading, such as its inputs and its temperature: not every reader has an answer.

Waiting for an answer that never comes costs reading time again and again, so what stays unanswered is asked no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class Extras:
    """How often in a row each question went unanswered. `given_up` is told of one that is asked no more."""

    def __init__(self, given_up: Callable[[str], None]) -> None:
        self._given_up = given_up
        self._misses: Counter[str] = Counter()
        self._dropped: set[str] = set()

    def wanted(self, what: str) -> bool:
        """Whether the question is still asked."""
        return what not in self._dropped

    def asked(self, what: str, *, answered: bool, most: int) -> None:
        """The question was asked. With `most` misses in a row it is not asked again: a noisy line costs some."""
        self._misses[what] = 0 if answered else self._misses[what] + 1
        if self._misses[what] >= most and what not in self._dropped:
            self._dropped.add(what)
            self._given_up(what)
