"""The calendar of the cycle counts: when a zone is due, and what becomes of it where nobody reads the zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import AntennaStatus, ReaderDown, ReaderUp
from gateway.clock import SECOND
from gateway.config.counts import PlannedCount
from gateway.events.envelope import COUNT, GENESIS, Fact, seal
from gateway.floor import Floor
from gateway.floor.counts.plan import Calendar
from gateway.inputs import Command, Input, Restart, Tick
from tests.support.floor_scene import T0, alive, at, config, of_type, run, standing, ticked, up, when

# T0 is 2023-11-14 22:13:20 UTC; in Denver it is 15:13:20.
PLAN = {"time_zone": "America/Denver", "plan": [{"zone": "vault", "every": "1d", "at": "15:14"}]}
DUE = 40.0


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("entry", "zone", "after", "due"),
    [
        ({"every": "1d", "at": "06:00"}, "UTC", "2026-02-14T05:59:59", "2026-02-14T06:00"),
        ({"every": "1d", "at": "06:00"}, "UTC", "2026-02-14T06:00:00", "2026-02-15T06:00"),
        ({"every": "1d", "at": "06:00"}, "America/Denver", "2026-02-14T12:59:00", "2026-02-14T13:00"),
        ({"every": "1d", "at": "23:30"}, "America/Denver", "2026-02-14T06:29:00", "2026-02-14T06:30"),
        ({"every": "1d", "at": "00:30"}, "Pacific/Auckland", "2026-02-13T11:00:00", "2026-02-13T11:30"),
        # A week: 2024-01-01 was a Monday, and so is 2026-02-16.
        ({"every": "7d", "at": "06:00"}, "UTC", "2026-02-14T00:00:00", "2026-02-16T06:00"),
        ({"every": "7d", "at": "06:00", "first": "2026-03-04"}, "UTC", "2026-02-14T00:00:00", "2026-02-18T06:00"),
        ({"every": "30d", "at": "06:00", "first": "2026-02-14"}, "UTC", "2026-02-14T06:00:00", "2026-03-16T06:00"),
        # Hours: a shift each.
        ({"every": "8h", "at": "06:00"}, "UTC", "2026-02-14T15:00:00", "2026-02-14T22:00"),
        ({"every": "12h", "at": "18:00"}, "UTC", "2026-02-14T18:00:00", "2026-02-15T06:00"),
        # The clocks: 02:30 is left out in Denver on 2026-03-08, and comes twice 01:30 on 2026-11-01.
        ({"every": "1d", "at": "02:30"}, "America/Denver", "2026-03-07T10:00:00", "2026-03-08T09:30"),
        ({"every": "1d", "at": "02:30"}, "America/Denver", "2026-03-08T09:30:00", "2026-03-09T08:30"),
        ({"every": "1d", "at": "01:30"}, "America/Denver", "2026-10-31T08:00:00", "2026-11-01T07:30"),
        ({"every": "1d", "at": "01:30"}, "America/Denver", "2026-11-01T07:30:00", "2026-11-02T08:30"),
        ({"every": "1d", "at": "06:00", "time_zone": "Asia/Tokyo"}, "UTC", "2026-02-13T20:00:00", "2026-02-13T21:00"),
    ],
)
def test_due_times(entry, zone, after, due):
    assert Calendar(PlannedCount(zone="vault", **entry), zone).after(utc(after)) == utc(due)


@given(
    st.integers(utc("2024-01-01"), utc("2030-01-01")),
    st.sampled_from(["1d", "2d", "7d", "1h", "6h", "12h"]),
    st.sampled_from(["UTC", "America/Denver", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.integers(0, 23),
)
def test_a_day_without_a_count_is_no_longer_than_the_plan_says(t, every, zone, hour):
    calendar = Calendar(PlannedCount(zone="vault", every=every, at=f"{hour:02}:30"), zone)
    period = int(every[:-1]) * (86_400 if every.endswith("d") else 3600) * SECOND
    due = calendar.after(t)
    assert t < due <= t + period + 3600 * SECOND
    later = calendar.after(due)
    assert abs(later - due - period) <= 3600 * SECOND
    assert calendar.after(due - 1) == due


def counted(items: list[Input], until: float, floor: Floor) -> list[Fact]:
    return of_type(run(ticked(items, until), floor), COUNT)


def plan_of(floor: Floor, zone: str = "vault") -> dict[str, Any]:
    return floor.zone_state(zone)["count_plan"]


def test_a_count_begins_by_itself_when_it_is_due():
    floor = Floor(config(counts=PLAN))
    (fact,) = counted([*up(), *alive(0, 90, "r1"), *standing(1, 90, "r1", 1, 1)], 90, floor)
    data = fact.data
    assert (data["trigger"], data["population"], data["seen"]) == ("calendar", 1, 1)
    assert data["scheduled"] == data["started"] == "2023-11-14T22:14:00.000000Z"
    assert data["rounds"] == {"looked": 6, "blind": 0, "ended_by": "no new tags"}
    assert plan_of(floor) == {
        "every": "1d",
        "at": "15:14",
        "time_zone": "America/Denver",
        "due": "2023-11-15T22:14:00.000000Z",
        "overdue": False,
        "why": "",
        "last_done": data["ended"],
    }
    assert plan_of(floor, "dock") is None


def test_a_zone_that_nobody_reads_is_overdue_until_somebody_does():
    floor = Floor(config(counts=PLAN))
    items = [*up(), ReaderDown("r1", at(10), "cable"), ReaderUp("r1", at(200)), *alive(200, 300, "r1")]
    ticks = ticked(items, 300)
    facts = run([item for item in ticks if when(item) <= at(150)], floor)
    assert of_type(facts, COUNT) == []
    state = plan_of(floor)
    assert (state["overdue"], state["due"]) == (True, "2023-11-14T22:14:00.000000Z")
    assert state["why"] == "no antenna of the zone is watching: r1/1 reader down, r1/2 reader down"
    assert floor.counts.plan.overdue_zones == {"vault": state["why"]}
    assert floor.counts.plan.due == {"vault": at(DUE)}
    (fact,) = of_type(run([item for item in ticks if when(item) > at(150)], floor), COUNT)
    assert fact.data["started"] == "2023-11-14T22:17:00.000000Z"  # tried again every minute
    assert fact.data["scheduled"] == "2023-11-14T22:14:00.000000Z"
    assert (plan_of(floor)["overdue"], floor.counts.plan.overdue_zones) == (False, {})


def test_one_antenna_of_two_is_enough_and_the_count_says_so():
    floor = Floor(config(counts=PLAN))
    items = [*up(), *alive(0, 90, "r1"), *standing(1, 90, "r1", 1, 1), AntennaStatus("r1", at(20), 2, False, "cut")]
    (fact,) = counted(items, 90, floor)
    assert fact.data["quality"]["antennas"] == {"r1/1": 1.0, "r1/2": 0.0}
    assert not plan_of(floor)["overdue"]


def test_a_count_in_which_the_antennas_go_down_is_not_good_enough():
    floor = Floor(config(counts=PLAN))
    items = [
        *up(),
        *alive(0, 43, "r1"),
        *standing(1, 43, "r1", 1, 1),
        AntennaStatus("r1", at(43), 1, False, "cut"),
        AntennaStatus("r1", at(43), 2, False, "cut"),
        *alive(43, 400, "r1"),
    ]
    (fact,) = counted(items, 400, floor)
    data = fact.data
    assert data["rounds"]["ended_by"] == "time limit"
    assert data["rounds"]["blind"] > 50
    assert data["quality"]["duty"] == pytest.approx(3 / 120, abs=0.001)
    assert data["confidence"] < 0.03
    state = plan_of(floor)
    assert (state["overdue"], state["last_done"]) == (True, None)
    assert state["why"] == "the zone was watched for 2% of its count only"


def test_a_poor_count_that_an_event_tells_of_is_tried_again():
    """The checkpoint is of the middle of the count; of its end only the event is left."""
    floor, lost = Floor(config(counts=PLAN)), Floor(config(counts=PLAN))
    items = ticked([*up(), *alive(0, 43, "r1"), *standing(1, 43, "r1", 1, 1), ReaderDown("r1", at(43), "cut")], 400)
    run([item for item in items if when(item) <= at(60)], floor)
    lost.restore(floor.checkpoint())
    (fact,) = of_type(run([item for item in items if when(item) > at(60)], floor), COUNT)
    lost.apply([seal(fact, "/rfid/s/g", "e", 1, GENESIS).payload])
    assert plan_of(lost) == plan_of(floor) | {"why": plan_of(lost)["why"]}
    assert lost.counts.plan.attempt < at(86_400)


def test_a_count_by_hand_that_an_event_tells_of_is_one_for_the_plan():
    site = config(zones=[{"id": "vault"}, {"id": "dock"}, {"id": "shelf"}], counts={
        "time_zone": "America/Denver", "plan": [{"zone": "shelf", "every": "1d", "at": "15:14"}]
    })  # fmt: skip
    floor, lost = Floor(site), Floor(site)
    by = {"by": "Dana"}
    items = ticked([
        *up(),
        *alive(0, 100, "r1"),
        Command(at(50), "count.open", {"zones": ["shelf"], **by}),
        Command(at(55), "reads", {"reader": "sled", "uids": ["1A4060300048D3D000000007"], **by}),
        Command(at(90), "count.close", {"zone": "shelf", **by}),
    ], 120)  # fmt: skip
    run([item for item in items if when(item) <= at(45)], floor)
    lost.restore(floor.checkpoint())
    after = run([item for item in items if when(item) > at(45)], floor)
    lost.apply([seal(fact, "/rfid/s/g", "e", n, GENESIS).payload for n, fact in enumerate(after, 1)])
    for counted_floor in (floor, lost):
        state = counted_floor.zone_state("shelf")["count_plan"]
        assert (state["overdue"], state["due"]) == (False, "2023-11-15T22:14:00.000000Z")


def test_a_count_on_command_does_for_the_plan_where_it_is_overdue():
    floor = Floor(config(counts=PLAN))
    early = Command(at(5), "count", {"zone": "vault", "duration": 5})
    late = Command(at(62), "count", {"zone": "vault", "duration": 5})
    items = [*up(), ReaderDown("r1", at(30), "cable"), ReaderUp("r1", at(60)), *alive(60, 95, "r1"), early, late]
    facts = counted(items, 95, floor)
    assert [fact.data["trigger"] for fact in facts] == ["command", "command"]
    assert plan_of(floor)["due"] == "2023-11-15T22:14:00.000000Z"


def test_what_was_due_while_the_gateway_was_away_is_counted_when_it_is_back():
    floor = Floor(config(counts=PLAN))
    run(ticked([*up(), *alive(0, 20, "r1")], 20), floor)
    items: list[Input] = [Restart(at(7200), at(20), True), *up(7201), *alive(7201, 7300, "r1")]
    ticks: list[Input] = [Tick(at(7200 + step / 10)) for step in range(1000)]
    facts = of_type(run(sorted([*items, *ticks], key=when), floor), COUNT)
    (fact,) = facts
    assert fact.data["scheduled"] == "2023-11-14T22:14:00.000000Z"
    assert at(7200) < fact.time < at(7300)
    assert plan_of(floor)["due"] == "2023-11-15T22:14:00.000000Z"


@pytest.mark.parametrize(
    ("changed", "due"),
    [
        (PLAN, "2023-11-14T22:14:00.000000Z"),
        ({"plan": [{"zone": "vault", "every": "1d", "at": "22:20"}]}, "2023-11-14T22:20:00.000000Z"),
        ({"plan": [{"zone": "vault", "every": "1d", "at": "22:00"}]}, "2023-11-15T22:00:00.000000Z"),
    ],
)
def test_another_plan_after_a_reload(changed, due):
    floor = Floor(config(counts=PLAN))
    run(ticked(up(), 20), floor)
    again = Floor(config(counts=changed))
    again.restore(floor.checkpoint())
    assert plan_of(again)["due"] == due


def test_a_plan_for_a_zone_that_had_none():
    floor = Floor(config())
    run(ticked(up(), 20), floor)
    again = Floor(config(counts=PLAN))
    again.restore(floor.checkpoint())
    assert again.counts.plan.due == {"vault": at(DUE)}


def test_the_plan_begins_with_the_first_that_is_heard_of_a_reader():
    floor = Floor(config(counts=PLAN))
    floor.feed(Tick(T0))
    assert floor.counts.plan.due == {}
    run(ticked([ReaderDown("r1", at(5), "unreachable")], 10), floor)
    assert floor.counts.plan.due == {"vault": at(DUE)}


def test_a_site_of_which_nothing_is_ever_heard_is_overdue_all_the_same():
    floor = Floor(config(counts={"plan": [{"zone": "vault", "every": "1d", "at": "22:15"}]}))
    run(ticked([], 180), floor)
    assert floor.counts.plan.overdue_zones.keys() == {"vault"}
