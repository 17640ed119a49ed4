"""Whole, checked frames out of bytes in any chunking, with noise before, between and inside them.

The rule is the same for every family: where a frame could begin, see how long it would be; when it is all there and
its check holds it is a frame, and otherwise the search goes on one byte further on. Only one byte is given up at a
time, so a false beginning never costs the true frame behind it. A check of one byte holds for one damaged frame in 256,
one of two bytes for one in 65,536, and such a frame has often taken the head of the next for its own end: a frame whose
contents are not `plausible` is given out, and the search goes on inside it. A beginning whose rest has not come is
waited for, but not for ever: after `gap` microseconds of silence it is given up too. Time is an argument; nothing here
sleeps.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Protocol

_BITS_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def tm16(data: bytes) -> int:
    """Mercury and Silion: polynomial 0x1021, start 0xFFFF, the message's bits shifted in at the low end.

    This is not the usual CCITT form (there the message is followed by 16 zero bits, here it is not). Processing the
    two last bytes without those zero bits is the same as adding them to the usual remainder of what precedes them,
    and the start value becomes 0x1D0F. `data` must have at least two bytes; sent high byte first.
    """
    return crc_hqx(data[:-2], 0x1D0F) ^ int.from_bytes(data[-2:], "big")


def mcrf4xx(data: bytes) -> int:
    """UHFReader: polynomial 0x1021 with reversed bits, start 0xFFFF, nothing added at the end."""
    crc = crc_hqx(data.translate(_BITS_REVERSED), 0xFFFF)
    return _BITS_REVERSED[crc & 0xFF] << 8 | _BITS_REVERSED[crc >> 8]


def lrc8(data: bytes) -> int:
    """R2000: what makes the sum of all bytes zero."""
    return -sum(data) & 0xFF


def sum8(data: bytes) -> int:
    """M100: the low byte of the sum."""
    return sum(data) & 0xFF


def gen2_crc(data: bytes) -> int:
    """The CRC that a Gen2 tag sends after PC and EPC (EPC UHF Gen2, annex F): CCITT, start 0xFFFF, inverted."""
    return crc_hqx(data, 0xFFFF) ^ 0xFFFF


MORE = 0
NEVER = -1


class Framing(Protocol):
    """What a family says about its frames."""

    gap: int
    """Silence in microseconds after which no byte of a frame can still come."""

    longest: int
    """Bytes of the longest frame; `Framer` never keeps more of an unfinished one."""

    def measure(self, data: bytes, at: int) -> int:
        """Length of the frame that begins at `at`, `MORE` when its length has not come yet, `NEVER` when none can
        begin there."""
        ...

    def intact(self, frame: bytes) -> bool:
        """Whether the check of a complete frame holds."""
        ...

    def plausible(self, frame: bytes) -> bool:
        """Whether the contents of an intact frame fill it, as far as its kind is known."""
        ...


class Framer:
    """Bytes in, frames out. `frames`, `skipped` (bytes that belong to no frame) and `damaged` (frames whose check
    failed; a false beginning counts too) only ever grow."""

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.frames = 0
        self.skipped = 0
        self.damaged = 0
        self._rest = b""
        self._known = 0  # bytes of `_rest` inside a frame that was given out and is searched for another
        self._last = 0

    def feed(self, data: bytes, now: int) -> list[bytes]:
        """The frames that `data`, which came at `now` (microseconds, any steady clock), completes."""
        # A late continuation is still tried first: when this process was held up, silence here was none on the line.
        self._last = now
        self._rest += data
        return self._take(silent=False)

    def expire(self, now: int) -> list[bytes]:
        """Give up an unfinished frame if its time is over; whole frames that had been taken for its inside come out."""
        if not self._rest or now - self._last < self.framing.gap:
            return []
        return self._take(silent=True)

    @property
    def deadline(self) -> int | None:
        """When `expire` has something to do, None if no frame is unfinished."""
        return self._last + self.framing.gap if self._rest else None

    def clear(self) -> None:
        """Forget what is unfinished, such as what a reader sent before it was stopped."""
        self.skipped += max(0, len(self._rest) - self._known)
        self._rest, self._known = b"", 0

    def _take(self, *, silent: bool) -> list[bytes]:
        data = self._rest
        measure, intact, plausible = self.framing.measure, self.framing.intact, self.framing.plausible
        found: list[bytes] = []
        at, end, known = 0, len(data), self._known
        while at < end:
            size = measure(data, at)
            if size > 0 and at + size <= end:
                frame = data[at : at + size]
                if intact(frame):
                    found.append(frame)
                    known = max(known, at + size)
                    at += size if plausible(frame) else 1
                    continue
                self.damaged += at >= known
            elif size >= 0 and not silent:
                break
            self.skipped += at >= known
            at += 1
        self.frames += len(found)
        self._rest, self._known = data[at:], max(0, known - at)
        return found
