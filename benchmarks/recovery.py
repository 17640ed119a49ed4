"""A start after a crash with a full journal: the seconds until the floor has been given all of it again.

What 64 readers of 1,000 reads a second said since the last checkpoint, until the journal holds no more: then readers
are held back, so that is the most that there can be to read. Opening (every record's checksum) and judging are both in
the figure.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np

from benchmarks.path import GATHER, START, Load, messages_of, site_of
from drivers.api import Batch, ReaderUp
from drivers.llrp.protocol.framing import Frames
from drivers.llrp.reports.decoder import ReportDecoder
from gateway.config import Config, JournalConfig
from gateway.floor import Floor
from gateway.inputs import Tick
from gateway.ledger.journal import Journal

REPORTS = 61


def measure() -> Iterator[str]:
    """One line for each number of reads in a message."""
    for per_message in (1, 10, 100):
        yield _full(Load(per_message=per_message))


def _full(load: Load) -> str:
    config = Config.model_validate(site_of(load.readers))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        settings = JournalConfig(directory=Path(folder))
        journal = Journal(settings)
        journal.open()
        reads = _fill(journal, load)
        size = sum(path.stat().st_size for path in Path(folder).glob("*.journal"))
        journal.close()
        began = time.perf_counter()
        journal, floor = Journal(settings), Floor(config)
        journal.open()
        facts = sum(len(floor.feed(item)) for _, item in journal.read(0))
        seconds = time.perf_counter() - began
        journal.close()
    return (
        f"{load.per_message} {'read' if load.per_message == 1 else 'reads'} a message: "
        f"{size >> 20} MB of journal, {reads:,} reads, judged again in "
        f"{seconds:.2f} s ({facts:,} facts)"
    )


def _fill(journal: Journal, load: Load) -> int:
    """Appends what readers say until the journal is full; returns how many reads that were."""
    chance = np.random.default_rng(1)
    frames = [Frames() for _ in range(load.readers)]
    decoders = [ReportDecoder() for _ in range(load.readers)]
    now, reads = START, 0
    for reader in range(load.readers):
        journal.append(ReaderUp(f"r{reader}", now - 1_000_000))
    for reader in cycle(range(load.readers)):
        if journal.pressure >= 1.0:
            return reads
        if not reader:
            now += GATHER
            journal.append(Tick(now))
        bodies: list[bytes] = []
        frames[reader].take(messages_of(reader, now, load, chance).tobytes(), REPORTS, bodies, [])
        report = decoders[reader].decode_frames(bodies)
        journal.append(Batch(f"r{reader}", now, report.rows, 0, report.rssi_unit, report.phase))
        reads += len(report.rows)
    raise AssertionError("a cycle does not end")
