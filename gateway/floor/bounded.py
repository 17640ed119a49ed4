"""A memory of a fixed number of entries that forgets the oldest."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def renew(memory: dict[K, V], key: K, value: V, most: int) -> None:
    """Writes an entry of a dictionary, as its newest; beyond `most` entries the oldest are forgotten."""
    memory.pop(key, None)
    memory[key] = value
    while len(memory) > most:
        del memory[next(iter(memory))]


class Bounded(OrderedDict[K, V]):
    """A dictionary in order of renewal, the oldest entry first, of at most `most` entries.

    `renew` is the way to write: it puts an entry at the end, and what exceeds `most` is forgotten from the front.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def renew(self, key: K, value: V) -> None:
        """Writes an entry, which is the newest by that."""
        self[key] = value
        self.move_to_end(key)
        while len(self) > self.most:
            self.popitem(last=False)
