"""The open windows of many readers as columns, beside the dictionaries of windows.py.

Batches whose rows are still bytes wait until the next tick; then all that have one format are taken in together. A
window is a list of parts until it closes, and then one row for each sighting. Below FEW_READS reads the fixed cost of
working on columns is more than the plain way takes, so a quiet site never comes here.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from drivers.api import Batch
from drivers.records import RecordFormat, Records
from gateway.floor.sighting_columns import (
    EPC_BYTES,
    EXACT,
    READER_SHIFT,
    Digest,
    Limits,
    SightingColumns,
    add_sighting,
    among,
    dictionaries,
    digest,
    epc_bytes,
    group,
    join,
    new_tags,
    view_of,
)

if TYPE_CHECKING:
    import numpy.typing as npt

FEW_READS = 1_000
"""Reads between two ticks from which columns are faster than the plain way."""

MANY = 1 << 17
"""Reads that wait at most: some ten megabytes of columns at a time."""


_WINDOW = struct.Struct("<qI")
_TYPES = ("<u4", "<i8", "<i8", "<i8", "<i8")  # of the columns behind the EPCs
_ROW_BYTES = EPC_BYTES + 4 + 4 * 8


def dumped(content: bytes) -> Iterator[tuple[int, int, bytes, list[int]]]:
    """What `Columns.dump` gave: number of the window, key, EPC and sums of each row. Raises ValueError."""
    at = 0
    while at < len(content):
        if at + _WINDOW.size > len(content):
            raise ValueError("the columns of the open windows are cut off")
        number, count = _WINDOW.unpack_from(content, at)
        at += _WINDOW.size
        if at + count * _ROW_BYTES > len(content):
            raise ValueError("the columns of the open windows are cut off")
        epcs = np.frombuffer(content, np.uint32, count * 3, at).reshape(count, 3)
        at += epcs.nbytes
        columns = []
        for type in _TYPES:
            columns.append(np.frombuffer(content, type, count, at))
            at += columns[-1].nbytes
        rows = SightingColumns(epcs, *columns)
        for epc, key, sums in rows.sums():
            yield number, key, epc, sums


class Block:
    """A closed window of all readers, as columns: one row for each sighting, the sightings of a tag side by side."""

    def __init__(self, sightings: SightingColumns) -> None:
        self.sightings = sightings

    @cached_property
    def begins(self) -> npt.NDArray[np.int64]:
        """The first row of each tag."""
        return np.flatnonzero(new_tags(self.sightings.epcs)) if len(self.sightings) else np.zeros(0, np.int64)

    @cached_property
    def epcs(self) -> list[bytes]:
        """The EPC of each tag."""
        return epc_bytes(self.sightings.epcs.take(self.begins, axis=0))

    @cached_property
    def found(self) -> set[bytes]:
        """The EPCs of the window."""
        return set(self.epcs)

    @cached_property
    def plain(self) -> dict[int, dict[bytes, list[int]]]:
        """The sightings as dictionaries, by key."""
        return dictionaries(self.sightings)


class BlockSightings(Mapping[bytes, list[int]]):
    """The sightings of one reader's antenna in a block: a dictionary that is made when somebody looks into it."""

    __slots__ = ("block", "key")

    def __init__(self, block: Block, key: int) -> None:
        self.block = block
        self.key = key

    def __getitem__(self, epc: bytes) -> list[int]:
        return self.block.plain[self.key][epc]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.block.plain[self.key])

    def __len__(self) -> int:
        return len(self.block.plain[self.key])


class Columns:
    """The windows that are open. `rows` counts what they hold: no fewer than they have sightings."""

    def __init__(self) -> None:
        self.rows = 0
        self._waiting: dict[tuple[RecordFormat, int], list[tuple[int, Batch]]] = {}
        self._waiting_rows = 0
        self._open: dict[int, list[SightingColumns]] = {}
        self._weights: dict[int, float] = {}

    @property
    def upper(self) -> int:
        """No fewer than the sightings that are open or will be."""
        return self.rows + self._waiting_rows

    def add(self, batch: Batch, records: Records, reader: int, unit: int) -> bool:
        """Lets a batch wait. Returns whether it may; otherwise it is to go the plain way."""
        waiting = self._waiting.get((records.format, unit))
        if waiting is None:
            if view_of(records.format) is None:
                return False
            waiting = self._waiting[records.format, unit] = []
        waiting.append((reader, batch))
        self._waiting_rows += len(records)
        return True

    @property
    def is_full(self) -> bool:
        """Whether so many reads wait that they should be taken in before the next tick."""
        return self._waiting_rows >= MANY

    def digest(self, limits: Limits) -> Iterator[tuple[list[tuple[int, Batch]], Digest | None]]:
        """Takes in what waits: for each format the batches, and what they came to; None: they are to go the plain way,
        all of them. With a digest those reads that it calls odd are, and its late ones are not taken in yet."""
        waiting, self._waiting = self._waiting, {}
        few, self._waiting_rows = self._waiting_rows < FEW_READS, 0
        for (format, unit), batches in waiting.items():
            view = view_of(format)
            if few or view is None:
                yield batches, None
                continue
            found = digest(view, unit, [reader for reader, _ in batches], [batch for _, batch in batches], limits)
            parts = list(found.windows())
            if max((self._weights.get(number, 0.0) for number, _ in parts), default=0.0) + found.weight >= EXACT:
                yield batches, None
                continue
            for number, part in parts:
                self._weights[number] = self._weights.get(number, 0.0) + found.weight
                self._open.setdefault(number, []).append(part)
                self.rows += len(part)
            yield batches, found

    def compact(self) -> None:
        """Adds up what belongs together, so that `rows` is how many sightings there are."""
        self.rows = 0
        for number, parts in self._open.items():
            self._open[number] = [group(join(parts))]
            self.rows += len(self._open[number][0])

    def newest(self) -> int:
        """The highest window number that is open, 0 where none is."""
        return max(self._open, default=0)

    def close(self, limit: int) -> Iterator[tuple[int, SightingColumns]]:
        """Takes out the windows below number `limit`."""
        for number in sorted(number for number in self._open if number < limit):
            parts = self._open.pop(number)
            self._weights.pop(number, None)
            self.rows -= sum(len(part) for part in parts)
            yield number, group(join(parts))

    def spill(self, readers: Collection[int]) -> Iterator[tuple[int, dict[int, dict[bytes, list[int]]]]]:
        """Takes out what these readers have, as dictionaries: window number, then key to sightings."""
        chosen = np.array(sorted(readers), np.uint32)
        for number, parts in list(self._open.items()):
            sightings = join(parts)
            theirs = among(sightings.keys >> np.uint32(READER_SHIFT), chosen)
            if not theirs.any():
                continue
            rest = np.flatnonzero(~theirs)
            self.rows -= len(sightings) - len(rest)
            if len(rest):
                self._open[number] = [sightings.at(rest)]
            else:
                del self._open[number], self._weights[number]
            yield number, dictionaries(sightings.at(np.flatnonzero(theirs)))

    def dump(self) -> bytes:
        """What is open, as `dumped` reads it: a copy of the columns."""
        pieces = []
        for number, parts in self._open.items():
            found = join(parts)
            pieces.append(_WINDOW.pack(number, len(found)))
            pieces.append(np.ascontiguousarray(found.epcs).tobytes())
            columns = (found.keys, found.reads, found.strongest, found.power, found.moment)
            pieces += [np.asarray(column, type).tobytes() for column, type in zip(columns, _TYPES, strict=True)]
        return b"".join(pieces)

    def redate(self, by: int) -> None:
        """Every window is the one that comes `by` after it."""
        self._open = {number + by: parts for number, parts in self._open.items()}
        self._weights = {number + by: weight for number, weight in self._weights.items()}

    def clear(self) -> None:
        """Forgets everything."""
        self.__init__()  # type: ignore[misc]


def merge(into: dict[int, dict[bytes, list[int]]], sightings: SightingColumns) -> SightingColumns:
    """Adds those rows that belong to the antennas of `into` (by key) to them, and returns the others."""
    theirs = among(sightings.keys, np.array(sorted(into), np.uint32))
    if not theirs.any():
        return sightings
    for epc, key, sums in sightings.at(np.flatnonzero(theirs)).sums():
        add_sighting(into[key], epc, sums)
    return sightings.at(np.flatnonzero(~theirs))
