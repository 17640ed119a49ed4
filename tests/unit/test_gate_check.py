"""Names in the sections of the dock gate that must be elsewhere in the configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Config
from gateway.config.checks import gate_problems
from tests.support.gate_scene import DOCKS, config

PORTALS: list[dict[str, Any]] = [{"id": f"portal-{n}", "inside": "dock", "outside": None} for n in (1, 2)]


METRC = {"url": "https://api-co.metrc.com", "license": "1", "vendor_key_file": "/k/v", "user_key_file": "/k/u"}


def test_a_good_configuration_has_no_problems():
    watch = [{"name": "hold", "forbidden": ["dock", "portal-1"]}]
    assert list(gate_problems(config(portals=PORTALS, watch=watch))) == []


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"portals": []}, ("docks", 0, "portal"), "there is no portal `portal-1`: describe it under `portals`"),
        ({"portals": PORTALS[:1]}, ("docks", 1, "portal"), "there is no portal `portal-2`: did you mean `portal-1`?"),
        (
            {"docks": [DOCKS[0] | {"door": {"reader": "r11", "port": 1}}]},
            ("docks", 0, "door", "reader"),
            "there is no reader `r11`: did you mean `r1`?",
        ),
        (
            {"docks": [DOCKS[0] | {"lights": {"red": {"reader": "x", "port": 1}}}]},
            ("docks", 0, "lights", "red", "reader"),
            "there is no reader `x`: write one of r1, r2",
        ),
        (
            {"docks": [DOCKS[0] | {"interlock": {"reader": "x", "port": 1}}]},
            ("docks", 0, "interlock", "reader"),
            "there is no reader `x`: write one of r1, r2",
        ),
        (
            {"watch": [{"name": "hold", "forbidden": ["dock", "docks"]}]},
            ("watch", 0, "forbidden", 1),
            "there is no zone or portal `docks`: did you mean `dock`?",
        ),
        (
            {"watch": [], "manifests": {"metrc": METRC | {"hold_list": "hold"}}},
            ("manifests", "metrc", "hold_list"),
            "there is no watch list `hold`: describe it under `watch`",
        ),
    ],
)
def test_names_that_lead_nowhere(changes, path, words):
    assert (path, words) in list(gate_problems(config(**({"portals": PORTALS} | changes))))


def test_a_remedy_names_a_section_that_exists():
    found = set[str]()
    for path in (Path(__file__).resolve().parents[2] / "gateway").rglob("*.py"):
        found |= set(re.findall(r"(?:add|describe) it under `([a-z_.]+)`", path.read_text()))
    assert {"watch", "books.sources", "portals"} <= found
    assert {name.partition(".")[0] for name in found} <= Config.model_fields.keys()
