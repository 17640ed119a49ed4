"""Which frames answer a command of a Mercury module, and what a refusal says."""

from __future__ import annotations

import math
import struct

from drivers.api import DriverError
from drivers.serial.mercury.frames import Op, Reply, Status, meaning
from drivers.serial.session import Wanted


def refusal(where: str, op: Op, answer: Reply) -> DriverError:
    """The error of a module that refuses a command it must not refuse."""
    detail = ""
    if answer.status == Status.ASSERTION and len(answer.data) > 4:
        text = answer.data[4:].decode("ascii", "replace")
        detail = f" at line {int.from_bytes(answer.data[:4], 'big')} of {text!r}"
    return DriverError(
        f"{where}: the module refuses to {op.words}: {answer.status:04X}, {meaning(answer.status)}{detail}"
    )


def power_range(data: bytes) -> tuple[float, float]:
    """The least and the most power that GET_READ_POWER names, in hundredths of dBm; any where it names no range."""
    most, least = struct.unpack_from(">hh", data, 3) if len(data) >= 7 else (0, 0)
    return (least, most) if least < most else (-math.inf, math.inf)


def is_answer(op: Op) -> Wanted:
    """The answer to `op`."""
    return lambda frame: frame[2] == op


def is_nested(op: Op) -> Wanted:
    """The answer to `op` within the stream."""
    return lambda frame: frame[2] == Op.STREAM and len(frame) >= 12 and frame[5] == 4 and frame[7] == op


def is_started(frame: bytes) -> bool:
    """The answer to the start of the stream, a refusal too."""
    return frame[2] == Op.STREAM and (frame[3:5] != b"\x00\x00" or frame[5:-2][:1] == b"\x01")


def is_stopped(frame: bytes) -> bool:
    """The answer to the end of the stream, or that there was none to end, or that the module has no such command."""
    status = frame[3] << 8 | frame[4]
    return frame[2] == Op.STREAM and (status != Status.OK or frame[5:-2][:1] == b"\x02")
