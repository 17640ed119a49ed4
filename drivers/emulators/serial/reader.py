"""What all emulated serial readers share: a scene around them, a wire to their client, and a clock that ticks.

Nothing here is shared with the drivers except the codecs, which published vectors check.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NoReturn

from drivers.emulators.scene import InputEdge, Scene, Seen
from drivers.emulators.serial.line import PERFECT, Faults, Port, Wire
from drivers.serial.framing import Framer, Framing

SECOND = 1_000_000
TICK = 0.005
COMMAND_GAP = 100_000
"""Readers give up a command whose rest does not come sooner than hosts ask again, in microseconds."""


class EmulatedReader(ABC):
    """A reader on a port. Power cycles, faults and counters are for tests and the command line.

    `began` is when the scene did, in microseconds UTC.
    `on_read` is called for every read that is put on the wire, with whether its frame will arrive whole.
    """

    framing: Framing

    def __init__(self, port: Port, scene: Scene, *, faults: Faults = PERFECT, seed: int = 1) -> None:
        self.port = port
        self.scene = scene
        self.on_read: Callable[[Seen, bool], None] | None = None
        self.commands = 0
        self._seed = seed
        self._wire = Wire(self.port.write, faults, seed)
        self._from_host = Wire(lambda data: None, faults, seed + 1)
        self.framing.gap = COMMAND_GAP
        self._framer = Framer(self.framing)
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()
        self.began = time.time_ns() // 1_000
        self._inputs_at = 0
        self.inputs = {edge.port: False for edge in scene.inputs}
        self.outputs: dict[int, bool] = {}
        port.received = self._received

    @abstractmethod
    def command(self, frame: bytes) -> None:
        """A whole frame of the host."""

    @abstractmethod
    def tick(self, now: int) -> None:
        """Time has come to `now` microseconds of the scene."""

    @abstractmethod
    def reboot(self) -> None:
        """What a power dip does."""

    def now(self) -> int:
        """Microseconds since the beginning of the scene."""
        return int((self._loop.time() - self._origin) * SECOND)

    def send(self, frame: bytes) -> bool:
        """Sends a frame; returns whether a host is there to take it."""
        return self._wire.send(frame)

    def send_read(self, frame: bytes, seen: Seen) -> None:
        """Nobody there to hear it means that it is lost, as with a real reader."""
        whole = self._wire.send(frame) and self.port.attached
        if self.on_read:
            self.on_read(seen, whole)

    def reads(self, since: int, until: int, antennas: Collection[int]) -> list[Seen]:
        """What the antennas read of the scene between two times, microseconds."""
        return self.scene.reads(since, until, antennas, earliest=since) if until > since else []

    async def run(self) -> NoReturn:
        """Open the port and run until cancelled."""
        await self.port.open()
        try:
            while True:
                await asyncio.sleep(TICK)
                now = self.now()
                for edge in self._edges(now):
                    self.inputs[edge.port] = edge.state
                self.tick(now)
        finally:
            await self.port.close()

    async def unplug(self, seconds: float) -> None:
        """Pull the plug; the reader starts anew when it is back."""
        await self.port.close()
        self.reboot()
        await asyncio.sleep(seconds)
        await self.port.open()

    def _edges(self, now: int) -> list[InputEdge]:
        since, self._inputs_at = self._inputs_at, now
        return self.scene.edges(since, now) if self.scene.inputs and now > since else []

    def _received(self, data: bytes) -> None:
        now = int(self._loop.time() * SECOND)
        frames = self._framer.expire(now) + self._framer.feed(self._from_host.disturb(data), now)
        for frame in frames:
            self.commands += 1
            self.command(frame)


@dataclass(slots=True, frozen=True)
class Emulator:
    """An emulated reader for the command line: what the `EMULATOR` of a family's file here is.

    `models` are the models that it can be, `model` the one that it is unless told otherwise; `address` is its address
    on a bus, None for a family without; `has_ports` that the number of its antenna ports can be said.
    """

    reader: type[EmulatedReader]
    models: tuple[str, ...] = ()
    model: str = ""
    address: int | None = None
    has_ports: bool = False
