"""Events and checkpoints of releases that called things otherwise: what they say is understood, and not said again."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import orjson
import pytest

from gateway.config.former import in_todays_words as rename
from gateway.config.yaml import parse, plain
from gateway.events.envelope import Fact, seal
from gateway.events.former import in_todays_words
from gateway.floor import migrations
from gateway.history import schema
from gateway.ledger.recognition import Recognition
from tests.support.history_events import passage

SOURCE = "/rfid/example/floor-1"
FORMER = {"turned_back": "returned", "standing": "static"}


def as_it_was(fact: Fact) -> Fact:
    """The fact of a pass in the words of the first releases."""
    evidence = {
        "company" if name == "companions" else name: value
        for name, value in fact.data["evidence"].items()
        if name not in ("walk", "decided_by")
    }
    story = evidence["likelihood"]
    evidence["likelihood"] = {
        "in": story["in"], "out": story["out"], "back": story["turned_back"], "still": story["standing"]
    }  # fmt: skip
    direction = fact.data["direction"]
    data = {**fact.data, "direction": FORMER.get(direction, direction), "evidence": evidence}
    return Fact(fact.type, fact.place, fact.time, data)


@pytest.mark.parametrize("direction", ["in", "turned_back", "standing", "undetermined"])
def test_a_pass_rename_is_recognised(direction):
    today = passage(1, 5, direction)
    former = seal(as_it_was(today), SOURCE, "e", 7, "0" * 64)
    recognition = Recognition([(7, former.payload)], SOURCE)
    assert recognition.knows(today)
    assert recognition.missing == []
    assert not Recognition([(7, former.payload)], SOURCE).knows(passage(2, 5))


def test_a_pass_rename_says_what_it_says_today():
    today = passage(1, 5, "turned_back")
    assert in_todays_words(dict(as_it_was(today).data)) == dict(today.data)
    assert in_todays_words(dict(today.data)) == dict(today.data)


def test_what_the_gate_keeps_of_a_pass_says_what_it_says_today():
    today, former = passage(1, 5), as_it_was(passage(1, 5))

    def item(fact: Fact) -> dict[str, object]:
        return {"source": "portal", "direction": "out", "evidence": fact.data["evidence"]}

    held = {"docks": {"sessions": [{"tags": {"01": {"proof": item(former)}, "02": {"proof": None}}}]}}
    (wanted,) = {"docks": {"sessions": [{"tags": {"01": {"proof": item(today)}, "02": {"proof": None}}}]}}.values()
    assert migrations.gate_1(held) == {"docks": wanted}
    event = {"gate": "item", "item": {"proof": item(former), "passes": 1}}
    assert in_todays_words(event) == {"gate": "item", "item": {"proof": item(today), "passes": 1}}


def test_an_alarm_rename_says_what_it_says_today():
    former = {"alarm": "beam-stuck", "state": "raised", "reader": "r1", "input": 1}
    assert in_todays_words(former) == former | {"alarm": "photo-eye-stuck"}
    assert in_todays_words({"alarm": "reader-down"}) == {"alarm": "reader-down"}


def test_a_setting_rename_means_the_same_and_both_words_are_refused():
    def tree(text):
        root, problems = parse(text)
        assert problems == []
        return root

    root = tree("site: a\nportals:\n- id: door\n  beams:\n  - {reader: r1}\n- {id: other}\n- odd\n")
    assert rename(root) == []
    assert plain(root) == {
        "site": "a",
        "portals": [{"id": "door", "photo_eyes": [{"reader": "r1"}]}, {"id": "other"}, "odd"],
    }
    assert root.values["portals"].items[0].key_lines["photo_eyes"] == 4
    (problem,) = rename(tree("portals:\n- id: door\n  photo_eyes: []\n  beams: []\n"))
    assert (problem.line, problem.path) == (4, "portals[0].beams")
    assert "write `photo_eyes` alone" in problem.text


def test_a_history_rename_is_brought_along(tmp_path):
    file = tmp_path / "history.db"
    schema.open_writer(file).close()
    with closing(sqlite3.connect(file)) as before, before:
        before.execute("PRAGMA user_version = 4")
        before.execute(
            "INSERT INTO alarm VALUES ('beam-stuck', 'r1/door/1', 7, 'door', NULL, 1, 1, 1, 0, '', '[]', "
            "NULL, NULL, NULL, NULL, NULL, NULL)"
        )
        before.execute(
            "INSERT INTO notice VALUES (7, 1, 'beam-stuck', 'r1/door/1', 'raised', 'door', NULL, 1, '', '[]', NULL)"
        )
    for _ in range(2):
        with closing(schema.open_writer(file)) as opened:
            for table in ("alarm", "notice"):
                assert opened.execute(f"SELECT kind FROM {table}").fetchall() == [("photo-eye-stuck",)]
            assert opened.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_what_portals_wait_for_is_called_what_it_is_called_today():
    crossing = {"start": 1, "end": 2, "direction": "returned"}
    portal = {"beams": {"crossings": [crossing]}, "waiting": [{"beams": "returned"}, {"beams": None}, {"beams": "in"}]}
    content = orjson.loads(orjson.dumps({"portals": {"portals": {"door": portal}}}))
    assert migrations.portals_3(content)["portals"]["portals"]["door"] == {
        "photo_eyes": {"crossings": [crossing | {"direction": "turned_back"}]},
        "waiting": [{"photo_eyes": "turned_back"}, {"photo_eyes": None}, {"photo_eyes": "in"}],
    }
