"""Commands, lights, watch lists and state of the gate; the cases in tests/gate_cases tell what packages come to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.clock import SECOND, rfc3339
from gateway.config import Config
from gateway.errors import LedgerError, Refused
from gateway.events.envelope import ALARM, GATE
from gateway.floor.gate import Gate, catalogue, session, shipped, unfinished
from gateway.floor.gate.manifest import as_json, essence, read_manifest
from gateway.inputs import Command
from tests.support.claims import some
from tests.support.gate_scene import (
    DOCKS,
    T0,
    alarms,
    at,
    command,
    config,
    elapse,
    in_short,
    kinds,
    manifest,
    manifest_args,
    run,
    state_of,
    transit,
    uid,
    verdicts,
)
from tests.support.history_events import pass_evidence


@pytest.fixture
def gate():
    return Gate(config())


def opened(*lines: int) -> list[Any]:
    return [manifest(0, lines), command(1, "gate.open", dock="dock-1", by="ann")]


# ---- commands


@pytest.mark.parametrize(
    ("before", "wanted", "words"),
    [
        ([], command(1, "open.sesame"), "no command 'open.sesame'"),
        ([], command(1, "gate.open", dock="dock-9"), "no dock 'dock-9': docks are dock-1, dock-2"),
        ([], command(1, "gate.open", dock="dock-1"), "no deliveries wait for dock dock-1"),
        ([], command(1, "gate.open", dock="dock-1", manifest="M9"), "no manifest 'M9' is known"),
        ([manifest(0, [1])], command(1, "gate.open", dock="dock-1", manifest="M1", delivery="D9"), "no delivery 'D9'"),
        (opened(1), command(2, "gate.open", dock="dock-1"), "dock-1 has a session for delivery D1 of manifest M1"),
        (opened(1), command(2, "gate.open", dock="dock-2", manifest="M1"), "has a session at dock dock-1"),
        ([], command(1, "gate.close", dock="dock-1"), "dock dock-1 has no session"),
        ([*opened(1), command(2, "gate.close", dock="dock-1")], command(3, "gate.close", dock="dock-1"), "is ending"),
        ([], command(1, "gate.close", dock="dock-1", force=True), "force is unknown: write one of"),
        ([], command(1, "gate.close"), "dock is missing"),
        ([], command(1, "reads", reader="hh", dock="dock-1", uids=[uid(1)]), "has no session: open one first"),
        (opened(1), command(2, "reads", reader="r1", dock="dock-1", uids=[uid(1)]), "r1 is a reader of the gateway"),
        (opened(1), command(2, "reads", reader="hh", dock="dock-1", uids=["xyz"]), "uids.0"),
        (opened(1), command(2, "reads", reader="hh", dock="dock-1", uids=[]), "uids"),
        (
            opened(1),
            command(2, "reads", reader="hh", dock="dock-1", uids=[uid(1)], time=rfc3339(at(0))),
            "older than the session",
        ),
        (
            opened(1),
            command(2, "reads", reader="hh", dock="dock-1", uids=[uid(1)], time=rfc3339(at(900))),
            "in the future",
        ),
        ([], command(1, "watch", list="nowhere", uids=[uid(1)]), "no list 'nowhere': the configuration has customs"),
        ([], command(1, "watch", list="hold", uids=["AB"]), "uids.0"),
        ([], command(1, "manifest.withdraw", manifest="M9"), "no manifest 'M9' is known"),
        ([], manifest(1, [1], dock="dock-9"), "no dock 'dock-9'"),
        ([manifest(0, [1], version=2)], manifest(1, [1, 2], version=2), "version 2 is not newer than 2"),
        ([manifest(0, [1], version=2)], manifest(1, [1], version=1), "version 1 is not newer than 2"),
        (
            [manifest(0, [1], version=1_795_724_051_589)],
            manifest(1, [1, 2], version=1_795_724_000_000),
            "version 2026-11-26 20:13:20 UTC is not newer than 2026-11-26 20:14:11 UTC",
        ),
        ([manifest(0, [1])], manifest(1, [1], version=2, direction="in"), "its direction cannot change"),
        ([], manifest(1, {"1": {"uid": uid(2)}, "2": {}}), f"UID {uid(2)} is there twice"),
        ([], manifest(1, {"1": {"quantity": "many"}}), "deliveries.0.lines.0.quantity"),
        ([], manifest(1, {"1": {"record": {"hold": "no"}}}), "hold"),
        ([], manifest(1, {"1": {"product": "<b>x</b>"}}), "looks like markup"),
        ([], manifest(1, {"1": {"record": {"as_of": "2026-02-14T09:00:00"}}}), "has no offset"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(gate, before, wanted, words):
    run(gate, before)
    saved = state_of(gate)
    with pytest.raises(Refused, match=words):
        gate.admit(wanted)
    facts = gate.command(wanted)
    assert state_of(gate) == saved
    assert [fact.data["gate"] for fact in facts] == ["refused"]
    assert facts[0].data["command"] == wanted.name


def test_admission_changes_nothing(gate):
    saved = state_of(gate)
    gate.admit(manifest(0, [1]))
    assert state_of(gate) == saved


def test_a_manifest_that_comes_again_is_no_news(gate):
    assert kinds(run(gate, [manifest(0, [1])])) == ["manifest-received", "precheck"]
    assert run(gate, [manifest(1, [1])]) == []


@pytest.mark.parametrize(("named", "by"), [({}, "backend"), ({"by": "Kim"}, "Kim")])
def test_a_manifest_is_an_event_with_who_sent_it(gate, named, by):
    first, *_ = run(gate, [Command(at(0), "manifest", manifest_args([1]) | named)])
    assert first.data["by"] == by
    with pytest.raises(Refused, match="manifest M1: by: "):
        gate.admit(Command(at(1), "manifest", manifest_args([1], version=2) | {"by": ""}))


def test_facts_that_are_only_newer_are_no_news_either(gate):
    run(gate, opened(1))
    assert run(gate, [manifest(5, [1], version=2, as_of=5)]) == []
    assert gate.state("dock-1")["session"]["version"] == 2


def test_a_correction_says_what_it_changed(gate):
    facts = run(gate, [*opened(1, 2), transit(3, 2), manifest(5, {"1": {"quantity": 3.0}, "3": {}}, version=2)])
    revised = facts[-1].data
    assert revised["gate"] == "revised"
    assert revised["lines"] == {"added": [uid(3)], "removed": [uid(2)], "changed": [uid(1)]}
    assert revised["items"] == [{"uid": uid(2), "from": "matched", "to": "extra"}]


def test_a_complete_delivery_is_not_loaded_twice_but_may_be_corrected(gate):
    run(gate, [*opened(1), transit(3, 1), command(4, "gate.close", dock="dock-1")])
    elapse(gate, at(10))
    with pytest.raises(Refused, match="is complete"):
        gate.admit(command(11, "gate.open", dock="dock-1", manifest="M1"))
    facts = run(
        gate,
        [
            manifest(12, [1, 2], version=2),
            command(13, "gate.open", dock="dock-1", manifest="M1"),
            transit(15, 2),
            command(16, "gate.close", dock="dock-1"),
        ],
    ) + elapse(gate, at(30))
    assert [in_short(verdict)["matched"] for verdict in verdicts(facts)] == [[1, 2]]


def test_manifests_make_room_when_they_are_done_and_not_before(gate, monkeypatch):
    monkeypatch.setattr(catalogue, "MAX_MANIFESTS", 2)
    run(gate, [*opened(1), transit(3, 1), command(4, "gate.close", dock="dock-1")])
    elapse(gate, at(10))
    run(gate, [manifest(11, [2], name="M2"), manifest(12, [3], name="M3")])
    with pytest.raises(Refused, match="2 manifests with 2 lines are not done yet"):
        gate.admit(manifest(13, [4], name="M4"))
    assert [outline["manifest"] for outline in gate.state("dock-1")["pending"]] == ["M2", "M3"]


def test_every_action_says_who_did_it(gate):
    facts = run(gate, [*opened(1), command(4, "gate.close", dock="dock-1", by="bob")]) + elapse(gate, at(10))
    assert facts[2].data["by"] == "ann"
    (verdict,) = verdicts(facts)
    assert (verdict["opened_by"], verdict["closed_by"], verdict["closed_why"]) == ("ann", "bob", "command")


def test_a_verdict_carries_version_and_evidence(gate):
    facts = run(gate, [manifest(0, [1], version=7), command(1, "gate.open", dock="dock-1"), transit(3, 1)])
    facts += run(gate, [command(4, "gate.close", dock="dock-1")]) + elapse(gate, at(10))
    (verdict,) = verdicts(facts)
    assert verdict["version"] == 7
    assert verdict["evidence"]["config"] == config().digest()
    assert verdict["evidence"]["facts_as_of"] == dict.fromkeys(("manifest", "records", "lab_results"), rfc3339(at(0)))
    assert verdict["matched"][0]["proof"] == {
        "source": "portal",
        "direction": "out",
        "start": rfc3339(at(2)),
        "end": rfc3339(at(3)),
        "confidence": 0.97,
        "group": None,
        "evidence": pass_evidence(at(3)),
    }
    assert facts[-1].topic() == "events/gate/portal-1"


def test_handheld_evidence_is_kept_line_by_line(gate):
    found = command(5, "reads", reader="hh-1", dock="dock-1", uids=[uid(1), uid(2), uid(1)], by="bob")
    facts = run(gate, [*opened(1, 2), found])
    items = [fact.data["item"] for fact in facts if fact.data["gate"] == "item"]
    assert [item["uid"] for item in items] == [uid(1), uid(2)]
    assert items[0]["proof"] == {"source": "handheld", "reader": "hh-1", "time": rfc3339(at(5)), "by": "bob"}


def test_a_late_pass_does_not_overrule_a_newer_one(gate):
    run(gate, [*opened(1), transit(10, 1), transit(5, 1, "in")])
    assert gate.state("dock-1")["session"]["counts"]["matched"] == 1


def test_portals_that_are_no_docks_are_not_the_gates(gate):
    assert gate.passed(transit(1, 1, dock="portal-x")) == []


def test_a_package_that_is_carried_out_with_no_session_and_no_manifest_is_an_alarm(gate):
    facts = run(gate, [transit(2, 1)])
    assert [alarm["alarm"] for alarm in alarms(facts)] == ["no-session"]
    assert alarms(run(Gate(config()), [manifest(0, [1]), transit(2, 1)])) == [], "its delivery was waiting"


def test_without_opening_on_a_pass_a_package_that_leaves_is_an_alarm():
    docks = [DOCKS[0] | {"open_on_pass": False}]
    gate = Gate(config(docks=docks))
    passes = [transit(2, 1), transit(3, 2), transit(4, 2, "in"), transit(5, 2), transit(6, 2, "in"), transit(70, 2)]
    facts = run(gate, [manifest(0, [1]), *passes])
    assert [(alarm["alarm"], alarm["uid"], alarm["unsaid"]) for alarm in alarms(facts)] == [
        ("no-session", uid(1), 0),
        ("no-session", uid(2), 0),
        ("no-session", uid(2), 1),
    ]


def test_what_leaves_while_a_delivery_comes_in_is_an_alarm(gate):
    facts = run(
        gate,
        [
            manifest(0, [1, 2], direction="in"),
            transit(2, 1, "in"),
            transit(3, 7),  # a stranger
            transit(4, 2),  # a line, but it never came in
            transit(5, 1),  # what was received goes back: that is the session's own business
        ],
    )
    assert [(alarm["alarm"], alarm["uid"]) for alarm in alarms(facts)] == [
        ("no-session", uid(7)),
        ("no-session", uid(2)),
    ]
    assert "while it was receiving" in alarms(facts)[0]["reason"]


def test_through_whichever_portal_it_comes_back_it_is_on_no_van(gate):
    facts = run(gate, [*opened(1, 2), transit(2, 1), command(3, "gate.close", dock="dock-1")])
    facts = run(gate, [transit(20, 1, "in", dock="portal-x"), command(21, "gate.open", dock="dock-1")])
    assert [(fact.data["gate"], fact.place, fact.data["dock"]) for fact in facts[-2:]] == [
        ("came-back", "portal-x", None),
        ("opened", "portal-1", "dock-1"),
    ]
    assert gate.state("dock-1")["session"]["counts"]["matched"] == 0


def test_a_pass_that_ended_before_a_package_was_loaded_brings_it_not_back(gate):
    run(gate, [*opened(1, 2), transit(9, 1), command(10, "gate.close", dock="dock-1")])
    run(gate, [command(20, "gate.open", dock="dock-2", manifest="M1"), command(21, "gate.close", dock="dock-2")])
    elapse(gate, at(40))
    assert gate.passed(transit(5, 1, "in", dock="dock-2")) == []
    run(gate, [command(50, "gate.open", dock="dock-1")])
    assert gate.state("dock-1")["session"]["counts"]["matched"] == 1


def test_who_looked_before_the_delivery_was_chosen_stands_in_its_verdict():
    gate = Gate(config(), lambda portal, t: {"r1/1": max(0, t - at(2))})
    look = {"dock": "dock-1", "by": "bob", "reason": "the van holds one box"}
    facts = run(
        gate,
        [
            *opened(1, 2),
            command(3, "gate.close", dock="dock-1"),
            command(20, "gate.open", dock="dock-1", manifest="M1"),
            command(21, "gate.close", dock="dock-1"),
            manifest(30, [], name="M2", delivery="A"),
            manifest(30, [], name="M3", delivery="B"),
            transit(31, 1, "in"),
        ],
    )
    gate.input_changed("r1", 1, True, at(32))  # several deliveries wait: a session without one
    facts += run(gate, [command(40, "gate.confirm", **look), command(41, "gate.open", dock="dock-1", manifest="M1")])
    facts += run(gate, [command(42, "gate.confirm", **look), command(43, "gate.close", dock="dock-1")])
    facts += elapse(gate, at(60))
    assert len(verdicts(facts)[-1]["evidence"]["confirmed"]) == 2


def test_a_refused_manifest_is_an_alarm_and_not_too_often(gate):
    refusal = {"source": "folder", "name": "x.csv", "reason": "line 2: no"}
    facts = run(gate, [Command(at(seconds), "manifest.refused", refusal) for seconds in (1, 2, 3, 65)])
    assert [(alarm["alarm"], alarm["unsaid"]) for alarm in alarms(facts)] == [
        ("manifest-refused", 0),
        ("manifest-refused", 2),
    ]
    assert facts[0].place == "manifests"


def test_more_packages_than_can_be_kept_apart_are_never_complete(gate, monkeypatch):
    monkeypatch.setattr(session, "MAX_TAGS", 1)
    facts = run(gate, [*opened(1), transit(3, 1), transit(4, 2), command(5, "gate.close", dock="dock-1")])
    (verdict,) = verdicts(facts + elapse(gate, at(10)))
    assert verdict["outcome"] == "mismatch"
    assert verdict["evidence"]["beyond"] == 1


def test_memories_are_bounded(monkeypatch):
    monkeypatch.setattr(shipped, "MAX_SHIPPED", 3)
    monkeypatch.setattr(unfinished, "MAX_UNFINISHED", 2)
    gate = Gate(config())
    for number in range(5):
        start = 10 * number
        run(gate, [manifest(start, [number + 1, 100 + number], name=f"M{number}")])
        run(gate, [command(start + 1, "gate.open", dock="dock-1", manifest=f"M{number}")])
        run(gate, [transit(start + 3, number + 1), command(start + 4, "gate.close", dock="dock-1")])
        elapse(gate, at(start + 9))
    dump = state_of(gate)
    assert sum(len(run[3]) for run in dump["shipped"]) == 3
    assert len(dump["docks"]["sessions"]["unfinished"]) == 2


# ---- lights


def lit(gate) -> set[str]:
    """The lamps of dock 1 that are on, by the outputs that its configuration names."""
    names = {("r1", 10): "red", ("r1", 11): "amber", ("r1", 12): "green", ("r1", 13): "buzzer"}
    switches = [*gate.outputs_of("r1"), *gate.outputs_of("r2")]
    on = {names[reader, port] for reader, port, level in switches if (reader, port) in names and level}
    return on | {"interlock" for reader, port, level in switches if (reader, port) == ("r2", 1) and not level}


def test_lights_follow_the_session(gate):
    assert lit(gate) == set()
    run(gate, opened(1))
    assert lit(gate) == {"amber"}
    run(gate, [transit(3, 9)])
    assert lit(gate) == {"red", "buzzer"}
    elapse(gate, at(4.5))
    assert lit(gate) == {"red"}
    run(gate, [transit(5, 9, "in"), transit(6, 1)])
    assert lit(gate) == {"amber"}, "everything is loaded, but there is no verdict yet"
    assert gate.state("dock-1")["session"]["ready"]
    run(gate, [command(7, "gate.close", dock="dock-1")])
    assert lit(gate) == {"amber"}
    elapse(gate, at(9))
    assert lit(gate) == {"green", "interlock"}
    elapse(gate, at(309))
    assert lit(gate) == set()


def test_outputs_are_only_told_when_they_change(gate):
    everything = gate.outputs()
    assert len(everything) == 10
    assert gate.outputs() == []
    run(gate, opened(1))
    assert gate.outputs() == [("r1", 11, True)]
    run(gate, [transit(3, 9)])
    assert sorted(gate.outputs()) == [("r1", 10, True), ("r1", 11, False), ("r1", 13, True)]


def test_after_a_restart_every_output_is_told_again(gate):
    run(gate, [*opened(1), transit(3, 9)])
    gate.outputs()
    again = Gate(config())
    again.load(state_of(gate))
    assert sorted(again.outputs()) == sorted(gate.outputs_of("r1") + gate.outputs_of("r2"))
    assert lit(again) == lit(gate) == {"red", "buzzer"}


def test_words_stand_beside_the_colours(gate):
    words = [gate.state("dock-1")["word"]]
    for item in (*opened(1), transit(3, 9), transit(4, 9, "in"), command(5, "gate.close", dock="dock-1")):
        run(gate, [item])
        words.append(gate.state("dock-1")["word"])
    elapse(gate, at(10))
    words.append(gate.state("dock-1")["word"])
    assert words == ["no session", "no session", "loading", "stop", "loading", "closing", "not complete"]


def test_the_lines_of_a_verdict_are_shown_as_long_as_it_is(gate):
    run(gate, [*opened(1, 2), transit(3, 1), command(4, "gate.close", dock="dock-1")])
    elapse(gate, at(10))
    assert [item["uid"] for item in gate.lines("dock-1")["missing"]] == [uid(2)]
    elapse(gate, at(400))
    assert gate.lines("dock-1") == {}


def test_lines_of_a_dock_for_the_page(gate):
    assert gate.lines("dock-1") == {}
    run(gate, [manifest(0, {"1": {}, "2": {"record": {"hold": True}}}), command(1, "gate.open", dock="dock-1")])
    run(gate, [transit(3, 1), transit(4, 9)])
    lines = gate.lines("dock-1")
    assert [item["product"] for item in lines["matched"]] == ["Product 1"]
    assert [item["uid"] for item in lines["extra"]] == [uid(9)]
    (missing,) = lines["missing"]
    assert missing["rules"] == [{"rule": "hold", "reason": ""}], "what must not be loaded is known before it passes"
    assert "proof" not in missing


# ---- watch lists


def sighted(gate, *sightings: tuple[float, str], package: int = 1):
    return [fact for seconds, zone in sightings for fact in gate.sighted(uid(package), zone, at(seconds))]


def test_a_watched_tag_where_it_may_not_be_is_an_alarm_at_once(gate):
    assert sighted(gate, (1, "dock")) == []
    run(gate, [command(2, "watch", list="hold", uids=[uid(1)], reason="QA-17")])
    facts = sighted(gate, (3, "vault"), (4, "vault"), (5, "dock"))
    (alarm,) = alarms(facts)
    assert (alarm["state"], alarm["list"], alarm["zone"], alarm["reason"]) == ("raised", "hold", "dock", "QA-17")
    assert alarm["custody"] == [
        {"zone": "vault", "first": rfc3339(at(3)), "last": rfc3339(at(4))},
        {"zone": "dock", "first": rfc3339(at(5)), "last": rfc3339(at(5))},
    ]
    assert facts[0].topic() == "events/alarm/dock"


def test_an_alarm_is_repeated_never_more_than_its_rate(gate):
    run(gate, [command(0, "watch", list="destroyed", uids=[uid(1)])])
    facts = sighted(gate, *[(seconds, "vault" if seconds % 2 else "dock") for seconds in range(1, 200)])
    said = [(fact.time, fact.data["zone"], fact.data["sightings"]) for fact in facts]
    assert said == [
        (at(second + later), zone, second + later)
        for second in (1, 61, 121, 181)
        for zone, later in (("vault", 0), ("dock", 1))
    ], "each place at once, and each for itself no more than once a minute"
    assert {fact.data["since"] for fact in facts} == {rfc3339(at(1))}


def test_an_alarm_is_cleared_when_the_tag_is_where_it_may_be(gate):
    run(gate, [command(0, "watch", list="quarantine", uids=[uid(1)])])
    facts = sighted(gate, (1, "cage"), (2, "vault"), (3, "cage"), (20, "cage"), (21, "vault"), (22, "cage"))
    assert [(alarm["state"], alarm["zone"]) for alarm in alarms(facts)] == [("raised", "vault")], "held"
    facts = sighted(gate, (51, "cage"), (52, "cage"), (53, "cage"), (54, "vault"))
    assert [(alarm["state"], alarm["zone"]) for alarm in alarms(facts)] == [("cleared", "vault"), ("raised", "vault")]
    assert facts[0].time == at(52)


def test_a_list_of_the_checkpoint_before_goes_on(gate):
    run(gate, [command(0, "watch", list="destroyed", uids=[uid(1)])])
    sighted(gate, (1, "vault"))
    dump = state_of(gate)["watch"]
    dump[uid(1)][0]["destroyed"] |= {"said": at(1)}
    del dump[uid(1)][0]["destroyed"]["back"]
    again = Gate(config())
    again.load(state_of(gate) | {"watch": dump})
    assert alarms(sighted(again, (30, "vault"))) == []
    assert len(alarms(sighted(again, (31, "dock"), (70, "vault")))) == 2


@pytest.mark.parametrize(
    "resolution",
    [
        {"mode": "remove", "uids": [uid(1)]},
        {"mode": "set", "uids": [uid(2)]},
        {"mode": "set", "uids": []},
    ],
)
def test_an_alarm_is_cleared_when_the_tag_is_taken_from_the_list(gate, resolution):
    run(gate, [command(0, "watch", list="destroyed", uids=[uid(1)])])
    sighted(gate, (1, "vault"))
    facts = run(gate, [command(2, "watch", list="destroyed", by="carol", **resolution)])
    (alarm,) = alarms(facts)
    assert (alarm["state"], alarm["reason"]) == ("cleared", "taken from the list by carol")
    assert alarm["custody"][-1]["zone"] == "vault"
    assert sighted(gate, (3, "vault")) == []


def test_lists_add_up_and_are_bounded(gate, monkeypatch):
    monkeypatch.setattr("gateway.floor.gate.watchlists.MAX_WATCHED", 2)
    run(gate, [command(0, "watch", list="hold", uids=[uid(1)]), command(1, "watch", list="destroyed", uids=[uid(1)])])
    run(gate, [command(2, "watch", list="hold", mode="add", uids=[uid(2)])])
    assert len(alarms(sighted(gate, (3, "dock")))) == 2
    with pytest.raises(Refused, match="more than 2 tags"):
        gate.admit(command(4, "watch", list="hold", mode="add", uids=[uid(3)]))
    gate.admit(command(4, "watch", list="hold", mode="remove", uids=[uid(3)]))
    gate.admit(command(4, "watch", list="hold", uids=[uid(3)]))  # in the place of package 2
    with pytest.raises(Refused, match="more than 2 tags"):
        gate.admit(command(4, "watch", list="hold", uids=[uid(3), uid(4)]))  # package 1 is on the other list, too


def test_who_put_what_on_a_list_is_an_event_and_the_same_again_is_not(gate):
    (fact,) = run(gate, [command(0, "watch", list="hold", uids=[uid(2), uid(1)], by="dana", reason="QA-17")])
    said = {key: fact.data[key] for key in ("gate", "list", "added", "removed", "by", "reason")}
    assert said == {
        "gate": "watch-changed",
        "list": "hold",
        "added": [uid(1), uid(2)],
        "removed": [],
        "by": "dana",
        "reason": "QA-17",
    }
    assert fact.topic() == "events/gate/watch-lists"
    assert run(gate, [command(1, "watch", list="hold", uids=[uid(1), uid(2)], by="dana")]) == []
    (fact,) = run(gate, [command(2, "watch", list="hold", mode="remove", uids=[uid(1), uid(9)], by="eve")])
    assert (fact.data["added"], fact.data["removed"], fact.data["by"]) == ([], [uid(1)], "eve")


def test_custody_is_bounded(gate):
    run(gate, [command(0, "watch", list="destroyed", uids=[uid(1)])])
    sighted(gate, *[(seconds, ("vault", "dock")[seconds % 2]) for seconds in range(1, 100)])
    facts = run(gate, [command(101, "watch", list="destroyed", mode="remove", uids=[uid(1)])])
    custody = alarms(facts)[0]["custody"]
    assert len(custody) == 8
    assert custody[-1]["zone"] == "dock"


def test_a_list_change_in_mid_session_turns_the_light_red(gate):
    run(gate, [*opened(1), transit(3, 1)])
    facts = run(gate, [command(5, "watch", list="hold", uids=[uid(1)])])
    assert kinds(facts) == ["watch-changed", "revised"]
    assert facts[1].data["why"] == "watch list"
    assert gate.state("dock-1")["lamp"] == "red"


# ---- state


def test_only_parts_that_changed_are_saved_again(gate):
    assert gate.changed().keys() == {"manifests", "shipped", "watch", "stock", "docks"}
    assert gate.changed().keys() == {"docks"}
    run(gate, opened(1))
    assert gate.changed().keys() == {"manifests", "docks"}
    run(gate, [command(2, "watch", list="hold", uids=[uid(1)])])
    assert gate.changed().keys() == {"watch", "docks"}


def test_state_of_a_dock_that_is_gone_is_left_behind(gate):
    run(gate, [*opened(1), transit(3, 1)])
    smaller = Gate(config(docks=DOCKS[1:], watch=[]))
    smaller.load(state_of(gate))
    assert smaller.docks() == ["dock-2"]
    assert smaller.state("dock-2")["session"] is None


@pytest.mark.parametrize("spoil", [{"manifests": [[{}, 1, {}]]}, {"docks": {}}, {"shipped": 7}])
def test_damaged_state_is_a_ledger_error(gate, spoil):
    with pytest.raises(LedgerError, match="the state of the gate cannot be understood"):
        Gate(config()).load(state_of(gate) | spoil)


def test_five_hundred_packages_in_a_minute(gate):
    packages = list(range(1, 501))
    run(gate, [manifest(0, packages), command(1, "gate.open", dock="dock-1")])
    facts = []
    for index, package in enumerate(packages):
        facts += run(gate, [transit(2 + index * 0.12, package)])
    facts += run(gate, [command(63, "gate.close", dock="dock-1")]) + elapse(gate, at(70))
    (verdict,) = verdicts(facts)
    assert verdict["outcome"] == "complete"
    assert verdict["counts"]["matched"] == 500


# ---- a portal that was not watched


class Watcher:
    """Tells for how long the antennas of a portal were dark, as the floor does."""

    def __init__(self) -> None:
        self.down: dict[str, float] = {}
        self.total = {"r1/1": 7_000_000, "r1/2": 0}

    def __call__(self, portal: str, t: int) -> dict[str, int]:
        since = {antenna: t - at(begin) for antenna, begin in self.down.items()}
        return {antenna: total + since.get(antenna, 0) for antenna, total in self.total.items()}

    def dark(self, antenna: str, seconds: float) -> None:
        self.total[antenna] += round(seconds * SECOND)


def loaded_with(gate, *between: Any) -> dict[str, Any]:
    facts = run(gate, [*opened(1), transit(3, 1)])
    for item in between:
        facts += run(gate, [item]) if not callable(item) else item() or []
    facts += run(gate, [command(20, "gate.close", dock="dock-1")]) + elapse(gate, at(30))
    return verdicts(facts)[0]


def test_a_portal_that_was_not_watched_is_never_green():
    watcher = Watcher()
    verdict = loaded_with(Gate(config(), watcher), lambda: watcher.dark("r1/2", 4.0))
    assert verdict["outcome"] == "incomplete"
    assert verdict["evidence"]["unwatched_s"] == {"r1/2": 4.0}
    assert verdict["counts"]["matched"] == 1


def test_a_moment_of_darkness_is_borne_and_told():
    watcher = Watcher()
    verdict = loaded_with(Gate(config(), watcher), lambda: watcher.dark("r1/1", 0.4))
    assert verdict["outcome"] == "complete"
    assert verdict["evidence"]["unwatched_s"] == {"r1/1": 0.4}


def test_an_antenna_that_is_dark_now_shows_at_once():
    watcher = Watcher()
    gate = Gate(config(), watcher)
    run(gate, [*opened(1), transit(3, 1)])
    assert gate.state("dock-1", at(4))["session"]["ready"]
    watcher.down["r1/1"] = 5.0
    state = gate.state("dock-1", at(9))["session"]
    assert (state["ready"], state["unwatched_s"]) == (False, {"r1/1": 4.0})


def test_somebody_may_look_instead():
    watcher = Watcher()
    gate = Gate(config(), watcher)
    with pytest.raises(Refused, match="has no session"):
        gate.admit(command(1, "gate.confirm", dock="dock-1", by="ann", reason="looked"))
    look = command(10, "gate.confirm", dock="dock-1", by="ann", reason="counted by hand: one package")
    verdict = loaded_with(gate, lambda: watcher.dark("r1/2", 4.0), look)
    assert verdict["outcome"] == "complete"
    assert verdict["evidence"]["confirmed"] == [
        {
            "by": "ann",
            "time": rfc3339(at(10)),
            "reason": "counted by hand: one package",
            "unwatched_s": {"r1/2": 4.0},
        }
    ]


@pytest.mark.parametrize("args", [{"by": "ann"}, {"reason": "x"}, {"by": "ann", "reason": ""}])
def test_a_confirmation_says_who_and_why(args):
    gate = Gate(config(), Watcher())
    run(gate, opened(1))
    with pytest.raises(Refused, match=r"by|reason"):
        gate.admit(command(2, "gate.confirm", dock="dock-1", **args))


def test_there_is_nothing_to_confirm_while_everything_is_watched(gate):
    run(gate, opened(1))
    with pytest.raises(Refused, match="watched all the time"):
        gate.admit(command(2, "gate.confirm", dock="dock-1", by="ann", reason="x"))


def test_closing_and_opening_again_does_not_wash_it_off():
    watcher = Watcher()
    gate = Gate(config(), watcher)
    loaded_with(gate, lambda: watcher.dark("r1/2", 4.0))
    gate.load(state_of(gate))
    facts = run(gate, [command(31, "gate.open", dock="dock-1"), command(32, "gate.close", dock="dock-1")])
    (verdict,) = verdicts(facts + elapse(gate, at(40)))
    assert verdict["outcome"] == "incomplete"
    assert verdict["evidence"]["unwatched_s"] == {"r1/2": 4.0}


# ---- a start that has only the events


def recovered(story: list[Any], cut: int) -> tuple[Gate, Gate]:
    """A gate that lived through the story, and one with a checkpoint after `cut` of it and the events of the rest."""
    lived, later = Gate(config()), Gate(config())
    run(lived, story[:cut])
    later.load(state_of(lived))
    for fact in run(lived, story[cut:]):
        if fact.type == GATE:
            later.apply(json.loads(json.dumps(fact.data)), fact.time)
    return lived, later


STORY = [
    *opened(1, 2, 3),
    transit(3, 1),
    transit(4, 2),
    transit(5, 2, "in"),
    transit(6, 9),
    transit(7, 3, "undetermined"),
    command(8, "reads", reader="hh", dock="dock-1", uids=[uid(3)]),
]


@pytest.mark.parametrize("cut", range(1, len(STORY) + 1))
def test_events_alone_tell_where_everything_is(cut):
    lived, later = recovered(STORY, cut)
    assert later.state("dock-1") == lived.state("dock-1")
    assert later.lines("dock-1") == lived.lines("dock-1")


def test_events_alone_tell_what_has_left():
    story = [*STORY, command(9, "gate.close", dock="dock-1"), command(60, "manifest.refused", source="x", reason="y")]
    lived, later = recovered(story, 1)
    assert later.dump()["shipped"] == lived.dump()["shipped"] != []
    assert later.state("dock-1")["last_verdict"] == lived.state("dock-1")["last_verdict"]


def test_events_alone_tell_what_has_come_back():
    story = [*opened(1, 2), transit(2, 1), command(3, "gate.close", dock="dock-1"), transit(20, 1, "in")]
    lived, later = recovered([*story, command(21, "gate.open", dock="dock-1")], 2)
    assert later.state("dock-1") == lived.state("dock-1")
    assert later.state("dock-1")["session"]["counts"]["matched"] == 0


def test_a_verdict_that_an_event_tells_of_is_that_which_was_given():
    """Nobody was watching, which the start does not know: what was loaded is not complete by that."""
    watcher, later = Watcher(), Gate(config())
    lived = Gate(config(), watcher)
    facts = run(lived, [*opened(1), transit(2, 1)])
    later.load(state_of(lived))
    watcher.dark("r1/1", 60)
    for fact in [*run(lived, [command(3, "gate.close", dock="dock-1")]), *elapse(lived, at(10))]:
        later.apply(json.loads(json.dumps(fact.data)), fact.time)
    assert verdicts(facts) == []
    assert later.state("dock-1")["last_verdict"] == lived.state("dock-1")["last_verdict"]
    assert later.state("dock-1")["lamp"] == lived.state("dock-1")["lamp"] == "red"
    later.admit(command(20, "gate.open", dock="dock-1", manifest="M1"))


def test_a_manifest_that_only_events_tell_of_is_not_trusted():
    _, later = recovered([*STORY, manifest(9, {"1": {"record": {"hold": True}}}, version=2)], len(STORY))
    assert later.state("dock-1")["lamp"] == "red"
    assert [item["uid"] for item in later.lines("dock-1")["extra"]] == [uid(1), uid(3), uid(9)]


@pytest.mark.parametrize("data", [{}, {"gate": "song"}, {"gate": "item"}, {"gate": "verdict", "dock": []}])
def test_what_is_no_event_of_the_gate_is_a_ledger_error(gate, data):
    with pytest.raises(LedgerError, match="cannot be understood"):
        gate.apply(data, at(0))


# ---- configuration


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"docks": [DOCKS[0], DOCKS[0]]}, "two docks have the id dock-1"),
        ({"docks": [DOCKS[0], DOCKS[0] | {"id": "dock-3"}]}, "two docks have the portal portal-1"),
        ({"docks": [DOCKS[0], DOCKS[1] | {"lights": DOCKS[0]["lights"]}]}, "output 10 of reader r1 is used twice"),
        ({"gate": {"rules": ["hold"]}}, "the rule `manifest` is what a gate is for"),
        ({"gate": {"rules": ["manifest", "delivery", "hold", "hold"]}}, "a rule is named twice"),
        ({"gate": {"rules": ["manifest", "delivery", "smell"]}}, "Input should be"),
        ({"watch": [{"name": "a"}, {"name": "a"}]}, "the watch list a is there twice"),
        ({"watch": [{"name": "a", "allowed": ["x"], "forbidden": ["y"]}]}, "exclude each other"),
        ({"manifests": {"folder": {"directory": "/x", "time_zone": "Mars/Olympus"}}}, "no time zone"),
        (
            {
                "manifests": {
                    "metrc": {
                        "url": "http://api.example.com",
                        "license": "L1",
                        "vendor_key_file": "/v",
                        "user_key_file": "/u",
                    }
                }
            },
            "in the clear",
        ),
    ],
)
def test_wrong_configurations(changes, words):
    with pytest.raises(ValueError, match=words):
        config(**changes)


def test_what_the_gate_does_is_in_the_digest_and_where_manifests_come_from_is_not():
    plain = config()
    assert Config.from_floor_json(plain.floor_json()).docks == plain.docks
    assert config(gate={"lab_states": ["TestPassed"]}).digest() != plain.digest()
    assert config(manifests={"folder": {"directory": "/x"}}).digest() == plain.digest()


def test_a_rule_can_be_left_out():
    rules = ["manifest", "delivery", "hold"]
    gate = Gate(config(gate={"rules": rules}))
    bare = manifest(0, {"1": {"lab": None, "lab_state": None, "record": {"lab_state": None, "location": None}}})
    facts = run(gate, [bare, command(1, "gate.open", dock="dock-1"), transit(3, 1)])
    facts += run(gate, [command(4, "gate.close", dock="dock-1")]) + elapse(gate, at(10))
    (verdict,) = verdicts(facts)
    assert verdict["outcome"] == "complete"
    assert verdict["evidence"]["rules"] == rules


def test_types_of_events(gate):
    facts = run(gate, [*opened(1), command(2, "manifest.refused", source="folder", reason="x")])
    assert {fact.type for fact in facts} == {GATE, ALARM}
    assert all(fact.time >= T0 - SECOND for fact in some(facts))


def test_the_request_name_of_a_manifest_is_not_part_of_it(gate):
    gate.admit(Command(at(0), "manifest", manifest_args([1]) | {"request": "r-1"}))


def test_the_essence_of_a_manifest_is_all_but_its_version_and_when_its_facts_were_true():
    """Also where a text looks like one of these."""
    given = manifest_args({"1": {"product": 'x "as_of":"1", "version":7,'}})
    first = essence(as_json(read_manifest(given)))
    day = given["as_of"][:10]
    later = json.loads(json.dumps(given).replace(day, "2026-03-01")) | {"version": 9}
    assert later["as_of"] != given["as_of"]
    assert essence(as_json(read_manifest(later))) == first
    for other in ('x "as_of":"2", "version":7,', 'x "as_of":"1", "version":8,', 'x , "version":7,'):
        assert essence(as_json(read_manifest(manifest_args({"1": {"product": other}})))) != first
