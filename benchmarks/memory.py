"""Memory of a live tag: what the process grows by when so many tags stand in a zone."""

from __future__ import annotations

import gc
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from drivers.api import Batch
from gateway.clock import MILLISECOND, SECOND
from gateway.config import Config
from gateway.floor import Floor
from gateway.inputs import Tick

START = 1_700_000_000 * SECOND
PER_WINDOW = 500


def measure() -> Iterator[str]:
    """One line for each number of tags. Each runs in a process of its own, since memory is never given back."""
    for tags in (10_000, 1_000_000):
        run = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", str(tags)], capture_output=True, text=True, check=True
        )
        resident, checkpoint = map(int, run.stdout.split())
        yield (
            f"memory at {tags:>9,} live tags: {resident / tags:.0f} bytes a tag resident; "
            f"a full checkpoint takes {checkpoint / tags:.0f} bytes a tag"
        )


def grow(tags: int) -> tuple[int, int]:
    """Bytes by which the process grows for so many tags, and the size of a checkpoint of them."""
    floor = Floor(_config())
    _fill(floor, range(tags, tags + 10 * PER_WINDOW), START)  # what is there once is there now
    gc.collect()
    before = _resident()
    _fill(floor, range(tags), START + 60 * SECOND)
    gc.collect()
    after = _resident()
    if floor.stats.tags < tags:
        raise RuntimeError(f"only {floor.stats.tags} tags are alive")
    return after - before, sum(map(len, floor.checkpoint().values()))


def _fill(floor: Floor, numbers: range, t: int) -> None:
    """Lets the tags be read, some in each window, and closes the windows."""
    for at in range(0, len(numbers), PER_WINDOW):
        chosen = numbers[at : at + PER_WINDOW]
        rows = [(struct.pack(">IQ", 0x1A406030, number), 1, -60, 0, t, 1) for number in chosen]
        floor.feed(Batch("reader", t, rows))
        t += 250 * MILLISECOND
        floor.feed(Tick(t))
    floor.feed(Tick(t + 3 * SECOND))


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def _config() -> Config:
    return Config.model_validate(
        {
            "site": "bench",
            "gateway": "bench",
            "zones": [{"id": "zone"}],
            "readers": [{"id": "reader", "driver": "llrp", "antennas": [{"port": 1, "zone": "zone"}]}],
            "presence": {"dwell": 0, "shortest": 1000},  # the first is still there when the last has come
        }
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*grow(int(sys.argv[1])))
    else:
        for line in measure():
            print(line)
