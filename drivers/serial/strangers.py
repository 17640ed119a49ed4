"""Families without a driver whose frames are known well enough to name them: what tells a whole frame of each.

Each function gives the size of the frame that is whole at a place of some bytes with a right check, 0 if none is.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable

from drivers.serial.framing import mcrf4xx, tm16

FEIG_ADVANCED = 0x02
RCP_HEAD, RCP_TAIL = 0xBB, 0x7E
SILION_STREAM = 0xAA


def feig(data: bytes, at: int) -> int:
    """Feig OBID, advanced frame: ``02 LEN16 ADR CTRL ... CRC``, LEN of the whole frame, the CRC low byte first."""
    size = int.from_bytes(data[at + 1 : at + 3], "big")
    end = at + size
    if data[at] != FEIG_ADVANCED or not size >= 7 or end > len(data):
        return 0
    return size if mcrf4xx(data[at : end - 2]) == data[end - 1] << 8 | data[end - 2] else 0


def rcp(data: bytes, at: int) -> int:
    """RCP of RED and Phychips: the frame of `m100` up to its tail, then a CCITT CRC of what is between head and CRC."""
    if data[at] != RCP_HEAD or at + 5 > len(data):
        return 0
    size = 8 + int.from_bytes(data[at + 3 : at + 5], "big")
    end = at + size
    if end > len(data) or data[end - 3] != RCP_TAIL:
        return 0
    return size if crc_hqx(data[at + 1 : end - 2], 0xFFFF) == data[end - 2] << 8 | data[end - 1] else 0


def silion(data: bytes, at: int) -> int:
    """Silion modules: the frame of `mercury`, of either side, with an opcode of its own for everything that streams."""
    if data[at : at + 1] != b"\xff" or data[at + 2 : at + 3] != bytes([SILION_STREAM]):
        return 0
    for extra in (7, 5):
        end = at + data[at + 1] + extra
        if end <= len(data) and tm16(data[at + 1 : end - 2]) == data[end - 2] << 8 | data[end - 1]:
            return end - at
    return 0


STRANGERS: dict[str, Callable[[bytes, int], int]] = {
    "Silion modules": silion,
    "Feig OBID readers (advanced protocol)": feig,
    "the RCP protocol of RED and Phychips readers": rcp,
}
