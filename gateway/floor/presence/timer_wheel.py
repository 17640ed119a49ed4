"""A lazy timer wheel over tags, and the tags that are parked because their antenna is dark.

Each waiting tag is one 4-byte slot number in exactly one place: a bucket of the wheel, or the set of its antenna. A
read of a tag does not move the tag: its bucket comes due, and the tag is put into the bucket of its new time then. So a
read costs the wheel nothing.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from gateway.errors import LedgerError

_ENTRY = struct.Struct("<cqI")  # bucket or antenna, its time or number, how many slots follow
_BUCKET, _ANTENNA = b"b", b"a"


class Waiting:
    """Buckets of `width` microseconds by number, and sets of slots by antenna number."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._buckets: dict[int, array[int]] = {}
        self._order: list[int] = []
        self._parked: dict[int, set[int]] = {}

    def add(self, slot: int, t: int) -> None:
        """The slot waits until `t`."""
        number = t // self._width
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = array("I")
            heappush(self._order, number)
        bucket.append(slot)

    def next(self, limit: int) -> tuple[int, Iterable[int]] | None:
        """Takes out the first bucket that begins before `limit`: its time and its slots."""
        if not self._order or self._order[0] * self._width >= limit:
            return None
        number = heappop(self._order)
        return number * self._width, self._buckets.pop(number)

    def park(self, slot: int, antenna: int) -> None:
        """The slot waits until the antenna is lit."""
        self._parked.setdefault(antenna, set()).add(slot)

    def unpark(self, slot: int, antenna: int) -> bool:
        """The slot does not wait for the antenna any more. Returns whether it did."""
        parked = self._parked.get(antenna, ())
        if slot not in parked:
            return False
        self._parked[antenna].remove(slot)
        return True

    def lit(self, antenna: int) -> Iterable[int]:
        """Takes out the slots that wait for the antenna."""
        return self._parked.pop(antenna, ())

    def redate(self, buckets: int) -> None:
        """Everything falls due so many buckets later."""
        self._buckets = {number + buckets: slots for number, slots in self._buckets.items()}
        self._order = [number + buckets for number in self._order]

    def dump(self) -> bytes:
        """The state for a checkpoint."""
        entries = [(_BUCKET, number * self._width, bucket) for number, bucket in self._buckets.items()]
        entries += [(_ANTENNA, antenna, array("I", sorted(slots))) for antenna, slots in self._parked.items()]
        return b"".join(_ENTRY.pack(kind, number, len(slots)) + _little(slots) for kind, number, slots in entries)

    def load(self, dump: bytes, numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        at = 0
        try:
            while at < len(dump):
                kind, number, count = _ENTRY.unpack_from(dump, at)
                slots = array("I", struct.unpack_from(f"<{count}I", dump, at + _ENTRY.size))
                at += _ENTRY.size + 4 * count
                if kind == _BUCKET:
                    self._buckets.setdefault(number // self._width, array("I")).extend(slots)
                else:
                    self._parked[numbers[number]] = set(slots)
        except (struct.error, IndexError, MemoryError) as error:
            raise LedgerError(f"the timers of the tags are damaged ({error}): restore the ledger") from error
        self._order = list(self._buckets)
        heapify(self._order)


def _little(slots: array[int]) -> bytes:
    """The slots as they are in a dump: four bytes each, the lowest first."""
    if sys.byteorder == "big":
        slots = array("I", slots)
        slots.byteswap()
    return slots.tobytes()
