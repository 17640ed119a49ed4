"""Passes that are judged after the session in whose time they were has ended."""

from __future__ import annotations

import pytest

from gateway.floor.gate import Gate
from tests.support.gate_scene import (
    alarms,
    at,
    command,
    config,
    elapse,
    kinds,
    manifest,
    run,
    state_of,
    transit,
    verdicts,
)

BEFORE = [
    manifest(0, [1]),
    manifest(0, [2], name="M2", dock=None),
    command(1, "gate.open", dock="dock-1", manifest="M1"),
    transit(2, 1),
    command(10, "gate.close", dock="dock-1"),
]


@pytest.fixture
def gate() -> Gate:
    """Dock 1 after the session of M1, in that of M2."""
    made = Gate(config())
    run(made, BEFORE)
    elapse(made, at(20))
    run(made, [command(30, "gate.open", dock="dock-1", manifest="M2")])
    restarted = Gate(config())
    restarted.load(state_of(made), at(31))
    return restarted


def test_what_left_in_the_time_of_the_session_before_is_not_on_this_van_and_is_an_alarm(gate: Gate) -> None:
    facts = gate.passed(transit(9, 2))
    assert [alarm["alarm"] for alarm in alarms(facts)] == ["no-session"]
    assert alarms(facts)[0]["reason"].endswith("left through dock dock-1 before its session began")
    assert kinds(facts) == ["no-session"]
    run(gate, [command(40, "gate.close", dock="dock-1")])
    (verdict,) = verdicts(elapse(gate, at(50)))
    assert [item["uid"] for item in verdict["missing"]] == [transit(9, 2).uid]


def test_what_left_after_it_and_before_this_one_was_opened_is_on_this_van(gate: Gate) -> None:
    (item,) = gate.passed(transit(29, 2))
    assert item.data["status"] == "matched"


def test_a_delivery_that_goes_on_has_what_passed_in_the_time_of_its_session_before() -> None:
    made = Gate(config())
    run(made, [manifest(0, [1, 2]), *BEFORE[2:]])
    elapse(made, at(20))
    run(made, [command(30, "gate.open", dock="dock-1", manifest="M1")])
    (item,) = made.passed(transit(9, 2))
    assert item.data["status"] == "matched"
