"""The reckoning at the end: every read that the simulated readers made, held against what the gateway was given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from drivers.api import Batch
from gateway.recording.files import recordings
from gateway.recording.read import open_items

Read: TypeAlias = tuple[str, int, str, int]
"""Reader, antenna, EPC in hex, and time in microseconds. A reader without a clock has 0 for its time: its reads are
stamped on their way, and are held against each other by number."""


@dataclass(slots=True, frozen=True)
class Made:
    """What one simulated reader made, and how many of these reads wait in it because nobody is connected."""

    reads: Sequence[Read]
    waiting: int = 0


@dataclass(slots=True, frozen=True)
class Reckoning:
    """Counts of reads. `lost` were made, are not waiting and were not received; `invented` were never made."""

    made: int
    received: int
    waiting: int
    lost: int
    invented: int


def reckon(readers: Sequence[Made], recordings: Path, clockless: Sequence[str]) -> Reckoning:
    """Compares read by read what `readers` made with what is in the files that the gateway recorded."""
    made = Counter(read for reader in readers for read in reader.reads)
    received = Counter(_recorded(recordings, clockless))
    waiting = sum(reader.waiting for reader in readers)
    lost = (made - received).total() - waiting
    return Reckoning(made.total(), received.total(), waiting, lost, (received - made).total())


def _recorded(folder: Path, clockless: Sequence[str]) -> Iterable[Read]:
    for path in recordings(folder):
        with open_items(path) as items:
            for _, item in items:
                if isinstance(item, Batch):
                    for epc, antenna, _, _, time, *_ in item.rows:
                        stamp = 0 if item.reader in clockless else time + item.offset
                        yield item.reader, antenna, epc.hex().upper(), stamp
