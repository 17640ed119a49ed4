"""Before the van: what is wrong with a delivery is said when its manifest comes, and again when that changes."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from gateway.events.gate_models import GateData
from gateway.floor.gate import Gate, in_turn, precheck
from tests.support.gate_scene import alarms, at, command, config, elapse, kinds, manifest, run, state_of, transit, uid

GATE_EVENT: TypeAdapter[Any] = TypeAdapter(GateData)


def prechecks(facts):
    found = [fact.data for fact in facts if fact.data.get("gate") == "precheck"]
    for data in found:
        GATE_EVENT.validate_python(json.loads(json.dumps(data)))
    return found


def test_every_line_is_judged_as_soon_as_the_manifest_is_there():
    gate = Gate(config())
    facts = run(gate, [manifest(0, {"1": {}, "2": {"record": {"hold": True}}, "3": {"lab": None}})])
    (said,) = prechecks(facts)
    assert (said["lines"], said["blocked"], said["unknown"], said["why"]) == (3, 1, 1, "manifest")
    assert [(item["uid"], item["verdict"].split(" (")[0]) for item in said["items"]] == [
        (uid(2), "blocked: hold"),
        (uid(3), "blocked: unknown"),
        (uid(1), "not loaded"),
    ]
    assert gate.state("dock-1")["lamp"] == "off", "it is no verdict"


def test_it_is_said_again_when_a_fact_changes_and_not_otherwise():
    gate = Gate(config())
    run(gate, [manifest(0, [1, 2])])
    assert prechecks(run(gate, [manifest(5, [1, 2], version=2, as_of=5)])) == []
    (said,) = prechecks(run(gate, [command(10, "watch", list="hold", uids=[uid(2)])]))
    assert (said["why"], said["blocked"], said["items"][0]["uid"]) == ("watch list", 1, uid(2))
    assert prechecks(run(gate, [command(11, "watch", list="hold", mode="add", uids=[uid(9)])])) == []
    (said,) = prechecks(run(gate, [command(12, "watch", list="hold", uids=[])]))
    assert said["blocked"] == 0
    (said,) = prechecks(run(gate, [manifest(20, {"1": {"record": {"recall": True}}, "2": {}}, version=3)]))
    assert (said["version"], said["blocked"]) == (3, 1)


def test_what_is_being_loaded_is_the_session_s_to_say_and_what_is_done_is_done():
    gate = Gate(config())
    run(gate, [manifest(0, [1]), command(1, "gate.open", dock="dock-1"), transit(3, 1)])
    watched = run(gate, [command(4, "watch", list="hold", uids=[uid(1)])])
    assert kinds(watched) == ["watch-changed", "revised"]
    run(gate, [command(5, "watch", list="hold", uids=[]), command(6, "gate.close", dock="dock-1")])
    elapse(gate, at(30))
    assert prechecks(run(gate, [command(40, "watch", list="hold", uids=[uid(1)])])) == []
    assert alarms(watched) == []


def test_a_restart_repeats_nothing():
    gate = Gate(config())
    run(gate, [manifest(0, {"1": {"record": {"hold": True}}})])
    again = Gate(config())
    again.load(state_of(gate))
    assert prechecks(run(again, [command(5, "watch", list="customs", uids=[uid(9)])])) == []
    older = state_of(gate)
    del older["docks"]["prechecks"]
    Gate(config()).load(older)


def test_many_deliveries_are_looked_at_a_portion_at_a_time(monkeypatch):
    """Whether it is restarted between portions or not."""
    monkeypatch.setattr(in_turn, "LINES", 3)
    gate = Gate(config())
    run(gate, [manifest(0, [2 * n, 2 * n + 1], name=f"M{n}", dock=None) for n in range(5)])
    first = prechecks(run(gate, [command(10, "watch", list="hold", uids=[uid(n) for n in range(10)])]))
    assert [said["manifest"] for said in first] == ["M0", "M1"]
    again = Gate(config())
    again.load(state_of(gate))
    second = prechecks(run(gate, [manifest(10.1, {"9": {}, "8": {"lab": None}}, name="M4", dock=None, version=2)]))
    assert [said["manifest"] for said in second] == ["M4"], "a manifest that comes is looked at at once"
    rest = elapse(gate, at(11))
    assert [said["manifest"] for said in prechecks(rest)] == ["M2", "M3"]
    assert [said["manifest"] for said in prechecks(elapse(again, at(11)))] == ["M2", "M3", "M4"]
    assert gate.due > at(60)


def test_a_long_delivery_is_said_in_parts(monkeypatch):
    monkeypatch.setattr(precheck, "PART", 2)
    said = prechecks(run(Gate(config()), [manifest(0, {"1": {}, "2": {}, "3": {"record": {"hold": True}}})]))
    assert [(part["part"], part["parts"], len(part["items"])) for part in said] == [(1, 2, 2), (2, 2, 1)]
    assert said[0]["items"][0]["uid"] == uid(3), "what may not leave comes first"


def test_what_has_changed_while_it_was_loading_is_said_when_its_session_is_over():
    gate = Gate(config())
    run(gate, [manifest(0, [1, 2]), command(1, "gate.open", dock="dock-1")])
    run(gate, [command(2, "watch", list="hold", uids=[uid(1)])])
    again = Gate(config())
    again.load(state_of(gate), at(2))
    run(again, [command(3, "gate.close", dock="dock-1")])
    (said,) = prechecks(elapse(again, at(30)))
    assert (said["blocked"], said["why"]) == (1, "watch list")
    assert [one["blocked"] for one in again.state("dock-1")["pending"]] == [1]
    run(again, [command(40, "gate.open", dock="dock-1"), command(41, "gate.close", dock="dock-1")])
    assert prechecks(elapse(again, at(60))) == [], "nothing has changed"
