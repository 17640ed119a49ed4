"""``python -m benchmarks.serial_client CLIENT PORT SECONDS``: a client reads; prints frames, CPU seconds and seconds.

A process of its own, so that the CPU is the client's alone and not that of the emulated reader. Clients: our families
by name, and the independent ones that install.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import time
from collections.abc import Callable
from typing import Any

from drivers.api import Antenna, Batch, DriverContext, Item, ReaderUp

SETTINGS: dict[str, dict[str, Any]] = {
    "mercury": {"region": "NA"},
    "uhf288": {"scan_time": 1.0},
    "r2000": {},
    "m100": {},
}


class Quiet:
    """A log that nobody reads."""

    def debug(self, event: str, **fields: Any) -> None:
        """Drops the line."""

    def info(self, event: str, **fields: Any) -> None:
        """Drops the line."""

    def warning(self, event: str, **fields: Any) -> None:
        """Drops the line."""

    def error(self, event: str, **fields: Any) -> None:
        """Drops the line."""


async def ours(family: str, where: str, seconds: float) -> tuple[int, float, float]:
    """Reads by the gateway's own driver: rows, seconds, and seconds of CPU."""
    from gateway.config.drivers import factory as factory_of

    rows, started = 0, asyncio.Event()

    def take(item: Item) -> None:
        nonlocal rows
        if isinstance(item, Batch):
            rows += len(item.rows)
        elif isinstance(item, ReaderUp):
            started.set()

    context = DriverContext("r", (Antenna(1),), take, lambda: time.time_ns() // 1000, Quiet())
    factory = factory_of(family)
    settings = factory.settings.model_validate({"device": where, **SETTINGS[family]})
    running = asyncio.create_task(factory.build(context, settings).run())
    await asyncio.wait_for(started.wait(), 20)
    before, cpu, start = rows, time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    result = rows - before, time.process_time() - cpu, time.monotonic() - start
    running.cancel()
    await asyncio.wait([running])
    return result


def pyimpinj(where: str, seconds: float) -> tuple[int, float, float]:
    """Reads by pyImpinj, an R2000 client: rows, seconds, and seconds of CPU."""
    from pyImpinj import ImpinjR2KReader

    tags: queue.Queue[dict[str, Any]] = queue.Queue()
    reader = ImpinjR2KReader(tags, address=1)
    reader.connect(where)
    reader.worker_start()
    reader.set_work_antenna(0)
    reads, cpu, start = 0, time.process_time(), time.monotonic()
    while time.monotonic() - start < seconds:
        reader.rt_inventory(repeat=1)
        while tags.get(timeout=2)["type"] == "TAG":
            reads += 1
    result = reads, time.process_time() - cpu, time.monotonic() - start
    reader.worker_close()
    return result


def chafon(where: str, seconds: float) -> tuple[int, float, float]:
    """Reads by chafon_rfid, a UHFReader288 client: rows, seconds, and seconds of CPU."""
    from chafon_rfid.transport_serial import SerialTransport
    from chafon_rfid.uhfreader288m import G2InventoryCommand, G2InventoryResponseFrame

    transport = SerialTransport(where, 57600, timeout=3)
    reads, cpu, start = 0, time.process_time(), time.monotonic()
    while time.monotonic() - start < seconds:
        transport.write(G2InventoryCommand(q_value=4, scan_time=10).serialize())
        while (frame := G2InventoryResponseFrame(transport.read_frame())).result_status == 3:
            reads += sum(1 for _ in frame.get_tag())
    return reads, time.process_time() - cpu, time.monotonic() - start


PEERS: dict[str, Callable[[str, float], tuple[int, float, float]]] = {"pyimpinj": pyimpinj, "chafon": chafon}


def main(client: str, where: str, seconds: float) -> tuple[int, float, float]:
    """Reads for some seconds by one client: rows, seconds, and seconds of CPU."""
    if client in PEERS:
        return PEERS[client](where, seconds)
    return asyncio.run(ours(client, where, seconds))


if __name__ == "__main__":
    print(*main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
