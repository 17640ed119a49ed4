"""The check functions of the serial reader families, at the speed of C with the standard library alone."""

from __future__ import annotations

from binascii import crc_hqx

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
