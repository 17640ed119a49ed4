"""Names in the sections of the dock gate that must be elsewhere in the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.checks import gate_problems
from tests.support.gate_scene import DOCKS, config

PORTALS: list[dict[str, Any]] = [{"id": f"portal-{n}", "inside": "dock", "outside": None} for n in (1, 2)]


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
    ],
)
def test_names_that_lead_nowhere(changes, path, words):
    assert (path, words) in list(gate_problems(config(**({"portals": PORTALS} | changes))))
