"""The dock warns before it judges: what is shown of packages near an open door, and for how long."""

from __future__ import annotations

import pytest

from gateway.floor import Floor
from gateway.floor.gate import Gate, early_warning
from gateway.inputs import Command, Tick
from tests.support.floor_scene import at as floor_at
from tests.support.floor_scene import epc as floor_epc
from tests.support.floor_scene import read
from tests.support.gate_scene import at, command, config, manifest, manifest_args, run, state_of, transit, uid
from tests.support.portal_scene import portal_site

HELD = {1: {}, 2: {"record": {"hold": ["IsOnHold"]}}}
DOCK = {"id": "dock-1", "portal": "door", "lights": {}}


@pytest.fixture
def gate() -> Gate:
    """Loading package 1 and package 2, which is on hold, at dock-1."""
    made = Gate(config())
    run(made, [manifest(0, HELD), command(1, "gate.open", dock="dock-1", by="ann")])
    return made


def hear(gate: Gate, seconds: float, *packages: int, dock: str = "dock-1") -> list[str]:
    """What is shown once the inside antennas hear these packages."""
    gate.warnings.hear(dock, {bytes.fromhex(uid(package)) for package in packages}, at(seconds))
    return [warning["uid"] for warning in gate.state(dock)["warnings"]]


def test_what_may_leave_is_not_shown_and_what_may_not_is_with_its_reason(gate):
    assert hear(gate, 2, 1, 2, 9) == [uid(2), uid(9)]
    shown = {warning["uid"]: warning["reason"] for warning in gate.state("dock-1")["warnings"]}
    assert "hold" in shown[uid(2)]
    assert shown[uid(9)] == "on no manifest"
    assert gate.state("dock-1")["word"] == "must not leave"
    assert gate.state("dock-1")["lamp"] == "amber"


def test_it_is_cleared_when_it_goes_back(gate):
    assert hear(gate, 2, 9) == [uid(9)]
    assert hear(gate, 3.5) == [uid(9)]
    assert hear(gate, 4.5) == []
    assert gate.state("dock-1")["word"] == "loading"


def test_without_a_session_that_loads_nothing_is_shown(gate):
    assert hear(gate, 2, 9, dock="dock-2") == []
    hear(gate, 2, 9)
    assert gate.warnings.are_on
    run(gate, [command(3, "gate.close", dock="dock-1")])
    assert hear(gate, 3.1, 9) == []
    assert not gate.warnings.are_on


def test_what_a_correction_puts_on_the_manifest_is_shown_no_longer(gate):
    assert hear(gate, 2, 9) == [uid(9)]
    run(gate, [manifest(3, {**HELD, 9: {}}, version=2)])
    assert hear(gate, 3.1, 9) == []


def test_what_has_been_loaded_is_the_verdicts_and_is_not_warned_of(gate):
    assert hear(gate, 2, 9) == [uid(9)]
    run(gate, [transit(3, 9)])
    assert hear(gate, 3.1, 9) == []
    assert gate.state("dock-1")["lamp"] == "red"


def test_what_comes_back_is_warned_of_again(gate):
    hear(gate, 2, 9)
    run(gate, [transit(3, 9)])
    assert hear(gate, 3.1, 9) == []
    run(gate, [transit(4, 9, "in")])
    assert hear(gate, 4.1, 9) == [uid(9)]


def test_what_a_person_answers_for_is_shown_no_longer():
    gate = Gate(config())
    run(gate, [manifest(0, {1: {"lab": None}}), command(1, "gate.open", dock="dock-1", by="ann")])
    assert hear(gate, 2, 1) == [uid(1)]
    run(gate, [command(3, "gate.override", dock="dock-1", uid=uid(1), by="bob", reason="paper seen")])
    assert hear(gate, 3.1, 1) == []


def test_what_was_in_order_is_looked_at_again_once_its_facts_are_too_old(gate):
    assert hear(gate, 2, 1) == []
    assert hear(gate, 5 * 3600, 1) == [uid(1)]


def test_no_verdict_rests_on_a_warning(gate):
    other = Gate(config())
    run(other, [manifest(0, HELD), command(1, "gate.open", dock="dock-1", by="ann")])
    hear(gate, 2, 9)
    assert state_of(gate) == state_of(other)


@pytest.fixture
def floor() -> Floor:
    """A door with its dock, loading a delivery that names no package of the scene."""
    made = Floor(portal_site(docks=[DOCK]))
    made.feed(Tick(floor_at(0)))
    made.feed(Command(floor_at(0), "manifest", manifest_args([1])))
    made.feed(Command(floor_at(0), "gate.open", {"dock": "dock-1", "manifest": "M1", "by": "ann"}))
    for tenths in range(1, 30):
        made.feed(Tick(floor_at(tenths / 10)))
    return made


def shown(floor: Floor) -> list[str]:
    return [warning["uid"] for warning in floor.gate.state("dock-1")["warnings"]]


def test_a_read_inside_is_shown_with_the_next_tick_and_one_outside_is_not(floor):
    floor.feed(read(3.0, "r1", 2, 7))
    floor.feed(Tick(floor_at(3.1)))
    assert shown(floor) == []
    floor.feed(read(3.2, "r1", 1, 7))
    facts = floor.feed(Tick(floor_at(3.3)))
    assert shown(floor) == [floor_epc(7).hex().upper()]
    assert facts == []
    for tenths in range(34, 80):
        floor.feed(Tick(floor_at(tenths / 10)))
    assert shown(floor) == []


def test_what_is_no_stock_is_not_shown():
    made = Floor(portal_site(docks=[DOCK], tags={"include": ["1B"]}))
    made.feed(Tick(floor_at(0)))
    made.feed(Command(floor_at(0), "gate.open", {"dock": "dock-1", "by": "ann"}))
    made.feed(read(3.0, "r1", 1, 7))
    made.feed(Tick(floor_at(3.1)))
    assert shown(made) == []


def test_a_package_on_one_list_that_is_put_on_another_is_shown():
    made = Gate(config(gate={"rules": ["manifest", "delivery", "hold"]}))
    run(made, [manifest(0, [1]), command(1, "watch", list="customs", uids=[uid(1)])])
    run(made, [command(2, "gate.open", dock="dock-1")])
    assert hear(made, 3, 1) == []
    run(made, [command(4, "watch", list="hold", uids=[uid(1)])])
    assert hear(made, 5, 1) == [uid(1)]


def test_what_had_no_room_is_shown_when_there_is(gate, monkeypatch):
    monkeypatch.setattr(early_warning, "MAX_WARNINGS", 1)
    assert hear(gate, 2, 7, 8) == [uid(7)]
    assert hear(gate, 3, 8) == [uid(7)]
    assert hear(gate, 5, 8) == []
    assert hear(gate, 5.1, 8) == [uid(8)]
