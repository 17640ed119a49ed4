"""Serial readers: frames per second of CPU through framing, check and decoding; and the CPU that a client takes at
2,000 frames a second over a real pty, beside the peers that install.

In the second table the emulated reader is another process. It sends what is due every 5 ms, each frame with a write
of its own, so a client is woken for almost every frame; behind a USB adapter, which collects bytes, it is woken less.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.serial_client import SETTINGS, Quiet
from drivers.api import Antenna, Batch, DriverContext, Item
from drivers.emulators.scene import serials
from drivers.emulators.serial.line import PtyPort
from drivers.emulators.serial.m100 import M100
from drivers.emulators.serial.mercury import Mercury
from drivers.emulators.serial.r2000 import R2000
from drivers.emulators.serial.reader import EmulatedReader
from drivers.emulators.serial.uhf288 import Uhf288
from drivers.serial import m100, mercury, r2000, uhf288
from drivers.serial.link import Link
from drivers.serial.m100.frames import tag_notice
from drivers.serial.mercury.frames import Op
from drivers.serial.mercury.frames import reply as mercury_reply
from drivers.serial.r2000.frames import Cmd as R2000Cmd
from drivers.serial.r2000.frames import frame_of
from drivers.serial.session import Identity
from drivers.serial.uhf288.frames import Cmd as Uhf288Cmd
from drivers.serial.uhf288.frames import reply as uhf288_reply

FRAMES = 1000
CHUNKS = (20, 1)
RATE = 2_000
SECONDS = 4.0
TURN = 0.15
TURNS = 3

FAMILIES = {family.name: family for family in (mercury.FAMILY, uhf288.FAMILY, r2000.FAMILY, m100.FAMILY)}
EMULATORS: dict[str, type[EmulatedReader]] = {"mercury": Mercury, "uhf288": Uhf288, "r2000": R2000, "m100": M100}
CLIENTS = {
    "mercury": "mercury",
    "uhf288": "uhf288",
    "chafon": "uhf288",
    "r2000": "r2000",
    "pyimpinj": "r2000",
    "m100": "m100",
}
"""Each client and the family of the reader that it reads."""

NAMES = {"chafon": "wabson.chafon-rfid 1.0", "pyimpinj": "pyImpinj 1.2"}


def tag_frames(family: str) -> list[bytes]:
    """FRAMES frames of one tag each, 96-bit EPCs."""
    epcs = [b"\x1a\x40\x60\x30" + number.to_bytes(8, "big") for number in range(FRAMES)]
    make: dict[str, Callable[[bytes], bytes]] = {
        "mercury": lambda epc: mercury_reply(
            Op.READ_MULTIPLE, 0, bytes.fromhex("10001B001F010ACC110DF7320000002A00803000") + epc + b"\x12\x34"
        ),
        "uhf288": lambda epc: uhf288_reply(0, Uhf288Cmd.INVENTORY, 3, b"\x01\x01\x0c" + epc + b"\x40"),
        "r2000": lambda epc: frame_of(1, R2000Cmd.FAST_SWITCH, b"\x8c\x30\x00" + epc + b"\x37"),
        "m100": lambda epc: tag_notice(epc, -55),
    }
    return [make[family](epc) for epc in epcs]


def measure() -> Iterator[str]:
    """Rows for printing."""
    yield f"{'bytes to reads (frames/s of CPU)':<34}" + "".join(f"{f'{size} frames a chunk':>22}" for size in CHUNKS)
    for family in EMULATORS:
        rates = [asyncio.run(_decode_rate(family, size)) for size in CHUNKS]
        yield f"{family:<34}" + "".join(f"{rate:>22,.0f}" for rate in rates)
    yield ""
    yield f"{f'at {RATE:,} frames/s over a pty':<34}{'frames/s':>22}{'CPU of one core':>22}"
    for client, family in CLIENTS.items():
        yield f"{NAMES.get(client, family):<34}" + asyncio.run(_share(client, family))


async def _decode_rate(family: str, size: int) -> float:
    """The best of several turns, through link, framing, check and session, into the sink."""
    frames = tag_frames(family)
    chunks = [b"".join(frames[at : at + size]) for at in range(0, FRAMES, size)]
    reads = 0

    def take(item: Item) -> None:
        nonlocal reads
        if isinstance(item, Batch):
            reads += len(item.rows)

    known = FAMILIES[family]
    settings = known.settings.model_validate({"device": "/dev/null", **SETTINGS[family]})
    link = Link("bench", known.framing())
    context = DriverContext("r", (Antenna(1),), take, lambda: time.time_ns() // 1000, Quiet())
    session = known.session(link, context, settings, asyncio.Event())
    session.up(Identity("bench", ""))
    best = 0.0
    async with link.turn(session.take):
        for _ in range(TURNS):
            before, start = reads, time.process_time()
            while (spent := time.process_time() - start) < TURN:
                for chunk in chunks:
                    link.feed(chunk)
            best = max(best, (reads - before) / spent)
    assert reads % FRAMES == 0
    link.close()
    return best


async def _share(client: str, family: str) -> str:
    """Frames a second and CPU of `client` while this process emulates."""
    environment = dict(os.environ)
    if client in NAMES:
        from tests.support.serial_peers import PeersMissingError, fetch

        try:
            environment["PYTHONPATH"] = f"{Path.cwd()}:{fetch()}"
        except PeersMissingError as missing:
            return f"  not measured: {missing}"
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "reader"
        reader: Any = EMULATORS[family](PtyPort(where), serials(RATE, [1], late=0.0))
        reader.tags_per_frame = 1
        emulation = asyncio.create_task(reader.run())
        command = ["-m", "benchmarks.serial_client", client, str(where), str(SECONDS)]
        pipe = asyncio.subprocess.PIPE
        await asyncio.sleep(0.05)
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=pipe, env=environment)
        said, _ = await process.communicate()
        emulation.cancel()
        with suppress(asyncio.CancelledError):
            await emulation
    if process.returncode:
        return f"  failed with exit status {process.returncode}"
    reads, cpu, seconds = map(float, said.split())
    return f"{reads / seconds:>22,.0f}{cpu / seconds:>21.1%}"
