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
    shared = ("api", "backoff", "front_door", "plain_files", "polls", "records", "sparse_log")
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
    assert len([path for path in (ROOT / "gateway").iterdir() if path.suffix == ".py"]) <= 12


@pytest.mark.parametrize("module", sorted(modules("drivers")))
def test_drivers_know_nothing_of_the_gateway(module):
    upward = {name for name in imported(modules("drivers")[module]) if name.split(".")[0] == "gateway"}
    assert not upward, f"{module} imports {sorted(upward)}"


def test_only_one_file_touches_serial_ports():
    users = {name for name, path in modules("drivers").items() if "serial" in imported(path)}
    assert users <= {"drivers.serial.transport"}


# Names that two things had, or that had a second name: struck, each where it stood for what is called otherwise now.
# As words of a sentence most of them go on; as names they do not: identifiers, whole strings, keys, what is quoted.
STRUCK = {
    "gateway/floor gateway/events gateway/config gateway/history gateway/ledger config docs": {
        "Sighting, ClosedWindow, and the sums of one": "Cell Cells Look Looks Sight sight",
        "standing": "STATIC STAYED Still aside stands stood stayed still static",
        "companions": "company with_company",
        "photo_eyes": "Beams beams Beam beam eyes",
        "ReaderStatus, Presumed, WindowMode, DarkCause": "Course course courses Timeline timeline",
        "FromEvents": "Recovered recovered",
        "clock.read_rfc3339, clock.parse_rfc3339": "parse_time",
    },
    "gateway/floor": {
        "Sighting, ClosedWindow, and the sums of one": "Closed cell cells look looks",
        "WindowMode, DarkCause": "Mode Cause",
        "AntennaClock, WatchList": "Watch _watch",
        "one constant for each meaning": "CLEARED WALK FEW",
    },
    "gateway drivers": {
        "one constant for each meaning": "FEWEST NARROWEST FADING LOUDER PASSED _EPOCH",
        "OpenedLedger": "Recovery",
        "clock.utc, clock.micros_of": "fromtimestamp utcfromtimestamp",
        "photo_eyes": "beams Beams",
        "Heartbeat": "Liveness liveness",
    },
    "drivers": {"Heartbeat": "Watchdog"},
    "benchmarks demo": {
        "Sighting, Weighed": "Look",
        "photo_eyes": "beams Beams eyes",
        "turned_back, standing": "STATIC RETURNED",
    },
}

NOWHERE = {"photo_eyes": "beams beam-stuck", "standing": "STATIC STAYED", "ReaderStatus": "ReaderCourse"}
"""What has no other sense in this trade: not even in sentences."""

IN_ANOTHER_SENSE = re.compile(r"photo[-_]eyes|set-aside|\.aside")
"""Names that have a struck one in them."""

TRANSLATE = {
    "CHANGELOG.md", "gateway/config/former.py", "gateway/events/former.py", "gateway/floor/migrations.py",
    "gateway/floor/snapshot.py", "gateway/history/schema.py",
}  # fmt: skip
"""Files that know what older releases called otherwise."""

NAMES = {
    ".md": r"`([^`\n]+)`",
    ".json": r'"([\w./-]+)"',
    ".yaml": r"^[ -]*([\w-]+):|`([\w./-]+)`",
}
QUOTED = re.compile(r"``?([\w./-]+)``?")


def texts(folder: str) -> list[Path]:
    """The files of a folder that people read or write."""
    return [
        path
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", *NAMES) and str(path.relative_to(ROOT)) not in TRANSLATE
    ]


def names_in(suffix: str, text: str) -> set[str]:
    """The names in a file: identifiers, strings that are one word, keys, and what is quoted in comments and prose."""
    if suffix != ".py":
        found = {name for match in re.finditer(NAMES[suffix], text, re.MULTILINE) for name in match.groups() if name}
    else:
        found = set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME:
                found.add(token.string)
            elif token.type in (tokenize.STRING, tokenize.COMMENT):
                found |= set(QUOTED.findall(token.string)) | set(
                    re.findall(r"^[rbf]*[\"']([\w./-]+)[\"']$", token.string)
                )
    return found


@cache
def words_in(path: Path) -> frozenset[str]:
    """The words of the names in a file."""
    return frozenset(word for name in names_in(path.suffix, path.read_text()) for word in words_of(name))


def words_of(name: str) -> set[str]:
    """The name, and the words that it is made of where it is a published one such as ``photo-eye-stuck``."""
    plain = IN_ANOTHER_SENSE.sub("", name)
    return {name, *re.split(r"[^A-Za-z]+", plain)} if re.search(r"[-./]", name) else {plain}


@pytest.mark.parametrize("folders", STRUCK)
def test_one_concept_has_one_name(folders):
    struck = {name: kept for kept, names in STRUCK[folders].items() for name in names.split()}
    again: dict[str, list[str]] = {}
    for folder in folders.split():
        for path in texts(folder):
            for word in sorted(words_in(path) & struck.keys()):
                again.setdefault(f"{word} (now {struck[word]})", []).append(str(path.relative_to(ROOT)))
    assert not again, f"struck names are back: {again}"


def test_what_means_nothing_else_is_nowhere():
    gone = re.compile(rf"\b({'|'.join(word for words in NOWHERE.values() for word in words.split())})\b")
    again = {
        str(path.relative_to(ROOT)): match[0]
        for folder in ("gateway", "drivers", "config", "docs", "benchmarks", "demo", "systemd")
        for path in texts(folder)
        if (match := gone.search(path.read_text()))
    }
    assert not again, f"struck names are back: {again} (now {NOWHERE})"


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".py", "beams = 1"),
        (".py", 'x = {"beams": 1}'),
        (".py", '"""The `beams` of a portal."""'),
        (".py", "x = 1  # ``beams``"),
        (".json", '{"const": "beam-stuck"}'),
        (".json", '{"beams": 1}'),
        (".yaml", "  - beams:\n"),
        (".md", "the alarm `beam-stuck`"),
    ],
)
def test_struck_names_are_found(suffix, text):
    words = {word for name in names_in(suffix, text) for word in words_of(name)}
    assert words & {"beams", "beam"}


@pytest.mark.parametrize("name", ["photo_eyes", "photo-eyes", "set-aside", "history.db.aside"])
def test_names_in_another_sense_are_let_be(name):
    assert not words_of(name) & {"eyes", "aside"}


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


RIDDLE = re.compile(r"(?:It|Its|They|Their|Them|These|Those|Of|The same, |The same for|All of them)\b")
"""Beginnings of docstrings that do not say what the thing is."""


def test_docstrings_begin_with_what_the_thing_is():
    named = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        f"{name}.{node.name}: {said}"
        for root in ("gateway", "drivers", "benchmarks", "demo")
        for name, path in modules(root).items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, named) and node.name[0] != "_" and RIDDLE.match(said := ast.get_docstring(node) or "")
    ]
    assert not found, f"say in the first words what the thing is: {found}"
