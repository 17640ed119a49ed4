"""Imports run downwards only, and the floor stays pure: read from the source, so that nothing has to be running."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each layer may import from itself and from those after it.
LAYERS = [
    ["gateway.cli", "gateway.__main__"],
    ["gateway.app"],
    ["gateway.vitals", "gateway.state", "gateway.page", "gateway.lights", "gateway.sources"],
    ["gateway.commands"],
    ["gateway.readers", "gateway.recovery", "gateway.reload"],
    ["gateway.pipeline", "gateway.replay", "gateway.schemas"],
    ["gateway.mqtt", "gateway.ops", "gateway.web", "gateway.manifests", "gateway.expected", "gateway.expected_csv"],
    ["gateway.watched_folder"],
    ["gateway.recording.recorder"],
    ["gateway.ledger"],
    ["gateway.recording"],
    ["gateway.floor"],
    ["gateway.events", "gateway.inputs"],
    ["gateway.config"],
    ["gateway.clock", "gateway.errors", "gateway.text", "gateway.submit"],
]
PURE = ["asyncio", "time", "socket", "os", "threading", "random", "sqlite3", "pathlib", "logging", "structlog"]


@cache
def modules(package: str) -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def layer_of(module: str) -> int | None:
    for depth, names in enumerate(LAYERS):
        if any(module == name or module.startswith(name + ".") for name in names):
            return depth
    return None


GATEWAY = modules("gateway")


@pytest.mark.parametrize("module", sorted(set(GATEWAY) - {"gateway"}))
def test_imports_run_downwards(module):
    depth = layer_of(module)
    assert depth is not None, f"{module} has no layer: say in this test where it belongs"
    upward = [name for name in imported(GATEWAY[module]) if (above := layer_of(name)) is not None and above < depth]
    assert not upward, f"{module} imports from above: {sorted(upward)}"


@pytest.mark.parametrize("module", sorted(GATEWAY))
def test_gateway_reaches_drivers_through_their_api(module):
    allowed = {"drivers", "drivers.api", "drivers.backoff"}
    if module == "gateway.cli":
        allowed |= {"drivers.emulators", "drivers.emulators.command"}  # the emulators' command line is theirs
    reached = {
        name for name in imported(GATEWAY[module]) if name.split(".")[0] == "drivers" and name in modules("drivers")
    }
    assert reached <= allowed, f"{module} imports {sorted(reached - allowed)}"


@pytest.mark.parametrize("module", sorted(name for name in GATEWAY if name.startswith("gateway.floor")))
def test_floor_is_pure(module):
    impure = {name.split(".")[0] for name in imported(GATEWAY[module])} & set(PURE)
    assert not impure, f"{module} imports {sorted(impure)}: time, chance and I/O are arguments there"


@pytest.mark.parametrize("module", sorted(modules("drivers")))
def test_drivers_know_nothing_of_the_gateway(module):
    upward = {name for name in imported(modules("drivers")[module]) if name.split(".")[0] == "gateway"}
    assert not upward, f"{module} imports {sorted(upward)}"


def test_only_one_file_touches_serial_ports():
    users = {name for name, path in modules("drivers").items() if "serial" in imported(path)}
    assert users <= {"drivers.serial.transport"}
