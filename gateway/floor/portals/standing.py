"""What stands near a portal and is read there without ever passing: learned, said once, and then kept quiet about.

A tag is standing stock once it was read for longer than any pass takes, or was read TIMES times in a row without a
direction. From then on a spell of reads without a direction is not said, unless the tag was read louder than it ever
was where it stands: what is carried through comes nearer. A pass ends it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gateway.clock import SECOND

TIMES = 3
"""Spells without a direction: at one in two, three of a tag that really passes each time are one in eight."""

MEMORY = 4 * 3600 * SECOND
"""A tag that was not read for so long is not standing there any more. A shift."""

LOUDER = 600
"""Hundredths of a decibel above all that was heard of a standing tag: half the distance to the antenna."""

MAX_STANDING = 65_536
"""Tags remembered for a portal; beyond it the oldest quarter is forgotten, which costs one more event each."""


@dataclass(slots=True)
class Habit:
    """Spells without a direction: how many, when the last of them ended, the loudest, and whether it is learned."""

    spells: int
    last: int
    strongest: int
    learned: bool = False


class Standing:
    """The habits of the tags of one portal."""

    def __init__(self) -> None:
        self._habits: dict[bytes, Habit] = {}

    def of(self, epc: bytes, t: int) -> Habit | None:
        """The habit of a tag that is learned and not outdated."""
        habit = self._habits.get(epc)
        return habit if habit is not None and habit.learned and t - habit.last <= MEMORY else None

    def quiet(self, epc: bytes, t: int, strongest: int) -> bool:
        """Whether a spell of reads is what is known of the tag: nothing to be said of it."""
        habit = self.of(epc, t)
        return habit is not None and strongest < habit.strongest + LOUDER

    def add(self, epc: bytes, t: int, strongest: int, *, long: bool) -> bool:
        """One more spell without a direction that ended at `t`; `long`: longer than a pass takes.

        Returns whether the tag is found to be standing stock by that.
        """
        habit = self._habits.pop(epc, None)
        if habit is None or t - habit.last > MEMORY:
            habit = Habit(0, t, strongest)
        self._habits[epc] = habit
        habit.spells += 1
        habit.last = max(habit.last, t)
        habit.strongest = max(habit.strongest, strongest)
        found = not habit.learned and (long or habit.spells >= TIMES)
        habit.learned = habit.learned or found
        if len(self._habits) > MAX_STANDING:
            for old in list(self._habits)[: MAX_STANDING // 4]:
                del self._habits[old]
        return found

    def forget(self, epc: bytes) -> None:
        """The tag has passed."""
        self._habits.pop(epc, None)

    def near(self, start: int, end: int) -> list[bytes]:
        """Learned tags that were last read between `start` and `end`."""
        return [epc for epc, habit in self._habits.items() if habit.learned and start <= habit.last <= end]

    def dump(self) -> list[Any]:
        return [[epc.hex(), asdict(habit)] for epc, habit in self._habits.items()]

    def load(self, dump: Any) -> None:
        self._habits = {bytes.fromhex(epc): Habit(**habit) for epc, habit in dump}
