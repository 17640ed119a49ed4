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
    {"t": …, "dropped": {"first": 1, "last": 9, "start": …, "end": …}}
    {"t": …, "clock_step": {"by": 3600.000000, "jump": 3600.000000, "cause": "set"}}
    {"t": …, "gap": {"first": 7, "last": 9}}, where the recording could not be written: no input, and skipped

A recording of a live run adds "n", the position in the run's input, and, to the first read of a batch, "at": when it
arrived. Other keys are ignored, so that a newer gateway's recordings can be read; other kinds of lines are errors.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, cast, get_args

import orjson

from drivers.api import (
    AntennaStatus,
    Batch,
    ClockQuality,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderDown,
    ReaderLoss,
    ReaderUp,
    Row,
    RssiUnit,
)
from gateway.clock import MILLISECOND
from gateway.errors import Refused
from gateway.inputs import ClockStep, Command, Dropped, Input, Lateness, Restart, StepCause, Tick
from gateway.recording import values
from gateway.recording.write import DOPPLER_STEPS, PHASE_STEP, encode

__all__ = ["RecordError", "encode", "open_reads", "read_items"]

# The longest lines are commands with the expected set of a large count: 100,000 UIDs are under 3 MB.
_MAX_LINE = 16 << 20

# Reads of a file without positions go together when they are this close, so that ticks can still come between them.
_GROUP_ROWS = 1_000
_GROUP_SPAN = 50 * MILLISECOND

# A batch of a live run is read back whole. The largest that a driver hands over is one message of its reader: this
# is far above any, and bounds what a hostile file can make grow.
_BATCH_ROWS = 200_000


class RecordError(Refused):
    """A line is not a recorded read or input. The message names the line and what is wrong with it."""


@contextmanager
def open_reads(path: Path | str) -> Iterator[Iterator[bytes]]:
    """The lines of a recording: a file, a file compressed as ``.gz``, or ``-`` for standard input.

    Raises `RecordError` where it cannot be read or a line is longer than 16 MB.
    """
    name = str(path)
    with ExitStack() as stack:
        try:
            if name == "-":
                file = sys.stdin.buffer
            elif name.endswith(".gz"):
                file = cast(BinaryIO, stack.enter_context(gzip.open(name)))
            else:
                file = stack.enter_context(open(name, "rb"))
        except OSError as error:
            raise RecordError(f"{name}: cannot be read: {error.strerror}") from error
        yield _lines(file, name)


def _lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        while line := file.readline(_MAX_LINE + 1):
            if len(line) > _MAX_LINE:
                raise RecordError(f"{name}: a line is longer than {_MAX_LINE >> 20} MB: this is not a recording")
            yield line
    except (OSError, EOFError, zlib.error) as error:
        raise RecordError(f"{name}: cannot be read further: {error}") from error


def read_items(lines: Iterable[bytes | str]) -> Iterator[Input]:
    """The inputs that `lines` hold. Raises `RecordError` at the first wrong line; what came before it was yielded.

    Consecutive reads of one reader become one batch: those of one position, or in files without positions up to
    1,000 of them within 50 ms. Empty lines are skipped.
    """
    group: _Group | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = _parse(line)
        except values.Wrong as wrong:
            raise RecordError(f"line {number}: {wrong}") from None
        if group is not None and not (isinstance(found, _Read) and group.take(found)):
            yield group.batch()
            group = None
        if found is None:
            continue
        if not isinstance(found, _Read):
            yield found
        elif group is None:
            group = _Group(found)
    if group is not None:
        yield group.batch()


def _parse(line: bytes | str) -> _Read | Input | None:
    """None for a gap, which is no input."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        cut_off = "" if line[-1:] in (b"\n", "\n") else "; the file ends here: the recording may have been cut off"
        raise values.Wrong(f"not JSON: {error}{cut_off}") from None
    if type(record) is not dict:
        raise values.Wrong("not a JSON object")
    if "gap" in record:
        return None
    try:
        return _interpret(record)
    except values.Inexact:
        exact = json.loads(line, parse_float=Decimal)
        return _interpret(exact | {key: record[key] for key in ("command",) if key in record})


def _interpret(record: Mapping[str, Any]) -> _Read | Input:
    return _read(record) if "epc" in record else _other(record)


@dataclass(slots=True)
class _Read:
    reader: str
    row: Row
    unit: RssiUnit
    phase: bool
    tid: bytes | None
    n: int | None
    at: int | None


class _Group:
    """Reads that become one batch."""

    def __init__(self, first: _Read) -> None:
        self._first = first
        self._rows: list[Row] = []
        self._tids: dict[bytes, bytes] = {}
        self._low = self._high = first.row[4]
        self._add(first)

    def take(self, read: _Read) -> bool:
        """Adds `read` where it belongs to this batch."""
        first = self._first
        if (read.reader, read.unit, read.phase, read.n) != (first.reader, first.unit, first.phase, first.n):
            return False
        if read.n is None:
            t = read.row[4]
            if len(self._rows) >= _GROUP_ROWS or t > self._low + _GROUP_SPAN or t < self._high - _GROUP_SPAN:
                return False
        elif len(self._rows) >= _BATCH_ROWS:
            return False
        self._add(read)
        return True

    def _add(self, read: _Read) -> None:
        self._rows.append(read.row)
        self._low = min(self._low, read.row[4])
        self._high = max(self._high, read.row[4])
        if read.tid is not None:
            self._tids[read.row[0]] = read.tid

    def batch(self) -> Batch:
        first = self._first
        arrival = first.at if first.at is not None else self._high
        return Batch(first.reader, arrival, self._rows, 0, first.unit, first.phase, self._tids)


def _read(record: Mapping[str, Any]) -> _Read:
    t, rssi, unit = values.time(record, "t"), *_rssi(record)
    epc = values.binary(record, "epc")
    channel, count = values.integer(record, "channel", 0, 65535, 0), values.integer(record, "count", 1, 1 << 31, 1)
    row: Row = (epc, values.integer(record, "antenna", 0, 65535), rssi, channel, t, count)
    phase = "phase" in record
    if phase:
        doppler = values.number(record, "doppler", 0.0) * DOPPLER_STEPS
        row = (*row, round(values.number(record, "phase") / PHASE_STEP), round(doppler))
    return _Read(
        reader=values.string(record, "reader"),
        row=row,
        unit=unit,
        phase=phase,
        tid=values.binary(record, "tid") if "tid" in record else None,
        n=values.integer(record, "n", 0, 1 << 62) if "n" in record else None,
        at=values.time(record, "at") if "at" in record else None,
    )


def _rssi(record: Mapping[str, Any]) -> tuple[int, RssiUnit]:
    if "rssi_raw" in record:
        return values.integer(record, "rssi_raw", -(1 << 31), 1 << 31), RssiUnit.RAW
    value = record.get("rssi")
    if type(value) is int and abs(value) <= 1000:
        return value, RssiUnit.DBM
    rssi = values.number(record, "rssi")
    if abs(rssi) > 1000:
        raise values.Wrong(f'"rssi" is {rssi}: it is in dBm, such as -61.5')
    return round(rssi * 100), RssiUnit.CENTI_DBM


def _other(record: Mapping[str, Any]) -> Input:
    """An input that is not a read: the first key that tells a kind decides."""
    for key, build in _KINDS.items():
        if key in record:
            return build(record)
    known = ", ".join(["epc", *_KINDS])
    raise values.Wrong(f"neither a read nor any other kind of record: it has none of the keys {known}")


def _tick(record: Mapping[str, Any]) -> Input:
    if record["tick"] is not True:
        raise values.Wrong('"tick" is always true')
    return Tick(values.time(record, "t"))


def _command(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "command")
    name = values.string(content, "name")
    args = {key: value for key, value in content.items() if key != "name"}
    if args.keys() == {"args"} and type(args["args"]) is dict:
        args = args["args"]
    return Command(values.time(record, "t"), name, args)


def _restart(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "restart")
    return Restart(
        t=values.time(record, "t"),
        since=values.time(content, "since"),
        clean=values.flag(content, "clean"),
        journal_lost=values.flag(content, "journal_lost", False),
        rebuilt=values.strings(content, "rebuilt"),
        kept=values.time(content, "kept") if "kept" in content else 0,
    )


def _dropped(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "dropped")
    first = values.integer(content, "first", 1, 1 << 62)
    last = values.integer(content, "last", first, 1 << 62)
    return Dropped(values.time(record, "t"), first, last, values.time(content, "start"), values.time(content, "end"))


def _clock_step(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "clock_step")
    by, jump = values.time(content, "by"), values.time(content, "jump")
    cause = cast(StepCause, values.word(content, "cause", list(get_args(StepCause))))
    if jump < 0:
        raise values.Wrong('"jump" is negative: event time never goes back')
    return ClockStep(values.time(record, "t"), by, jump, cause)


def _input_change(record: Mapping[str, Any]) -> Input:
    port = values.integer(record, "gpi", 0, 65535)
    return InputChange(values.string(record, "reader"), values.time(record, "t"), port, values.flag(record, "state"))


def _clock(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "clock")
    quality = values.word(content, "quality", [quality.value for quality in ClockQuality])
    return ReaderClock(
        values.string(record, "reader"), values.time(record, "t"), ClockQuality(quality), values.time(content, "offset")
    )


def _condition(record: Mapping[str, Any]) -> Input:
    return ReaderCondition(
        reader=values.string(record, "reader"),
        t=values.time(record, "t"),
        condition=values.string(record, "condition"),
        active=values.flag(record, "active"),
        detail=values.string(record, "detail", ""),
    )


def _loss(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "loss")
    return ReaderLoss(
        reader=values.string(record, "reader"),
        t=values.time(record, "t"),
        start=values.time(content, "start"),
        end=values.time(content, "end"),
        cause=values.string(content, "cause"),
        certain=values.flag(content, "certain", True),
    )


def _status(record: Mapping[str, Any]) -> Input:
    reader, t = values.string(record, "reader"), values.time(record, "t")
    if "antenna" in record:
        up = values.word(record, "status", ["up", "down"]) == "up"
        return AntennaStatus(
            reader, t, values.integer(record, "antenna", 0, 65535), up, values.string(record, "reason", "")
        )
    match values.word(record, "status", ["up", "down", "alive"]):
        case "up":
            held = values.flag(record, "held", False)
            return ReaderUp(reader, t, held, values.string(record, "model", ""), values.string(record, "firmware", ""))
        case "down":
            return ReaderDown(reader, t, values.string(record, "reason", ""))
        case _:
            return ReaderAlive(reader, t)


def _lateness(record: Mapping[str, Any]) -> Input:
    return Lateness(values.time(record, "t"), values.time(record, "lateness"))


_KINDS: dict[str, Callable[[Mapping[str, Any]], Input]] = {
    "tick": _tick,
    "command": _command,
    "restart": _restart,
    "dropped": _dropped,
    "lateness": _lateness,
    "clock_step": _clock_step,
    "gpi": _input_change,
    "clock": _clock,
    "condition": _condition,
    "loss": _loss,
    "status": _status,
}
