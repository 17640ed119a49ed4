"""A serial driver against an emulated reader over a real pty or TCP port, and what a client must have seen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from drivers.api import Antenna, Batch, Driver, DriverContext, DriverError, DriverFactory, Item, ReaderUp
from drivers.emulators.scene import Scene, Seen, serials
from drivers.emulators.serial.line import PERFECT, Faults, PtyPort, TcpPort
from drivers.emulators.serial.reader import EmulatedReader
from gateway.clock import wall
from tests.support.subscriber import until

LINES = {
    "perfect": PERFECT,
    "bytewise": Faults(bytewise=True),
    "noisy": Faults(noise=0.01),
    "delayed": Faults(delay=0.03),
}


EVERY_LINE = [pytest.param(name, marks=[] if name == "noisy" else [pytest.mark.slow]) for name in LINES]
"""Lines for `parametrize`: the one that finds most is in the fast tests."""


@dataclass
class Rig:
    emulator: Any
    driver: Driver
    items: list[Item] = field(default_factory=list)
    failures: list[DriverError] = field(default_factory=list)
    sent: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    owed: set[tuple[bytes, int]] = field(default_factory=set)
    up: bool = False

    def take(self, item: Item) -> None:
        self.items.append(item)
        if isinstance(item, ReaderUp):
            self.up = True

    def wire_read(self, seen: Seen, whole: bool) -> None:
        if whole:
            self.sent[seen.epc, seen.antenna] += 1
            if self.up:
                self.owed.add((seen.epc, seen.antenna))

    def of(self, kind: type) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]

    def rows(self) -> list[tuple[Any, ...]]:
        return [row for batch in self.of(Batch) for row in batch.rows]

    def got(self, *, antennas: bool = True) -> Counter[tuple[bytes, int]]:
        return Counter((row[0], row[1]) for row in self.rows())

    async def until(self, condition: Callable[[], Any], timeout: float = 60.0) -> None:
        """Wait for a condition that the emulator and the driver bring about."""
        deadline = asyncio.get_running_loop().time() + timeout
        while not condition():
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not within {timeout} s; failures: {self.failures}, items: {self.items[-3:]}")
            await asyncio.sleep(0.01)

    @staticmethod
    async def rest(seconds: float) -> None:
        """For what must not happen: there is no condition to wait for."""
        await asyncio.sleep(seconds)

    async def supervise(self) -> None:
        """What the gateway does: again and again, after a short wait."""
        while True:
            try:
                await self.driver.run()
            except DriverError as error:
                self.up = False
                self.failures.append(error)
            await asyncio.sleep(0.05)


def build(
    factory: DriverFactory,
    sink: Callable[[Item], None],
    settings: dict[str, Any],
    antennas: list[int],
    *,
    reader: str = "shelf",
) -> Driver:
    ports = tuple(Antenna(port, 23.0) for port in antennas)
    context = DriverContext(reader, ports, sink, wall, structlog.get_logger("test"))
    return factory.build(context, factory.settings.model_validate(settings))


@asynccontextmanager
async def rig(
    factory: DriverFactory,
    emulator: type[EmulatedReader],
    where: Path | str,
    *,
    scene: Scene | None = None,
    faults: Faults = PERFECT,
    antennas: list[int] | None = None,
    settings: dict[str, Any] | None = None,
    prepare: Callable[[Any], None] = lambda emulator: None,
    **more: Any,
) -> AsyncIterator[Rig]:
    """A running pair. `where` is the folder of the pty's link, or ``tcp``."""
    ports = antennas or [1]
    port = TcpPort("127.0.0.1", 0) if where == "tcp" else PtyPort(Path(where) / "usb-reader")
    reader = emulator(port, scene or serials(200, ports, late=0.0), faults=faults, **more)
    prepare(reader)
    emulation = asyncio.create_task(reader.run())
    link = Path(where) / "usb-reader"
    await until(lambda: port.port if isinstance(port, TcpPort) else link.exists())
    name = f"socket://127.0.0.1:{port.port}" if isinstance(port, TcpPort) else str(link)
    made = Rig(reader, None)  # type: ignore[arg-type]
    made.driver = build(factory, made.take, {"device": name, **(settings or {})}, ports)
    reader.on_read = made.wire_read
    supervision = asyncio.create_task(made.supervise())
    try:
        yield made
        if emulation.done():
            emulation.result()
    finally:
        for task in (supervision, emulation):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
