"""Mercury: ThingMagic and JADAK modules M5e, M6e, Micro, Nano, M7e. Frames and tag records.

Host ``FF LEN OP DATA CRC``, module ``FF LEN OP STATUS16 DATA CRC``, all high byte first; LEN counts DATA alone.
Reading is one long answer: after the start every tag is a frame of opcode 22, every cycle ends with status 0400 on
that opcode (the heartbeat), and reads are dated in milliseconds since their cycle began.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from drivers.serial.framing import MORE, NEVER, tm16

MAX_DATA = 0xF8
PREAMBLE = b"\xff" * 200
"""What wakes a sleeping module: about 20 ms of FF at 115200 baud. Two FF are never the beginning of a frame."""


class Op(IntEnum):
    """Opcodes of the Mercury (ThingMagic) protocol."""

    VERSION = 0x03
    BOOT = 0x04
    SET_BAUD = 0x06
    PROGRAM = 0x0C
    SERIAL_INFO = 0x10
    READ_SINGLE = 0x21
    READ_MULTIPLE = 0x22
    WRITE_EPC = 0x23
    WRITE_DATA = 0x24
    GET_BUFFER = 0x29
    CLEAR_BUFFER = 0x2A
    STREAM = 0x2F
    GET_ANTENNAS = 0x61
    GET_READ_POWER = 0x62
    GET_PROTOCOL = 0x63
    GET_INPUTS = 0x66
    GET_REGION = 0x67
    GET_CONFIG = 0x6A
    SET_ANTENNAS = 0x91
    SET_READ_POWER = 0x92
    SET_PROTOCOL = 0x93
    SET_OUTPUT = 0x96
    SET_REGION = 0x97
    SET_POWER_MODE = 0x98
    SET_CONFIG = 0x9A
    SET_GEN2 = 0x9B
    AUTONOMOUS = 0x9D
    SILION_ASYNC = 0xAA

    @property
    def words(self) -> str:
        """For messages: "set region"."""
        return self.name.lower().replace("_", " ")


class Status(IntEnum):
    """Status words that the driver tells apart."""

    OK = 0x0000
    BAD_LENGTH = 0x0100
    BAD_OPCODE = 0x0101
    BAD_PARAMETER = 0x0105
    TAG_BUFFER_FULL = 0x0601
    NO_TAGS = 0x0400
    NO_ANTENNA = 0x0503
    TOO_HOT = 0x0504
    BAD_MATCH = 0x0505
    ASSERTION = 0x7F01


CANNOT: frozenset[int] = frozenset({0x0100, 0x0101, 0x0102, 0x0105, 0x0109})
"""Statuses of a module that does not know a command, or not in this form."""

PASSING: frozenset[int] = frozenset({0x0501, 0x0502, 0x0503, 0x0504, 0x0505})
"""Statuses of a module that cannot read just now: a channel in use, an antenna that is not connected, heat."""

STATUS_TEXT = {
    0x0100: "wrong length", 0x0101: "unknown command", 0x0102: "not implemented", 0x0103: "power too high",
    0x0104: "bad frequency", 0x0105: "bad parameter", 0x0106: "power too low", 0x0109: "feature not implemented",
    0x010A: "bad baud rate", 0x010B: "region not supported", 0x0400: "no tags", 0x0500: "bad frequency",
    0x0501: "channel occupied", 0x0502: "transmitter already on", 0x0503: "antenna not connected",
    0x0504: "over temperature", 0x0505: "high return loss", 0x0507: "bad antenna configuration",
    0x0601: "tag buffer full", 0x7F00: "unknown error", 0x7F01: "firmware assertion",
}  # fmt: skip


def meaning(status: int) -> str:
    """A status word, for people."""
    return STATUS_TEXT.get(status, "meaning unknown")


MODELS = {
    0x00: "M5e", 0x01: "M5e Compact", 0x02: "M5e", 0x03: "M4e", 0x18: "M6e", 0x19: "M6e-I", 0x20: "Micro",
    0x30: "Nano", 0x38: "M7e", 0x80: "M3e",
}  # fmt: skip
COMMANDS_WHILE_READING = {
    0x18: b"\x01\x21\x01\x19", 0x19: b"\x01\x21\x01\x19", 0x20: b"\x01\x09\x00\x14", 0x30: b"\x01\x07\x00\x0e",
    0x38: bytes(4),
}  # fmt: skip
"""First firmware of each model that takes commands without being stopped."""

REGIONS = {
    "NA": 0x01, "EU": 0x02, "KR": 0x03, "IN": 0x04, "JP": 0x05, "PRC": 0x06, "EU2": 0x07, "EU3": 0x08, "KR2": 0x09,
    "PRC2": 0x0A, "AU": 0x0B, "NZ": 0x0C, "NA2": 0x0D, "NA3": 0x0E, "IS": 0x0F, "MY": 0x10, "ID": 0x11, "PH": 0x12,
    "TW": 0x13, "MO": 0x14, "RU": 0x15, "SG": 0x16, "JP2": 0x17, "JP3": 0x18, "VN": 0x19, "TH": 0x1A, "AR": 0x1B,
    "HK": 0x1C, "BD": 0x1D, "EU4": 0x1E, "IS2": 0x20, "NA4": 0x21, "OPEN": 0xFF,
}  # fmt: skip

META = 0x001F
"""What we ask of each read: count, RSSI, antenna, frequency, timestamp."""

NO_RSSI = -128
"""RSSI in dBm of a read whose module says none: the weakest."""

_HAS_META = 0x10
_MULTI_SELECT = 0x88
_TAG_IN_STREAM = bytes([Op.READ_MULTIPLE, 0, 0])
_STREAM_OPS: frozenset[int] = frozenset({Op.READ_MULTIPLE, Op.STREAM, Op.AUTONOMOUS, Op.BOOT})


class MercuryFraming:
    """Frames of a module, or with `host` those of the other side. `expected` is the opcode being waited for: others
    than it and those of the stream are noise. Modules on USB may have been told to leave the CRC out; see `crc`."""

    gap = 500_000
    longest = MAX_DATA + 7

    def __init__(self, *, host: bool = False) -> None:
        self._host = host
        self._extra = 5 if host else 7
        self.accepted: frozenset[int] = frozenset(Op) if host else _STREAM_OPS

    def expect(self, op: int) -> None:
        """From now on answers to `op` are frames too."""
        self.accepted = _STREAM_OPS | {op}

    def measure(self, data: bytes, at: int) -> int:
        """The length of the frame that begins at `at`, by its head, its length and its opcode."""
        if data[at] != 0xFF:
            return NEVER
        head = data[at + 1 : at + 3]
        if len(head) == 2:
            return head[0] + self._extra if head[0] <= MAX_DATA and head[1] in self.accepted else NEVER
        return NEVER if head and head[0] > MAX_DATA else MORE

    def intact(self, frame: bytes) -> bool:
        """Whether the CRC is right."""
        return tm16(frame[1:-2]) == frame[-2] << 8 | frame[-1]

    def plausible(self, frame: bytes) -> bool:
        """Whether the record of a tag in the stream fits into its frame."""
        if self._host or frame[2:5] != _TAG_IN_STREAM:
            return True
        try:
            read_tag(frame)
        except ValueError:
            return False
        return True


def _seal(body: bytes) -> bytes:
    return b"\xff" + body + tm16(body).to_bytes(2, "big")


def command(op: int, data: bytes = b"") -> bytes:
    """A frame of the host."""
    return _seal(bytes([len(data), op]) + data)


def reply(op: int, status: int = 0, data: bytes = b"") -> bytes:
    """A frame of the module."""
    return _seal(struct.pack(">BBH", len(data), op, status) + data)


def whole(data: bytes, at: int) -> int:
    """The size of the frame of either side, of any command, that is whole at `at` with a right check; 0 if none is."""
    if data[at] != 0xFF or at + 2 >= len(data) or data[at + 1] > MAX_DATA:
        return 0
    for extra in (7, 5):
        end = at + data[at + 1] + extra
        if end <= len(data) and tm16(data[at + 1 : end - 2]) == data[end - 2] << 8 | data[end - 1]:
            return end - at
    return 0


class Reply(NamedTuple):
    """An answer taken apart."""

    op: int
    status: int
    data: bytes


def read_reply(frame: bytes) -> Reply:
    """`frame` as `MercuryFraming` gave it out."""
    return Reply(frame[2], frame[3] << 8 | frame[4], frame[5:-2])


def read_command(frame: bytes) -> tuple[int, bytes]:
    """Opcode and data of a command, as the emulator takes it."""
    return frame[2], frame[3:-2]


def start_reading(on: int, off: int) -> bytes:
    """Start the stream over the antenna search list: `on` and `off` in milliseconds."""
    flags = 0x001B | (0x0400 if off else 0)
    times = struct.pack(">HH", on, off) if off else struct.pack(">H", on)
    sub = struct.pack(">BBH", Op.READ_MULTIPLE, _HAS_META, flags) + times + META.to_bytes(2, "big")
    return command(Op.STREAM, b"\x00\x00\x01\x22\x00\x00\x05" + bytes([len(sub) - 1]) + sub)


STOP_READING = command(Op.STREAM, b"\x00\x00\x02")


def while_reading(op: int, data: bytes) -> bytes:
    """The command `op` for a module that is streaming; the answer is ``04 LEN OP STATUS16 DATA`` in a frame of 2F."""
    return command(Op.STREAM, b"\x00\x00\x04" + bytes([len(data), op]) + data)


class TagRead(NamedTuple):
    """One record: how many reads it stands for, `rssi` in dBm, `frequency` in kHz, `time` in ms since the cycle began.
    What META left out is 0, as is an antenna that the module does not name, and `rssi` NO_RSSI."""

    reads: int
    rssi: int
    antenna: int
    frequency: int
    time: int
    epc: bytes


_FIELDS = (
    (0x0001, "B"), (0x0002, "b"), (0x0004, "B"), (0x0008, "BH"), (0x0010, "I"), (0x0020, "H"), (0x0040, "B"),
)  # fmt: skip
_EMBEDDED = 0x0080
_AFTER_EMBEDDED = ((0x0100, 1), (0x0200, 1), (0x0400, 1), (0x0800, 1), (0x1000, 2))
_TAG_TYPE = 0x2000


class Layout:
    """Where things are in the tag records of one META: fields come in the order of their bits."""

    def __init__(self, meta: int) -> None:
        self._fixed = struct.Struct(">" + "".join(code for bit, code in _FIELDS if meta & bit))
        self._embedded = bool(meta & _EMBEDDED)
        self._after = sum(size for bit, size in _AFTER_EMBEDDED if meta & bit)
        self._tag_type = bool(meta & _TAG_TYPE)
        self._plain = meta == META
        self._present = [bit for bit, _ in _FIELDS if meta & bit]

    def read(self, frame: bytes, at: int) -> TagRead:
        """The record of a frame that begins at `at`. Raises `ValueError` when the frame is too short for it."""
        return self.read_at(frame[:-2], at)[0]

    def read_at(self, data: bytes, at: int) -> tuple[TagRead, int]:
        """The record that begins at `at` of some data, and where the next begins: behind the tag's own CRC. Raises
        `ValueError` when the data is too short for what it says."""
        try:
            if self._plain:
                count, rssi, ports, high, low, time = self._fixed.unpack_from(data, at)
            else:
                count, rssi, ports, high, low, time = self._pick(self._fixed.unpack_from(data, at))
            at += self._fixed.size
            if self._embedded:
                at += 2 + (int.from_bytes(data[at : at + 2], "big") + 7) // 8
            at += self._after
            if self._tag_type:
                while data[at] & 0x80:
                    at += 1
                at += 1
            bits, pc = _BITS_AND_PC.unpack_from(data, at)
            end = at + 2 + bits // 8 - 2
            at += 4
            if pc & 0x0200:
                at += 4 if data[at] & 0x80 else 2
        except (struct.error, IndexError) as error:
            raise ValueError("a tag record is shorter than its fields") from error
        is_blank = at == end and not pc >> 11  # a tag that nobody has written yet
        if not (at < end or is_blank) or end > len(data) - 2 or bits & 7:
            raise ValueError(f"a tag record says {bits} bits of EPC, which do not fit")
        return TagRead(count, rssi, (ports >> 4) or (16 if ports else 0), high << 16 | low, time, data[at:end]), end + 2

    def _pick(self, values: tuple[int, ...]) -> tuple[int, int, int, int, int, int]:
        found = dict.fromkeys((0x0001, 0x0002, 0x0004, 0x0008, 0x0009, 0x0010), 0) | {0x0002: NO_RSSI}
        rest = iter(values)
        for bit in self._present:
            found[bit] = next(rest)
            if bit == 0x0008:
                found[0x0009] = next(rest)
        return found[0x0001], found[0x0002], found[0x0004], found[0x0008], found[0x0009], found[0x0010]


_BITS_AND_PC = struct.Struct(">HH")


@lru_cache(maxsize=16)
def layout_of(meta: int) -> Layout:
    """The layout of tag records with these metadata."""
    return Layout(meta)


def read_tag(frame: bytes) -> TagRead | None:
    """The read in a frame of opcode 22 and status 0; None if it is another message. Raises `ValueError`."""
    at = 6 if frame[5] == _MULTI_SELECT else 5
    if len(frame) < at + 8 or not frame[at] & _HAS_META or frame[at + 5] != 1:
        return None
    return layout_of(frame[at + 3] << 8 | frame[at + 4]).read(frame, at + 6)


class Anchor:
    """When the present cycle began, in UTC microseconds: the start's acknowledgement, then each end of a cycle.

    Both come a little after the fact; a read that would lie in the future shows by how much, and pulls the anchor
    back. When an end of a cycle was lost on the line, reads would be dated a whole cycle early: then their arrival
    is the new anchor, as it is for a read that was under way for most of a cycle.
    """

    def __init__(self, cycle: int) -> None:
        self._most = cycle * 3 // 4
        self._at = 0

    def set(self, now: int) -> None:
        """A round begins at `now`, microseconds UTC."""
        self._at = now

    def date(self, milliseconds: int, now: int) -> int:
        """When a tag was read, given its milliseconds since the round began. A time that cannot be sets the anchor
        anew."""
        time = self._at + milliseconds * 1_000
        if time > now or now - time > self._most:
            self._at = now - milliseconds * 1_000
            return now
        return time


CHANNEL_ZERO = 840_000
CHANNEL_STEP = 50


def channel_of(frequency: int) -> int:
    """A number for a frequency in kHz: steps of 50 kHz above 840 MHz, since modules name frequencies, not channels."""
    return max(0, frequency - CHANNEL_ZERO) // CHANNEL_STEP
