"""Records of the buffer of an R2000 reader: tags that a buffered inventory has read, taken out one frame each."""

from __future__ import annotations

from typing import NamedTuple

from drivers.serial.r2000.frames import LEN_ANTENNA, RSSI_ZERO, Cmd, Tag

_HEAD = 7
"""Bytes before the PC word: head, length, address, command, number of records, length of PC, EPC and CRC."""


class Record(NamedTuple):
    """A tag in the buffer, how often it was read, and how many records the answer has in all."""

    tag: Tag
    reads: int
    records: int


def is_record(frame: bytes) -> bool:
    """Whether a frame is a record, and not the word that there is none."""
    return frame[3] == Cmd.TAKE_BUFFER and frame[1] > LEN_ANTENNA


def read_record(frame: bytes) -> Record:
    """A frame that `is_record`. Raises `ValueError` where it does not hold what it says."""
    length = frame[6]
    end = _HEAD + length
    if length < 4 or len(frame) < end + 4 or length != 4 + 2 * (frame[_HEAD] >> 3):
        raise ValueError("a record whose length is not that of its EPC")
    rssi, channel, reads = frame[end : end + 3]
    tag = Tag(
        frame[_HEAD + 2 : end - 2], (channel & 3) + (5 if rssi & 0x80 else 1), (rssi & 0x7F) - RSSI_ZERO, channel >> 2
    )
    return Record(tag, reads or 1, int.from_bytes(frame[4:6], "big"))
