"""Before the van, in the staging zones: what stands there, what does not, and what is probably one error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gateway.events.gate_models import GateData
from gateway.floor.gate import Gate, in_turn
from gateway.floor.gate.likely import likely_errors
from tests.support.gate_scene import at, command, config, elapse, kinds, manifest, run, state_of, transit, uid, verdicts

GATE_EVENT: TypeAdapter[Any] = TypeAdapter(GateData)


class Whereabouts:
    """Presence, as the test says."""

    def __init__(self) -> None:
        self.where: dict[str, str] = {}

    def seen(self, name):
        return (self.where[name], at(1)) if name in self.where else None

    def inside(self, zones):
        return {name: zone for name, zone in self.where.items() if zone in zones}


@pytest.fixture
def whereabouts():
    return Whereabouts()


@pytest.fixture
def gate(whereabouts):
    return Gate(config(gate={"staging": ["dock"]}), whereabouts=whereabouts)


def staging(facts):
    found = [fact.data for fact in facts if fact.data.get("gate") == "staging"]
    for data in found:
        GATE_EVENT.validate_python(json.loads(json.dumps(data)))
    return found


def move(gate, whereabouts, package, zone, seconds):
    before, whereabouts.where[uid(package)] = whereabouts.where.get(uid(package)), zone
    gate.staging.moved((before, zone), at(seconds))


def test_what_is_staged_and_what_is_not_and_what_stands_there_on_no_manifest(gate, whereabouts):
    move(gate, whereabouts, 1, "dock", 0)
    move(gate, whereabouts, 2, "vault", 0)
    move(gate, whereabouts, 9, "dock", 0)
    run(gate, [manifest(1, [1, 2, 3])])
    (said,) = staging(elapse(gate, at(20)))
    assert (said["lines"], said["staged"], said["extra"]) == (3, 1, 1)
    assert [(line["uid"], line["zone"]) for line in said["not_staged"]] == [(uid(2), "vault"), (uid(3), None)]
    assert [line["uid"] for line in said["extras"]] == [uid(9)]
    assert gate.state("dock-1")["lamp"] == "off", "it is no verdict"


def test_many_deliveries_are_looked_at_a_portion_at_a_time(gate, whereabouts, monkeypatch):
    monkeypatch.setattr(in_turn, "LINES", 3)
    run(gate, [manifest(0, [2 * n, 2 * n + 1], name=f"M{n}") for n in range(5)])
    first = staging(gate.fire(at(10)))
    again = Gate(config(gate={"staging": ["dock"]}), whereabouts=whereabouts)
    again.load(state_of(gate))
    assert [said["manifest"] for said in first] == ["M0", "M1"]
    for one in (gate, again):
        assert [said["manifest"] for said in staging(elapse(one, at(12)))] == ["M2", "M3", "M4"]
        assert one.staging.due > at(60)


def test_it_is_said_again_a_moment_after_the_last_move_and_not_otherwise(gate, whereabouts):
    run(gate, [manifest(0, [1, 2])])
    assert len(staging(elapse(gate, at(20)))) == 1
    move(gate, whereabouts, 7, "vault", 30)
    assert elapse(gate, at(60)) == [], "nothing of that is about staging"
    move(gate, whereabouts, 1, "dock", 70)
    assert elapse(gate, at(79)) == []
    move(gate, whereabouts, 2, "dock", 79)
    (said,) = staging(elapse(gate, at(90)))
    assert said["staged"] == 2
    gate.staging.moved(("dock", "vault"), at(100))
    assert elapse(gate, at(120)) == [], "nothing has changed"


def test_a_restart_repeats_nothing_and_forgets_nothing(gate, whereabouts):
    run(gate, [manifest(0, [1])])
    again = Gate(config(gate={"staging": ["dock"]}), whereabouts=whereabouts)
    again.load(state_of(gate))
    assert len(staging(elapse(again, at(20)))) == 1
    third = Gate(config(gate={"staging": ["dock"]}), whereabouts=whereabouts)
    third.load(state_of(again))
    third.staging.moved(("dock", None), at(30))
    assert elapse(third, at(60)) == []


def test_what_is_loaded_is_the_session_s_to_say(gate, whereabouts):
    run(gate, [manifest(0, [1]), command(1, "gate.open", dock="dock-1")])
    assert staging(elapse(gate, at(60))) == []


def test_a_wrong_uid_is_shown_with_what_it_should_be(gate, whereabouts):
    wrong = uid(1)[:-1] + "F"
    whereabouts.where[wrong] = "dock"
    run(gate, [command(0, "stock", items=[{"uid": wrong, "product": "Seltzer"}]), manifest(1, [1, 2])])
    (said,) = staging(elapse(gate, at(20)))
    assert said["likely"] == [{"missing": uid(1), "extra": wrong, "why": "the UIDs differ in one digit"}]
    assert said["extras"] == [{"uid": wrong, "product": "Seltzer", "zone": "dock"}]


def test_a_verdict_says_what_is_probably_one_error():
    gate = Gate(config())
    facts = run(gate, [manifest(0, [1, 2]), command(1, "gate.open", dock="dock-1"), transit(2, 1), transit(3, 0x12)])
    facts += run(gate, [command(5, "gate.close", dock="dock-1")]) + elapse(gate, at(30))
    (said,) = verdicts(facts)
    assert said["likely"] == [{"missing": uid(2), "extra": uid(0x12), "why": "the UIDs differ in one digit"}]
    assert gate.lines("dock-1")["likely"] == said["likely"]


@pytest.mark.parametrize(
    ("missing", "extra", "pairs"),
    [
        ([("1A40", "A")], [("1A41", "B")], [("1A40", "1A41")]),
        ([("1A40", "A")], [("1A04", "B")], [("1A40", "1A04")]),
        ([("1A40", "A")], [("1B11", "B")], []),
        ([("1A40", "Seltzer 4pk")], [("FFFF", "seltzer  4PK")], [("1A40", "FFFF")]),
        ([("1A40", "")], [("FFFF", "")], []),
        ([("1A40", "A"), ("1A50", "A")], [("1A41", "A")], [("1A40", "1A41")]),
        ([("1A40", "A")], [("1A4000", "B")], []),
    ],
)
def test_pairs(missing, extra, pairs):
    assert [(pair["missing"], pair["extra"]) for pair in likely_errors(missing, extra)] == pairs


NAMED = st.tuples(st.text("0123456789ABCDEF", min_size=8, max_size=8), st.sampled_from(["", "A", "B"]))


@given(st.lists(NAMED, max_size=8), st.lists(NAMED, max_size=8))
def test_each_package_is_in_one_pair_at_most(missing, extra):
    pairs = likely_errors(missing, extra)
    assert len({pair["missing"] for pair in pairs}) == len(pairs) == len({pair["extra"] for pair in pairs})


def test_a_precheck_is_said_again_when_a_fact_becomes_too_old_or_a_package_expires():
    gate = Gate(config())
    facts = run(gate, [manifest(0, {"1": {}, "2": {"record": {"expires": "2026-02-14T10:00:00Z"}}})])
    assert kinds(facts) == ["manifest-received", "precheck"]
    later = elapse(gate, at(5 * 3600))
    assert [(fact.data["why"], fact.data["blocked"], fact.data["unknown"]) for fact in later] == [
        ("facts too old", 1, 0),
        ("facts too old", 1, 1),
    ]
    assert gate.due > at(10 * 3600), "and it rests"
    assert gate.manifests()[0]["blocked"] == 1
