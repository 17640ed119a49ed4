"""Phases of the reads at portals, kept until their windows close: which way the distance of a tag to an antenna runs.

The phase of an answer turns once for every half of a wavelength, some sixteen centimetres, that the distance to the
tag changes by. Two reads of a tag by one antenna on one channel, shortly after each other, show which way it went, or
the other way round where it went more than a quarter of a wavelength meanwhile. One such pair says next to nothing, the
sum over a pass says whether one side was left while the other was approached.

Readers differ in the sign of their phases, and some know them up to half a turn only. So the phases do not say which
side was approached. A Doppler shift does: it is positive where the tag comes nearer. Of a read that is over in two
milliseconds it is off by a hundred hertz, where a walk makes five; but its sign is right a little more often than
not, and there are many. So only the signs are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from drivers.api import Batch, Row
from gateway.clock import MILLISECOND

Phase: TypeAlias = tuple[int, int, int, int]
"""One read: time in microseconds UTC, channel, phase in 1/4096 turn, and Doppler shift in 1/16 Hz, 0 where the reader
tells none."""

Pairs: TypeAlias = tuple[int, int, int, int, int, int, int]
"""Of one antenna in one window: start of the window, antenna number, number of pairs, how many of them lie less than a
quarter of a turn apart, and how many more of them turned forwards than backwards; number of reads with a Doppler shift,
and how many more of them came nearer than went away."""

TOGETHER = 300 * MILLISECOND
"""Time between two reads that make a pair. A walk goes 30 cm meanwhile; by then direction is a matter of chance."""

MAX_ROWS = 200_000
"""Rows kept for windows that are open: a minute of the busiest readers. Beyond it the phases kept are given up."""

_TURN = 4096
_HALF = _TURN // 2
_QUARTER = _TURN // 4


def pairs_of(reads: Iterable[Phase], before: Phase | None) -> tuple[int, int, int, int, int]:
    """What reads in order of time say, as in Pairs. `before` is the read before the first one."""
    number = near = forwards = shifts = nearing = 0
    for read in reads:
        if before is not None and read[1] == before[1] and 0 < read[0] - before[0] <= TOGETHER:
            turned = (read[2] - before[2] + _HALF) % _TURN - _HALF
            number += 1
            near += abs(turned) < _QUARTER
            forwards += (turned > 0) - (turned < 0)
        shifts += read[3] != 0
        nearing += (read[3] > 0) - (read[3] < 0)
        before = read
    return number, near, forwards, shifts, nearing


class Phases:
    """The phases of the reads of `readers` in windows of `width` microseconds that are still open."""

    def __init__(self, readers: Iterable[str], width: int) -> None:
        self._readers = frozenset(readers)
        self._width = width
        self._rows: dict[tuple[int, str], list[tuple[int, Row]]] = {}  # by window number and reader: offset and row
        self._count = 0
        self._at: tuple[int, str] = (-1, "")  # the window that is at hand, and its phases by port and EPC
        self._phases: dict[int, dict[bytes, list[Phase]]] = {}

    def take(self, batch: Batch) -> None:
        """Keeps the rows of a batch that holds phases."""
        if not batch.phase or batch.reader not in self._readers:
            return
        if self._count + len(batch.rows) > MAX_ROWS:
            self._rows, self._count = {}, 0
        reader, offset, width = batch.reader, batch.offset, self._width
        for row in batch.rows:
            self._rows.setdefault(((row[4] + offset) // width, reader), []).append((offset, row))
        self._count += len(batch.rows)

    def of(self, number: int, reader: str, port: int) -> Mapping[bytes, Sequence[Phase]]:
        """The phases of a window that has closed, by EPC and in order of time. They are asked for by window and reader,
        and each window once."""
        if self._at != (number, reader):
            self._at = (number, reader)
            self._phases = {}
            for offset, row in self._rows.pop(self._at, ()):
                epcs = self._phases.setdefault(row[1], {})
                epcs.setdefault(row[0], []).append((row[4] + offset, row[3], row[6], row[7]))
                self._count -= 1
            for epcs in self._phases.values():
                for reads in epcs.values():
                    reads.sort()
        return self._phases.get(port, {})

    def forget_before(self, number: int) -> None:
        """Gives up what came too late for windows below `number`."""
        if self._rows:
            for key in [key for key in self._rows if key[0] < number]:
                self._count -= len(self._rows.pop(key))

    def redate(self, by: int) -> None:
        """The reads that are kept were `by` microseconds later than was thought: a whole number of windows."""
        self._rows = {
            (number + by // self._width, reader): [(offset + by, row) for offset, row in rows]
            for (number, reader), rows in self._rows.items()
        }

    def dump(self) -> list[Any]:
        """The state for a checkpoint, ready for JSON."""
        return [
            [number, reader, [[row[0].hex(), row[1], row[3], row[4] + offset, row[6], row[7]] for offset, row in rows]]
            for (number, reader), rows in self._rows.items()
        ]

    def load(self, dump: Iterable[Any]) -> None:
        """Takes over what `dump` gave, or what it gave when it had no Doppler shifts. Where the width of a window has
        changed it is given up with the next window."""
        for number, reader, rows in dump:
            if reader in self._readers:
                kept = [
                    (0, (bytes.fromhex(epc), port, 0, channel, t, 1, phase, *(doppler or [0])))
                    for epc, port, channel, t, phase, *doppler in rows
                ]
                self._rows[number, reader] = kept
                self._count += len(kept)
