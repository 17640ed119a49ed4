"""The demo's site: where its packages are at what time, and the readers that see them."""

from __future__ import annotations

from pathlib import Path

from drivers.emulators.scene import FOREIGN_PREFIX, PACKAGE_PREFIX, SECOND, Field, Scene, Stay, Tag
from gateway.config import Config
from gateway.config_file import load

CONFIG = Path(__file__).resolve().parents[1] / "config" / "demo.yaml"

CYCLE = 30
"""Seconds after which everything happens again."""

SHELF_A, SHELF_B, DOCK = 1, 2, 1  # antennas: two of the vault's reader, one of the dock's


def config(folder: Path, broker: int, vault: int, dock: int) -> Config:
    """`config/demo.yaml` with the ports that are in use and everything written below `folder`."""
    settings = load(CONFIG)
    assert settings.recording is not None
    ports = {"vault": vault, "dock": dock}
    return settings.model_copy(
        update={
            "mqtt": settings.mqtt.model_copy(update={"port": broker}),
            "readers": [
                reader.model_validate(reader.model_dump() | {"port": ports[reader.id]}) for reader in settings.readers
            ],
            "ledger": settings.ledger.model_copy(update={"file": folder / "ledger.db"}),
            "journal": settings.journal.model_copy(update={"directory": folder / "journal"}),
            "recording": settings.recording.model_copy(update={"directory": folder / "reads"}),
        }
    )


def vault_scene() -> Scene:
    """Both shelves stand full. One package changes shelves; three leave for the dock, the last of them to stay away."""
    standing = [_tag(n, (SHELF_A, 0, CYCLE)) for n in range(1, 13)]
    standing += [_tag(n, (SHELF_B, 0, CYCLE)) for n in range(13, 21)]
    moving = [
        _tag(21, (SHELF_A, 0, 6), (SHELF_B, 6.5, 20), (SHELF_A, 20.5, CYCLE)),
        _tag(22, (SHELF_A, 0, 4)),
        _tag(23, (SHELF_A, 0, 4.5)),
        _tag(24, (SHELF_B, 0, 5)),
    ]
    return _scene([SHELF_A, SHELF_B], [*standing, *moving], seed=1)


def dock_scene() -> Scene:
    """Three packages pass the dock and are gone; a jacket with a tag of its own walks by."""
    packages = [_tag(22, (DOCK, 5, 9)), _tag(23, (DOCK, 5.5, 9.5)), _tag(24, (DOCK, 6, 10))]
    jacket = Tag(bytes.fromhex(f"{FOREIGN_PREFIX}{1:010X}"), (_stay(DOCK, 3, 8),))
    return _scene([DOCK], [*packages, jacket], seed=2)


def _scene(antennas: list[int], tags: list[Tag], seed: int) -> Scene:
    return Scene(dict.fromkeys(antennas, Field(rate=100)), tags, cycle=CYCLE * SECOND, seed=seed)


def _tag(number: int, *stays: tuple[int, float, float]) -> Tag:
    return Tag(bytes.fromhex(f"{PACKAGE_PREFIX}{number:08X}"), tuple(_stay(*stay) for stay in stays))


def _stay(antenna: int, start: float, end: float) -> Stay:
    fade = 0 if start == 0 and end == CYCLE else SECOND // 2
    return Stay(antenna, round(start * SECOND), round(end * SECOND), fade=fade)
