"""Newer Chafon readers ("UHF Prime": CF600, CF591, CF815, H103): frames and what is in them.

Host ``CF ADR CMD16 LEN DATA CRC``, reader ``CF ADR CMD16 LEN STATUS DATA CRC``; LEN counts STATUS and DATA, the CRC
comes high byte first. An inventory is asked for once and goes on; each round ends with a status of its own.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from drivers.serial.framing import MORE, NEVER, mcrf4xx

HEAD = 0xCF
BROADCAST = 0xFF
OVERHEAD = 7
"""Bytes of a frame beside what LEN counts."""


class Cmd(IntEnum):
    """Commands of the CF protocol, and what a reader sends by itself."""

    INVENTORY = 0x0001
    STOP = 0x0002
    INIT = 0x0050
    SET_POWER = 0x0053
    SET_ANTENNA_POWERS = 0x0063
    INFO = 0x0070
    PARAMETERS = 0x0072
    BATTERY = 0x0083
    OUTPUT_MODE = 0x0088
    READ_MODE = 0x008E


class Status(IntEnum):
    """What a CF reader answers."""

    OK = 0x00
    BAD_PARAMETER = 0x01
    ROUND_OVER = 0x12
    NO_TAG = 0x14


STATUS_TEXT = {0x01: "bad parameter", 0x02: "internal error", 0x12: "round over", 0x14: "no tag in time"}
_COMMANDS = frozenset(int(cmd) for cmd in Cmd)
_TAG_OF_INVENTORY = Cmd.INVENTORY.to_bytes(2, "big")
_HIGH_BYTES = frozenset(cmd >> 8 for cmd in _COMMANDS)


class CfFraming:
    """Frames of both sides; the host's have no status, which only their reader knows."""

    gap = 300_000
    longest = 255 + OVERHEAD

    def __init__(self, *, host: bool = False) -> None:
        self._host = host
        self._least = 0 if host else 1

    def measure(self, data: bytes, at: int) -> int:
        """See `drivers.serial.framing.Framing`."""
        if data[at] != HEAD:
            return NEVER
        head = data[at + 2 : at + 5]
        if head and head[0] not in _HIGH_BYTES:
            return NEVER
        if len(head) < 3:
            return MORE
        known = (head[0] << 8 | head[1]) in _COMMANDS and head[2] >= self._least
        return head[2] + OVERHEAD if known else NEVER

    def intact(self, frame: bytes) -> bool:
        """Whether the check holds."""
        return mcrf4xx(frame[:-2]) == frame[-2] << 8 | frame[-1]

    def plausible(self, frame: bytes) -> bool:
        """Whether the tag of an inventory reply fills it."""
        if self._host or frame[2:4] != _TAG_OF_INVENTORY or frame[5] != Status.OK or len(frame) == 1 + OVERHEAD:
            return True
        try:
            read_tag(frame[6:-2])
        except ValueError:
            return False
        return True


def whole(data: bytes, at: int) -> int:
    """The size of the frame of either side, of any command, that is whole at `at` with a right check; 0 if none is."""
    if data[at] != HEAD or at + 5 > len(data):
        return 0
    end = at + data[at + 4] + OVERHEAD
    right = end <= len(data) and mcrf4xx(data[at : end - 2]) == data[end - 2] << 8 | data[end - 1]
    return end - at if right else 0


def _seal(address: int, cmd: int, content: bytes) -> bytes:
    body = bytes([HEAD, address]) + cmd.to_bytes(2, "big") + bytes([len(content)]) + content
    return body + mcrf4xx(body).to_bytes(2, "big")


def command(address: int, cmd: int, data: bytes = b"") -> bytes:
    """A frame of the host."""
    return _seal(address, cmd, data)


def reply(address: int, cmd: int, status: int, data: bytes = b"") -> bytes:
    """A frame of the reader."""
    return _seal(address, cmd, bytes([status]) + data)


def read_command(frame: bytes) -> tuple[int, int, bytes]:
    """Address, command, data of a frame of the host."""
    return frame[1], frame[2] << 8 | frame[3], frame[5:-2]


class Reply(NamedTuple):
    """A frame of the reader."""

    address: int
    cmd: int
    status: int
    data: bytes


def read_reply(frame: bytes) -> Reply:
    """`frame` as `CfFraming` gave it out."""
    return Reply(frame[1], frame[2] << 8 | frame[3], frame[5], frame[6:-2])


INVENTORIES = (bytes(5), b"\x00\x00\x00\x00\x0a", b"\x01\x00\x00\x00\x0a", b"")
"""Data of INVENTORY, the best first: without an end, for ten seconds, for ten rounds, and as the reader likes."""


class Tag(NamedTuple):
    """A read. `rssi` in hundredths of dBm; `antenna` from 1, 0 where the reader names none."""

    epc: bytes
    antenna: int
    rssi: int
    channel: int


def read_tag(data: bytes) -> Tag:
    """The tag in the data of an inventory reply: RSSI in tenths of dBm, antenna, channel, length, EPC (none where
    nobody has written it yet); some readers leave out the channel, or the antenna too. Raises `ValueError` when they
    do not fill it exactly."""
    for at in (4, 3, 2):
        if len(data) > at and data[at] and data[at] % 2 == 0 and len(data) == at + 1 + data[at]:
            break
    else:
        if len(data) != 5 or data[4]:
            raise ValueError("a tag whose length is not that of its EPC")
        at = 4
    rssi = int.from_bytes(data[:2], "big", signed=True) * 10
    return Tag(data[at + 1 :], data[2] if at > 2 else 0, max(rssi, WEAKEST), data[3] if at > 3 else 0)


WEAKEST = -12_800
"""Hundredths of dBm below which no RSSI is one."""


def tag_reply(address: int, epc: bytes, antenna: int, rssi: int, channel: int) -> bytes:
    """The report of a tag, for emulators and tests. `rssi` in hundredths of dBm."""
    data = (rssi // 10).to_bytes(2, "big", signed=True) + bytes([antenna, channel, len(epc)]) + epc
    return reply(address, Cmd.INVENTORY, Status.OK, data)
