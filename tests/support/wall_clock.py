"""A gateway whose wall clock can be set: ``python -m tests.support.wall_clock FILE run --config …``.

FILE holds the microseconds by which the wall clock is off; it is read at every look. Only what the operating system
would call the time of day is changed: the monotonic clocks are the machine's own.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

_OFFSET = struct.Struct("<q")


class WallClock:
    """The far end of FILE: `set` moves the wall clock of whoever was started with it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.off = 0
        self.set(0)

    @property
    def program(self) -> list[str]:
        """What to run instead of the gateway itself."""
        return ["-m", "tests.support.wall_clock", str(self.file)]

    def set(self, seconds: float) -> None:
        """The wall clock is off by `seconds` from now on."""
        self.off = round(seconds * 1e6)
        mode = "r+b" if self.file.exists() else "w+b"
        with self.file.open(mode) as file:
            file.write(_OFFSET.pack(self.off))


def _move(file: Path) -> None:
    """Replaces the wall clock of this process."""
    with file.open("r+b") as opened:
        content = mmap.mmap(opened.fileno(), _OFFSET.size)
    true_ns = time.time_ns

    def time_ns() -> int:
        return true_ns() + _OFFSET.unpack(content)[0] * 1_000

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


if __name__ == "__main__":
    _move(Path(sys.argv[1]))
    from gateway.cli import main

    sys.exit(main(sys.argv[2:]))
