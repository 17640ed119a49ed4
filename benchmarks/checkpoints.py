"""Checkpoints of a site where goods stay where they are: bytes to disk a day, and how long the loop is held up.

Every tag is read between two checkpoints. A day has 8,640 of them in memory and 288 on disk; one on disk is written six
times here, and what SQLite still has in its log when it is closed counts too.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np

from gateway.config import LedgerConfig
from gateway.floor.presence.states import State
from gateway.floor.presence.table import ROWS, Columns
from gateway.floor.snapshot import seal
from gateway.ledger.ledger import Ledger

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ON_DISK = 6
A_DAY = 288
SLICE = 64
START = 1_700_000_000_000_000


def measure() -> Iterator[str]:
    """One line for each number of tags."""
    for tags in SIZES:
        yield asyncio.run(_tags(tags))


async def _tags(number: int) -> str:
    table = _table(number)
    disk = os.environ.get("BENCH_DISK", "/var/tmp")
    with tempfile.TemporaryDirectory(dir=disk) as folder, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        ledger = Ledger(
            LedgerConfig(file=Path(folder) / "ledger.db"),
            "/rfid/bench/gateway",
            on_commit=lambda sequence: None,
            on_dropped=lambda first, last, start, end: False,
            on_error=print,
            now=lambda: START,
            standby=Path(memory) / "standby.db",
        )
        ledger.start()
        chance = np.random.default_rng(1)
        slices: list[float] = []
        await _save(ledger, table, slices, on_disk=True, whole=True)
        slices.clear()
        written = _bytes_written()
        began = perf_counter()
        for _ in range(ON_DISK):
            _read(table, chance)
            await _save(ledger, table, slices, on_disk=False, whole=False)
            _read(table, chance)
            await _save(ledger, table, slices, on_disk=True, whole=False)
        seconds = (perf_counter() - began) / ON_DISK / 2
        kept = _size(memory)
        await ledger.close()
        a_day = (_bytes_written() - written) / ON_DISK * A_DAY
    return (
        f"{number:,} tags: {a_day / 1e9:.2f} GB a day to disk; the loop is held up {max(slices) * 1e3:.1f} ms at most "
        f"(processor time); {seconds:.2f} s for one; {kept / 1e6:.1f} MB in memory"
    )


async def _save(ledger: Ledger, table: Columns, slices: list[float], *, on_disk: bool, whole: bool) -> None:
    """As the pipeline does it: some chunks at a time."""
    parts: dict[str, bytes] = {}
    began = thread_time()
    for number, body in table.changed():
        parts[f"tags/{number:06d}"] = seal(body)
        if len(parts) % SLICE == 0:
            slices.append(thread_time() - began)
            await asyncio.sleep(0)
            began = thread_time()
    slices.append(thread_time() - began)
    ledger.checkpoint(parts, 1, {}, on_disk=on_disk, whole=whole)
    await ledger.flush()


def _size(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).iterdir())


def _table(number: int) -> Columns:
    table = Columns()
    for tag in range(number):
        slot = table.new(bytes.fromhex("1A4060300048D3") + tag.to_bytes(5, "big"))
        table.state[slot] = State.PRESENT
        table.since[slot] = START + tag * 1_000
    return table


def _read(table: Columns, chance: np.random.Generator) -> None:
    """Every tag is read some more."""
    rows = np.frombuffer(table.rows, ROWS)
    size = len(rows)
    rows["last"] = START + chance.integers(0, 10_000_000, size)
    rows["reads"] += chance.integers(1, 50, size).astype(np.uint64)
    for name, middle, width in (("level", -6000, 300), ("mean", 5e5, 1e5), ("widest", 5e6, 1e6)):
        rows[name] = chance.normal(middle, width, size)
    rows["antenna"] = chance.integers(0, 4, size)
    rows["strongest"] = chance.integers(-6000, -4000, size)
    table.dirty[:] = b"\1" * len(table.dirty)


def _bytes_written() -> int:
    """What this process has sent towards the disk, by the kernel's account; memory-backed storage is not in it."""
    account = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(account["write_bytes"])
