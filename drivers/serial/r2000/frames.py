"""R2000 readers (Rodinbell, IND90x and many more, 4 to 16 ports): frames and what is in them.

Both ways ``A0 LEN ADR CMD DATA CHK``; LEN counts everything behind itself, CHK makes the sum of all bytes zero.
There is no streaming: the host asks for a round, the tags come, and a frame that can not be a tag ends it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from drivers.serial.framing import MORE, NEVER, lrc8

HEAD = 0xA0
BROADCAST = 0xFF


class Cmd(IntEnum):
    """Commands of the R2000 family."""

    GET_INPUTS = 0x60
    SET_OUTPUT = 0x61
    SET_DETECTOR = 0x62
    GET_DETECTOR = 0x63
    SET_TEMPORARY_POWER = 0x66
    GET_IDENTIFIER = 0x68
    SET_PROFILE = 0x69
    GET_PROFILE = 0x6A
    RESET = 0x70
    SET_BAUD = 0x71
    FIRMWARE = 0x72
    SET_ADDRESS = 0x73
    SET_ANTENNA = 0x74
    GET_ANTENNA = 0x75
    SET_POWER = 0x76
    GET_POWER = 0x77
    SET_REGION = 0x78
    GET_REGION = 0x79
    SET_BEEPER = 0x7A
    TEMPERATURE = 0x7B
    RETURN_LOSS = 0x7E
    BUFFERED = 0x80
    MATCH = 0x85
    REALTIME = 0x89
    FAST_SWITCH = 0x8A
    SESSION = 0x8B
    GET_BUFFER = 0x90
    TAKE_BUFFER = 0x91
    BUFFER_COUNT = 0x92
    CLEAR_BUFFER = 0x93


ROUNDS: frozenset[int] = frozenset({Cmd.REALTIME, Cmd.FAST_SWITCH, Cmd.SESSION})
_COMMANDS = frozenset(int(cmd) for cmd in Cmd)

LEN_ERROR = 0x04
LEN_ANTENNA = 0x05
LEN_BLANK = 0x07
LEN_END = 0x0A


class Code(IntEnum):
    """What an R2000 reader answers."""

    SUCCESS = 0x10
    NO_ANTENNA = 0x22
    INVENTORY = 0x31
    NO_TAG = 0x36
    RETURN_LOSS = 0xEE


CODE_TEXT = {
    0x10: "success", 0x11: "failed", 0x20: "the controller was reset", 0x21: "carrier is on", 0x22: "antenna missing",
    0x23: "flash write", 0x24: "flash read", 0x25: "power not set", 0x31: "inventory failed", 0x36: "no tag",
    0x41: "bad parameter", 0x46: "bad address", 0x47: "bad antenna", 0x48: "bad power", 0x49: "bad region",
    0x4A: "bad baud rate", 0x52: "PLL does not lock", 0x53: "RF chip does not answer", 0x54: "power not reached",
    0x56: "against the spectrum rules", 0x57: "power too low",
}  # fmt: skip


def meaning(code: int) -> str:
    """An error code, for people."""
    return f"{code:02X}, {CODE_TEXT.get(code, 'meaning unknown')}"


class Region(NamedTuple):
    """First and last are indices of the frequency table, see `megahertz`."""

    number: int
    first: int
    last: int


REGIONS = {"FCC": Region(1, 7, 59), "ETSI": Region(2, 0, 6), "CHN": Region(3, 43, 53)}


class R2000Framing:
    """With `host` the frames of the other side."""

    gap = 300_000
    longest = 257

    def __init__(self, *, host: bool = False) -> None:
        self._host = host
        self._least = 3 if host else LEN_ERROR

    def measure(self, data: bytes, at: int) -> int:
        """The length of the frame that begins at `at`, by its head, its length and its command."""
        if data[at] != HEAD:
            return NEVER
        head = data[at + 1 : at + 4]
        if len(head) < 3:
            return MORE
        return head[0] + 2 if head[0] >= self._least and head[2] in _COMMANDS else NEVER

    def intact(self, frame: bytes) -> bool:
        """Whether the sum is right."""
        return sum(frame) & 0xFF == 0

    def plausible(self, frame: bytes) -> bool:
        """True: a frame that has lost a byte and taken the next one's head for its sum is as long as it says."""
        return True


def _epc_end(frame: bytes) -> int:
    return 7 + 2 * (frame[5] >> 3)


def whole(data: bytes, at: int) -> int:
    """The size of the frame of either side, of any command, that is whole at `at` with a right check; 0 if none is."""
    if data[at] != HEAD or at + 1 >= len(data) or data[at + 1] < 3:
        return 0
    end = at + data[at + 1] + 2
    return end - at if end <= len(data) and sum(data[at:end]) & 0xFF == 0 else 0


def frame_of(address: int, cmd: int, data: bytes = b"") -> bytes:
    """A frame of either side."""
    body = bytes([HEAD, len(data) + 3, address, cmd]) + data
    return body + bytes([lrc8(body)])


class Message(NamedTuple):
    """A frame taken apart."""

    address: int
    cmd: int
    data: bytes


def read_frame(frame: bytes) -> Message:
    """`frame` as `R2000Framing` gave it out."""
    return Message(frame[2], frame[3], frame[4:-1])


RSSI_ZERO = 129


class Tag(NamedTuple):
    """`channel` is the index of the frequency table, `rssi` in dBm, `antenna` from 1 to 8."""

    epc: bytes
    antenna: int
    rssi: int
    channel: int


_BEHIND_EPC = (0, 1, 3)
"""Bytes between EPC and check: none, the RSSI, or RSSI and phase."""


def read_tag(frame: bytes) -> Tag:
    """A tag of a round. Readers with eight ports mark antennas 5 to 8 with the high bit of the RSSI; some send none.
    Raises `ValueError`: one damaged frame in 256 has a right sum, and the PC says how long the EPC must be."""
    end = _epc_end(frame)
    if len(frame) - 1 - end not in _BEHIND_EPC:
        raise ValueError("a tag whose length is not that of its EPC")
    raw = frame[end] if end < len(frame) - 1 else 0
    antenna = (frame[4] & 3) + (5 if raw & 0x80 else 1)
    return Tag(frame[7:end], antenna, (raw & 0x7F) - RSSI_ZERO, frame[4] >> 2)


def is_tag(frame: bytes) -> bool:
    """Whether a frame is a tag that was read, and not the end of its round. A tag that nobody has written yet has a
    PC of zeros and no EPC."""
    if frame[3] not in ROUNDS or frame[1] <= LEN_ANTENNA or frame[1] == LEN_END:
        return False
    return _epc_end(frame) > 7 or (frame[1] == LEN_BLANK and not frame[5] and not frame[6])


def session_round(address: int, session: int) -> bytes:
    """One round on the working antenna, target A."""
    return frame_of(address, Cmd.SESSION, bytes([session, 0, 1]))


def fast_switch(address: int, ports: list[int]) -> bytes:
    """One round over up to four `ports` (from 1)."""
    used = [*(port - 1 for port in ports), 0xFF, 0xFF, 0xFF][:4]
    stays = b"".join(bytes([port, 1]) for port in used)
    return frame_of(address, Cmd.FAST_SWITCH, stays + b"\x00\x01")
