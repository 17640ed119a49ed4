"""What moves while the site is closed, and what goes through a portal without a tag that can be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from drivers.api import InputChange
from gateway.clock import parse_rfc3339, rfc3339
from gateway.config.hours import Hours, HoursConfig
from gateway.events.envelope import ALARM, GATE
from gateway.events.gate_alarms import GateAlarm
from gateway.events.gate_models import GateData
from gateway.floor import Floor
from gateway.inputs import Command
from tests.support.floor_scene import at, run, ticked, when
from tests.support.portal_scene import OUT, STANDING, carried, later, portal_site

NIGHT = {"time_zone": "UTC", "open": ["mon-sun 00:00-00:01"]}
DOCKS = [{"id": "dock-1", "portal": "door"}]
WAY_OUT = [(1, True), (2, True), (1, False), (2, False)]


def crossed(seconds: float, steps=WAY_OUT):
    return [InputChange("r1", at(seconds + 0.3 * n), port, broken) for n, (port, broken) in enumerate(steps)]


def played(*items: Any, **site: Any):
    """The facts of a floor that was given commands, changes of photo-eyes, and reads in order of time."""
    floor = Floor(portal_site(photo_eyes=True, docks=DOCKS, **site))
    facts = run(ticked(sorted(items, key=when), 100), floor)
    for fact in facts:
        if fact.type in (GATE, ALARM):
            model: TypeAdapter[Any] = TypeAdapter(GateData if fact.type == GATE else GateAlarm)
            model.validate_python(json.loads(json.dumps(fact.data)))
    return facts


def of(facts, kind):
    return [fact.data for fact in facts if kind in (fact.data.get("gate"), fact.data.get("alarm"))]


def test_what_goes_through_without_a_tag_is_an_event():
    facts = played(*crossed(10))
    (said,) = of(facts, "crossed-unread")
    assert (said["direction"], said["dock"], said["session"], said["closed"]) == ("out", "dock-1", None, False)
    assert of(facts, "unread-crossing") == []


def test_in_a_session_and_in_closed_hours_it_is_an_alarm():
    opening = Command(at(2), "gate.open", {"dock": "dock-1", "manifest": "M1"})
    line = {"uid": "1A40" + "0" * 20, "product": "Seltzer"}
    manifest = {
        "manifest": "M1",
        "version": 1,
        "as_of": rfc3339(at(0)),
        "deliveries": [{"delivery": "D1", "lines": [line]}],
    }
    known = Command(at(1), "manifest", manifest)
    (said,) = of(played(known, opening, *crossed(10)), "unread-crossing")
    assert "while dock dock-1 was being loaded" in said["reason"]
    (said,) = of(played(*crossed(10), *crossed(20), gate={"hours": NIGHT}), "unread-crossing")
    assert "closed" in said["reason"], "and it does not shout"


@pytest.mark.parametrize(("about", "said"), [("door", 2), ("doors", 1)])
def test_what_comes_after_somebody_has_dealt_with_it_is_said_at_once(about, said):
    args = {"alarm": "unread-crossing", "subject": about, "place": "door", "by": "Dana"}
    noted = Command(at(15), "alarm.acknowledge", args)
    floor = Floor(portal_site(photo_eyes=True, docks=DOCKS, gate={"hours": NIGHT}))
    facts = run(ticked([*crossed(10), noted, *crossed(20)], 100), floor)
    assert [data["state"] for data in of(facts, "unread-crossing")].count("raised") == said


def test_what_carries_a_tag_that_is_read_is_none():
    facts = played(*carried(later(OUT, 6)), *crossed(9.6))
    assert of(facts, "crossed-unread") == []


def test_who_turns_back_between_the_photo_eyes_is_none():
    facts = played(*crossed(10, [(1, True), (2, True), (2, False), (1, False)]))
    assert of(facts, "crossed-unread") == []


def test_stock_beside_the_door_does_not_hide_it():
    facts = played(*carried(STANDING), *crossed(80))
    assert len(of(facts, "crossed-unread")) == 1


def test_a_pass_in_closed_hours_is_an_alarm_and_one_in_open_hours_is_none():
    assert of(played(*carried(later(OUT, 6))), "closed-hours") == []
    (said,) = of(played(*carried(later(OUT, 6)), gate={"hours": NIGHT}), "closed-hours")
    assert said["name"] == "door"


@pytest.mark.parametrize(
    ("time", "closed"),
    [
        ("2026-02-13T14:00:00Z", False),  # Friday, 07:00 in Denver
        ("2026-02-13T13:59:59Z", True),
        ("2026-02-14T01:59:59Z", False),
        ("2026-02-14T02:00:00Z", True),
        ("2026-02-14T16:00:00Z", False),  # Saturday, 09:00
        ("2026-02-15T16:00:00Z", True),
        ("2026-03-09T13:00:00Z", False),  # Monday after the clocks have changed: 07:00 again
    ],
)
def test_hours_are_those_of_the_site(time, closed):
    config = HoursConfig(time_zone="America/Denver", open=["mon-fri 07:00-19:00", "sat 08:00-12:00"])
    assert Hours(config).closed(parse_rfc3339(time)) is closed
    assert Hours(None).closed(parse_rfc3339(time)) is False


WRONG = ["mon 7:00-8:00", "mon-fry 07:00-08:00", "mon 08:00-07:00", "mon 07:60-08:00", "", "mon 00:00-25:00"]


@pytest.mark.parametrize("text", WRONG)
def test_hours_that_are_none_are_refused(text):
    with pytest.raises(ValidationError):
        HoursConfig(time_zone="UTC", open=[text])


def test_a_week_may_wrap():
    config = HoursConfig(time_zone="UTC", open=["sat-mon 22:00-24:00"])
    assert Hours(config).closed(parse_rfc3339("2026-02-15T23:59:59Z")) is False
    assert Hours(config).closed(parse_rfc3339("2026-02-17T23:00:00Z")) is True
