"""The rivals of contested tags, by slot and zone: objects, which are lent to columns while much is read.

What happens to a rival now and then is done to the object (contest.py). Where whole windows are weighed at once
(contested.py) its values are in columns, and whoever asks for the object gets it with the values that it has by then.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, starmap
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gateway.floor.presence.contest import Rival

if TYPE_CHECKING:
    import numpy.typing as npt

Ints: TypeAlias = "npt.NDArray[np.int64]"
Views: TypeAlias = dict[int, Rival]
"""Zone number to that zone's view of a tag."""

_FLOATS = ("lead", "level")
LENT = [(name, "d" if name in _FLOATS else "q") for name in Rival.__slots__]
"""A rival as a row: the values in the order of its slots. A checkpoint has them so: another order is another format."""

_KEPT = struct.Struct("<" + "".join(code for _, code in LENT))
_COUNT = struct.Struct("<Q")

_VALUES = attrgetter(*Rival.__slots__)
_FIRST_ROWS = 1024

_PIECE = 2_048
"""Contested tags in a piece of a dump: some milliseconds."""


class Rivals(dict[int, Views]):
    """Slot to views. `rows` are those that are lent: of a slot, `counts` of them from `starts` on, in the order of the
    views; none where the count is 0."""

    def __init__(self) -> None:
        super().__init__()
        self._used = 0
        self._lent: set[int] = set()

    @cached_property
    def rows(self) -> npt.NDArray[Any]:
        """The rows of the table that are lent."""
        return np.zeros(_FIRST_ROWS, LENT)

    @cached_property
    def starts(self) -> Ints:
        """Where those of each slot begin."""
        return np.zeros(0, np.int64)

    @cached_property
    def counts(self) -> Ints:
        """How many of each slot are lent."""
        return np.zeros(0, np.int64)

    def lend(self, slots: npt.NDArray[np.int64]) -> None:
        """Puts the rivals of some slots, each of which has some, into rows, where they are not there yet."""
        needed = int(slots.max()) + 1
        if needed > len(self.counts):
            missing = max(needed - len(self.counts), len(self.counts))
            self.starts = np.concatenate((self.starts, np.zeros(missing, np.int64)))
            self.counts = np.concatenate((self.counts, np.zeros(missing, np.int64)))
        fresh = slots[self.counts[slots] == 0].tolist()
        if not fresh:
            return
        views = [super(Rivals, self).__getitem__(slot).values() for slot in fresh]
        counts = list(map(len, views))
        total = sum(counts)
        if self._used + total > len(self.rows):
            self._take_back_all()
            fresh = slots.tolist()
            views = [super(Rivals, self).__getitem__(slot).values() for slot in fresh]
            counts = list(map(len, views))
            total = sum(counts)
            if 2 * total > len(self.rows):  # room for as many to come
                self.rows = np.zeros(4 * total, LENT)
        begin = self._used
        self.rows[begin : begin + total] = list(map(_VALUES, chain.from_iterable(views)))
        self.counts[fresh] = counts
        self.starts[fresh] = begin + np.cumsum(counts) - counts
        self._used += total
        self._lent.update(fresh)

    def _take_back(self, slot: int) -> None:
        """The objects have their values again."""
        start, count = int(self.starts[slot]), int(self.counts[slot])
        self.counts[slot] = 0
        self._lent.discard(slot)
        rows = self.rows[start : start + count].tolist()
        for view, row in zip(super().__getitem__(slot).values(), rows, strict=True):
            for name, value in zip(Rival.__slots__, row, strict=True):
                setattr(view, name, value)

    def _take_back_all(self) -> None:
        for slot in list(self._lent):
            self._take_back(slot)
        self._used = 0

    # ---- whoever asks gets the objects

    def __getitem__(self, slot: int) -> Views:
        if slot in self._lent:
            self._take_back(slot)
        return super().__getitem__(slot)

    def get(self, slot: int, default: Any = None) -> Any:
        """The rivals of a slot, or the default."""
        if slot in self._lent:
            self._take_back(slot)
        return super().get(slot, default)

    def setdefault(self, slot: int, default: Views) -> Views:
        """The rivals of a slot; none yet where it had none."""
        if slot in self._lent:
            self._take_back(slot)
        return super().setdefault(slot, default)

    def pop(self, slot: int, default: Any = None) -> Any:
        """Takes out the rivals of a slot."""
        if slot in self._lent:
            self._take_back(slot)
        return super().pop(slot, default)

    def __delitem__(self, slot: int) -> None:
        self.pop(slot)

    def values(self) -> Any:
        """The rivals of every slot."""
        self._take_back_all()
        return super().values()

    def items(self) -> Any:
        """Every slot with its rivals."""
        self._take_back_all()
        return super().items()

    @property
    def pieces(self) -> int:
        """How many pieces `dump` has."""
        return -(-len(self) // _PIECE)

    def dump(self) -> Iterator[bytes]:
        """Each slot with the values of its views, in pieces that `dumped` reads, one behind the other; what is lent
        stays so."""
        slots = sorted(self)
        return (self._piece(slots[at : at + _PIECE]) for at in range(0, len(slots), _PIECE))

    def _piece(self, chosen: list[int]) -> bytes:
        rows = [self._values(slot) for slot in chosen]
        numbers = struct.pack(f"<Q{2 * len(chosen)}q", len(chosen), *chosen, *map(len, rows))
        return numbers + b"".join(starmap(_KEPT.pack, chain.from_iterable(rows)))

    def _values(self, slot: int) -> list[tuple[Any, ...]]:
        """The values of each view of a tag, lent or not, in the order of a dump."""
        if slot not in self._lent:
            return list(map(_VALUES, super().__getitem__(slot).values()))
        start = self.starts[slot]
        return list(self.rows[start : start + self.counts[slot]].tolist())


def dumped(content: bytes) -> Iterator[tuple[int, list[list[Any]]]]:
    """What `Rivals.dump` gave: each slot, and the values of its views in the order of `Rival.__slots__`. Raises
    ValueError where it is something else."""
    begin = 0
    while begin < len(content):
        if begin + _COUNT.size > len(content):
            raise ValueError("the views of the zones are cut off")
        (number,) = _COUNT.unpack_from(content, begin)
        begin += _COUNT.size
        if number > (len(content) - begin) // 16:
            raise ValueError("the views of the zones are cut off")
        slots, counts = (struct.unpack_from(f"<{number}q", content, begin + at) for at in (0, 8 * number))
        begin += 16 * number
        total = sum(counts)
        if min(counts, default=0) < 0 or total > (len(content) - begin) // _KEPT.size:
            raise ValueError("the views of the zones are cut off")
        end = begin + total * _KEPT.size
        rows = list(_KEPT.iter_unpack(content[begin:end]))
        begin = end
        at = 0
        for slot, count in zip(slots, counts, strict=True):
            yield slot, list(map(list, rows[at : at + count]))
            at += count


def spread(starts: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Every number from each start on, as many as its count; and whose it is."""
    whose = np.repeat(np.arange(len(starts)), counts)
    inside = np.arange(len(whose)) - np.repeat(np.cumsum(counts) - counts, counts)
    return starts[whose] + inside, whose
