"""Single lines of a recording: what each holds, and which reads become one batch. `read` says what they look like."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast, get_args

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
from gateway.clock import EARLIEST, LATEST, MILLISECOND
from gateway.errors import Refused
from gateway.inputs import ClockStep, Command, Dropped, Input, Lateness, Restart, Room, StepCause, Tick
from gateway.recording import values
from gateway.recording.write import DOPPLER_STEPS, PHASE_STEP, Gap

# Reads of a file without positions go together when they are this close, so that ticks can still come between them.
GROUP_ROWS = 1_000
GROUP_SPAN = 50 * MILLISECOND

# A batch of a live run is read back whole. The largest that a driver hands over is one message of its reader: this
# is far above any, and bounds what a hostile file can make grow.
BATCH_ROWS = 200_000


class RecordError(Refused):
    """A line is not a recorded read or input. The message names the line and what is wrong with it."""


class Grouping:
    """Makes batches of reads that come one by one."""

    def __init__(self) -> None:
        self._group: _Group | None = None

    @property
    def begun(self) -> bool:
        """Whether a batch has begun that more may belong to."""
        return self._group is not None

    def lines(self, lines: Iterable[bytes | str], number: int) -> Iterator[tuple[int | None, Input | Gap]]:
        """What is complete with these lines, of which the first is the one with this number."""
        for at, line in enumerate(lines, start=number):
            if not line.strip():
                continue
            try:
                position, found = _parse(line)
            except values.Wrong as wrong:
                raise RecordError(f"line {at}: {wrong}") from None
            if self._group is not None and not (isinstance(found, _Read) and self._group.take(found)):
                yield from self.end()
            if not isinstance(found, _Read):
                yield position, found
            elif self._group is None:
                self._group = _Group(found)

    def end(self) -> Iterator[tuple[int | None, Input | Gap]]:
        """The batch that has begun: nothing more belongs to it."""
        if self._group is not None:
            yield self._group.position, self._group.batch()
            self._group = None


def _parse(line: bytes | str) -> tuple[int | None, _Read | Input | Gap]:
    """What a line holds, and its position where it has one."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        cut_off = "" if line[-1:] in (b"\n", "\n") else "; the file ends here: the recording may have been cut off"
        raise values.Wrong(f"not JSON: {error}{cut_off}") from None
    if type(record) is not dict:
        raise values.Wrong("not a JSON object")
    position = values.integer(record, "n", 0, 1 << 62) if "n" in record else None
    if "gap" in record:
        gap = values.mapping(record, "gap")
        first = values.integer(gap, "first", 0, 1 << 62)
        return position, Gap(values.moment(record, "t"), first, values.integer(gap, "last", first, 1 << 62))
    try:
        return position, _interpret(record)
    except values.Inexact:
        exact = json.loads(line, parse_float=Decimal)
        return position, _interpret(exact | {key: record[key] for key in ("command",) if key in record})


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
            if len(self._rows) >= GROUP_ROWS or t > self._low + GROUP_SPAN or t < self._high - GROUP_SPAN:
                return False
        elif len(self._rows) >= BATCH_ROWS:
            return False
        self._add(read)
        return True

    @property
    def position(self) -> int | None:
        """The position of the batch, where its lines have one."""
        return self._first.n

    def _add(self, read: _Read) -> None:
        self._rows.append(read.row)
        self._low = min(self._low, read.row[4])
        self._high = max(self._high, read.row[4])
        if read.tid is not None:
            self._tids[read.row[0]] = read.tid

    def batch(self) -> Batch:
        first = self._first
        arrival = first.at if first.at is not None else max(EARLIEST, min(self._high, LATEST))
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
        at=values.moment(record, "at") if "at" in record else None,
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
    return Tick(values.moment(record, "t"))


def _command(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "command")
    name = values.string(content, "name")
    args = {key: value for key, value in content.items() if key != "name"}
    if args.keys() == {"args"} and type(args["args"]) is dict:
        args = args["args"]
    return Command(values.moment(record, "t"), name, args)


def _restart(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "restart")
    return Restart(
        t=values.moment(record, "t"),
        since=values.moment(content, "since"),
        clean=values.flag(content, "clean"),
        journal_lost=values.flag(content, "journal_lost", False),
        rebuilt=values.strings(content, "rebuilt"),
        kept=values.moment(content, "kept") if "kept" in content else 0,
    )


def _dropped(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "dropped")
    first = values.integer(content, "first", 1, 1 << 62)
    last = values.integer(content, "last", first, 1 << 62)
    return Dropped(
        values.moment(record, "t"), first, last, values.moment(content, "start"), values.moment(content, "end")
    )


def _clock_step(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "clock_step")
    by, jump = values.moment(content, "by"), values.moment(content, "jump")
    cause = cast(StepCause, values.word(content, "cause", list(get_args(StepCause))))
    if jump < 0:
        raise values.Wrong('"jump" is negative: event time never goes back')
    return ClockStep(values.moment(record, "t"), by, jump, cause)


def _input_change(record: Mapping[str, Any]) -> Input:
    port = values.integer(record, "gpi", 0, 65535)
    return InputChange(values.string(record, "reader"), values.moment(record, "t"), port, values.flag(record, "state"))


def _clock(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "clock")
    quality = values.word(content, "quality", [quality.value for quality in ClockQuality])
    return ReaderClock(
        values.string(record, "reader"),
        values.moment(record, "t"),
        ClockQuality(quality),
        values.moment(content, "offset"),
    )


def _condition(record: Mapping[str, Any]) -> Input:
    return ReaderCondition(
        reader=values.string(record, "reader"),
        t=values.moment(record, "t"),
        condition=values.string(record, "condition"),
        active=values.flag(record, "active"),
        detail=values.string(record, "detail", ""),
    )


def _loss(record: Mapping[str, Any]) -> Input:
    content = values.mapping(record, "loss")
    return ReaderLoss(
        reader=values.string(record, "reader"),
        t=values.moment(record, "t"),
        start=values.moment(content, "start"),
        end=values.moment(content, "end"),
        cause=values.string(content, "cause"),
        certain=values.flag(content, "certain", True),
    )


def _status(record: Mapping[str, Any]) -> Input:
    reader, t = values.string(record, "reader"), values.moment(record, "t")
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
    return Lateness(values.moment(record, "t"), values.moment(record, "lateness"))


def _room(record: Mapping[str, Any]) -> Input:
    return Room(values.moment(record, "t"), values.integer(record, "room", 1, 1 << 40))


_KINDS: dict[str, Callable[[Mapping[str, Any]], Input]] = {
    "tick": _tick,
    "command": _command,
    "restart": _restart,
    "dropped": _dropped,
    "lateness": _lateness,
    "room": _room,
    "clock_step": _clock_step,
    "gpi": _input_change,
    "clock": _clock,
    "condition": _condition,
    "loss": _loss,
    "status": _status,
}
