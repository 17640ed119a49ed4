"""MagicRF M100, QM100, R200 and boards that carry them: frames and what is in them.

Both ways ``BB TYPE CMD LEN16 PARAM SUM 7E``; SUM is the low byte of the sum from TYPE to the last of PARAM. BB and 7E
are not escaped: only LEN says where a frame ends. One antenna; no time, no channel in its reports.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from drivers.serial.framing import MORE, NEVER, gen2_crc, sum8

HEAD, TAIL = 0xBB, 0x7E
COMMAND, RESPONSE, NOTICE = 0, 1, 2

MAX_PARAM = 0xFF
"""The longest known parameters are those of a read of a whole memory bank; no reply comes near this."""


class Cmd(IntEnum):
    """Commands of the M100 family."""

    INFO = 0x03
    SET_REGION = 0x07
    GET_REGION = 0x08
    GET_SELECT = 0x0B
    SET_SELECT = 0x0C
    SET_QUERY = 0x0E
    GET_QUERY = 0x0D
    SET_BAUD = 0x11
    SELECT_MODE = 0x12
    GPIO = 0x1A
    POLL = 0x22
    POLLS = 0x27
    STOP = 0x28
    KILL = 0x65
    GET_CHANNEL = 0xAA
    SET_CHANNEL = 0xAB
    SET_POWER = 0xB6
    GET_POWER = 0xB7
    ERROR = 0xFF


NO_TAG = 0x15
ERROR_TEXT = {
    0x09: "read failed", 0x10: "write failed", 0x15: "no tag", 0x16: "access denied", 0x17: "bad command",
    0x20: "no free channel",
}  # fmt: skip
REGIONS = {"China900": 1, "US": 2, "EU": 3, "China800": 4, "Korea": 6}
FOREVER = b"\x22\xff\xff"
"""Parameters of POLLS: 65,535 rounds, the most that can be asked for."""

_COMMANDS = frozenset(int(cmd) for cmd in Cmd)


class M100Framing:
    """With `host` the frames of the other side."""

    gap = 300_000
    longest = MAX_PARAM + 7

    def __init__(self, *, host: bool = False) -> None:
        self._types = frozenset({COMMAND}) if host else frozenset({RESPONSE, NOTICE})

    def measure(self, data: bytes, at: int) -> int:
        """The length of the frame that begins at `at`, by its head and its kind."""
        if data[at] != HEAD:
            return NEVER
        head = data[at + 1 : at + 5]
        if len(head) < 4:
            return MORE
        if head[0] not in self._types or head[1] not in _COMMANDS or head[2]:
            return NEVER
        return head[3] + 7

    def intact(self, frame: bytes) -> bool:
        """Whether tail and sum are right."""
        return frame[-1] == TAIL and sum8(frame[1:-2]) == frame[-2]

    def plausible(self, frame: bytes) -> bool:
        """True: the head of the next frame is never taken for the end of a damaged one, which has a tail."""
        return True


def whole(data: bytes, at: int) -> int:
    """The size of the frame of either side, of any command, that is whole at `at` with a right check; 0 if none is."""
    if data[at] != HEAD or at + 5 > len(data) or data[at + 1] > NOTICE:
        return 0
    end = at + 7 + int.from_bytes(data[at + 3 : at + 5], "big")
    right = end <= len(data) and data[end - 1] == TAIL and sum8(data[at + 1 : end - 2]) == data[end - 2]
    return end - at if right else 0


def frame_of(kind: int, cmd: int, param: bytes = b"") -> bytes:
    """A frame of either side; `kind` is COMMAND, RESPONSE or NOTICE."""
    body = bytes([kind, cmd]) + len(param).to_bytes(2, "big") + param
    return bytes([HEAD]) + body + bytes([sum8(body), TAIL])


class Message(NamedTuple):
    """A frame taken apart."""

    kind: int
    cmd: int
    param: bytes


def read_frame(frame: bytes) -> Message:
    """`frame` as `M100Framing` gave it out."""
    return Message(frame[1], frame[2], frame[5:-2])


class Tag(NamedTuple):
    """`rssi` in dBm."""

    epc: bytes
    rssi: int


def is_sound(frame: bytes) -> bool:
    """Whether the tag's own CRC in a notice holds: the sum lets one damaged frame in 256 through, this does not."""
    return len(frame) >= 12 and gen2_crc(frame[6:-4]) == frame[-4] << 8 | frame[-3]


def read_tag(frame: bytes) -> Tag:
    """The tag of a notice, whose PC says how long its EPC is; a CRC follows or not. Raises `ValueError`."""
    if is_sound(frame):
        end = len(frame) - 4
    else:
        end = 8 + 2 * (frame[6] >> 3) if len(frame) >= 12 else 0
        if end not in (len(frame) - 2, len(frame) - 4) or end <= 8:
            raise ValueError("a notice whose length is not that of its EPC")
    raw = frame[5]
    return Tag(frame[8:end], raw - 256 if raw & 0x80 else raw)


def tag_notice(epc: bytes, rssi: int) -> bytes:
    """The notice of a tag, for emulators and tests."""
    pc = (len(epc) // 2 << 11).to_bytes(2, "big")
    return frame_of(NOTICE, Cmd.POLL, bytes([rssi & 0xFF]) + pc + epc + gen2_crc(pc + epc).to_bytes(2, "big"))
