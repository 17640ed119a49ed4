"""The states of a tag and every transition between them, as a table. Whatever changes a tag's state does so here.

========== ==================================================================================
state      the tag
========== ==================================================================================
FREE       is not known: the slot holds none
SETTLING   is new, and where it has arrived is not decided yet
PRESENT    is in its zone, which alone sees it
CONTESTED  is in its zone, and another zone sees it too
UNSEEN     was in its zone and has been silent for longer than expected; it may well be there
========== ==================================================================================
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, IntEnum, auto
from typing import Final


class State(IntEnum):
    """What is known of a tag. The numbers stand in checkpoints."""

    FREE = 0
    SETTLING = 1
    PRESENT = 2
    CONTESTED = 3
    UNSEEN = 4


class Change(Enum):
    """What happens to a tag."""

    SIGHTED = auto()  # the first sighting of it
    ARRIVED = auto()  # `dwell` after that it has a zone
    RIVALLED = auto()  # another zone sees it
    ALONE = auto()  # no other zone sees it any more
    MOVED = auto()  # another zone took it over; its old one is a rival
    PLACED = auto()  # a portal or an event says that it is in a zone
    LOST = auto()  # an event says that it was not seen any more
    SILENT = auto()  # it was not read for longer than expected
    SEEN_AGAIN = auto()  # it was read in its own zone after that
    FORGOTTEN = auto()  # it departed


_F, _S, _P, _C, _U = State

TRANSITIONS: Final[Mapping[State, Mapping[Change, State]]] = {
    _F: {Change.SIGHTED: _S, Change.PLACED: _P, Change.LOST: _U},
    _S: {Change.ARRIVED: _P, Change.PLACED: _P, Change.LOST: _U, Change.FORGOTTEN: _F},
    _P: {
        Change.RIVALLED: _C,
        Change.MOVED: _C,
        Change.PLACED: _P,
        Change.LOST: _U,
        Change.SILENT: _U,
        Change.FORGOTTEN: _F,
    },
    _C: {
        Change.ALONE: _P,
        Change.MOVED: _C,
        Change.PLACED: _P,
        Change.LOST: _U,
        Change.SILENT: _U,
        Change.FORGOTTEN: _F,
    },
    _U: {
        Change.SEEN_AGAIN: _P,
        Change.MOVED: _C,
        Change.PLACED: _P,
        Change.LOST: _U,
        Change.FORGOTTEN: _F,
    },
}
"""State to change to the state that follows. A change that is missing cannot happen in that state."""


class States:
    """The state of every slot, and how many tags of each zone are `present` and `unseen`, by zone number."""

    def __init__(self, column: array[int], zones: int) -> None:
        self._column = column
        self.present = [0] * zones
        self.unseen = [0] * zones

    def change(self, slot: int, change: Change, zone: int, to: int | None = None) -> None:
        """Changes the state of a tag of `zone`, which is in the zone `to` after that where this is another.

        Raises KeyError where that cannot happen in its state, which is a defect.
        """
        before = State(self._column[slot])
        after = TRANSITIONS[before][change]
        self._column[slot] = after
        self._count(before, zone, -1)
        self._count(after, zone if to is None else to, 1)

    def grow(self, zones: int) -> None:
        """Counts by so many zones from now on, where they were fewer."""
        for counts in (self.present, self.unseen):
            counts += [0] * (zones - len(counts))

    def recount(self, slots: Iterable[int], zone: Callable[[int], int], zones: int) -> None:
        """Counts anew by so many zones, after the table was restored."""
        self.present[:] = self.unseen[:] = [0] * zones
        for slot in slots:
            self._count(State(self._column[slot]), zone(slot), 1)

    def _count(self, state: State, zone: int, by: int) -> None:
        if state in (State.PRESENT, State.CONTESTED):
            self.present[zone] += by
        elif state == State.UNSEEN:
            self.unseen[zone] += by
