"""What durability costs: journal, ledger and recording, each by itself and on this machine's disk."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from drivers.api import Batch
from gateway.config import JournalConfig, LedgerConfig
from gateway.events.envelope import MOVEMENT, Fact
from gateway.inputs import Tick
from gateway.ledger.journal import Journal
from gateway.ledger.ledger import Ledger
from gateway.recording.write import encode

START = 1_700_000_000_000_000
EVENTS = 30_000
SLOW_SECONDS = 3.0


def measure() -> Iterator[str]:
    """One line for each figure, ready to print."""
    yield from _journal()
    yield from _recording()
    with tempfile.TemporaryDirectory(prefix="rfid-bench-", dir=".") as directory:
        for group in (1, 10, 100):
            yield asyncio.run(_throughput(Path(directory) / f"fast-{group}.db", group))
        yield asyncio.run(_steady(Path(directory) / "steady.db", per_second=500))


def _batch(rows: int) -> Batch:
    times = range(START, START + rows)
    return Batch("dock-a", START, [(b"%012d" % row, 1 + row % 4, -6150, 0, t, 1) for row, t in enumerate(times)])


def _facts(first: int, count: int) -> list[Fact]:
    """Facts of the usual size: an event of about 700 bytes."""
    return [
        Fact(
            MOVEMENT,
            "dock-3",
            START + number,
            {
                "movement": "arrived",
                "uid": f"1A4060300048D3D0{number:08d}",
                "from": None,
                "to": "dock-3",
                "evidence": {
                    "reads": 41,
                    "antennas": [{"reader": "dock-a", "antenna": 1, "reads": 41, "rssi": -58.5}],
                    "first": "2026-02-14T09:00:00.000250Z",
                    "last": "2026-02-14T09:00:02.104250Z",
                    "clock": "synced",
                    "config": "0123456789abcdef",
                    "algorithm": "presence-1",
                },
                "confidence": 0.97,
            },
        )
        for number in range(first, first + count)
    ]


def _journal() -> Iterator[str]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="rfid-bench-", dir=memory if memory.is_dir() else None) as directory:
        journal = Journal(JournalConfig(directory=Path(directory), max_bytes=256 << 20))
        journal.open()
        for name, item, times in (
            ("a tick", Tick(START), 20_000),
            ("10 reads", _batch(10), 10_000),
            ("100 reads", _batch(100), 3_000),
        ):
            began = perf_counter()
            for _ in range(times):
                journal.append(item)
            yield f"journal: append of {name}: {(perf_counter() - began) / times * 1e6:.1f} us"
        count = journal.position
        began = perf_counter()
        for _ in journal.read(0):
            pass
        yield f"journal: reading {count} inputs back: {(perf_counter() - began) * 1e3:.0f} ms"
        journal.close()


def _recording() -> Iterator[str]:
    batch, times = _batch(100), 500
    began = perf_counter()
    for position in range(times):
        encode(batch, position)
    rate = times * 100 / (perf_counter() - began)
    yield f"recording: {rate:,.0f} reads/s written as lines"


def _ledger(path: Path, on_commit: Callable[[int], None]) -> Ledger:
    return Ledger(
        LedgerConfig(file=path),
        "/rfid/bench/gateway",
        on_commit=on_commit,
        on_dropped=lambda first, last, start, end: False,
        on_error=print,
        now=lambda: START,
    )


def _bytes_written() -> int:
    """What this process has sent towards the disk, by the kernel's account."""
    account = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(account["write_bytes"])


async def _throughput(path: Path, group: int) -> str:
    """Facts as fast as the ledger takes them, in groups such as one input of the floor makes."""
    ledger = _ledger(path, on_commit=lambda sequence: None)
    ledger.start()
    groups = [_facts(first, group) for first in range(0, EVENTS, group)]
    written = _bytes_written()
    began = perf_counter()
    for position, facts in enumerate(groups):
        ledger.append(facts, position)
        if not ledger.room:
            await ledger.flush()
        elif position % 50 == 0:
            await asyncio.sleep(0)
    await ledger.flush()
    seconds = perf_counter() - began
    each = (_bytes_written() - written) / EVENTS
    await ledger.close()
    return f"ledger: {EVENTS / seconds:,.0f} durable events/s in groups of {group}, {each:,.0f} bytes written for each"


async def _steady(path: Path, per_second: int) -> str:
    """A ten-tick second: how long an event waits until it is safe, and what it costs an SD card."""
    committed: asyncio.Queue[int] = asyncio.Queue()
    ledger = _ledger(path, on_commit=committed.put_nowait)
    ledger.start()
    written = _bytes_written()
    waits: list[float] = []
    ticks = int(SLOW_SECONDS * 10)
    for tick in range(ticks):
        began = perf_counter()
        ledger.append(_facts(tick * per_second, per_second // 10), tick)
        await committed.get()
        waits.append(perf_counter() - began)
        await asyncio.sleep(max(0.0, 0.1 - waits[-1]))
    each = (_bytes_written() - written) / (ticks * per_second // 10)
    await ledger.close()
    waits.sort()
    middle, worst = waits[len(waits) // 2] * 1e3, waits[-1] * 1e3
    return (
        f"ledger: at {per_second} events/s in ticks of 100 ms an event is safe after {middle:.1f} ms "
        f"(worst {worst:.1f} ms), {each:,.0f} bytes written for each"
    )
