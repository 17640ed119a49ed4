"""The way of a read through one process, in processor time: socket's bytes, frames, decoder, journal, floor.

Time is an argument here: what 64 readers of 1,000 reads a second send in 80 ms comes in one piece, as a connection
that chatters is read, or each message by itself in a checkout that reads them so. Processor time says the same on a
machine that has other things to do. `BENCH_AGAINST` names another checkout of this project: every line is then measured
there too, in turn. What asyncio and the kernel take for a chunk is not in it; benchmarks/daemon has all of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
START = 1_700_000_000_000_000
GATHER = 80_000
WINDOW = 250_000
HEAD = (
    "| in one process, processor time for a read | wire | journal | floor | together | against |",
    "|---|---|---|---|---|---|",
)


@dataclass(slots=True)
class Load:
    """What is read. `rate` reads a second and reader; `apart`: each message comes by itself."""

    readers: int = 64
    rate: int = 1000
    per_message: int = 10
    apart: bool = False
    strays: float = 0.0
    tags: int = 40  # of each reader
    in_turn: bool = False  # each tag once before any is read again, in an order that means nothing; else by chance
    settle: float = 4.0  # seconds of event time before measuring: the stock arrives
    seconds: float = 6.0
    portals: int = 0


CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("100 reads a message", {"per_message": 100}),
    ("10 reads a message", {}),
    ("1 read a message", {"per_message": 1}),
    ("10 reads a message, 2 % strays from next door", {"strays": 0.02}),
    ("10 reads a message, 10 % strays", {"strays": 0.1}),
)

MANY = {"per_message": 100, "rate": 4_000, "settle": 12.0, "seconds": 2.0, "in_turn": True}
"""A million tags are each read every four seconds: every read is a sighting then, and none of a tag that comes."""

TAGS = (16, 160, 1_600, 15_625)
"""Of each of 64 readers."""

CEILING = (4_000, 16_000, 40_000)

GROWTH: tuple[tuple[str, dict[str, Any]], ...] = (
    *((f"{number} readers", {"readers": number}) for number in (1, 16, 64, 256)),
    *((f"{64 * number:,} tags", MANY | {"tags": number}) for number in TAGS),
    *((f"{number} portals", {"readers": 32, "rate": 200, "portals": number}) for number in (0, 1, 4, 16, 32)),
    *((f"{64 * rate / 1e6:.1f} M reads/s", {"per_message": 100, "rate": rate, "seconds": 2.0}) for rate in CEILING),
)


def measure() -> Iterator[str]:
    """The table, and the lines that show how the cost of a read grows with the site."""
    yield from table()
    for name, load in GROWTH:
        made = _run(ROOT, Load(**load))
        cost = sum(made.values())
        busy = cost * load.get("readers", 64) * load.get("rate", 1000) / 1e6
        alone = f"; finding the tags and no more {bare(Load(**load)):.2f} us" if load.get("in_turn") else ""
        yield f"| {name} | | | | {cost:.2f} us | {busy:.0%} of a core{alone} |"


def bare(load: Load) -> float:
    """What the processor's memory takes for a read, in microseconds: the sightings of a window, each of another tag in
    an order that means nothing, are looked up in a dictionary, and their rows read from a table and written back."""
    import numpy as np

    from gateway.floor.presence.rows import put_rows
    from gateway.floor.presence.table import ROWS

    chance = np.random.default_rng(1)
    number = load.readers * load.tags
    epcs = np.zeros((number, 3), ">u4")
    epcs[:, 0], epcs[:, 2] = 0x1A406030, np.arange(number)
    slots = {epc: slot for slot, epc in enumerate(epcs.view("V12").ravel().tolist())}
    table = np.zeros(number, ROWS)
    reads = load.readers * load.rate * WINDOW // 1_000_000
    best = float("inf")
    for _ in range(8):
        seen = epcs[chance.permutation(number)[:reads]]
        began = time.thread_time()
        found = np.array([slots[epc] for epc in seen.view("V12").ravel().tolist()])
        rows = table.take(found)
        rows["reads"] += np.uint64(1)
        put_rows(table, found, rows)
        best = min(best, time.thread_time() - began)
    return best / reads * 1e6


def table() -> Iterator[str]:
    """A line for each load, with the other checkout in turn."""
    other = os.environ.get("BENCH_AGAINST")
    yield from HEAD
    for name, load in CASES:
        mine = _run(ROOT, Load(**load))
        against = "-"
        if other:
            gathers = (Path(other) / "drivers" / "llrp" / "reading.py").exists()
            theirs = _run(Path(other), Load(**load, apart=not gathers))
            against = (
                f"{sum(theirs.values()) / sum(mine.values()):.1f} x, floor {theirs['floor'] / mine['floor']:.1f} x"
            )
        parts = " | ".join(f"{mine[part]:.2f} us" for part in ("wire", "journal", "floor"))
        yield f"| {name} | {parts} | {sum(mine.values()):.2f} us | {against} |"


def _run(checkout: Path, load: Load) -> dict[str, float]:
    """Microseconds a read in the code of a checkout, by part."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), json.dumps(asdict(load))],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    made: dict[str, float] = json.loads(done.stdout)
    return made


def _measure_here(load: Load) -> dict[str, float]:
    """In the code that is on the path: also that of the state of November 2026, whose modules had other names."""
    import numpy as np

    from drivers.api import Batch, ReaderUp
    from gateway.config import Config, JournalConfig
    from gateway.floor import Floor
    from gateway.inputs import Tick
    from gateway.ledger.journal import Journal

    try:
        from drivers.llrp.protocol.framing import Frames
        from drivers.llrp.reports.decoder import ReportDecoder
    except ImportError:
        from drivers.llrp.framing import Frames  # type: ignore

        from drivers.llrp.reports import ReportDecoder  # type: ignore

    chance = np.random.default_rng(1)
    config = Config.model_validate(site_of(load.readers, load.portals))
    floor = Floor(config)
    cost = {"wire": 0.0, "journal": 0.0, "floor": 0.0}
    reads = 0
    frames = [Frames() for _ in range(load.readers)]
    decoders: list[Any] = [ReportDecoder() for _ in range(load.readers)]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        journal = Journal(JournalConfig(directory=Path(folder)))
        journal.open()

        def feed(item: Any) -> None:
            began = time.thread_time()
            journal.append(item)
            between = time.thread_time()
            floor.feed(item)
            cost["journal"] += between - began
            cost["floor"] += time.thread_time() - between

        def take(reader: int, data: bytes, now: int) -> int:
            began = time.thread_time()
            bodies: list[bytes] = []
            frames[reader].take(data, 61, bodies, [])
            report = decoders[reader].decode_frames(bodies)
            batch = Batch(f"r{reader}", now, report.rows, 0, report.rssi_unit, report.phase)
            number = len(report.rows)
            cost["wire"] += time.thread_time() - began
            feed(batch)
            return number

        now = START
        for reader in range(load.readers):
            feed(ReaderUp(f"r{reader}", now - 1_000_000))
        for turn in range(int((load.settle + load.seconds) * 1e6) // GATHER):
            now += GATHER
            if turn == int(load.settle * 1e6) // GATHER:
                cost.update(wire=0.0, journal=0.0, floor=0.0)
                reads = 0
            for reader in range(load.readers):
                messages = messages_of(reader, now, load, chance)
                for message in messages if load.apart else [messages]:
                    reads += take(reader, message.tobytes(), now)
            feed(Tick(now))
            if turn % 50 == 0:
                journal.release(journal.position)
        journal.close()
    return {part: seconds / reads * 1e6 for part, seconds in cost.items()}


def site_of(readers: int, portals: int = 0) -> dict[str, Any]:
    """A configuration of so many readers, each of which hears one zone at four antennas. The last two antennas of the
    first `portals` readers are the sides of a portal instead."""
    return {
        "site": "bench",
        "gateway": "bench",
        "presence": {"dwell": 0},
        "zones": [{"id": f"z{number}"} for number in range(readers)],
        "readers": [
            {
                "id": f"r{number}",
                "driver": "llrp",
                "host": "localhost",
                "antennas": [
                    {"port": port, "portal": f"p{number}", "side": ("inside", "outside")[port - 3]}
                    if port > 2 and number < portals
                    else {"port": port, "zone": f"z{number}"}
                    for port in (1, 2, 3, 4)
                ],
            }
            for number in range(readers)
        ],
        **({"portals": [{"id": f"p{n}", "inside": f"z{n}"} for n in range(portals)]} if portals else {}),
    }


def messages_of(reader: int, now: int, load: Load, chance: Any) -> Any:
    """What a reader sends in GATHER: whole messages, a row for each, reads at most 50 ms old."""
    import numpy as np

    record = np.dtype(
        [
            *(("head", ">u2"), ("size", ">u2"), ("t_epc", "u1"), ("epc", ">u4", (3,)), ("t_antenna", "u1")),
            *(("antenna", ">u2"), ("t_rssi", "u1"), ("rssi", "i1"), ("t_channel", "u1"), ("channel", ">u2")),
            *(("t_first", "u1"), ("first", ">u8"), ("t_last", "u1"), ("last", ">u8"), ("t_count", "u1"), ("n", ">u2")),
        ]
    )
    message = np.dtype([("kind", ">u2"), ("length", ">u4"), ("id", ">u4"), ("tags", record, (load.per_message,))])
    made = np.zeros(max(1, round(load.rate * GATHER / 1e6 / load.per_message)), message)
    made["kind"], made["length"], made["id"] = 1 << 10 | 61, message.itemsize, 1
    tags = made["tags"]
    fixed = {"head": 240, "size": record.itemsize, "t_epc": 141, "t_antenna": 129, "t_rssi": 134, "t_channel": 135}
    for name, value in (fixed | {"t_first": 130, "t_last": 132, "t_count": 136, "channel": 7, "n": 1}).items():
        tags[name] = value
    strays = chance.random(tags.shape) < load.strays
    tags["epc"][..., 0] = 0x1A406030
    tags["epc"][..., 1] = (reader + strays) % load.readers
    if load.in_turn:
        first = (now - START) // GATHER * tags.size
        turns = np.arange(first, first + tags.size).reshape(tags.shape)
        tags["epc"][..., 2] = _order(reader, load.tags).take(turns, mode="wrap")
    else:
        tags["epc"][..., 2] = chance.integers(0, load.tags, tags.shape)
    tags["antenna"] = now // 250_000 % 4 + 1
    tags["rssi"] = chance.integers(-70, -50, tags.shape) - 12 * strays
    tags["first"] = tags["last"] = now - chance.integers(0, 50_000, tags.shape)
    return made


@cache
def _order(reader: int, tags: int) -> Any:
    """The order in which a reader reads its tags: another one each time, or they would lie side by side in memory."""
    import numpy as np

    chance = np.random.default_rng(reader)
    return np.concatenate([chance.permutation(tags) for _ in range(4)])


if __name__ == "__main__":
    print(json.dumps(_measure_here(Load(**json.loads(sys.argv[1])))))
