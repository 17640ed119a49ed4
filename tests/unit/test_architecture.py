"""Imports run downwards only, and the floor stays pure: read from the source, so that nothing has to be running."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# The rooms, from the roof to the cellar: each may import from itself and from those after it.
LAYERS = [
    ["gateway.cli", "gateway.__main__"],
    ["gateway.run"],
    ["gateway.app"],
    ["gateway.service", "gateway.replay", "gateway.schemas"],
    ["gateway.readers", "gateway.sources", "gateway.web"],
    ["gateway.ops"],
    ["gateway.mqtt"],
    ["gateway.recording"],
    ["gateway.ledger"],
    ["gateway.history"],
    ["gateway.floor"],
    ["gateway.events", "gateway.inputs"],
    ["gateway.config"],
    ["gateway.clock", "gateway.errors", "gateway.tasks", "gateway.text"],
]
IMPURE = {
    "asyncio", "time", "socket", "os", "threading", "random", "secrets", "uuid", "sqlite3", "pathlib", "logging",
    "structlog", "zoneinfo", "subprocess", "tempfile", "locale",
    "gateway.clock.wall", "gateway.clock.SteadyClock", "gateway.config.file", "gateway.config.drivers",
}  # fmt: skip
"""What brings time, chance or I/O along: modules, and the parts of our own that look at the machine."""

IMPURE_CALLS = {"now", "today", "utcnow", "open", "input", "print", "urandom"}
"""Functions and methods that look at the clock or the outside whatever they were imported from."""


@cache
def modules(package: str) -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imported(path: Path) -> set[str]:
    return imported_by(ast.parse(path.read_text()))


def imported_by(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
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
    shared = ("api", "backoff", "front_door", "polls", "records", "sparse_log")
    allowed = {"drivers"} | {f"drivers.{name}" for name in shared}
    if module == "gateway.cli":
        allowed |= {"drivers.emulators", "drivers.emulators.command"}  # the emulators' command line is theirs
    reached = {
        name for name in imported(GATEWAY[module]) if name.split(".")[0] == "drivers" and name in modules("drivers")
    }
    assert reached <= allowed, f"{module} imports {sorted(reached - allowed)}"


def impurities(source: str) -> set[str]:
    """The names in a module's source that bring time, chance or I/O into it."""
    tree = ast.parse(source)
    names = imported_by(tree)
    found = {name for name in names if name in IMPURE or name.split(".")[0] in IMPURE}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                if called.attr in IMPURE_CALLS and called.value.id in {"datetime", "date", "os", "io", "time"}:
                    found.add(f"{called.value.id}.{called.attr}")
            elif isinstance(called, ast.Name) and called.id in {"open", "input", "print"}:
                found.add(called.id)
    return found


@pytest.mark.parametrize("module", sorted(name for name in GATEWAY if name.startswith("gateway.floor")))
def test_floor_is_pure(module):
    found = impurities(GATEWAY[module].read_text())
    assert not found, f"{module} uses {sorted(found)}: time, chance and I/O are arguments there"


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from datetime import datetime\nx = datetime.now()",
        "from datetime import date\nx = date.today()",
        "from zoneinfo import ZoneInfo",
        "from gateway.clock import wall",
        "from gateway.clock import SECOND, SteadyClock",
        "from os import urandom",
        "x = open('/etc/hostname')",
    ],
)
def test_what_is_impure_is_found(source):
    assert impurities(source)


def test_no_file_outgrows_a_head():
    long = {
        str(path.relative_to(ROOT)): lines
        for package in ("gateway", "drivers")
        for path in modules(package).values()
        if (lines := len(path.read_text().splitlines())) > (199 if path.name == "app.py" else 400)
    }
    assert not long, f"look for the second thing in {long}"


def test_the_hall_is_small():
    assert len([path for path in (ROOT / "gateway").iterdir() if path.is_file()]) <= 12


@pytest.mark.parametrize("module", sorted(modules("drivers")))
def test_drivers_know_nothing_of_the_gateway(module):
    upward = {name for name in imported(modules("drivers")[module]) if name.split(".")[0] == "gateway"}
    assert not upward, f"{module} imports {sorted(upward)}"


def test_only_one_file_touches_serial_ports():
    users = {name for name, path in modules("drivers").items() if "serial" in imported(path)}
    assert users <= {"drivers.serial.transport"}


# Names that two things had, or that had a second name: struck, each where it stood for what is called otherwise now.
STRUCK = {
    "gateway/floor": {
        "Sighting, ClosedWindow, and the sums of one": "Cell Cells cell cells Closed Look Looks look looks Sight sight",
        "standing": "STATIC STAYED Still aside stands stood stayed still",
        "companions": "company with_company",
        "photo_eyes": "Beams eyes",
        "ReaderStatus, Presumed, WindowMode, DarkCause": "Course Timeline courses timeline Cause Mode",
        "AntennaClock, WatchList": "Watch _watch",
        "FromEvents": "Recovered recovered",
        "one constant for each meaning": "FEWEST NARROWEST FADING LOUDER CLEARED WALK FEW",
        "clock.read_rfc3339, clock.parse_rfc3339": "parse_time _EPOCH",
    },
    "gateway": {
        "OpenedLedger": "Recovery",
        "clock.utc, clock.micros_of": "fromtimestamp utcfromtimestamp",
    },
    "drivers": {"Heartbeat": "Liveness liveness Watchdog"},
}


def identifiers(folder: str) -> dict[str, set[str]]:
    """The identifiers of a folder's files, each with the files that use it. What is in strings is no identifier."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.NAME:
                found.setdefault(token.string, set()).add(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("folder", STRUCK)
def test_one_concept_has_one_name(folder):
    used = identifiers(folder)
    again = {
        name: (kept, sorted(used[name]))
        for kept, names in STRUCK[folder].items()
        for name in names.split()
        if name in used
    }
    assert not again, f"struck names are back (name: what it is called now, where): {again}"


MARKUP = re.compile(
    r"(?<!\?P)</?(a|article|button|code|dialog|div|form|g|h[1-6]|head|header|html|input|label|li|main|ol|option|p|path"
    r"|rect|section|select|small|span|svg|table|tbody|td|template|th|tr|ul)[\s/>]"
)


def test_markup_is_in_templates_and_not_in_code():
    found = [name for name, path in modules("gateway").items() if MARKUP.search(path.read_text())]
    assert not found, f"move it to gateway/web/templates: {found}"


def test_markup_in_code_is_found():
    assert all(map(MARKUP.search, ('"<td class=x>"', "f'<div>{x}</div>'", '"</p>"', '"<svg/>"')))
    assert not any(map(MARKUP.search, ("a < b > c", "<name>", "list<- text", "(?P<code>x)", "x <a_b> y")))
