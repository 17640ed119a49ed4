"""The demo's site: where its packages are at what time, and the simulated readers that see them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.stage import Actor, Spot, Stage
from demo.summary import Made, Read
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import FOREIGN_PREFIX, PACKAGE_PREFIX, Field, Scene, Seen
from drivers.emulators.serial.line import PtyPort
from drivers.emulators.serial.mercury import Mercury
from gateway.config import Config
from gateway.config.file import load

CONFIG = Path(__file__).resolve().parents[1] / "config" / "demo.yaml"

SHELF_A, SHELF_B = Spot("vault", 1), Spot("vault", 2)
DOCK, DOOR_IN, DOOR_OUT = Spot("dock", 1), Spot("dock", 2), Spot("dock", 3)
CAGE = Spot("cage", 1)
"""Antennas of the vault's reader, of the dock's (over the floor, and on either side of the door), and of the cage's."""

LOADED, ON_HOLD, EXTRA = (22, 23, 24), 23, 25
"""Numbers of the packages on the manifest, of the one among them that is on hold, and of one that is not on it."""

QUARANTINED = (31, 32, 33, 34)
WANDERS = 21
"""The package that is moved from shelf to shelf all the time."""


CLOCKLESS = ["cage"]
"""Readers whose reads carry no time of their own."""


@dataclass(slots=True)
class Readers:
    """Two LLRP readers on TCP, and a serial one behind the link `device`."""

    vault: LlrpEmulator
    dock: LlrpEmulator
    cage: Mercury
    device: Path
    cage_reads: list[Read]
    stage: Stage

    def made(self) -> list[Made]:
        """What every emulated reader has read."""
        llrp = [
            Made(
                [(reader.name, seen.antenna, seen.epc.hex().upper(), seen.time) for seen in reader.reads],
                len(reader.reader.buffer),
            )
            for reader in (self.vault, self.dock)
        ]
        return [*llrp, Made(self.cage_reads)]


@contextlib.asynccontextmanager
async def readers(folder: Path) -> AsyncIterator[Readers]:
    """The readers, running."""
    device = folder / "cage"
    reads: list[Read] = []

    def note(seen: Seen, delivered: bool) -> None:
        if delivered:  # a serial reader keeps nothing: what nobody listens to was never told to anybody
            reads.append(("cage", seen.antenna, seen.epc.hex().upper(), 0))

    async with (
        LlrpEmulator(_scene(2), name="vault", keep_reads=True) as vault,
        LlrpEmulator(_scene(3), name="dock", keep_reads=True) as dock,
    ):
        cage = Mercury(PtyPort(device), Scene({1: Field(rate=40)}, seed=3))
        cage.on_read = note
        running = asyncio.create_task(cage.run(), name="cage")
        actors = {
            reader.name: Actor(reader.reader.scene, lambda machine=reader.reader: machine.elapsed)  # type: ignore[misc]
            for reader in (vault, dock)
        }
        stage = Stage(actors | {"cage": Actor(cage.scene, cage.now)}, DOOR_IN, DOOR_OUT)
        _furnish(stage)
        try:
            yield Readers(vault, dock, cage, device, reads, stage)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _furnish(stage: Stage) -> None:
    """Both shelves are full, four packages are in the cage, and a jacket with a tag of its own hangs by the dock."""
    for number in (*range(1, 13), WANDERS, *LOADED, EXTRA):
        stage.put(uid(number), SHELF_A)
    for number in range(13, 21):
        stage.put(uid(number), SHELF_B)
    for number in QUARANTINED:
        stage.put(uid(number), CAGE)
    stage.put(f"{FOREIGN_PREFIX}{1:010X}", DOCK)


def config(folder: Path, broker: int, page: int, site: Readers) -> Config:
    """`config/demo.yaml` with the addresses that are in use, and everything written below `folder`."""
    settings = load(CONFIG)
    assert settings.recording is not None
    assert settings.web is not None
    addresses: dict[str, dict[str, Any]] = {
        "vault": {"port": site.vault.port},
        "dock": {"port": site.dock.port},
        "cage": {"device": str(site.device)},
    }
    return settings.model_copy(
        update={
            "mqtt": settings.mqtt.model_copy(update={"port": broker}),
            "web": settings.web.model_copy(update={"port": page}),
            "readers": [
                reader.model_validate(reader.model_dump() | addresses[reader.id]) for reader in settings.readers
            ],
            "ledger": settings.ledger.model_copy(update={"file": folder / "ledger.db"}),
            "journal": settings.journal.model_copy(update={"directory": folder / "journal"}),
            "recording": settings.recording.model_copy(update={"directory": folder / "reads"}),
        }
    )


def _scene(antennas: int) -> Scene:
    return Scene(dict.fromkeys(range(1, antennas + 1), Field(rate=100)), seed=antennas)


def uid(number: int) -> str:
    """The UID of package `number`."""
    return f"{PACKAGE_PREFIX}{number:08X}"
