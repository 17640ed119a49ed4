"""Many recorded lines at once: those that are written alike are taken apart by whole columns of bytes.

Lines of one length, of which one is taken apart by a regular expression, have their values at the same places, or they
differ where it is structure and not value. What does not fit in this way is left to the reader of single lines, which
is the reference: here no line is refused, and none is understood otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from drivers.records import RecordFormat

Ints: TypeAlias = npt.NDArray[np.int64]
Bytes: TypeAlias = npt.NDArray[np.uint8]

FORMAT: Final = RecordFormat(
    28,
    [
        ("epc", 0, "12s"),
        ("antenna", 12, "H"),
        ("rssi", 14, "h"),
        ("channel", 16, "H"),
        ("time", 18, "Q"),
        ("count", 26, "H"),
    ],
)
"""Of the records that reads become."""

_RECORD = np.dtype(
    {
        "names": ["epc", "antenna", "rssi", "channel", "time", "count"],
        "formats": [("u1", (12,)), ">u2", ">i2", ">u2", ">u8", ">u2"],
        "offsets": [0, 12, 14, 16, 18, 26],
        "itemsize": 28,
    }
)

_LINE = re.compile(
    rb'\{"t": ?(?P<t>\d{1,10})\.(?P<t_part>\d{1,6}), ?"reader": ?"(?P<reader>[^"\\]{1,64})", ?'
    rb'"antenna": ?(?P<antenna>\d{1,5}), ?"epc": ?"(?P<epc>[0-9A-Fa-f]{24})", ?'
    rb'"rssi": ?(?P<sign>-?)(?P<rssi>\d{1,3})(?:\.(?P<rssi_part>\d{1,2}))?'
    rb'(?:, ?"channel": ?(?P<channel>\d{1,5}))?(?:, ?"count": ?(?P<count>\d{1,5}))?(?:, ?"n": ?(?P<n>\d{1,18}))?'
    rb'(?:, ?"at": ?(?P<at>\d{1,10})\.(?P<at_part>\d{1,6}))?\}\r?\n'
)
_NUMBERS = ("t", "antenna", "rssi", "channel", "count", "n", "at")
_PARTS = ("t_part", "rssi_part", "at_part")

_TEMPLATES = 16
"""Ways of writing a line that are looked for among those of one length."""

_LONGEST = 400
"""Bytes in a line that is looked at here."""

_ZERO = np.uint8(ord("0"))
_HEX = np.full(256, 16, np.uint8)
for _digit, _character in enumerate("0123456789ABCDEF"):
    _HEX[[ord(_character), ord(_character.lower())]] = _digit


@dataclass(slots=True)
class Reads:
    """Lines as columns. `known` marks those that are reads and stand here; `n` and `at` are -1 where a line has none.
    `readers` are names, by the numbers in `reader`; `whole` marks RSSI in whole dBm."""

    known: npt.NDArray[np.bool_]
    records: npt.NDArray[Any]
    reader: Ints
    whole: npt.NDArray[np.bool_]
    n: Ints
    at: Ints
    readers: list[str]

    def runs(self) -> Iterator[tuple[int, int, bool]]:
        """Where lines follow each other that are known, or are not, and which."""
        edges = np.flatnonzero(self.known[1:] != self.known[:-1]) + 1
        bounds = [0, *edges.tolist(), len(self.known)]
        for start, end in pairwise(bounds):
            yield start, end, bool(self.known[start])

    def alike(self, start: int, end: int) -> list[int]:
        """Between which of the lines from `start` to `end` the reader, the unit or the position changes."""
        changes = np.zeros(end - start - 1, bool)
        for column in (self.reader, self.whole, self.n):
            part = column[start:end]
            changes |= part[1:] != part[:-1]
        return [int(at) for at in (np.flatnonzero(changes) + start + 1).tolist()]


def read_columns(lines: Sequence[bytes]) -> Reads:
    """Takes lines apart, each of which ends with a newline or is the last."""
    count = len(lines)
    lengths = np.fromiter(map(len, lines), np.int64, count)
    starts = np.zeros(count, np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    content = np.frombuffer(b"".join(lines), np.uint8)
    reads = Reads(
        np.zeros(count, bool),
        np.zeros(count, _RECORD),
        np.zeros(count, np.int64),
        np.zeros(count, bool),
        np.full(count, -1, np.int64),
        np.full(count, -1, np.int64),
        [],
    )
    numbers: dict[bytes, int] = {}
    for length in np.flatnonzero(np.bincount(np.minimum(lengths, _LONGEST + 1))).tolist():
        if 60 < length <= _LONGEST:
            rows = np.flatnonzero(lengths == length)
            anywhere = np.ndarray((len(content) - length + 1,), f"V{length}", content, 0, (1,))
            table = anywhere[starts[rows]].view(np.uint8).reshape(-1, length)
            _read_alike(rows, np.ascontiguousarray(table.T), reads, numbers)
    reads.readers = [name.decode() for name in numbers]
    return reads


def _read_alike(rows: Ints, table: Bytes, reads: Reads, numbers: dict[bytes, int]) -> None:
    """Lines of one length: `table` has one in each column."""
    for _ in range(_TEMPLATES):
        if not len(rows):
            return
        match = _LINE.fullmatch(table[:, 0].tobytes())
        if match is None:
            rows, table = rows[1:], table[:, 1:]
            continue
        fits = _fitting(table, match)
        if fits.all():
            _take(rows, table, match, reads, numbers)
            return
        _take(rows[fits], table[:, fits], match, reads, numbers)
        rows, table = rows[~fits], table[:, ~fits]


def _fitting(table: Bytes, match: re.Match[bytes]) -> npt.NDArray[np.bool_]:
    """Which lines have values where `match` has them, and the same everywhere else."""
    fits = np.ones(table.shape[1], bool)
    fixed = set(range(len(table)))
    for name in (*_NUMBERS, *_PARTS):
        start, end = match.span(name)
        if start >= 0:
            fixed.difference_update(range(start, end))
            for column in table[start:end]:
                fits &= column - _ZERO <= 9
            if name in _NUMBERS and end - start > 1:
                fits &= table[start] != _ZERO  # a number does not begin with a zero
    for name in ("reader", "epc"):
        fixed.difference_update(range(*match.span(name)))
    for at in fixed:
        fits &= table[at] == table[at, 0]
    for column in table[slice(*match.span("epc"))]:
        fits &= _HEX.take(column) < 16
    for column in table[slice(*match.span("reader"))]:
        fits &= (column >= 32) & (column < 127) & (column != 34) & (column != 92)
    for name in ("antenna", "channel", "count"):
        if match[name] is not None:
            fits &= _number(table, match, name) <= 65_535
    if match["count"] is not None:
        fits &= _number(table, match, "count") > 0
    return fits


def _number(table: Bytes, match: re.Match[bytes], name: str) -> Ints:
    number = np.zeros(table.shape[1], np.int64)
    for column in table[slice(*match.span(name))]:
        number *= 10
        number += column - _ZERO
    return number


def _micros(table: Bytes, match: re.Match[bytes], name: str) -> Ints:
    part = match.end(f"{name}_part") - match.start(f"{name}_part")
    return np.asarray(
        _number(table, match, name) * 1_000_000 + _number(table, match, f"{name}_part") * 10 ** (6 - part)
    )


def _take(rows: Ints, table: Bytes, match: re.Match[bytes], reads: Reads, numbers: dict[bytes, int]) -> None:
    if not len(rows):
        return
    records = np.zeros(len(rows), _RECORD)
    digits = _HEX.take(table[slice(*match.span("epc"))])
    records["epc"] = (digits[::2] << 4 | digits[1::2]).T
    records["time"] = _micros(table, match, "t")
    records["antenna"] = _number(table, match, "antenna")
    rssi = _number(table, match, "rssi")
    if match["rssi_part"] is not None:
        part = match.end("rssi_part") - match.start("rssi_part")
        rssi = rssi * 100 + _number(table, match, "rssi_part") * 10 ** (2 - part)
    records["rssi"] = -rssi if match["sign"] else rssi
    records["channel"] = _number(table, match, "channel") if match["channel"] is not None else 0
    records["count"] = _number(table, match, "count") if match["count"] is not None else 1
    start, end = match.span("reader")
    names = np.ascontiguousarray(table[start:end].T).view(f"V{end - start}").ravel().tolist()
    for name in set(names):
        numbers.setdefault(name, len(numbers))
    reads.records[rows] = records
    reads.reader[rows] = list(map(numbers.__getitem__, names))
    reads.whole[rows] = match["rssi_part"] is None
    if match["n"] is not None:
        reads.n[rows] = _number(table, match, "n")
    if match["at"] is not None:
        reads.at[rows] = _micros(table, match, "at")
    reads.known[rows] = True
