"""The live tags: a table, not an object for each tag.

A tag is a row number (slot). A million tags cost a few machine words each, and a checkpoint is the bytes of the table,
in chunks of which only those that changed are written.

What every sighting reads and writes lies side by side, so that the hot loop (sightings.py) takes it out and puts it
back with one `struct` call each, and touches one or two cache lines instead of ten. To everybody else the table looks
like columns: ``tags.last[slot]``.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator

from gateway.errors import LedgerError
from gateway.floor.presence.states import State

CHUNK_BITS = 10
CHUNK = 1 << CHUNK_BITS
"""Tags in one part of a checkpoint: small enough that a quiet shelf is not written again, large enough to be few."""

_HOT = (
    ("last", "q"),  # time of the newest sighting, microseconds UTC
    ("dark", "q"),  # dark time of its antenna at the newest sighting (watch.py)
    ("reads", "Q"),  # reads in its zone
    ("windows", "I"),  # windows in which it was seen in its zone
    ("mask", "I"),  # antennas of its zone that saw it (places.py)
    ("level", "f"),  # smoothed RSSI, hundredths of a decibel
    ("mean", "f"),  # mean gap between sightings, microseconds of watching
    ("widest", "f"),  # the widest gap that is remembered, microseconds of watching
    ("antenna", "H"),  # the antenna that saw it last; says the zone too
    ("strongest", "h"),  # strongest RSSI in its zone, hundredths of a decibel
)
"""Widest first, so that each lies at a multiple of its own size without gaps."""

_COLD = (
    ("since", "q"),  # time at which the tag came into its zone
    ("state", "B"),
    ("queued", "B"),  # whether the slot waits for its time (timeouts.py)
)

_CODES = "".join(code for _, code in _HOT)
ROW = struct.Struct(_CODES)
"""The hot columns of one tag, in the order of their names in `_HOT`; tag `slot` begins at ``slot * ROW.size``."""

ROWS = list(_HOT)
"""The same for numpy, as a type: `rows` as an array of this type is the table."""

_BLANK = bytes(ROW.size)
_FOREIGN = (">" if sys.byteorder == "little" else "<") + _CODES
_HEADER = struct.Struct("<cI")


class Columns:
    """Slots and columns. `slots` maps an EPC to its slot; `epcs` is the way back; `rows` are the hot columns."""

    last: memoryview[int]
    dark: memoryview[int]
    reads: memoryview[int]
    windows: memoryview[int]
    mask: memoryview[int]
    level: memoryview[float]
    mean: memoryview[float]
    widest: memoryview[float]
    antenna: memoryview[int]
    strongest: memoryview[int]
    since: array[int]
    state: array[int]
    queued: array[int]

    def __init__(self) -> None:
        self.slots: dict[bytes, int] = {}
        self.epcs: list[bytes] = []
        self.free: list[int] = []
        self._released: set[int] | None = None
        self.dirty = bytearray()  # by chunk
        self.rows = bytearray()
        for name, code in _COLD:
            setattr(self, name, array(code))
        self._grow(b"")

    def _grow(self, more: bytes) -> None:
        """Adds hot rows. Nobody may hold on to a hot column meanwhile: its memory moves (BufferError says so)."""
        for name, _ in _HOT:
            setattr(self, name, None)
        self.rows += more
        at = 0
        for name, code in _HOT:
            size = struct.calcsize(code)
            setattr(self, name, memoryview(self.rows).cast(code)[at // size :: ROW.size // size])  # type: ignore[call-overload]
            at += size

    def __len__(self) -> int:
        return len(self.slots)

    def new(self, epc: bytes) -> int:
        """A slot for a tag. Its columns are zero, its state still FREE."""
        if self.free:
            slot = self.free.pop()
            self.epcs[slot] = epc
        else:
            slot = len(self.epcs)
            self.epcs.append(epc)
            for name, _ in _COLD:
                getattr(self, name).append(0)
            if slot >> CHUNK_BITS >= len(self.dirty):
                self.dirty.append(1)
                self._grow(_BLANK * CHUNK)
        self.slots[epc] = slot
        self.dirty[slot >> CHUNK_BITS] = 1
        return slot

    def release(self, slot: int) -> None:
        """Forgets the tag in a slot, whose state is FREE. While it is queued, nobody else gets the slot (`unqueue`)."""
        del self.slots[self.epcs[slot]]
        if self._released is not None:
            self._released.add(slot)
        self.epcs[slot] = b""
        self.rows[slot * ROW.size : (slot + 1) * ROW.size] = _BLANK
        self.since[slot] = 0
        if not self.queued[slot]:
            self.free.append(slot)
        self.dirty[slot >> CHUNK_BITS] = 1

    def watch_releases(self) -> set[int]:
        """A set to which every slot is added from now on that is released. It is for one watcher, who empties it."""
        self._released = set()
        return self._released

    def unqueue(self, slot: int) -> None:
        """A slot that was released while it was queued waits no more."""
        self.queued[slot] = 0
        self.free.append(slot)
        self.dirty[slot >> CHUNK_BITS] = 1

    def redate(self, by: int) -> None:
        """Every time of every tag was `by` microseconds later than was thought. Writes the whole table."""
        last, since = self.last, self.since
        for slot, state in enumerate(self.state):
            if state:
                last[slot] += by
                since[slot] += by
        self.dirty = bytearray(b"\1" * len(self.dirty))

    def changed(self) -> Iterator[tuple[int, bytes]]:
        """The number and the content of each chunk that changed since it was asked for last."""
        for chunk, dirty in enumerate(self.dirty):
            if dirty:
                self.dirty[chunk] = 0
                yield chunk, self._dump(chunk)

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """The number and the content of every chunk."""
        return ((chunk, self._dump(chunk)) for chunk in range(len(self.dirty)))

    def _dump(self, chunk: int) -> bytes:
        part = slice(chunk << CHUNK_BITS, (chunk + 1) << CHUNK_BITS)
        epcs = self.epcs[part]
        pieces = [_HEADER.pack(sys.byteorder[0].encode(), len(epcs))]
        begin = (chunk << CHUNK_BITS) * ROW.size
        pieces.append(bytes(self.rows[begin : begin + len(epcs) * ROW.size]))
        pieces += [getattr(self, name)[part].tobytes() for name, _ in _COLD]
        pieces.append(bytes(map(len, epcs)))
        pieces += epcs
        return b"".join(pieces)

    def load(self, parts: list[bytes], strays_until: int = 0) -> int:
        """Takes over all chunks, in order, without the tags that one window saw, no later than `strays_until`. Returns
        how many those were. Raises LedgerError where a chunk is not what `changed` makes."""
        left_out = 0
        for number, part in enumerate(parts):
            try:
                self._load(part)
                left_out += self._leave_out(number << CHUNK_BITS, strays_until) if strays_until else 0
            except (struct.error, ValueError, IndexError) as error:
                raise LedgerError(f"part {number} of the live tags is damaged ({error}): restore the ledger") from error
        self.dirty = bytearray(b"\1" * len(parts))
        for slot, state in enumerate(self.state):
            if state == State.FREE:
                if not self.queued[slot]:
                    self.free.append(slot)
            else:
                self.slots[self.epcs[slot]] = slot
        return left_out

    def _leave_out(self, first: int, until: int) -> int:
        """Empties the slots from `first` on whose tag was seen once and not after `until`."""
        number = 0
        for slot in range(first, len(self.epcs)):
            if self.state[slot] and self.windows[slot] == 1 and self.last[slot] <= until:
                self.epcs[slot] = b""
                self.rows[slot * ROW.size : (slot + 1) * ROW.size] = _BLANK
                self.since[slot] = self.state[slot] = 0
                number += 1
        return number

    def _load(self, part: bytes) -> None:
        order, count = _HEADER.unpack_from(part)
        at = _HEADER.size
        if len(self.epcs) % CHUNK or count > CHUNK:
            raise ValueError("wrong number of tags")
        foreign = order != sys.byteorder[0].encode()
        rows = part[at : at + count * ROW.size]
        at += len(rows)
        if foreign:
            rows = b"".join(ROW.pack(*row) for row in struct.iter_unpack(_FOREIGN, rows))
        self._grow(rows.ljust(CHUNK * ROW.size, b"\0"))
        for name, code in _COLD:
            column = array(code)
            size = column.itemsize * count
            column.frombytes(part[at : at + size])
            if foreign:
                column.byteswap()
            if len(column) != count:
                raise ValueError("it is too short")
            getattr(self, name).extend(column)
            at += size
        lengths = part[at : at + count]
        at += count
        for length in lengths:
            self.epcs.append(bytes(part[at : at + length]))
            at += length
        if at != len(part) or len(lengths) != count:
            raise ValueError("its length is wrong")
