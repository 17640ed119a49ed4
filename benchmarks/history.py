"""The history on this machine: how fast it takes events in, how fast it answers, and what it costs the ledger.

Run by itself for other sizes: ``python -m benchmarks.history 10000000``. A site of 20,000 packages that move about in
20 zones, one event after the other, each with the evidence that the floor gives.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, thread_time

import structlog

from gateway.clock import rfc3339
from gateway.config import LedgerConfig
from gateway.events.envelope import MOVEMENT, Fact, seal
from gateway.history import schema
from gateway.history.history import PORTION, History
from gateway.history.questions import Questions
from gateway.history.store import Store
from gateway.ledger.ledger import Ledger

EVENTS = 100_000
TAGS = 20_000
ZONES = 20
START = 1_700_000_000_000_000
APART = 3_000_000
LEDGER_EVENTS = 60_000
SOURCE = "/rfid/bench/gateway"


def measure(events: int = EVENTS) -> Iterator[str]:
    """One line for each figure, ready to print."""
    with tempfile.TemporaryDirectory(prefix="rfid-bench-", dir=".") as directory:
        path = Path(directory) / "history.db"
        yield _intake(path, events)
        yield from _answers(path, events)
        alone = [asyncio.run(_ledger(Path(directory) / f"alone-{n}.db", history=False)) for n in range(3)]
        beside = [asyncio.run(_ledger(Path(directory) / f"beside-{n}.db", history=True)) for n in range(3)]
        yield (
            f"history: ledger alone {max(alone):,.0f} events/s, with a history beside it {max(beside):,.0f} "
            f"({max(beside) / max(alone) - 1:+.1%})"
        )


def _facts(first: int, count: int, site: random.Random, places: dict[int, str]) -> Iterator[Fact]:
    for number in range(first, first + count):
        tag, t = site.randrange(TAGS), START + number * APART
        before = places.get(tag)
        kind = "arrived" if before is None else site.choices(("moved", "not_seen", "departed"), (7, 2, 1))[0]
        after = f"zone-{site.randrange(ZONES)}" if kind in ("arrived", "moved") else None
        if kind == "departed":
            places.pop(tag)
        elif after is not None:
            places[tag] = after
        time, uid = rfc3339(t), f"1A4060300048D3D0{tag:08d}"
        evidence = {
            "reads": 41, "antennas": ["dock-a/1", "dock-a/2"], "strongest_rssi": -58.5, "rssi_unit": "dBm",
            "first": time, "last": time, "late_reads": 0, "clock": {"quality": "synced", "offset_us": 250},
            "config": "0123456789abcdef", "algorithm": "presence/2",
        }  # fmt: skip
        data = {
            "movement": kind, "uid": uid, "epc": uid, "from": before, "to": after, "since": time, "confidence": 0.97,
            "evidence": evidence, "portal": None,
        }  # fmt: skip
        yield Fact(MOVEMENT, str(after or before), t, data)


def _intake(path: Path, events: int) -> str:
    store = Store(path)
    site, places = random.Random(15), dict[int, str]()
    spent = busy = 0.0
    for first in range(0, events, PORTION):
        facts = _facts(first, min(PORTION, events - first), site, places)
        portion = [
            (number, seal(fact, SOURCE, "bench", number, "0" * 64).payload)
            for number, fact in enumerate(facts, first + 1)
        ]
        began, worked = perf_counter(), thread_time()
        store.take("bench", portion)
        spent, busy = spent + perf_counter() - began, busy + thread_time() - worked
    store.close()
    size = path.stat().st_size
    return (
        f"history: {events:,} events taken in at {events / spent:,.0f}/s ({busy / events * 1e6:.0f} µs of a core "
        f"each), {size / events:.0f} bytes each"
    )


def _answers(path: Path, events: int) -> Iterator[str]:
    _forget(path)
    uid, middle = f"1A4060300048D3D0{777:08d}", START + events // 2 * APART
    questions: dict[str, Callable[[Questions], object]] = {
        "where": lambda it: it.where(uid),
        "where by last digits": lambda it: it.where("000777"),
        "trail": lambda it: it.trail(uid),
        "zone --at, half way": lambda it: it.zone("zone-3", middle),
    }
    for name, question in questions.items():
        connection = schema.open_reader(path)
        times = []
        for _ in range(4):
            began = perf_counter()
            question(Questions(connection))
            times.append((perf_counter() - began) * 1e3)
        connection.close()
        yield f"history: {name}: {times[0]:.1f} ms cold, {min(times[1:]):.1f} ms warm"


def _forget(path: Path) -> None:
    """Asks the kernel to forget the file's pages, which it holds in memory."""
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


async def _ledger(path: Path, *, history: bool) -> float:
    """Events a second that the ledger commits, as fast as it can."""
    committed = asyncio.Event()
    follower: History | None = None

    def on_commit(sequence: int) -> None:
        if follower is not None:
            follower.wake()
        if sequence >= LEDGER_EVENTS:
            committed.set()

    ledger = Ledger(
        LedgerConfig(file=path), SOURCE, on_commit=on_commit, on_dropped=lambda *_: False, on_error=print,
        now=lambda: START,
    )  # fmt: skip
    found = ledger.start()
    ledger.recognised()
    if history:
        follower = History(
            path.with_suffix(".history"), found.epoch, ledger.committed, structlog.get_logger(), lambda: ledger.busy
        )
        following = asyncio.create_task(follower.run())
        await follower.until(0)
    facts = list(_facts(0, LEDGER_EVENTS, random.Random(15), {}))
    began = perf_counter()
    for first in range(0, LEDGER_EVENTS, 100):
        ledger.append(facts[first : first + 100], first)
        while not ledger.room:  # noqa: ASYNC110 - a benchmark
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
    await committed.wait()
    rate = LEDGER_EVENTS / (perf_counter() - began)
    if follower is not None:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await follower.close()
    await ledger.close()
    return rate


if __name__ == "__main__":
    for line in measure(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS):
        print(line, flush=True)
