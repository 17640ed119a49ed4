"""UHFReader18, UHFReader288, RRU98xx and UHFEx10: frames and what is in them.

Host ``LEN ADR CMD DATA CRC``, reader ``LEN ADR CMD STATUS DATA CRC``; LEN counts everything behind itself, the CRC
comes low byte first. There is no sync byte. Two dialects: readers with one antenna (UHFReader18 and kin) report EPCs
alone, the others antenna and RSSI too.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, StrEnum
from typing import NamedTuple

from drivers.serial.framing import MORE, NEVER, mcrf4xx

BROADCAST = 0xFF


class Cmd(IntEnum):
    """Commands of the UHFReader288 family, and what a reader sends by itself."""

    UNKNOWN = 0x00  # a reader's answer to what it does not know
    INVENTORY = 0x01
    INFO = 0x21
    SET_BAND = 0x22
    SET_ADDRESS = 0x24
    SET_SCAN_TIME = 0x25
    SET_BAUD = 0x28
    SET_POWER = 0x2F
    SET_MODE_18 = 0x35
    GET_MODE_18 = 0x36
    SET_ANTENNAS = 0x3F
    SET_OUTPUTS = 0x46
    GET_PINS = 0x47
    START_FAST = 0x50
    STOP_FAST = 0x51
    SET_MODE = 0x76
    HEARTBEAT = 0x78
    STOP_NOW = 0x93
    REALTIME = 0xEE


class Status(IntEnum):
    """What a reader of this family answers."""

    OK = 0x00
    COMPLETE = 0x01
    TIMEOUT = 0x02
    MORE = 0x03
    MEMORY_FULL = 0x04
    STATISTICS = 0x26
    HEARTBEAT = 0x28
    ANTENNA = 0xF8
    NO_TAG = 0xFB
    LENGTH = 0xFD
    COMMAND = 0xFE
    PARAMETER = 0xFF


STATUS_TEXT = {
    0xF8: "antenna error",
    0xFD: "wrong length",
    0xFE: "unknown command or wrong check",
    0xFF: "bad parameter",
}
REFUSALS = frozenset({Status.LENGTH, Status.COMMAND, Status.PARAMETER})
"""Statuses of a reader that does not know a command, or not in this form."""

WITH_TAGS = frozenset({Status.COMPLETE, Status.TIMEOUT, Status.MORE, Status.MEMORY_FULL})

WITHOUT_TAGS = REFUSALS | {Status.OK, Status.STATISTICS, Status.HEARTBEAT, Status.ANTENNA, Status.NO_TAG}
"""Statuses of an inventory reply whose data, if there are any, are no tags."""

ROUND_ENDS = WITH_TAGS | {Status.NO_TAG, Status.STATISTICS}
"""Statuses with which a round ends well."""

MODELS = {
    0x03: "RRU9803M", 0x08: "RRU9803M", 0x09: "UHFReader18", 0x0C: "UHFReader288M", 0x0F: "UHFReader86",
    0x10: "UHFReader86", 0x16: "RRU9883M", 0x20: "UHFReader288MP", 0x3D: "UHFEx10 (E310)", 0x8B: "UHFReader288ADV",
}  # fmt: skip


class Band(NamedTuple):
    """Channel N is at ``base + N * step`` MHz, N from 0 to `last`."""

    number: int
    base: float
    step: float
    last: int


BANDS = {
    "China2": Band(1, 920.125, 0.25, 19),
    "US": Band(2, 902.75, 0.5, 49),
    "Korea": Band(3, 917.1, 0.2, 31),
    "EU": Band(4, 865.1, 0.2, 14),
    "Ukraine": Band(6, 868.0, 0.1, 6),
    "Peru": Band(7, 916.2, 0.9, 11),
    "China1": Band(8, 840.125, 0.25, 19),
    "EU3": Band(9, 865.7, 0.6, 3),
    "Taiwan": Band(10, 922.25, 0.5, 11),
    "US3": Band(12, 902.0, 0.5, 52),
}


class Uhf288Framing:
    """With `host` the frames of the other side."""

    gap = 150_000
    longest = 256

    def __init__(self, *, host: bool = False) -> None:
        self._least = 4 if host else 5

    def measure(self, data: bytes, at: int) -> int:
        """The length of the frame that begins at `at`. With no sync byte it is checked by its address and command
        too."""
        length = data[at]
        if length < self._least:
            return NEVER
        if at + 2 >= len(data):
            return MORE
        # With no sync byte any byte could be a length: one command in the right place spares a long wait.
        return length + 1 if data[at + 2] in _COMMANDS else NEVER

    def intact(self, frame: bytes) -> bool:
        """Whether the CRC is right."""
        return mcrf4xx(frame[:-2]) == frame[-1] << 8 | frame[-2]

    def plausible(self, frame: bytes) -> bool:
        """True: the layout of an inventory reply is learned from its reader."""
        return True


_COMMANDS = frozenset(int(command) for command in Cmd)


def _seal(body: bytes) -> bytes:
    return body + mcrf4xx(body).to_bytes(2, "little")


def command(address: int, cmd: int, data: bytes = b"") -> bytes:
    """A frame of the host."""
    return _seal(bytes([len(data) + 4, address, cmd]) + data)


def reply(address: int, cmd: int, status: int, data: bytes = b"") -> bytes:
    """A frame of the reader."""
    return _seal(bytes([len(data) + 5, address, cmd, status]) + data)


class Reply(NamedTuple):
    """An answer taken apart."""

    address: int
    cmd: int
    status: int
    data: bytes


def read_reply(frame: bytes) -> Reply:
    """`frame` as `Uhf288Framing` gave it out."""
    return Reply(frame[1], frame[2], frame[3], frame[4:-2])


def read_command(frame: bytes) -> tuple[int, int, bytes]:
    """Address, command, data."""
    return frame[1], frame[2], frame[3:-2]


class Form(StrEnum):
    """How much an inventory command says. Readers differ in what they take."""

    FULL = "full"  # Q, session, target, antenna, scan time
    SHORT = "short"  # Q and session, on the antennas that are set
    BARE = "bare"  # nothing


FORMS = (Form.FULL, Form.SHORT, Form.BARE)


def inventory(
    address: int,
    q: int,
    session: int,
    antenna: int,
    scan_time: int,
    *,
    fast_id: bool = False,
    form: Form = Form.FULL,
) -> bytes:
    """One round on `antenna` (from 1) of `scan_time` tenths of a second."""
    data = bytes([q | (0x20 if fast_id else 0), session, 0, 0x80 + antenna - 1, scan_time])
    return command(address, Cmd.INVENTORY, {Form.FULL: data, Form.SHORT: data[:2], Form.BARE: b""}[form])


_MODE_18 = slice(4, 10)
"""Where the parameters of SET_MODE_18 are in the answer to GET_MODE_18: the mode first."""


def answer_mode_18(found: bytes) -> bytes | None:
    """What to send with SET_MODE_18 for answer mode, everything else as it is; None if it is in answer mode."""
    return _mode_18(found, 0)


def realtime_mode_18(found: bytes) -> bytes | None:
    """As `answer_mode_18`, for the active mode, in which the reader sends what it reads."""
    return _mode_18(found, 1)


def _mode_18(found: bytes, mode: int) -> bytes | None:
    now = found[_MODE_18].ljust(6, b"\x00")
    return None if now[0] & 3 == mode and len(found) > _MODE_18.start else bytes([now[0] & ~3 | mode]) + now[1:]


def band_data(band: int, first: int, last: int) -> bytes:
    """The data of SET_BAND: the band's four bits are the high bits of two bytes."""
    return bytes([band >> 2 << 6 | last, (band & 3) << 6 | first])


class Info(NamedTuple):
    """The answer to INFO. What a reader does not say is None, and `antennas` 0. `has_antennas`: it says which of its
    antennas are in use, as readers do that have more than one."""

    firmware: str
    kind: int | None
    band: int | None
    first: int | None
    last: int | None
    power: int | None
    scan_time: int | None
    antennas: int
    antenna_check: bool
    has_antennas: bool


def read_info(data: bytes) -> Info:
    """Whatever of the answer came; some types stop early."""
    firmware = f"{data[0]}.{data[1]:02d}" if len(data) > 1 else ""
    kind, _, last, first, power, scan_time, antennas, _, _, check = (*data[2:12], *[None] * 10)[:10]
    band = None if last is None or first is None else last >> 6 << 2 | first >> 6
    return Info(
        firmware,
        kind,
        band,
        None if first is None else first & 63,
        None if last is None else last & 63,
        power,
        scan_time,
        antennas or 0,
        bool(check),
        antennas is not None,
    )


class Tag(NamedTuple):
    """One tag of a reply. `epc` is empty where nobody has written one yet, `antenna` 0 where the reply names none.
    `rssi` as it came (0 to 255, no unit), `tid` empty unless FastID put it there."""

    epc: bytes
    antenna: int
    rssi: int
    tid: bytes


TID_BYTES = 12
_LENGTH, _WITH_PHASE = 0x3F, 0x40
"""Bits of a tag's length: an EPC has 62 bytes at most, and phase and frequency may follow its RSSI."""
_PHASE_BYTES = 7


def read_tags(data: bytes, *, antenna: bool, rssi: bool, tail: int = 0) -> Iterator[Tag]:
    """The tags of an inventory reply that has a byte of antennas in front or not, and RSSI behind each EPC or not.
    Raises `ValueError` when they do not fill it but for `tail` bytes."""
    at = 2 if antenna else 1
    port = data[0].bit_length() if antenna and data else 0
    if len(data) < at:
        raise ValueError("an inventory reply is too short to have tags")
    for _ in range(data[at - 1]):
        if at >= len(data):
            raise ValueError("an inventory reply has fewer tags than it says")
        size = data[at] & _LENGTH
        end = at + 1 + size
        stop = end + int(rssi) + (_PHASE_BYTES if rssi and data[at] & _WITH_PHASE else 0)
        if stop > len(data):
            raise ValueError("an inventory reply ends inside a tag")
        yield _tag(data[at + 1 : end], port, data[end] if rssi else 0, with_tid=bool(data[at] & 0x80))
        at = stop
    if at + tail != len(data):
        raise ValueError("an inventory reply has more than its tags")


def read_realtime(data: bytes, *, bare: bool) -> Tag:
    """The tag of a real-time report, a `bare` EPC or antenna, length, EPC and RSSI. Raises `ValueError`."""
    if bare:
        if not data:
            raise ValueError("a report without EPC")
        return Tag(data, 0, 0, b"")
    if len(data) < 3 or len(data) != 3 + (data[1] & 0x7F):
        raise ValueError("a report whose length is not that of its EPC")
    return _tag(data[2:-1], data[0].bit_length(), data[-1], with_tid=bool(data[1] & 0x80))


def _tag(epc: bytes, antenna: int, rssi: int, *, with_tid: bool) -> Tag:
    if with_tid and len(epc) > TID_BYTES:
        return Tag(epc[:-TID_BYTES], antenna, rssi, epc[-TID_BYTES:])
    return Tag(epc, antenna, rssi, b"")


def whole(data: bytes, at: int) -> int:
    """The size of the frame of either side, of any command, that is whole at `at` with a right check; 0 if none is."""
    size = data[at] + 1
    end = at + size
    right = size > _SHORTEST and end <= len(data) and mcrf4xx(data[at : end - 2]) == data[end - 1] << 8 | data[end - 2]
    return size if right else 0


_SHORTEST = 4


def without_pc(epc: bytes) -> bytes:
    """The EPC of a reader that puts the PC before it: the PC's first five bits count the words that follow."""
    if len(epc) >= 4 and len(epc) % 2 == 0 and len(epc) - 2 == 2 * (epc[0] >> 3):
        return epc[2:]
    return epc
