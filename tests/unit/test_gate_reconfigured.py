"""The gate under another configuration, or another date, than that under which its packages were judged."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gateway.clock import SECOND
from gateway.config import Config
from gateway.floor.gate import Gate
from tests.support.gate_scene import (
    DOCKS,
    at,
    command,
    config,
    elapse,
    in_short,
    kinds,
    manifest,
    run,
    state_of,
    transit,
    uid,
    verdicts,
)

LOADING = [manifest(0, [1, 2], dock=None), command(1, "gate.open", dock="dock-1", manifest="M1"), transit(2, 1)]


def loading(made: Config | None = None, *more: Any) -> Gate:
    """A gate in whose session package 1 of two was loaded."""
    gate = Gate(made or config())
    run(gate, [*LOADING, *more])
    return gate


def under(gate: Gate, made: Config, seconds: float) -> Gate:
    """The gate as it goes on under another configuration."""
    successor = Gate(made)
    successor.load(state_of(gate), at(seconds))
    return successor


def renamed() -> Config:
    docks = copy.deepcopy(DOCKS)
    docks[0]["id"] = "dock-one"
    return config(docks=docks)


def test_a_session_whose_dock_is_gone_ends_in_a_verdict_and_its_delivery_goes_on_elsewhere():
    gate = under(loading(), renamed(), 5)
    (said,) = verdicts(elapse(gate, at(6)))
    assert in_short(said) | {"missing": [2], "matched": [1]} == in_short(said)
    assert (said["outcome"], said["closed_by"], said["closed_why"]) == ("incomplete", "gateway", "dock removed")
    opened, *_ = run(gate, [command(7, "gate.open", dock="dock-2", manifest="M1")])
    assert opened.data["carried"] == 1
    closed = run(gate, [transit(8, 2, dock="dock-2"), command(9, "gate.close", dock="dock-2")])
    assert verdicts(closed + elapse(gate, at(20)))[0]["outcome"] == "complete"


def test_what_nobody_has_seen_the_end_of_is_never_complete():
    gate = under(loading(None, transit(3, 2)), renamed(), 5)
    assert verdicts(elapse(gate, at(6)))[0]["outcome"] == "incomplete"


def test_what_left_with_a_session_whose_dock_is_gone_leaves_no_second_time():
    gate = under(loading(), renamed(), 5)
    run(gate, [manifest(10, [1], name="M2", dock="dock-2", as_of=10)])
    *_, item = run(gate, [command(11, "gate.open", dock="dock-2", manifest="M2"), transit(12, 1, dock="dock-2")])
    assert "left with delivery D1 of manifest M1" in item.data["item"]["verdict"]


def test_the_verdict_of_a_dock_that_is_gone_is_said_once_also_after_a_power_cut():
    cut = under(loading(), renamed(), 5)
    (said,) = [fact for fact in elapse(under(cut, renamed(), 5), at(6)) if fact.data["gate"] == "verdict"]
    again = under(cut, renamed(), 5)
    again.apply(said.data, said.time)
    assert verdicts(elapse(again, at(6))) == []


STRICTER = [
    ({"gate": {"rules": ["manifest", "delivery"]}}, {}),
    ({"gate": {"lab_states": ["TestPassed", "RetestPassed"]}}, {"gate": {"lab_states": ["RetestPassed"]}}),
    ({}, {"gate": {"quarantine_locations": ["staging"]}}),
]


@pytest.mark.parametrize(("before", "after"), STRICTER)
def test_what_other_rules_have_judged_is_judged_again(before, after):
    held = {1: {"record": {"hold": True}}} if "rules" in before.get("gate", {}) else {1: {}}
    gate = Gate(config(**before))
    run(gate, [manifest(0, held), manifest(0, [7], name="M2"), command(1, "gate.open", dock="dock-1", manifest="M1")])
    run(gate, [transit(2, 1)])
    assert gate.state("dock-1", at(3))["session"]["ready"]
    gate = under(gate, config(**after), 3)
    facts = elapse(gate, at(4))
    assert [fact.data["why"] for fact in facts if fact.data["gate"] == "revised"] == ["configuration"]
    assert gate.state("dock-1", at(4))["lamp"] == "red"
    assert not gate.state("dock-1", at(4))["session"]["ready"]


def test_under_the_same_configuration_nothing_is_judged_again():
    gate = under(loading(), config(), 3)
    assert elapse(gate, at(4)) == []


def test_prechecks_are_by_the_rules_in_force():
    gate = Gate(config(gate={"rules": ["manifest", "delivery"]}))
    run(gate, [manifest(0, {1: {"record": {"hold": True}}})])
    (said,) = elapse(under(gate, config(), 3), at(4))
    assert (said.data["gate"], said.data["why"], said.data["blocked"]) == ("precheck", "configuration", 1)


def test_what_has_left_has_left_also_when_the_clock_is_set_by_years():
    gate = Gate(config())
    run(gate, [manifest(0, [1]), command(1, "gate.open", dock="dock-1"), transit(2, 1)])
    run(gate, [command(3, "gate.close", dock="dock-1")])
    assert verdicts(elapse(gate, at(10)))[0]["outcome"] == "complete"
    years = 20 * 365 * 86_400
    gate.redate(years * SECOND)
    late = manifest(years + 20, [1], name="M2", as_of=years + 20)
    *_, item = run(gate, [late, command(years + 21, "gate.open", dock="dock-1"), transit(years + 22, 1)])
    assert "shipped_once" in item.data["item"]["verdict"]


def test_what_was_loaded_is_not_received_when_the_manifest_comes_again_the_other_way():
    gate = loading(None, command(3, "gate.close", dock="dock-1"))
    elapse(gate, at(10))
    run(gate, [command(11, "manifest.withdraw", manifest="M1"), manifest(12, [1, 2], direction="in", as_of=12)])
    gate = under(gate, config(), 13)
    facts = run(gate, [command(14, "gate.open", dock="dock-1", manifest="M1")])
    assert [fact.data["carried"] for fact in facts if fact.data["gate"] == "opened"] == [0]


def test_what_was_received_stays_received_when_it_leaves_and_comes_back():
    line = {"record": None, "lab": None}
    gate = Gate(config())
    run(gate, [manifest(0, {1: line, 2: line}, direction="in"), command(1, "gate.open", dock="dock-1")])
    run(gate, [transit(2, 1, "in"), command(3, "gate.close", dock="dock-1")])
    elapse(gate, at(10))
    run(gate, [manifest(11, [1], name="M2", as_of=11), command(12, "gate.open", dock="dock-1", manifest="M2")])
    run(gate, [transit(13, 1), command(14, "gate.close", dock="dock-1")])
    elapse(gate, at(20))
    assert "came-back" in kinds(run(gate, [transit(30, 1, "in", dock="dock-2")]))
    run(gate, [command(31, "gate.open", dock="dock-1", manifest="M1")])
    assert [number["uid"] for number in gate.lines("dock-1")["matched"]] == [uid(1)]


def test_what_goes_out_at_a_dock_that_receives_is_an_alarm_also_where_it_was_found_outside():
    line = {"record": None, "lab": None}
    gate = Gate(config())
    run(gate, [manifest(0, {1: line}, direction="in"), command(1, "gate.open", dock="dock-1")])
    run(gate, [command(2, "reads", reader="hh", dock="dock-1", uids=[uid(1)], where="outside")])
    assert "no-session" in kinds(run(gate, [transit(4, 1, "out")]))


def test_outputs_unlit_are_those_that_let_nothing_go():
    gate = Gate(config())
    assert gate.outputs_unlit() == {(reader, port): level for reader, port, level in gate.outputs()}
    run(gate, [manifest(0, [1]), command(1, "gate.open", dock="dock-1"), transit(2, 1)])
    run(gate, [command(3, "gate.close", dock="dock-1")])
    elapse(gate, at(10))
    assert gate.state("dock-1")["lamp"] == "green"
    shining = {(reader, port) for reader, port, level in gate.outputs() if level != gate.outputs_unlit()[reader, port]}
    assert shining == {("r1", 12), ("r2", 1)}, "the green lamp and the interlock"
