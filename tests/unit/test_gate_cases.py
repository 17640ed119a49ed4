"""The dock gate on cases: what happens at the docks, line by line, and the verdicts that it must come to.

Each folder of tests/gate_cases has `inputs.jsonl`, `verdict.json` and, where the site differs, `config.yaml`;
tests/support/gate_scene.py says what the lines mean. Every case is played three times: as it is, with a restart after
every line, and with every fact held against the published model.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from gateway.events.envelope import ALARM
from gateway.events.gate_alarms import GateAlarm
from gateway.events.gate_models import GateData
from gateway.floor.gate import Gate
from tests.support.gate_scene import config, in_short, play, read_case, state_of, verdicts

CASES = sorted(Path(__file__).parents[1].joinpath("gate_cases").iterdir())
ALARMS: TypeAdapter[Any] = TypeAdapter(GateAlarm)
EVENTS: TypeAdapter[Any] = TypeAdapter(GateData)
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def site(case: Path):
    path = case / "config.yaml"
    return config(**(YAML(typ="safe").load(path) if path.exists() else {}))


def plain(verdict):
    """Times are not what a case is about."""
    return json.loads(TIME.sub("T", json.dumps(verdict)))


def played(case: Path, *, restarts: bool = False):
    gate, facts = Gate(site(case)), []
    for step in read_case(case):
        facts += play(gate, step)
        if restarts:
            saved = state_of(gate)
            gate = Gate(site(case))
            gate.load(saved)
            assert state_of(gate) == saved
    return facts


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case):
    wanted = json.loads((case / "verdict.json").read_text())
    assert [plain(in_short(verdict)) for verdict in verdicts(played(case))] == wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_restart_after_every_line_changes_nothing(case):
    assert played(case, restarts=True) == played(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_facts_are_as_published(case):
    for fact in played(case):
        json.dumps(fact.data)
        if fact.type == ALARM:
            ALARMS.validate_python(fact.data)
        else:
            EVENTS.validate_python(fact.data)
