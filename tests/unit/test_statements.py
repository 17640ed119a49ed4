"""What is only passed on: acknowledgements and access events, each an event that its model knows, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.clock import SECOND, rfc3339
from gateway.errors import Refused
from gateway.events.envelope import seal
from gateway.events.payloads import MODELS
from gateway.floor import Floor
from gateway.inputs import Command
from tests.support.floor_scene import at, config
from tests.support.history_events import uid

NOTED = {"alarm": "watch-list", "subject": f"quarantine/{uid(1)}", "place": "dock", "uid": uid(1), "by": "Dana"}
ENTERED = {"door": "vault-door", "person": "Dana", "action": "granted"}


def said(name: str, args: dict[str, Any], seconds: float = 10.0) -> list[dict[str, Any]]:
    command = Command(at(seconds), name, args)
    floor = Floor(config())
    floor.admit(command)
    facts = floor.feed(command)
    for number, fact in enumerate(facts, 1):
        MODELS[fact.type].model_validate_json(seal(fact, "/rfid/site/gw", "epoch", number, "0" * 64).payload)
    return [fact.data | {"topic": fact.topic(), "t": fact.time} for fact in facts]


def test_an_acknowledgement_names_who_and_which():
    (noted,) = said("alarm.acknowledge", NOTED | {"note": "went to look"})
    assert (noted["state"], noted["by"], noted["reason"], noted["topic"]) == (
        "acknowledged", "Dana", "went to look", "events/alarm/dock",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["no-session", "manifest-refused"])
def test_what_only_a_person_can_end_is_ended_by_taking_note(kind: str):
    noted = said("alarm.acknowledge", NOTED | {"alarm": kind})
    assert [fact["state"] for fact in noted] == ["acknowledged", "cleared"]


def test_an_access_event_has_the_time_of_the_system_that_saw_it():
    (entered,) = said("access", ENTERED | {"time": rfc3339(at(5))})
    assert (entered["t"], entered["received"], entered["topic"]) == (
        at(5), rfc3339(at(10)), "events/access/vault-door",
    )  # fmt: skip


def test_who_has_switched_an_output_is_said():
    (switched,) = said("output.switched", {"reader": "r1", "port": 3, "state": True, "by": "Dana"})
    assert (switched["gate"], switched["by"], switched["topic"]) == (
        "output-switched", "Dana", "events/gate/outputs",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("alarm.acknowledge", {key: value for key, value in NOTED.items() if key != "subject"}),
        ("alarm.acknowledge", NOTED | {"place": "../../etc"}),
        ("alarm.acknowledge", NOTED | {"note": "<script>alert(1)</script>"}),
        ("access", ENTERED | {"door": "a/b"}),
        ("access", ENTERED | {"door": "#"}),
        ("access", ENTERED | {"action": ""}),
        ("access", ENTERED | {"person": "x" * 300}),
        ("access", ENTERED | {"time": rfc3339(at(10) + 301 * SECOND)}),
        ("access", ENTERED | {"time": "yesterday"}),
    ],
)
def test_what_is_wrong_is_refused_and_says_nothing(name: str, args: dict[str, Any]):
    command = Command(at(10), name, args)
    with pytest.raises(Refused):
        Floor(config()).admit(command)
    assert Floor(config()).feed(command) == []


def test_control_characters_of_another_system_are_written_out():
    (entered,) = said("access", ENTERED | {"person": "Dana\x1b[2J"})
    assert entered["person"] == "Dana\\x1b[2J"


def test_a_command_is_read_once_however_often_it_is_asked_for():
    read = []

    def model(args):
        read.append(args)
        return dict(args)

    command = Command(0, "watch", {"list": "hold"})
    assert command.typed(model) is command.typed(model)
    assert read == [{"list": "hold"}]
    assert command == Command(0, "watch", {"list": "hold"})
