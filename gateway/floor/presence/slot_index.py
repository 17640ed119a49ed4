"""Where many tags are in the table: EPC-96 to slot for a whole window at once, in front of the table's dictionary.

A look-up in a dictionary of a million tags waits for memory four times, each after the other: index, entry, EPC, slot.
Here all look-ups of a window wait together. Cells hold slots by a hash of the EPC (open addressing, linear probing),
and what a slot is known to hold is compared whole, so that a cell may be wrong but never an answer. What is not found
here is asked of the dictionary, and remembered.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gateway.floor.presence.table import Columns
from gateway.floor.sighting_columns import epc_bytes, hashes_of

if TYPE_CHECKING:
    import numpy.typing as npt

Ints: TypeAlias = "npt.NDArray[np.int64]"
Words: TypeAlias = "npt.NDArray[np.uint32]"

_FEWEST = 1 << 12
_SPARSE = 2
"""Cells for each slot, at least."""

_PROBES = 8
"""Cells that are looked at for one tag; one that has found no cell in so many is asked of the dictionary each time."""


class SlotIndex:
    """The slots of `tags` that were asked for. Memory for each slot of the table: 16 bytes, and 8 to 16 of cells."""

    def __init__(self, tags: Columns) -> None:
        self._tags = tags
        self._released = tags.watch_releases()
        self._known = np.zeros((0, 4), np.uint32)  # by slot: the EPC, and 1 where that is known
        self._cells = np.zeros(0, np.int32)  # slots; -1 in an empty one
        self._used = 0

    def find(self, epcs: Words) -> Ints:
        """The slot of each tag, three words a row, each another one; -1 where it has none."""
        self._renew()
        hashes = hashes_of(epcs)
        slots = np.full(len(epcs), -1, np.int64)
        left = np.arange(len(epcs))
        for probe in range(_PROBES):
            found = self._cells.take(self._places(hashes, left, probe)).astype(np.int64)
            is_taken = found >= 0
            left, found = left[is_taken], found[is_taken]
            known, wanted = self._known.take(found, axis=0), epcs.take(left, axis=0)
            is_same = known[:, 3] != 0
            for word in range(3):
                is_same &= known[:, word] == wanted[:, word]
            slots[left[is_same]] = found[is_same]
            left = left[~is_same]
            if not len(left):
                break
        unknown = np.flatnonzero(slots < 0)
        if len(unknown):
            asked = map(self._tags.slots.get, epc_bytes(epcs.take(unknown, axis=0)), repeat(-1))
            slots[unknown] = np.fromiter(asked, np.int64, len(unknown))
            self._remember(epcs, hashes, slots, unknown[slots[unknown] >= 0])
        return slots

    def _renew(self) -> None:
        """Forgets what slots held that were released since, and makes room for all there are."""
        if self._released:
            gone = np.fromiter(self._released, np.int64, len(self._released))
            self._known[gone[gone < len(self._known)]] = 0
            self._released.clear()
        number = len(self._tags.epcs)
        if number > len(self._known):
            known = np.zeros((max(_FEWEST, number + number // 4), 4), np.uint32)
            known[: len(self._known)] = self._known
            self._known = known
        if self._used * _SPARSE > len(self._cells) or not len(self._cells):
            size = max(_FEWEST, 1 << (2 * _SPARSE * len(self._tags) - 1).bit_length())
            self._cells = np.full(size, -1, np.int32)
            self._used = 0

    def _places(self, hashes: npt.NDArray[np.uint64], rows: Ints, probe: int) -> Ints:
        """The cell of each of some rows at its attempt number `probe`."""
        first = (hashes.take(rows) >> np.uint64(65 - len(self._cells).bit_length())).astype(np.int64)
        return (first + probe) & (len(self._cells) - 1)

    def _remember(self, epcs: Words, hashes: npt.NDArray[np.uint64], slots: Ints, rows: Ints) -> None:
        """Notes what the dictionary said of some rows, in the first empty cell of each."""
        self._known[slots[rows], :3] = epcs.take(rows, axis=0)
        self._known[slots[rows], 3] = 1
        for probe in range(_PROBES):
            places = self._places(hashes, rows, probe)
            empty = self._cells.take(places) < 0
            self._cells[places[empty]] = slots[rows[empty]]  # of those that want the same cell, one gets it
            kept = self._cells.take(places) == slots[rows]
            self._used += int(np.count_nonzero(kept))
            rows = rows[~kept]
            if not len(rows):
                return
