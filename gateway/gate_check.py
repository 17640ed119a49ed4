"""Names in the sections of the dock gate that must be elsewhere in the configuration: portals, readers, zones."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gateway.config import Config
from gateway.gate_config import DockConfig, DoorConfig, OutputConfig
from gateway.text import did_you_mean

Path = tuple[str | int, ...]


def gate_problems(config: Config) -> Iterator[tuple[Path, str]]:
    """Each thing that is wrong, with its path in the configuration."""
    readers = {reader.id for reader in config.readers}
    portals = {portal.id for portal in config.portals}
    zones = {zone.id for zone in config.zones}
    for index, dock in enumerate(config.docks):
        here: Path = ("docks", index)
        yield from _named((*here, "portal"), "portal", dock.portal, portals)
        for name, wired in _wired(dock):
            yield from _named((*here, *name, "reader"), "reader", wired.reader, readers)
    for index, entry in enumerate(config.watch):
        for key in ("allowed", "forbidden"):
            for number, zone in enumerate(getattr(entry, key)):
                yield from _named(("watch", index, key, number), "zone", zone, zones)


def _named(path: Path, noun: str, name: str, known: Collection[str]) -> Iterator[tuple[Path, str]]:
    if name not in known:
        hint = did_you_mean(name, known) if known else f"describe it under `{noun}s`"
        yield path, f"there is no {noun} `{name}`: {hint}"


def _wired(dock: DockConfig) -> Iterator[tuple[Path, DoorConfig | OutputConfig]]:
    """Everything of a dock that hangs on a reader, with its path below the dock."""
    lights = dock.lights
    lamps: dict[str, OutputConfig | None] = {
        "red": lights.red,
        "amber": lights.amber,
        "green": lights.green,
        "buzzer": lights.buzzer,
    }
    for name, output in lamps.items():
        if output is not None:
            yield ("lights", name), output
    if dock.interlock is not None:
        yield ("interlock",), dock.interlock
    if dock.door is not None:
        yield ("door",), dock.door
