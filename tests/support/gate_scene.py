"""A site with two docks, manifests in short, and a gate that is fed from cases written down as JSON lines.

A package is a number; its UID is made of it. In `manifest_args` each line is a good one (fresh facts, nothing against
it) with changes: a value of None takes a fact away.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from gateway.clock import SECOND, rfc3339
from gateway.config import Config
from gateway.events.envelope import ALARM, GATE, Fact
from gateway.floor.gate import Gate
from gateway.floor.passes import Direction, Pass
from gateway.inputs import Command
from tests.support.history_events import pass_evidence

T0 = 1_771_060_000 * SECOND


def at(seconds: float) -> int:
    return T0 + round(seconds * SECOND)


def uid(number: int) -> str:
    return f"1A4060300048D3D0{number:08X}"


def number(text: str) -> int:
    return int(text[-8:], 16)


DOCKS: list[dict[str, Any]] = [
    {
        "id": f"dock-{n}",
        "portal": f"portal-{n}",
        "door": {"reader": "r1", "port": n},
        "settle": 2.0,
        "lights": {
            colour: {"reader": "r1", "port": 10 * n + index}
            for index, colour in enumerate(("red", "amber", "green", "buzzer"))
        },
        "interlock": {"reader": "r2", "port": n, "on": False},
    }
    for n in (1, 2)
]
WATCH = [
    {"name": "hold", "forbidden": ["dock"], "repeat": 60.0},
    {"name": "destroyed", "repeat": 60.0},
    {"name": "quarantine", "allowed": ["cage"], "repeat": 60.0},
    {"name": "customs", "forbidden": ["dock"], "repeat": 60.0},
]


def config(**changes: Any) -> Config:
    content: dict[str, Any] = {
        "site": "site",
        "gateway": "gw",
        "zones": [{"id": "vault"}, {"id": "cage"}, {"id": "dock"}],
        "readers": [
            {"id": "r1", "driver": "llrp", "antennas": [{"port": 1, "zone": "vault"}, {"port": 2, "zone": "cage"}]},
            {"id": "r2", "driver": "llrp", "antennas": [{"port": 1, "zone": "dock"}]},
        ],
        "docks": DOCKS,
        "watch": WATCH,
    }
    return Config.model_validate(content | changes)


def line_args(package: int, changes: Mapping[str, Any] | None = None, as_of: float = 0.0) -> dict[str, Any]:
    """A line against which nothing stands, with `changes` merged in."""
    moment = rfc3339(at(as_of))
    good: dict[str, Any] = {
        "uid": uid(package),
        "product": f"Product {package}",
        "category": "Edible (each)",
        "quantity": 48.0,
        "unit": "Each",
        "batch": f"B-{package}",
        "lab_state": "TestPassed",
        "record": {
            "as_of": moment,
            "lab_state": "TestPassed",
            "location": "Dock 3 Staging",
            "hold": [],
            "recall": [],
            "investigation": [],
            "finished": [],
            "destroyed": False,
        },
        "lab": {
            "as_of": moment,
            "required": ["Category I Residual Pesticides (required)"],
            "results": [result()],
        },
    }
    return _merged(good, changes or {})


def result(**changes: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "test": "Category I Residual Pesticides",
        "performed": "2026-02-06",
        "passed": True,
        "released": True,
        "revoked": False,
        "document": "410031",
    }
    return good | changes


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged


def manifest_args(
    lines: Mapping[Any, Any] | Iterable[int] = (),
    *,
    name: str = "M1",
    version: int = 1,
    delivery: str = "D1",
    dock: str | None = "dock-1",
    direction: str = "out",
    as_of: float = 0.0,
    deliveries: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A manifest with one delivery of `lines` (package to changes), or with `deliveries` (name to such arguments)."""
    stops = deliveries if deliveries is not None else {delivery: {"dock": dock, "lines": lines}}
    return {
        "manifest": name,
        "version": version,
        "direction": direction,
        "as_of": rfc3339(at(as_of)),
        "source": "test",
        "deliveries": [
            {
                "delivery": stop,
                "dock": content.get("dock"),
                "recipient": "Example Retail Inc.",
                "lines": [
                    line_args(int(package), changes, as_of) for package, changes in _numbered(content["lines"]).items()
                ],
            }
            for stop, content in stops.items()
        ],
    }


def _numbered(lines: Any) -> dict[Any, Any]:
    return dict(lines) if isinstance(lines, Mapping) else {package: {} for package in lines}


def command(seconds: float, name: str, **args: Any) -> Command:
    return Command(at(seconds), name, args)


def manifest(seconds: float, *args: Any, **changes: Any) -> Command:
    return Command(at(seconds), "manifest", manifest_args(*args, **changes))


def transit(seconds: float, package: int, direction: str = "out", dock: str = "dock-1", last: float = 1.0) -> Pass:
    """A pass that ends at `seconds`."""
    portal = dock.replace("dock", "portal")
    start, end = at(seconds - last), at(seconds)
    return Pass(uid(package), portal, Direction(direction), start, end, 0.97, None, pass_evidence(end))


def run(gate: Gate, items: Iterable[Any]) -> list[Fact]:
    """Feeds commands and passes, letting what is due fire before each."""
    facts: list[Fact] = []
    for item in items:
        facts += elapse(gate, item.end if isinstance(item, Pass) else item.t)
        facts += gate.passed(item) if isinstance(item, Pass) else gate.command(item)
    return facts


def elapse(gate: Gate, t: int) -> list[Fact]:
    facts: list[Fact] = []
    while (due := gate.due) <= t:
        facts += gate.fire(due)
    return facts


def kinds(facts: Iterable[Fact]) -> list[str]:
    return [fact.data.get("gate") or fact.data["alarm"] for fact in facts]


def verdicts(facts: Iterable[Fact]) -> list[dict[str, Any]]:
    return [fact.data for fact in facts if fact.type == GATE and fact.data["gate"] == "verdict"]


def alarms(facts: Iterable[Fact]) -> list[dict[str, Any]]:
    return [fact.data for fact in facts if fact.type == ALARM]


def in_short(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """A verdict as cases write it: packages by number."""
    short: dict[str, Any] = {key: verdict[key] for key in ("dock", "manifest", "delivery", "version", "outcome")}
    for name in ("matched", "missing", "extra", "returned", "undetermined"):
        if verdict[name]:
            short[name] = [number(item["uid"]) for item in verdict[name]]
    if verdict["blocked"]:
        short["blocked"] = {str(number(item["uid"])): item["verdict"] for item in verdict["blocked"]}
    return short


# ---- cases in files


def read_case(folder: Path) -> Iterator[dict[str, Any]]:
    for text in (folder / "inputs.jsonl").read_text().splitlines():
        if text.strip():
            yield json.loads(text)


def play(gate: Gate, step: Mapping[str, Any]) -> list[Fact]:
    """One line of a case, with what falls due before it."""
    t = at(step["t"])
    facts = elapse(gate, t)
    if "manifest" in step:
        content = dict(step["manifest"])
        lines = content.pop("lines", ())
        facts += gate.command(Command(t, "manifest", manifest_args(lines, **content)))
    elif "command" in step:
        args = {key: value for key, value in step["command"].items() if key != "name"}
        if "packages" in args:
            args["uids"] = [uid(package) for package in args.pop("packages")]
        facts += gate.command(Command(t, step["command"]["name"], args))
    elif "pass" in step:
        for package in step["packages"]:
            facts += gate.passed(transit(step["t"], package, step["pass"], step.get("dock", "dock-1")))
    elif "door" in step:
        port = int(step["door"].removeprefix("dock-"))
        facts += gate.input_changed("r1", port, step["open"], t)
    elif "expect" in step:
        state = gate.state(step["expect"].get("dock", "dock-1"))
        assert state["lamp"] == step["expect"]["lamp"], f"at {step['t']} s: {state}"
    return facts


def state_of(gate: Gate) -> Any:
    """What a checkpoint holds of a gate, as a start reads it."""
    return orjson.loads(orjson.dumps(gate.dump()))
