"""Sightings of a window as columns: what many reads add up to, by whole arrays instead of one read at a time.

A row is one sighting or part of one: an EPC of 12 bytes (three words), a key (reader, port and unit in one word), and
the four sums of windows.py as 64-bit integers. Sums of integers are exact in any order, so a window that is filled this
way holds what the plain way would have put into its dictionaries, number for number. Whatever could not be said in 64
bits, or is unusual in another way, goes the plain way (`digest` hands it back).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from drivers.api import Batch
from drivers.records import RecordFormat, Records
from gateway.floor.levels import POWER, RANGE

if TYPE_CHECKING:
    import numpy.typing as npt

Ints: TypeAlias = "npt.NDArray[np.int64]"

EPC_BYTES = 12
"""The length of an EPC that fits the columns: EPC-96. Others go the plain way."""

READER_SHIFT, PORT_SHIFT = 18, 2
MAX_READERS = 1 << (32 - READER_SHIFT)
"""A key is the reader's number, 16 bits of port, and 2 bits of unit code."""

EXACT = float(1 << 61)
"""Sums that may come near this are left to Python's integers."""

_CODES = {"B": "u1", "H": ">u2", "Q": ">u8", "b": "i1", "h": ">i2"}
_VIEWS: WeakKeyDictionary[RecordFormat, np.dtype[Any] | None] = WeakKeyDictionary()

_FEW_ROWS = 100


def view_of(format: RecordFormat) -> np.dtype[Any] | None:
    """The columns of records of this format as a structured array sees them; None where a window needs more."""
    try:
        return _VIEWS[format]
    except KeyError:
        view = _VIEWS[format] = _view(format)
        return view


def _view(format: RecordFormat) -> np.dtype[Any] | None:
    found = {name: (offset, code) for name, offset, code in format.fields}
    if not {"epc", "antenna", "rssi", "time"} <= found.keys() or found["epc"][1] != f"{EPC_BYTES}s":
        return None
    names = [name for name in ("epc", "antenna", "rssi", "time", "count") if name in found]
    formats = [("u4", (3,)) if name == "epc" else _CODES[found[name][1]] for name in names]
    offsets = [found[name][0] for name in names]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": format.size})


def oldest(parts: Sequence[Records]) -> list[int]:
    """The earliest time of each of some records of one format, by the reader's clock."""
    lengths = list(map(len, parts))
    view = view_of(parts[0].format) if sum(lengths) >= _FEW_ROWS else None
    if view is None:
        return [min(int(row[4]) for row in records) for records in parts]
    times = np.frombuffer(b"".join([records.body for records in parts]), view)["time"]
    starts = list(accumulate(lengths[:-1], initial=0))
    first: list[int] = np.minimum.reduceat(times.astype(np.uint64), starts).tolist()
    return first


def newest(records: Records) -> int:
    """The latest time of some records, by the reader's clock."""
    view = view_of(records.format)
    if view is None:
        return max(int(row[4]) for row in records)
    return int(np.frombuffer(records.body, view)["time"].max())


def key_of(reader: int, port: int, unit: int) -> int:
    """Reader number, port and unit code as one number; keys sort as these do."""
    return reader << READER_SHIFT | port << PORT_SHIFT | unit


def parts_of(key: int) -> tuple[int, int, int]:
    """Reader number, port and unit code of a key."""
    return key >> READER_SHIFT, key >> PORT_SHIFT & 0xFFFF, key & 3


@dataclass(slots=True, frozen=True, eq=False)
class SightingColumns:
    """Rows of one window, column by column."""

    epcs: npt.NDArray[np.uint32]  # three words a row
    keys: npt.NDArray[np.uint32]
    reads: Ints
    strongest: Ints
    power: Ints
    moment: Ints

    def __len__(self) -> int:
        return len(self.keys)

    def at(self, rows: Ints) -> SightingColumns:
        """Some of the rows, by number."""
        return SightingColumns(
            self.epcs.take(rows, axis=0),
            self.keys.take(rows),
            self.reads.take(rows),
            self.strongest.take(rows),
            self.power.take(rows),
            self.moment.take(rows),
        )

    def sums(self) -> Iterator[tuple[bytes, int, list[int]]]:
        """Each row as EPC, key and the sighting of windows.py."""
        columns = (self.reads.tolist(), self.strongest.tolist(), self.power.tolist(), self.moment.tolist())
        for epc, key, *sums in zip(epc_bytes(self.epcs), self.keys.tolist(), *columns, strict=True):
            yield epc, key, sums


def epc_bytes(epcs: npt.NDArray[np.uint32]) -> list[bytes]:
    """The EPC of each row."""
    return list(np.ascontiguousarray(epcs).view(f"V{EPC_BYTES}").ravel().tolist())


def among(values: npt.NDArray[Any], chosen: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which values are among some others, of which there is at least one, sorted."""
    at = np.searchsorted(chosen, values)
    return np.asarray(chosen[np.minimum(at, len(chosen) - 1)] == values)


def distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values, each once, sorted; there is at least one. (`numpy.unique` imports what we have no use for.)"""
    ordered = np.sort(values)
    return np.asarray(ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))])


def join(parts: Sequence[SightingColumns]) -> SightingColumns:
    """The rows of all parts."""
    if len(parts) == 1:
        return parts[0]
    return SightingColumns(
        np.concatenate([part.epcs for part in parts]),
        np.concatenate([part.keys for part in parts]),
        np.concatenate([part.reads for part in parts]),
        np.concatenate([part.strongest for part in parts]),
        np.concatenate([part.power for part in parts]),
        np.concatenate([part.moment for part in parts]),
    )


def group(sightings: SightingColumns) -> SightingColumns:
    """The sightings with one row for each EPC and key: rows that were parts of one sighting are added up. The rows of a
    tag are side by side, by their keys; the tags are in no order that means anything.

    Two sorts of 64-bit numbers, with the number of the row in the low bits of each: of a hash of the EPC, after which
    neighbours are compared exactly and tags are numbers, and of those numbers and the keys.
    """
    count = len(sightings)
    if count < 2:
        return sightings
    order, tags = _by_tag(sightings.epcs)
    keys = sightings.keys.take(order).astype(np.int64)
    width = int(keys.max()).bit_length()
    tags <<= width
    tags |= keys
    bits = (count - 1).bit_length()
    if int(tags[-1]).bit_length() + bits < 64:
        tags <<= bits
        tags |= order
        tags.sort()
        order = tags & ((1 << bits) - 1)
        tags >>= bits
    else:
        again = np.argsort(tags, kind="stable")
        order, tags = order.take(again), tags.take(again)
    starts = np.flatnonzero(np.concatenate(([True], tags[1:] != tags[:-1])))
    if len(starts) == count:
        return sightings.at(order)
    first = order.take(starts)
    add = np.add.reduceat
    return SightingColumns(
        sightings.epcs.take(first, axis=0),
        sightings.keys.take(first),
        add(sightings.reads.take(order), starts),
        np.maximum.reduceat(sightings.strongest.take(order), starts),
        add(sightings.power.take(order), starts),
        add(sightings.moment.take(order), starts),
    )


def _by_tag(epcs: npt.NDArray[np.uint32]) -> tuple[Ints, Ints]:
    """An order in which the rows of a tag, of whatever key, are side by side; and in that order the number of each
    row's tag. Two tags of one hash are seen by their EPCs, and sorted by all of these."""
    bits = np.uint64((len(epcs) - 1).bit_length())
    hashes = hashes_of(epcs)
    hashes >>= bits
    hashes <<= bits
    hashes |= np.arange(len(epcs), dtype=np.uint64)
    hashes.sort()
    order = (hashes & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    hashes >>= bits
    other = new_tags(epcs.take(order, axis=0))
    if ((hashes[1:] != hashes[:-1]) != other[1:]).any():
        order = np.lexsort((epcs[:, 0], epcs[:, 1], epcs[:, 2]))
        other = new_tags(epcs.take(order, axis=0))
    return order, np.cumsum(other) - 1


def new_tags(epcs: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which rows, at least one, are of another tag than the row before them."""
    other = np.ones(len(epcs), np.bool_)
    np.not_equal(epcs[1:, 0], epcs[:-1, 0], out=other[1:])
    for word in range(1, epcs.shape[1]):
        other[1:] |= epcs[1:, word] != epcs[:-1, word]
    return other


def hashes_of(epcs: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each EPC: multiplication by odd constants, high bits folded down."""
    hashes = np.zeros(len(epcs), np.uint64)
    *factors, last = map(np.uint64, _FACTORS)
    for word, factor in enumerate(factors):
        hashes += epcs[:, word].astype(np.uint64) * factor
    hashes ^= hashes >> np.uint64(32)
    hashes *= last
    return hashes


_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)


@dataclass(slots=True, frozen=True, eq=False)
class Digest:
    """What records came to. `numbers` and `rows` are the window and the sighting of each read, `reads` what each batch
    stands for, `newest` its highest window. `odd` marks reads that are to go the plain way, `late` those of the others
    that are late; None where there are none. `weight` is not less than any sum over these rows."""

    numbers: Ints
    rows: SightingColumns
    starts: Ints  # where each batch begins
    reads: list[int]
    newest: list[int]
    odd: npt.NDArray[np.bool_] | None
    late: npt.NDArray[np.bool_] | None
    weight: float

    def batches(self) -> Iterator[tuple[int, list[int]]]:
        """Each batch that has odd reads, by number, with the positions of these in it."""
        if self.odd is None:
            return
        ends = [*self.starts[1:].tolist(), len(self.odd)]
        for batch, (start, end) in enumerate(zip(self.starts.tolist(), ends, strict=True)):
            odd = np.flatnonzero(self.odd[start:end]).tolist()
            if odd:
                yield batch, odd

    def windows(self, *, late: bool = False) -> Iterator[tuple[int, SightingColumns]]:
        """The reads that are in time, or those that are late, by window; none that is odd."""
        numbers, rows = self.numbers, self.rows
        masks = [mask for mask in (self.odd, self.late) if mask is not None]
        if late and self.late is None:
            return
        if masks:
            chosen = masks[-1] if late else ~np.logical_or.reduce(masks)
            kept = np.flatnonzero(chosen)
            if not len(kept):
                return
            numbers, rows = numbers[kept], rows.at(kept)
        low, high = int(numbers.min()), int(numbers.max())
        if low == high:
            yield low, rows
            return
        for number in range(low, high + 1) if high - low < 64 else distinct(numbers).tolist():
            at = np.flatnonzero(numbers == number)
            if len(at):
                yield number, rows.at(at)


@dataclass(slots=True, frozen=True)
class Limits:
    """What makes a read odd or late. `closed` is by reader number below which window it is late; `earliest` and
    `latest` are between which times it can have been made; `apart` are keys, without the unit, of antennas that always
    go the plain way."""

    width: int
    earliest: int
    latest: int
    closed: Sequence[int]
    apart: npt.NDArray[np.uint32]


def digest(view: np.dtype[Any], unit: int, readers: Sequence[int], batches: Sequence[Batch], limits: Limits) -> Digest:
    """Turns the records of batches into rows, and finds those that are odd. `readers` are the readers' numbers."""
    table = np.frombuffer(b"".join([batch.rows.body for batch in batches]), view)  # type: ignore[attr-defined]
    lengths = np.array([len(batch.rows) for batch in batches])
    starts = np.zeros(len(batches), np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    oddities = []
    times = table["time"].astype(np.int64)
    if int(times.min()) < 0:  # beyond what a signed integer holds: no time of anything
        oddities.append(times < 0)
        times[oddities[0]] = limits.earliest
    offsets = [batch.offset for batch in batches]
    if any(offsets):
        times += np.repeat(np.array(offsets, np.int64), lengths)
    if int(times.min()) < limits.earliest or int(times.max()) > limits.latest:
        oddities.append((times < limits.earliest) | (times > limits.latest))
    numbers = times // limits.width
    rssi = table["rssi"].astype(np.int64)
    least, most = RANGE[unit]
    if int(rssi.min()) < least or int(rssi.max()) > most:
        oddities.append((rssi < least) | (rssi > most))
        rssi = np.clip(rssi, least, most)
    power = np.frombuffer(POWER[unit], np.int64)[rssi]
    if "count" in (view.names or ()):
        counts = table["count"].astype(np.int64)
        counts[counts == 0] = 1
        if int(counts.max()) > 1:
            power *= counts
    else:
        counts = np.ones(len(table), np.int64)
    places = np.array(readers, np.uint32) << np.uint32(READER_SHIFT - PORT_SHIFT)
    keys = table["antenna"].astype(np.uint32) | np.repeat(places, lengths)
    if len(limits.apart):
        apart = among(keys, limits.apart)
        if apart.any():
            oddities.append(apart)
    closed = np.array([limits.closed[reader] for reader in readers], np.int64)
    behind = (np.minimum.reduceat(numbers, starts) < closed).any()
    late = numbers < np.repeat(closed, lengths) if behind else None
    odd = np.logical_or.reduce(oddities) if oddities else None
    if late is not None and odd is not None:
        late &= ~odd
    inside = numbers if odd is None else np.where(odd, 0, numbers)
    return Digest(
        numbers,
        SightingColumns(
            np.ascontiguousarray(table["epc"]),
            keys << np.uint32(PORT_SHIFT) | np.uint32(unit),
            counts,
            rssi,
            power,
            (times - numbers * limits.width) * power,
        ),
        starts,
        np.add.reduceat(counts, starts).tolist(),
        np.maximum.reduceat(inside, starts).tolist(),
        odd,
        late,
        float(power.sum(dtype=np.float64)) * limits.width,
    )


def dictionaries(sightings: SightingColumns) -> dict[int, dict[bytes, list[int]]]:
    """The sightings as windows.py has them: by key, then by EPC. Rows of one sighting are added up."""
    made: dict[int, dict[bytes, list[int]]] = {}
    for epc, key, sums in sightings.sums():
        add_sighting(made.setdefault(key, {}), epc, sums)
    return made


def add_sighting(into: dict[bytes, list[int]], epc: bytes, sums: list[int]) -> bool:
    """Adds a sighting to those of an antenna. Returns whether it is new."""
    known = into.get(epc)
    if known is None:
        into[epc] = sums
        return True
    known[0] += sums[0]
    known[1] = max(known[1], sums[1])
    known[2] += sums[2]
    known[3] += sums[3]
    return False
