"""The fields of the inputs in the journals of released versions.

A journal in flight is read by the release that comes next, so a segment names the layout of its records by the
CRC-32 of the classes and their fields. Whoever changes a field of an input after a release adds the layout of that
release here; a field that is new has a default, so that older records can be read.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final


@dataclass(frozen=True)
class Layout:
    """Class names with their fields; the place of a class is its code in a record.

    `rows` counts the ways of writing the rows of a batch: 1 a list or tuple of tuples, 2 a list of tuples, or the
    format and the bytes of `drivers.records.Records` as a tuple.
    """

    rows: int
    classes: tuple[tuple[str, tuple[str, ...]], ...]

    @cached_property
    def checksum(self) -> int:
        """What the header of a segment says of its layout."""
        content = list(self.classes) if self.rows == 1 else [self.rows, *self.classes]
        return zlib.crc32(repr(content).encode())


def _layout(rows: int, *lines: str) -> Layout:
    """From lines such as ``Tick t``."""
    return Layout(rows, tuple((name, tuple(fields)) for name, *fields in (line.split() for line in lines)))


RELEASED: Final[tuple[Layout, ...]] = (
    _layout(
        1,
        "Batch reader arrival rows offset rssi_unit phase tids",
        "ReaderUp reader t held model firmware",
        "ReaderDown reader t reason",
        "ReaderAlive reader t",
        "ReaderClock reader t quality offset",
        "AntennaStatus reader t antenna up reason",
        "InputChange reader t port state",
        "ReaderCondition reader t condition active detail",
        "ReaderLoss reader t start end cause certain",
        "Tick t",
        "Command t name args",
        "Restart t since clean journal_lost",
        "Dropped t first last start end",
    ),
    _layout(
        2,
        "Batch reader arrival rows offset rssi_unit phase tids",
        "ReaderUp reader t held model firmware",
        "ReaderDown reader t reason",
        "ReaderAlive reader t",
        "ReaderClock reader t quality offset",
        "AntennaStatus reader t antenna up reason",
        "InputChange reader t port state",
        "ReaderCondition reader t condition active detail",
        "ReaderLoss reader t start end cause certain",
        "Tick t",
        "Command t name args",
        "Restart t since clean journal_lost rebuilt",
        "Dropped t first last start end",
        "ClockStep t by jump cause",
        "Lateness t lateness",
    ),
)
"""Oldest first. Tests hold them against the journals in tests/fixtures/releases."""
