"""A floor that is flooded with tags that are read once: ``python -m tests.support.flood flood|start NUMBER FILE``.

`flood` begins with nothing, `start` with what FILE holds; both leave their checkpoint there and print the peak of the
process's memory in MB.
"""

from __future__ import annotations

import pickle
import resource
import sys
from pathlib import Path

from drivers.api import Batch
from gateway.clock import MILLISECOND, SECOND
from gateway.floor import Floor
from gateway.inputs import Restart, Tick
from tests.support.floor_scene import T0, config, up

EACH = 1_000
"""Tags in a window."""


def flood(floor: Floor, number: int, t: int, first: int) -> int:
    for at in range(0, number, EACH):
        rows = [(bytes(8) + (first + at + tag).to_bytes(4, "big"), 1, -60, 0, t, 1) for tag in range(EACH)]
        floor.feed(Batch("r1", t, rows))
        t += 250 * MILLISECOND
        floor.feed(Tick(t))
    floor.feed(Tick(t + 3 * SECOND))
    return t


def main(what: str, number: int, file: Path) -> None:
    floor = Floor(config())
    t, first = T0, 0
    if what == "start":
        t, first, parts = pickle.loads(file.read_bytes())
        floor.restore(parts)
        floor.feed(Restart(t + SECOND, t, clean=False))
        t += SECOND
    for item in up((t - T0) / SECOND):
        floor.feed(item)
    t = flood(floor, number, t, first)
    parts = floor.checkpoint()
    if what == "flood":
        file.write_bytes(pickle.dumps((t, first + number, parts)))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
