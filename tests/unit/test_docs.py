"""The pages say what is so: links and files that exist, settings, commands and figures that the code has."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from drivers import backoff
from drivers.llrp import transport as llrp
from drivers.serial import family
from gateway import cli
from gateway.clock import SECOND
from gateway.config import Config, yaml
from gateway.config.messages import models_in
from gateway.events.gate_models import GateKind
from gateway.floor import admission, floor, tags
from gateway.floor.books import commands as books
from gateway.floor.counts import counts, expected, plan, report, run, sessions
from gateway.floor.counts import levels as count_levels
from gateway.floor.gate import catalogue, manifest, precheck, shipped, staging
from gateway.floor.gate.rules import RULES
from gateway.floor.presence import contest, silence, strays
from gateway.history import questions
from gateway.ledger import start_note
from gateway.ops import health
from gateway.readers import supervisor
from gateway.service import alarms, commands, event_clock, leaving_out, pipeline, reload
from gateway.sources.metrc import http
from gateway.web import actions, attempts, difference_views, hub, server, set_view, tokens

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def word(number: float) -> str:
    """A small number as the pages write it."""
    words = {0.5: "half", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 8: "eight", 10: "ten"}
    return words[number]


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What `#` may be followed by, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" not in target:
            name, _, anchor = target.partition("#")
            there = page.parent / name if name else page
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target


BASES = ("", "gateway", "gateway/floor", "gateway/floor/portals", "gateway/mqtt", "docs")
"""Folders that paths in the pages begin in."""

NO_FILES = re.compile(
    r"\{root\}/|rfid/|events/|state/|cmd/|res/|done/|(?:pass|presence|count)/\d|.*NAME|(?:frames|session|settings)\.py"
)
"""Topics, versions of algorithms, folders that the service makes, and files of a family of which there are several."""


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_files_that_a_page_names_exist(page):
    missing = []
    for name in re.findall(r"`([\w./*{}<>,-]+/[\w./*{}<>,-]*|[\w-]+\.py)`", prose(page)):
        pattern = re.sub(r"<\w+>|\{[^}]*\}", "*", name).rstrip("/")
        if name[0] not in "/." and not NO_FILES.match(name) and not any(any((ROOT / b).glob(pattern)) for b in BASES):
            missing.append(name)
    assert missing == []


def settings_of(model: Any, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in models_in(field.annotation):
            yield from settings_of(inner, f"{prefix}{name}.")


def test_settings_that_a_page_names_exist():
    known = {*settings_of(Config), *commands_of_the_gate()}
    beside = re.compile(r"gateway\.yaml|ledger\.db.*|floor\.py")
    wrong = [
        (ids(page), name)
        for page in PAGES
        for name in re.findall(r"`([a-z_]+(?:\[\])?(?:\.[a-z_\[\]]+)+)(?::[^`]*)?`", prose(page))
        if (plain := name.replace("[]", "")).split(".")[0] in Config.model_fields
        and plain not in known
        and not beside.fullmatch(name)
    ]
    assert wrong == []


def commands_of_the_gate() -> set[str]:
    return {name for name in admission.COMMANDS if name.startswith("gate.")}


def test_the_page_about_the_configuration_says_what_a_reload_changes():
    text = " ".join((ROOT / "docs" / "configuration.md").read_text().split())
    (listed,) = re.findall(r"Changes to (.*?) take effect at once", text)
    assert set(re.findall(r"`(\w+)`", listed)) == set(Config.model_fields) - set(reload._FIXED)
    for section in Config.model_fields:
        assert re.search(rf"\*\*(\w+, )*{section}\b|`{section}`", text), section


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(action.choices)


def test_every_subcommand_is_in_the_readme_and_those_of_the_pages_exist():
    known = subcommands(cli._parser())
    readme = (ROOT / "README.md").read_text()
    assert [name for name in known if not re.search(rf"rfid-gateway {name}\b|`{name}`", readme)] == []
    unit = ROOT / "systemd" / "rfid-gateway.service"
    for page in [*PAGES, ROOT / "config" / "example.yaml", unit]:
        for name in re.findall(r"(?:`|bin/)rfid-gateway ([a-z]+)", page.read_text()):
            assert name in known, (ids(page), name)


def test_targets_of_make_that_the_pages_name_exist():
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"[`=.a-z-]*make ([a-z-]+)`", page.read_text())}
    assert named
    assert named <= known


def test_modules_that_the_pages_run_exist():
    run = re.compile(r"python -m ((?:gateway|benchmarks|tests)[\w.]*)")
    paths = {ROOT / name.replace(".", "/") for page in PAGES for name in run.findall(page.read_text())}
    assert paths
    assert [it for it in paths if not it.with_suffix(".py").exists() and not (it / "__main__.py").exists()] == []


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *(line for lines in extras.values() for line in lines), *extras]
    assert [name for line in needed if (name := re.split("[><=]", line)[0]) not in page] == []


def test_how_many_families_of_serial_readers_there_are():
    many = f"{word(len(family.families()))} families of"
    assert many in (ROOT / "README.md").read_text()
    assert many in (ROOT / "docs" / "serial.md").read_text()


def test_the_memory_of_the_unit_is_that_of_the_table():
    table = (ROOT / "docs" / "reliability.md").read_text().split("| megabytes |")[1].split("\n\n")[0]
    rows = [int(number) for number in re.findall(r"\| (\d+) \|$", table, re.MULTILINE)]
    assert sum(rows[:-1]) == rows[-1]
    unit = (ROOT / "systemd" / "rfid-gateway.service").read_text()
    added = unit.split("# The bounds added up")[1].split("# Above High")[0]
    said = [int(number) * (2 if twice else 1) for twice, number in re.findall(r"(twice )?\b(\d+) MB", added)]
    assert len(said) >= 5
    assert abs(sum(said) - rows[-1]) <= 5


def test_rules_and_kinds_of_the_gate_are_on_its_page():
    page = (ROOT / "docs" / "gate.md").read_text()
    told = set(re.findall(r"`([\w-]+)`", page))
    assert {*RULES, *GateKind.__args__} - told == set()


def words_of(kind: str, name: str) -> set[str]:
    """The words that a field of an event may have, from its schema."""
    found: set[str] = set()
    schema = json.loads((ROOT / "config" / "events" / f"{kind}.v1.schema.json").read_text())
    for definition in schema["$defs"].values():
        field = definition.get("properties", {}).get(name, {})
        found |= set(field.get("enum", ())) | ({field["const"]} if "const" in field else set())
    return found


@pytest.mark.parametrize(
    ("kind", "field", "pages"),
    [("alarm", "alarm", "operations.md"), ("movement", "movement", "[fp]*.md")],
)
def test_words_of_events_are_on_their_page(kind, field, pages):
    text = " ".join(path.read_text() for path in (ROOT / "docs").glob(pages))
    words = words_of(kind, field)
    assert words
    assert [word for word in words if f"`{word}`" not in text] == []


def words_of_schemas() -> Iterator[tuple[str, str]]:
    """Each word that a field of an event or a state may have that says how something is or why, and its schema."""

    def walk(found: Any, name: str) -> Iterator[tuple[str, str]]:
        for key, inner in found.items() if isinstance(found, dict) else enumerate(found):
            if name in ("status", "state", "cause", "quality") and key in ("enum", "const"):
                yield from ((name, word) for word in ([inner] if key == "const" else inner))
            elif isinstance(inner, dict | list):
                yield from walk(inner, key if isinstance(key, str) and key not in ("anyOf", "items") else name)

    for path in sorted((ROOT / "config").glob("*/*.schema.json")):
        yield from ((path.name, word) for _, word in walk(json.loads(path.read_text()), ""))


def conditions() -> set[str]:
    """The words of all conditions that drivers state: in the calls that state one, by name or as they are."""
    found: set[str] = set()
    for path in (ROOT / "drivers").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            inside = list(ast.walk(function))
            calls = [ast.unparse(node.func).rpartition(".")[2] for node in inside if isinstance(node, ast.Call)]
            if not {"ReaderCondition", "condition"} & set(calls):
                continue
            names = {node.id for node in inside if isinstance(node, ast.Name) and node.id.isupper()}
            found |= {vars(importlib.import_module(module)).get(name) for name in names}
            found |= {node.value for node in inside if isinstance(node, ast.Constant)}
    return {
        word
        for word in found
        if isinstance(word, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+|hot|throttled|exception", word)
    }


def test_words_that_say_how_something_is_are_explained():
    """In the tables, or in words of a page, where somebody looks who meets them in a payload."""
    text = " ".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    words = {(name, word) for name, word in words_of_schemas() if re.fullmatch(r"[a-z]+(-[a-z]+)*", word)}
    assert {("reader.schema.json", "catching-up"), ("clock-step.v1.schema.json", "behind")} <= words
    assert [(name, word) for name, word in sorted(words) if f"`{word}`" not in text] == []


def test_conditions_of_readers_are_in_the_table():
    table = (ROOT / "docs" / "mqtt.md").read_text().split("| condition |")[1].split("\n\n")[0]
    listed = {word for row in table.splitlines()[2:] for word in re.findall(r"`([a-z-]+)`", row.split("|")[1])}
    assert len(listed) >= 12
    assert conditions() - set(alarms.CAUSES) == listed


def test_causes_of_losses_have_words_and_are_in_the_handbook():
    table = (ROOT / "docs" / "operations.md").read_text().split("| `cause` |")[1].split("\n\n")[0]
    assert set(re.findall(r"`([a-z]+-[a-z-]+)`", table)) == set(alarms.CAUSES)
    code = "".join(path.read_text() for folder in ("gateway", "drivers") for path in (ROOT / folder).rglob("*.py"))
    stated = set(re.findall(r'(?:ReaderLoss|_loss|_lost)\((?:[^()"]|\([^()]*\))*"([a-z-]+)"', code))
    assert len(stated) >= 8
    assert stated <= set(alarms.CAUSES)


FIGURES = {
    "books.md": [f"{books.MAX_PACKAGES:,} packages each"],
    "configuration.md": [f"{yaml.MAX_BYTES >> 10} KiB"],
    "counts.md": [
        f"after {word(run.QUIET_ROUNDS)} rounds in a row", f"not before {word(run.FEWEST_ROUNDS)} rounds",
        f"after {word(sessions.LONGEST // SECOND // 3600)} hours",
        f"follows in {plan.RETRY_POOR // SECOND // 60} minutes",
        f"duty of at least {plan.GOOD_DUTY}", f"more than {run.MAX_FOLLOWED:,} tags",
        f"at least {run.COME_BACK} rounds",
        f"at most {run.STILL_COMING:.0%}".replace("%", " %"), f"hold {expected.MAX_EXPECTED:,} UIDs",
        f"cut at {report.MAX_DETAILS:,} tags", f"at {report.MAX_UIDS:,}.",
        f"fewer than {count_levels.FEWEST_TAGS} tags",
    ],
    "floor.md": [
        f"{strays.MAX_TAGS:,} live tags", f"{silence.MAX_GONE:,} departed", f"{tags.MAX_FOREIGN:,} foreign tags",
        f"{floor.MAX_PENDING:,} waiting news", f"{counts.MAX_RUNNING} counts on command",
        f"in {word(contest.LEAST_WINDOWS)} windows or more", f"below {contest.OPENING:g} dB s",
    ],
    "gate.md": [
        f"{manifest.MAX_LINES:,} lines a manifest", f"{catalogue.MAX_MANIFESTS} manifests",
        f"{catalogue.MAX_LINES:,} lines in all", f"{shipped.MAX_SHIPPED:,} packages",
        f"more than {precheck.PART} lines",
        f"{word(staging.SETTLE // SECOND)} seconds after something has moved", f"pages of {http.PAGE_SIZE}",
        f"tried {word(http.ATTEMPTS)} times", f"within {commands._SAFE_WITHIN:g} s",
    ],
    "history.md": [f"over MQTT {commands._ANSWERED}", f"within {word(questions.ACCESS_NEAR // SECOND // 60)} minutes"],
    "ledger.md": [
        f"{pipeline._EVENTS:,} facts have come", f"slices of {pipeline._SLICE} chunks", "Sixteen segments",
    ],
    "llrp.md": [
        f"up to {llrp.MAX_EARLY_ROWS:,} reads", f"up to {word(backoff.CAP / 60)} a minute",
        f"up to {word(supervisor.STEADY / 3600)} an hour",
    ],
    "operations.md": [
        f"{health.TURN_LIMIT:g} s | {health.TURN_LIMIT:g} s", f"{health.EVENT_TIME_LIMIT:g} s and a window",
        f"{health.COMMIT_LIMIT:g} s | {health.COMMIT_LIMIT:g} s without",
        f"{health.CHECKPOINT_LIMIT:g} s | {health.HANG * health.CHECKPOINT_LIMIT:g} s",
        f"{health.PUBLISH_LIMIT:g} s | {health.HANG * health.PUBLISH_LIMIT:g} s", f"{health.HISTORY_LIMIT:g} s | never",
        f"newest {alarms.RETAINED})",
    ],
    "reliability.md": [
        f"more than {word(leaving_out.MOST)} searches, or {leaving_out.LONGEST:g} s",
        f"{word(start_note.KILLED)} starts that end", f"{word(start_note.OFTEN)} starts within an hour",
        f"{event_clock.STEP / SECOND:g} s or more is a *clock step*", f"{1e6 / event_clock.SLEW:g} ppm"],
    "web.md": [
        f"{server.MAX_STRANGERS} of those", f"{server.MAX_OF_ADDRESS} of them from one address",
        f"{server.MAX_CONNECTIONS - server.MAX_STRANGERS} of those who have", f"| live pages | {hub.MAX_STREAMS} |",
        f"every {word(hub.BEAT)} seconds", f"at most {hub.REST:g} s apart", f"up to {word(hub.SHARE)} times as long",
        f"{server.MAX_HEADERS >> 10} kB, {actions.MAX_BODY >> 10} kB", f"at least {tokens.SHORTEST} characters",
        f"{set_view.SHOWN_LINES['blocked']}, or {set_view.SHOWN_LINES['matched']} of those",
        f"{word(attempts.MAX_EACH).capitalize()} wrong tokens in a minute", f"{difference_views.SHOWN} on a page",
    ],
}  # fmt: skip
"""Figures of the pages, made of what the code has."""


@pytest.mark.parametrize("page", FIGURES)
def test_figures_are_those_of_the_code(page):
    text = (ROOT / "docs" / page).read_text()
    spaced = " ".join(text.split())
    assert [said for said in FIGURES[page] if " ".join(said.split()) not in spaced] == []


@cache
def sources() -> dict[str, str]:
    """What people write: code, tests, pages, settings, without what releases left and what tells of the past."""
    kinds = (".py", ".md", ".yaml", ".json", ".jsonl", ".toml", ".txt")
    found = [ROOT / "pyproject.toml"]
    for folder in ("gateway", "drivers", "config", "docs", "tests"):
        found += [path for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    names = {str(path.relative_to(ROOT)): path for path in found}
    beside = ("tests/fixtures/", "docs/architecture.md", "tests/unit/test_docs.py")
    return {name: path.read_text() for name, path in names.items() if not name.startswith(beside)}


FREE = "gateway/floor/* docs/* tests/unit/*"
"""Where the file that uses it, its page and its test may be."""


@pytest.mark.parametrize(
    ("row", "naming", "beside"),
    [
        ("a serial family", r"\bcf\b|\bCf[A-Z]|_cf\b", ""),
        ("a rule of the gate", r"not[_-]first[_-]to[_-]expire", ""),
        ("a type of event", r"rfid\.reconciliation|\bRECONCILIATION\b|events/reconciliation", FREE),
        ("a setting", r"\bverdict_shown\b", FREE),
    ],
)
def test_what_is_added_is_in_the_files_that_the_page_says(row, naming, beside):
    table = (ROOT / "docs" / "architecture.md").read_text()
    (cells,) = re.findall(rf"^\| {row} .*$", table, re.MULTILINE)
    told = [re.sub(r"<\w+>", "cf", name).rstrip("/") for name in re.findall(r"`([\w./<>-]+)`", cells)]
    told = [f"{base}{name}" for name in told for base in ("", "gateway/")] + beside.split()
    found = [name for name, text in sources().items() if re.search(naming, text) or re.search(naming, name)]
    assert len(found) >= 4
    assert [n for n in found if not any(fnmatch(n, t) or fnmatch(n, f"{t}/*") for t in told)] == []
