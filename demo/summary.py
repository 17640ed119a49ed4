"""The reckoning at the end: every read that the simulated readers made, held against what the gateway was given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.api import Batch
from drivers.emulators.llrp import LlrpEmulator
from gateway.records import open_reads, read_items

Read = tuple[str, int, str, int]
"""Reader, antenna, EPC in hex, time in microseconds: no two reads of a reader are alike."""


@dataclass(slots=True, frozen=True)
class Reckoning:
    """Counts of reads. `waiting` are in the readers' buffers, which keep what is read while nobody is connected;
    `lost` were made, are not waiting and were not received; `invented` were received and never made."""

    made: int
    received: int
    waiting: int
    lost: int
    invented: int


def reckon(readers: Sequence[LlrpEmulator], recordings: Path) -> Reckoning:
    """Compares read by read what `readers` made with what is in the files that the gateway recorded."""
    made = Counter(
        (reader.name, seen.antenna, seen.epc.hex().upper(), seen.time) for reader in readers for seen in reader.reads
    )
    received = Counter(_recorded(recordings))
    waiting = sum(len(reader.reader.buffer) for reader in readers)
    lost = (made - received).total() - waiting
    return Reckoning(made.total(), received.total(), waiting, lost, (received - made).total())


def _recorded(folder: Path) -> Iterable[Read]:
    for path in sorted(folder.glob("*.jsonl*")):
        with open_reads(path) as lines:
            for item in read_items(lines):
                if isinstance(item, Batch):
                    for epc, antenna, _, _, time, *_ in item.rows:
                        yield item.reader, antenna, epc.hex().upper(), time + item.offset
