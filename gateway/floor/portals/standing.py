"""Standing stock: tags near a portal that are read there without ever passing. Learned, published once, then left out.

A tag is standing stock once it was read for longer than any pass takes, or was read TIMES times in a row without a
direction. From then on its reads are held against what standing stock does, and nothing is said of a spell of them
that shows nothing else. A pass ends it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gateway.clock import SECOND
from gateway.floor.bounded import Bounded

TIMES = 3
"""Spells without a direction: at one in two, three of a tag that really passes each time are one in eight."""

LEARNED = 1 - 0.5**TIMES
"""Confidence that the tag stands there, once that is learned."""

MEMORY = 4 * 3600 * SECOND
"""Time after which a tag that was not read is taken to have left: a shift."""

MAX_STANDING = 65_536
"""Tags remembered for a portal: the oldest is forgotten first, which costs one more event when it is read again."""


@dataclass(slots=True)
class Habit:
    """Spells without a direction: how many, when the last of them ended, and whether it is learned."""

    spells: int
    last: int
    learned: bool = False


class Standing:
    """The habits of the tags of one portal."""

    def __init__(self) -> None:
        self._habits: Bounded[bytes, Habit] = Bounded(MAX_STANDING)

    def is_standing(self, epc: bytes, t: int) -> bool:
        """Whether the tag is known to stand there at `t`."""
        habit = self._habits.get(epc)
        return habit is not None and habit.learned and t - habit.last <= MEMORY

    def spells(self, epc: bytes, t: int) -> int:
        """The number of stays of a tag that passed in no direction; 0 where the tag is not known to stand there at
        `t`."""
        return self._habits[epc].spells if self.is_standing(epc, t) else 0

    def add(self, epc: bytes, t: int, *, long: bool) -> bool:
        """Adds a spell without a direction that ended at `t`; `long`: longer than a pass takes.

        Returns whether the tag is found to be standing stock by that.
        """
        habit = self._habits.get(epc)
        if habit is None or t - habit.last > MEMORY:
            habit = Habit(0, t)
        self._habits.renew(epc, habit)
        habit.spells += 1
        habit.last = max(habit.last, t)
        found = not habit.learned and (long or habit.spells >= TIMES)
        habit.learned = habit.learned or found
        return found

    def forget(self, epc: bytes) -> None:
        """The tag has passed."""
        self._habits.pop(epc, None)

    def redate(self, by: int) -> None:
        """All stays were `by` microseconds later than was thought."""
        for habit in self._habits.values():
            habit.last += by

    def dump(self) -> list[Any]:
        """The state for a checkpoint, ready for JSON."""
        return [[epc.hex(), asdict(habit)] for epc, habit in self._habits.items()]

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        for epc, habit in dump:
            self._habits.renew(bytes.fromhex(epc), Habit(**habit))
