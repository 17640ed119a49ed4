"""What named people state at the gate: that a package was destroyed, and that they answer for what is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import Refused
from gateway.floor.gate import Gate, unfinished
from gateway.history import text
from gateway.web.wording import shown
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
    uid,
    verdicts,
)
from tests.support.history_events import History

SAID: dict[str, Any] = {
    "uid": uid(2), "weight": 12.5, "unit": "Grams", "method": "compost",
    "by": "ann", "witness": "bob", "photo": "p/17.jpg",
}  # fmt: skip


def destroy(**changes: Any):
    return command(1, "destroy", **(SAID | changes))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"witness": " ANN "}, "another person"),
        ({"witness": ""}, "witness"),
        ({"photo": ""}, "photo"),
        ({"weight": 0.0}, "weight"),
        ({"weight": "12"}, "weight"),
        ({"method": "<script>"}, "method"),
        ({"uid": "1A40"}, None),
        ({"uid": "no EPC"}, "uid"),
        ({"by": "a\x00b"}, None),
    ],
)
def test_a_destruction_takes_two_people_a_weight_and_a_picture(changes, why):
    gate = Gate(config())
    if why is None:
        gate.admit(destroy(**changes))
    else:
        with pytest.raises(Refused, match=why):
            gate.admit(destroy(**changes))


def test_a_destruction_is_one_event_and_the_package_may_be_nowhere_from_then_on():
    gate = Gate(config())
    (said,) = run(gate, [destroy()])
    assert (said.data["gate"], said.data["by"], said.data["witness"], said.data["weight"]) == (
        "destroyed", "ann", "bob", 12.5,
    )  # fmt: skip
    assert [alarm["list"] for alarm in alarms(gate.sighted(uid(2), "vault", at(9)))] == ["destroyed"]
    with pytest.raises(Refused, match="already"):
        gate.admit(destroy())
    again = Gate(config())
    again.apply(json.loads(json.dumps(said.data)), said.time)
    assert again.watched == gate.watched, "a start that has only the events knows it too"


def test_a_destruction_needs_the_list_to_be_configured():
    with pytest.raises(Refused, match="no list 'destroyed'"):
        Gate(config(watch=[])).admit(destroy())


def test_what_was_destroyed_is_named_by_the_manifest_or_the_stock():
    gate = Gate(config())
    stock = [command(n, "stock", items=[{"uid": uid(2), "product": "Seltzer"}], by="kim") for n in (-2, -1)]
    changes = [fact.data for fact in run(gate, stock) if fact.data["gate"] == "stock-changed"]
    assert [(data["by"], data["packages"], data["added"]) for data in changes] == [("kim", 1, 1)], (
        "and nothing the second time"
    )
    run(gate, [manifest(0, [1])])
    (said,) = run(gate, [destroy()])
    assert said.data["product"] == "Seltzer"


def test_only_what_is_not_known_can_be_answered_for():
    gate = Gate(config())
    run(gate, [manifest(0, {"1": {}, "2": {"record": None}, "3": {"record": {"hold": True, "recall": None}}})])
    answer = {"dock": "dock-1", "by": "ann", "reason": "Metrc is down"}
    with pytest.raises(Refused, match="has no session"):
        gate.admit(command(1, "gate.override", uid=uid(2), **answer))
    run(gate, [command(2, "gate.open", dock="dock-1")])
    for package, why in ((1, "nothing about"), (3, "only what is not known"), (9, "on no line")):
        with pytest.raises(Refused, match=why):
            gate.admit(command(3, "gate.override", uid=uid(package), **answer))
    with pytest.raises(Refused, match="reason"):
        gate.admit(command(3, "gate.override", uid=uid(2), dock="dock-1", by="ann", reason=""))


def test_who_answers_for_a_package_does_not_answer_for_a_hold_that_comes_later():
    gate = Gate(config())
    run(gate, [manifest(0, {"2": {"record": None}}), command(1, "gate.open", dock="dock-1"), transit(2, 2)])
    run(gate, [command(3, "gate.override", dock="dock-1", uid=uid(2), by="ann", reason="Metrc is down")])
    assert gate.state("dock-1")["lamp"] == "amber"
    facts = run(gate, [command(4, "watch", list="hold", uids=[uid(2)])])
    assert kinds(facts) == ["watch-changed", "revised"]
    assert gate.state("dock-1")["lamp"] == "red"
    (verdict,) = verdicts(
        run(gate, [command(5, "gate.close", dock="dock-1"), command(60, "watch", list="hold", uids=[])])
    )
    assert (verdict["outcome"], verdict["evidence"]["overrides"][0]["by"]) == ("mismatch", "ann")


def test_an_answer_stands_in_every_later_verdict_however_many_others_were_loaded_meanwhile(monkeypatch):
    monkeypatch.setattr(unfinished, "MAX_UNFINISHED", 2)
    gate = Gate(config())
    run(gate, [manifest(0, {"2": {"record": None}}), command(1, "gate.open", dock="dock-1")])
    run(gate, [command(2, "gate.override", dock="dock-1", uid=uid(2), by="ann", reason="Metrc is down")])
    assert shown(gate.state("dock-1")).sentence == "1 still to be loaded."
    run(gate, [command(3, "gate.close", dock="dock-1")])
    for number in range(4):
        t = 10.0 + 10 * number
        other = manifest(t, [100 + number], name=f"N{number}")
        opening = command(t + 1, "gate.open", dock="dock-1", manifest=f"N{number}")
        run(gate, [other, opening, transit(t + 3, 100 + number), command(t + 4, "gate.close", dock="dock-1")])
    elapse(gate, at(60))
    again = Gate(config())
    again.load(state_of(gate))
    run(again, [manifest(61, [2], version=2, as_of=61), command(62, "gate.open", dock="dock-1", manifest="M1")])
    run(again, [transit(64, 2)])
    assert shown(again.state("dock-1")).sentence == (
        "Everything is loaded, and ann answers for what was not known. Close the session: it will not be complete."
    )
    run(again, [command(65, "gate.close", dock="dock-1")])
    (verdict,) = verdicts(elapse(again, at(80)))
    assert [item["override"]["by"] for item in verdict["matched"]] == ["ann"]
    assert verdict["outcome"] == "incomplete"
    state = again.state("dock-1")
    assert state["lamp"] == "red"
    words = "Everything is loaded, and ann answers for what was not known. That is never complete."
    assert shown(state).sentence == words


def test_an_answer_is_known_to_a_start_that_has_only_the_events():
    gate, again = Gate(config()), Gate(config())
    before = [manifest(0, {"2": {"record": None}}), command(1, "gate.open", dock="dock-1"), transit(2, 2)]
    for each in (gate, again):
        run(each, before)
    (said,) = run(gate, [command(3, "gate.override", dock="dock-1", uid=uid(2), by="ann", reason="Metrc is down")])
    again.apply(json.loads(json.dumps(said.data)), said.time)
    assert again.state("dock-1") == gate.state("dock-1")
    run(again, [command(4, "gate.close", dock="dock-1")])
    (verdict,) = verdicts(elapse(again, at(30)))
    assert verdict["evidence"]["overrides"][0]["by"] == "ann"


def test_the_trail_has_what_people_stated(tmp_path):
    gate = Gate(config())
    facts = run(gate, [manifest(0, {"2": {"record": None}}), command(1, "gate.open", dock="dock-1"), transit(2, 2)])
    facts += run(gate, [command(3, "gate.override", dock="dock-1", uid=uid(2), by="ann", reason="Metrc is down")])
    facts += run(gate, [command(4, "destroy", **SAID)])
    history = History(tmp_path / "history.db")
    history.take(*facts)
    trail = history.ask().trail(uid(2))
    told = "\n".join(text.lines(trail))
    history.close()
    said = [(entry.kind, entry.reasons) for entry in trail.entries if entry.entry == "gate" and entry.kind != "item"]
    assert said == [
        ("overridden", "ann answers for it: Metrc is down"),
        ("destroyed", "12.5 Grams by compost, by ann before bob, picture p/17.jpg"),
    ]
    assert "destroyed: 12.5 Grams by compost" in told
    assert "at dock-1, manifest M1: ann answers for it: Metrc is down" in told


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("gate.close", {}),
        ("gate.confirm", {"reason": "looked"}),
        ("gate.override", {"uid": uid(1), "reason": "Metrc is down"}),
        ("reads", {"uids": [uid(1)], "reader": "sled"}),
    ],
)
def test_what_follows_an_opening_that_was_accepted_is_accepted(name, more):
    gate = Gate(config())
    run(gate, [manifest(0, [1])])
    opening, then = command(1, "gate.open", dock="dock-1", by="ana"), command(2, name, dock="dock-1", by="ana", **more)
    with pytest.raises(Refused, match="has no session"):
        gate.admit(then)
    gate.admit(then, [opening])
