"""Inputs of the floor as lines of a recording. `read` says what the lines look like and reads them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from drivers.api import (
    AntennaStatus,
    Batch,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderDown,
    ReaderLoss,
    ReaderUp,
    RssiUnit,
)
from gateway.inputs import ClockStep, Command, Dropped, Input, Lateness, Restart, Room, Tick

PHASE_STEP = 2 * math.pi / 4096
DOPPLER_STEPS = 16


@dataclass(slots=True, frozen=True)
class Gap:
    """The inputs at the positions `first` to `last` are not in the recording: it could not be written."""

    t: int
    first: int
    last: int


def encode(item: Input | Gap, position: int | None = None) -> bytes:
    """`item` as one line or, for a batch, as one for each read; each ends with a newline.

    A batch without reads is no line at all.
    """
    n = "" if position is None else f',"n":{position}'
    if isinstance(item, Batch):
        return _encode_batch(item, n)
    return f'{{"t":{seconds(item.t)},{_ENCODERS[type(item)](item)}{n}}}\n'.encode()


def seconds(t: int) -> str:
    """Microseconds as seconds with six decimals, exactly."""
    whole, micros = divmod(abs(t), 1_000_000)
    return f"{'-' if t < 0 else ''}{whole}.{micros:06d}"


def text(value: str) -> str:
    """`value` as a JSON string. Lone surrogates, which have no UTF-8, become question marks."""
    return orjson.dumps(value.encode("utf-8", "replace").decode()).decode()


def _encode_batch(batch: Batch, n: str) -> bytes:
    tail = f'{n},"at":{seconds(batch.arrival)}' if n else ""
    reader = text(batch.reader)
    rssi_of = _RSSI[batch.rssi_unit]
    tids = batch.tids
    lines = []
    for row in batch.rows:
        epc, antenna, rssi, channel, time, count = row[:6]
        line = (
            f'{{"t":{seconds(time + batch.offset)},"reader":{reader},"antenna":{antenna},'
            f'"epc":"{epc.hex().upper()}",{rssi_of(rssi)}'
        )
        if batch.phase:
            line += f',"phase":{row[6] * PHASE_STEP:.4f},"doppler":{row[7] / DOPPLER_STEPS}'
        if channel:
            line += f',"channel":{channel}'
        if count != 1:
            line += f',"count":{count}'
        if tids and epc in tids:
            line += f',"tid":"{tids[epc].hex().upper()}"'
        lines.append(f"{line}{tail}}}\n")
        tail = n
    return "".join(lines).encode()


def _centi(rssi: int) -> str:
    whole, cents = divmod(abs(rssi), 100)
    return f'"rssi":{"-" if rssi < 0 else ""}{whole}.{cents:02d}'


_RSSI: dict[RssiUnit, Callable[[int], str]] = {
    RssiUnit.DBM: lambda rssi: f'"rssi":{rssi}',
    RssiUnit.CENTI_DBM: _centi,
    RssiUnit.RAW: lambda rssi: f'"rssi_raw":{rssi}',
}


def _optional(key: str, value: str) -> str:
    return f',"{key}":{text(value)}' if value else ""


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _up(item: ReaderUp) -> str:
    held = ',"held":true' if item.held else ""
    more = _optional("model", item.model) + _optional("firmware", item.firmware)
    return f'"reader":{text(item.reader)},"status":"up"{held}{more}'


def _down(item: ReaderDown) -> str:
    return f'"reader":{text(item.reader)},"status":"down","reason":{text(item.reason)}'


def _clock(item: ReaderClock) -> str:
    clock = f'{{"quality":"{item.quality.value}","offset":{seconds(item.offset)}}}'
    return f'"reader":{text(item.reader)},"clock":{clock}'


def _antenna(item: AntennaStatus) -> str:
    status = "up" if item.up else "down"
    reason = _optional("reason", item.reason)
    return f'"reader":{text(item.reader)},"antenna":{item.antenna},"status":"{status}"{reason}'


def _condition(item: ReaderCondition) -> str:
    detail = _optional("detail", item.detail)
    return f'"reader":{text(item.reader)},"condition":{text(item.condition)},"active":{_flag(item.active)}{detail}'


def _loss(item: ReaderLoss) -> str:
    return (
        f'"reader":{text(item.reader)},"loss":{{"start":{seconds(item.start)},"end":{seconds(item.end)},'
        f'"cause":{text(item.cause)},"certain":{_flag(item.certain)}}}'
    )


def _command(item: Command) -> str:
    """As the backend sent it: the arguments beside the name, or as "args" where one of them is called "name"."""
    args = dict(item.args)
    beside = "name" not in args and args.keys() != {"args"}
    content: dict[str, Any] = {"name": item.name} | (args if beside else {"args": args})
    return f'"command":{orjson.dumps(content).decode()}'


def _restart(item: Restart) -> str:
    rebuilt = f',"rebuilt":{orjson.dumps(list(item.rebuilt)).decode()}' if item.rebuilt else ""
    kept = f',"kept":{seconds(item.kept)}' if item.kept else ""
    return (
        f'"restart":{{"since":{seconds(item.since)},"clean":{_flag(item.clean)},'
        f'"journal_lost":{_flag(item.journal_lost)}{rebuilt}{kept}}}'
    )


def _dropped(item: Dropped) -> str:
    return (
        f'"dropped":{{"first":{item.first},"last":{item.last},"start":{seconds(item.start)},"end":{seconds(item.end)}}}'
    )


def _clock_step(item: ClockStep) -> str:
    return f'"clock_step":{{"by":{seconds(item.by)},"jump":{seconds(item.jump)},"cause":{text(item.cause)}}}'


_ENCODERS: dict[type[Any], Callable[[Any], str]] = {
    ReaderUp: _up,
    ReaderDown: _down,
    ReaderAlive: lambda item: f'"reader":{text(item.reader)},"status":"alive"',
    ReaderClock: _clock,
    AntennaStatus: _antenna,
    InputChange: lambda item: f'"reader":{text(item.reader)},"gpi":{item.port},"state":{_flag(item.state)}',
    ReaderCondition: _condition,
    ReaderLoss: _loss,
    Tick: lambda item: '"tick":true',
    Command: _command,
    Restart: _restart,
    Dropped: _dropped,
    ClockStep: _clock_step,
    Gap: lambda item: f'"gap":{{"first":{item.first},"last":{item.last}}}',
    Lateness: lambda item: f'"lateness":{seconds(item.lateness)}',
    Room: lambda item: f'"room":{item.tags}',
}
