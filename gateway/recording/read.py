"""Recorded reads: inputs of the floor as JSON lines, and back.

One line for each read or other input, in arrival order. `t` is UTC in seconds with six decimals and may run
backwards, because reads come late::

    {"t": 1700000000.123456, "reader": "dock-a", "antenna": 1, "epc": "1A4060300048D3D006913126", "rssi": -61.5}
        with optional "phase" (radians), "doppler" (Hz; only with a phase), "channel", "count", "tid";
        "rssi" without a decimal point was reported in whole dBm, "rssi_raw" in steps that the vendor does not define
    {"t": …, "reader": "dock-a", "gpi": 1, "state": true}
    {"t": …, "reader": "dock-a", "antenna": 2, "status": "down", "reason": "…"}
    {"t": …, "reader": "dock-a", "status": "up" | "down" | "alive", …}
    {"t": …, "reader": "dock-a", "clock": {"quality": "synced", "offset": 0.000000}}
    {"t": …, "reader": "dock-a", "condition": "throttled", "active": true, "detail": "…"}
    {"t": …, "reader": "dock-a", "loss": {"start": …, "end": …, "cause": "…", "certain": true}}
    {"t": …, "tick": true}
    {"t": …, "command": {"name": "count", …}}
    {"t": …, "restart": {"since": …, "clean": false, "journal_lost": false}}
    {"t": …, "lateness": 0.250000}
    {"t": …, "room": 1000000}
    {"t": …, "dropped": {"first": 1, "last": 9, "start": …, "end": …}}
    {"t": …, "clock_step": {"by": 3600.000000, "jump": 3600.000000, "cause": "set"}}
    {"t": …, "gap": {"first": 7, "last": 9}}, where the recording could not be written: no input, and skipped

A recording of a live run adds "n", the position in the run's input, and, to the first read of a batch, "at": when it
arrived. Other keys are ignored, so that a newer gateway's recordings can be read; other kinds of lines are errors.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, BytesIO
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from drivers.api import Batch, RssiUnit
from drivers.records import Records
from gateway.errors import Refused
from gateway.inputs import Input
from gateway.recording.blocks import MAGIC, Broken, blocks, decode_body
from gateway.recording.bulk import FORMAT, Reads, read_columns
from gateway.recording.lines import BATCH_ROWS, GROUP_ROWS, GROUP_SPAN, Grouping, RecordError
from gateway.recording.write import Gap, encode

__all__ = ["RecordError", "complaint", "encode", "open_items", "open_reads", "read_items"]

# The longest lines are commands with the expected set of a large count: 100,000 UIDs are under 3 MB.
_MAX_LINE = 16 << 20

# Lines that are taken apart at once: enough to make columns worth it, and some megabytes. Below `_FEW` they are not.
_CHUNK = 20_000
_FEW = 16

# Bytes that are read at a time, at most: what there is of a pipe is taken as it comes.
_BLOCK = 1 << 20


def complaint(name: str, refused: Refused) -> str:
    """What is wrong with the recording `name`, a file or ``-``, as one line for people."""
    words = str(refused).removeprefix(f"{name}: ")
    return f"{'standard input' if name == '-' else name}: {words}"


@contextmanager
def open_reads(path: Path | str) -> Iterator[Iterator[bytes]]:
    """The lines of a recording: a file, a file compressed as ``.gz``, or ``-`` for standard input.

    Raises `RecordError` where it cannot be read or a line is longer than 16 MB.
    """
    with _opened(path) as file:
        yield _lines(file, str(path))


@contextmanager
def open_items(path: Path | str) -> Iterator[Iterator[tuple[int | None, Input | Gap]]]:
    """The inputs and gaps of a recording in either form, with their positions where it has them.

    Raises `RecordError` where it cannot be read; what came before that was yielded.
    """
    with _opened(path) as file:
        if file.peek(len(MAGIC))[: len(MAGIC)] == MAGIC:
            yield _read_blocks(file, str(path))
        else:
            yield read_positions(_lines(file, str(path)))


@contextmanager
def _opened(path: Path | str) -> Iterator[BufferedReader]:
    name = str(path)
    with ExitStack() as stack:
        try:
            if name == "-":
                file = cast(BufferedReader, sys.stdin.buffer)
            elif name.endswith(".gz"):
                file = BufferedReader(cast(Any, stack.enter_context(gzip.open(name))))
            else:
                file = stack.enter_context(open(name, "rb"))
            file.peek(1)
        except (OSError, EOFError, zlib.error) as error:
            raise RecordError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
        yield file


def _read_blocks(file: BinaryIO, name: str) -> Iterator[tuple[int | None, Input | Gap]]:
    """A recording that ends within a block, as one that is being written may, ends before it."""
    number = 0
    try:
        for head, packed in blocks(file):
            number += 1
            for found in decode_body(head, packed):
                if isinstance(found, bytes):
                    yield from read_positions(found.splitlines(keepends=True))
                else:
                    yield found
    except Broken as broken:
        raise RecordError(f"{name}: block {number + 1}: {broken}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise RecordError(f"{name}: cannot be read further: {error}") from error


def _lines(file: BufferedReader, name: str) -> Iterator[bytes]:
    rest = b""  # the beginning of a line
    try:
        while block := file.read1(_BLOCK):
            data = rest + block
            end = data.rfind(b"\n") + 1
            if len(rest) + block.find(b"\n") >= _MAX_LINE or len(data) - end > _MAX_LINE:
                raise RecordError(f"{name}: a line is longer than {_MAX_LINE >> 20} MB: this is not a recording")
            yield from BytesIO(data[:end])
            rest = data[end:]
    except (OSError, EOFError, zlib.error) as error:
        raise RecordError(f"{name}: cannot be read further: {error}") from error
    if rest:
        yield rest


def read_items(lines: Iterable[bytes | str]) -> Iterator[Input]:
    """The inputs that `lines` hold. Raises `RecordError` at the first wrong line; what came before it was yielded.

    Consecutive reads of one reader become one batch: those of one position, or in files without positions up to
    1,000 of them within 50 ms. Empty lines are skipped.
    """
    return (item for _, item in read_positions(lines) if not isinstance(item, Gap))


def read_positions(lines: Iterable[bytes | str]) -> Iterator[tuple[int | None, Input | Gap]]:
    """As `read_items`, with the positions where lines have them, and with gaps."""
    grouping = Grouping()
    number = 1
    carried: list[bytes | str] = []  # lines whose batch may go on
    failure: RecordError | None = None
    rest = iter(lines)
    while failure is None:
        chunk, carried = carried, []
        before = len(chunk)
        try:
            chunk.extend(islice(rest, _CHUNK))
        except RecordError as error:
            failure = error  # to be said when what came before it was read
        if len(chunk) == before:
            carried = chunk
            break
        if len(chunk) < _FEW or set(map(type, chunk)) != {bytes}:
            yield from grouping.lines(chunk, number)
        else:
            done = yield from _read_chunk(cast(list[bytes], chunk), number, grouping)
            carried = chunk[done:]
        number += len(chunk) - len(carried)
    yield from grouping.lines(carried, number)
    yield from grouping.end()
    if failure is not None:
        raise failure


def _read_chunk(
    chunk: list[bytes], number: int, grouping: Grouping
) -> Generator[tuple[int | None, Input | Gap], None, int]:
    """Lines of which the first is the one with this number: those that are written alike as columns, the others one
    by one. Returns how many were read: not the last batch, which may go on."""
    reads = read_columns(chunk)
    for start, end, known in reads.runs():
        if not known or end - start < _FEW:
            yield from grouping.lines(chunk[start:end], number + start)
            continue
        bounds = _batches(reads, start, end)
        if grouping.begun:  # some of these may belong to it
            yield from grouping.lines(chunk[start : bounds[1]], number + start)
            yield from grouping.end() if len(bounds) > 2 else ()
            del bounds[0]
        if end == len(chunk):
            del bounds[-1]
        for low, high in pairwise(bounds):
            yield from _batch(reads, low, high)
        if end == len(chunk):
            return bounds[-1] if bounds else end
    return len(chunk)


def _batches(reads: Reads, start: int, end: int) -> list[int]:
    """Where batches begin among lines that are known, and `end`."""
    bounds: list[int] = []
    for low, high in pairwise([start, *reads.alike(start, end), end]):
        at = low
        while at < high:
            bounds.append(at)
            at = _end_of_batch(reads, at, high)
    return [*bounds, end]


def _end_of_batch(reads: Reads, low: int, high: int) -> int:
    """Where a batch ends that begins at `low`, among reads of one reader and position up to `high`."""
    if reads.n[low] >= 0:
        return min(high, low + BATCH_ROWS)
    times = reads.records["time"][low : min(high, low + GROUP_ROWS)].astype(np.int64)
    apart = times[1:] > np.minimum.accumulate(times)[:-1] + GROUP_SPAN
    apart |= times[1:] < np.maximum.accumulate(times)[:-1] - GROUP_SPAN
    return low + 1 + int(apart.argmax()) if apart.any() else low + len(times)


def _batch(reads: Reads, low: int, high: int) -> Iterator[tuple[int | None, Batch]]:
    """The batch of these lines, with its position."""
    records = reads.records[low:high]
    name, unit = reads.readers[reads.reader[low]], RssiUnit.DBM if reads.whole[low] else RssiUnit.CENTI_DBM
    position, at = int(reads.n[low]), int(reads.at[low])
    arrival = at if at >= 0 else int(records["time"].max())
    yield position if position >= 0 else None, Batch(name, arrival, Records(FORMAT, records.tobytes()), 0, unit)
