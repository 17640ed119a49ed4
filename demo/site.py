"""The demo's site: where its packages are at what time, and the simulated readers that see them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.summary import Made, Read
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import FOREIGN_PREFIX, PACKAGE_PREFIX, SECOND, Field, Scene, Seen, Stay, Tag
from drivers.emulators.serial.line import PtyPort
from drivers.emulators.serial.mercury import Mercury
from gateway.config import Config
from gateway.config.file import load

CONFIG = Path(__file__).resolve().parents[1] / "config" / "demo.yaml"

CYCLE = 30
"""Seconds after which everything happens again."""

SHELF_A, SHELF_B = 1, 2
DOCK, DOOR_IN, DOOR_OUT = 1, 2, 3
"""Antennas of the vault's reader, and of the dock's: one over the floor, one on either side of the door."""

FIRST = 22
LOADED, ON_HOLD, EXTRA = (22, 23, 24), 23, 25
"""Numbers of the packages on the manifest, of the one among them that is on hold, and of one that is not on it."""


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

    def made(self) -> list[Made]:
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
        LlrpEmulator(_vault_scene(), name="vault", keep_reads=True) as vault,
        LlrpEmulator(_dock_scene(), name="dock", keep_reads=True) as dock,
    ):
        cage = Mercury(PtyPort(device), _cage_scene())
        cage.on_read = note
        running = asyncio.create_task(cage.run(), name="cage")
        try:
            yield Readers(vault, dock, cage, device, reads)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


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


def _vault_scene() -> Scene:
    """Both shelves stand full. One package changes shelves; four leave for the dock."""
    standing = [_tag(n, (SHELF_A, 0, CYCLE)) for n in range(1, 13)]
    standing += [_tag(n, (SHELF_B, 0, CYCLE)) for n in range(13, 21)]
    moving = [
        _tag(21, (SHELF_A, 0, 5), (SHELF_B, 5.5, 20), (SHELF_A, 20.5, CYCLE)),
        *(_tag(number, (SHELF_A, 0, 2 + place / 2)) for place, number in enumerate((*LOADED, EXTRA))),
    ]
    return _scene([SHELF_A, SHELF_B], [*standing, *moving], seed=1)


def _dock_scene() -> Scene:
    """Four packages are staged and carried out, one after the other; a jacket with a tag of its own walks by."""
    packages = []
    for place, number in enumerate((*LOADED, EXTRA)):
        out = 5.5 + place
        packages.append(
            _tag(number, (DOCK, 2.5 + place / 2, out), (DOOR_IN, out, out + 2), (DOOR_OUT, out + 1, out + 3))
        )
    jacket = Tag(bytes.fromhex(f"{FOREIGN_PREFIX}{1:010X}"), (_stay(DOCK, 3, 8),))
    return _scene([DOCK, DOOR_IN, DOOR_OUT], [*packages, jacket], seed=2)


def _cage_scene() -> Scene:
    """Four packages in quarantine, which stay where they are."""
    return Scene({1: Field(rate=40)}, [_tag(n, (1, 0, CYCLE)) for n in range(31, 35)], cycle=CYCLE * SECOND, seed=3)


def _scene(antennas: list[int], tags: list[Tag], seed: int) -> Scene:
    return Scene(dict.fromkeys(antennas, Field(rate=100)), tags, cycle=CYCLE * SECOND, seed=seed)


def uid(number: int) -> str:
    """The UID of package `number`."""
    return f"{PACKAGE_PREFIX}{number:08X}"


def _tag(number: int, *stays: tuple[int, float, float]) -> Tag:
    return Tag(bytes.fromhex(uid(number)), tuple(_stay(*stay) for stay in stays))


def _stay(antenna: int, start: float, end: float) -> Stay:
    fade = 0 if start == 0 and end == CYCLE else round(min(1.0, (end - start) / 3) * SECOND)
    return Stay(antenna, round(start * SECOND), round(end * SECOND), fade=fade)
