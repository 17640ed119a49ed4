"""Lines on the standard input of an emulator, with which an operator or a script makes things happen to the reader."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MAX_LINE = 4096
"""Bytes of a line: more is no command, and is not kept."""


@contextmanager
def obeying_stdin(obey: Callable[[list[str]], None]) -> Iterator[None]:
    """Meanwhile each line is given to `obey`, as its words. Where standard input cannot be watched (it is closed, a
    file or /dev/null), nothing is."""
    loop = asyncio.get_running_loop()
    rest = b""

    def readable() -> None:
        nonlocal rest
        data = os.read(sys.stdin.fileno(), MAX_LINE)
        if not data:
            loop.remove_reader(sys.stdin)
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[:MAX_LINE]
        for line in lines:
            obey(line.decode(errors="replace").split())

    try:
        loop.add_reader(sys.stdin, readable)
    except (OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)
