"""Counts: on command and periodic, and how honest they are about how well the zone was being read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from drivers.api import AntennaStatus, Batch, ReaderCondition, ReaderDown, ReaderUp, RssiUnit
from gateway.clock import rfc3339
from gateway.errors import Refused
from gateway.events.count_models import CountData
from gateway.events.envelope import COUNT, Fact
from gateway.floor import Floor
from gateway.floor.counts import counts
from gateway.floor.counts import report as count_report
from gateway.inputs import Command, Input, Restart
from tests.support.floor_scene import T0, alive, at, config, of_type, run, standing, ticked, up, when

ZONES = [{"id": "vault", "count_every": 20.0}, {"id": "dock"}]


COUNT_DATA = TypeAdapter(CountData)


def counted(items: list[Input], until: float, **changes: Any) -> list[Fact]:
    return of_type(run(ticked(items, until), Floor(config(**changes))), COUNT)


def test_a_count_on_command_says_who_is_there():
    items = [
        *up(),
        *alive(0, 60, "r1"),
        *standing(1, 50, "r1", 1, 1),
        *standing(1, 50, "r1", 2, 2),
        *standing(1, 20, "r1", 2, 3),
        *standing(1, 50, "r2", 1, 4),
        Command(at(40), "count", {"zone": "vault", "duration": 5, "request": "cycle-17"}),
    ]
    (fact,) = counted(items, 50, presence={"shortest": 4.0})
    data = fact.data
    assert fact.place == data["zone"] == "vault"
    assert (data["trigger"], data["request"]) == ("command", "cycle-17")
    assert (data["started"], data["ended"], fact.time) == (rfc3339(at(40)), rfc3339(at(45)), at(45))
    assert (data["population"], data["seen"], data["unconfirmed"], data["not_seen"]) == (2, 2, 0, 1)
    assert data["uids"] == ["1A4060300048D3D000000001", "1A4060300048D3D000000002"]
    assert data["not_seen_uids"] == ["1A4060300048D3D000000003"]
    estimate = data["estimate"]
    assert (estimate["population"], estimate["missed"], estimate["rounds"], estimate["seen_twice"]) == (2, 0, 2, 2)
    assert estimate["interval"][0] == 2
    assert estimate["interval"][1] >= 3, "the one that is not seen any more may be there"
    assert data["quality"] == {
        "duty": 1.0,
        "antennas": {"r1/1": 1.0, "r1/2": 1.0},
        "antennas_down": [],
        "conditions": {},
    }
    assert data["confidence"] == 0.999


def shelf_count(levels: list[int], unit: RssiUnit = RssiUnit.DBM) -> dict[str, Any]:
    """The estimate of a count of tags that are read at these levels in every round."""
    items = [*up(), *(read for tag, rssi in enumerate(levels) for read in standing(1, 24, "r1", 1, tag, rssi))]
    items = [replace(item, rssi_unit=unit) if isinstance(item, Batch) else item for item in items]
    (fact,) = counted([*items, Command(at(10), "count", {"zone": "vault", "duration": 12})], 24)
    COUNT_DATA.validate_python(fact.data)
    return fact.data["estimate"]


def test_tags_close_to_where_hearing_ends_say_that_there_are_more():
    """30 tags in every round, of which ever fewer are weak, down to -70 dBm: where tags are as weak as that, more are
    weaker. A reader whose levels have no unit, or do not differ, says nothing of the kind."""
    levels = [-70, -69, -68, -66, -65, -64, -62, -61, -60, -59, -58, -57, *range(-56, -38)]
    estimate = shelf_count(levels)
    assert (estimate["method"], estimate["lower_bound"]) == ("chao2+levels", False)
    assert estimate["population"] == pytest.approx(30 + estimate["unheard"], abs=0.1)
    assert 1 < estimate["unheard"] < 10
    assert estimate["interval"][1] > 30 + estimate["unheard"]
    for other in (shelf_count([-60] * 30), shelf_count([level + 150 for level in levels], RssiUnit.RAW)):
        assert (other["method"], other["lower_bound"], other["unheard"]) == ("chao2", True, None)
        assert other["population"] == 30


def test_a_dead_antenna_makes_a_count_say_so():
    items = [
        *up(),
        *standing(1, 30, "r1", 1, 1),
        *standing(1, 20, "r1", 2, 2),
        AntennaStatus("r1", at(20), 2, False, "disconnected"),
        ReaderCondition("r1", at(22), "throttled", True),
        ReaderCondition("r1", at(23), "throttled", False),
        Command(at(22.5), "count", {"zone": "vault", "duration": 4}),
    ]
    (fact,) = counted(items, 30)
    assert (fact.data["population"], fact.data["seen"], fact.data["unconfirmed"]) == (2, 1, 1)
    assert fact.data["quality"] == {
        "duty": 0.5,
        "antennas": {"r1/1": 1.0, "r1/2": 0.0},
        "antennas_down": ["r1/2"],
        "conditions": {"r1": ["throttled"]},
    }
    assert fact.data["confidence"] == 0.25


def test_a_zone_that_nobody_reads_has_a_count_of_no_confidence():
    items = [ReaderDown("r1", at(0), "unreachable"), Command(at(5), "count", {"zone": "vault", "duration": 5})]
    (fact,) = counted(items, 12)
    assert (fact.data["quality"]["duty"], fact.data["confidence"]) == (0.0, 0.0)


def test_a_reader_that_was_away_for_a_part_of_the_count():
    items = [
        *up(),
        *alive(0, 40, "r2", every=0.5),
        ReaderDown("r2", at(12), "cut"),
        ReaderUp("r2", at(14)),
        Command(at(10), "count", {"zone": "dock", "duration": 8}),
    ]
    (fact,) = counted(items, 25)
    assert fact.data["quality"]["duty"] == pytest.approx(0.75, abs=0.02)


def test_periodic_counts_lie_on_a_grid_of_event_time():
    facts = counted([*up(), *alive(0, 90, "r1"), *standing(1, 90, "r1", 1, 1)], 90, zones=ZONES)
    assert [fact.time for fact in facts] == [T0 + seconds * 1_000_000 for seconds in (20, 40, 60, 80)]
    assert [fact.data["population"] for fact in facts] == [1, 1, 1, 1]
    assert facts[1].data["started"] == rfc3339(at(20))


def test_nobody_counts_while_the_gateway_is_away():
    before = ticked([*up(), *standing(1, 30, "r1", 1, 1)], 30)
    after = [Restart(at(4000), at(30), True), *ticked(up(4001), 4050)[40000:]]
    facts = of_type(run([*before, *after], Floor(config(zones=ZONES))), COUNT)
    assert [(fact.time - T0) // 1_000_000 for fact in facts] == [20, 4000, 4020, 4040]
    assert facts[1].data["quality"]["duty"] == 0.0


def test_a_zone_that_is_to_be_counted_periodically_from_now_on():
    floor = Floor(config())
    items = ticked([*up(), *alive(0, 90, "r1"), *standing(1, 90, "r1", 1, 1)], 90)
    run([item for item in items if when(item) < at(30)], floor)
    again = Floor(config(zones=ZONES))
    again.restore(floor.checkpoint())
    facts = of_type(run([item for item in items if when(item) >= at(30)], again), COUNT)
    assert [(fact.time - T0) // 1_000_000 for fact in facts] == [40, 60, 80]


def test_foreign_tags_are_counted_apart():
    items = [*up(), *standing(1, 20, "r1", 1, 1), *standing(1, 20, "r1", 1, 2)]
    items += [Command(at(10), "count", {"zone": "vault", "duration": 5})]
    (fact,) = counted(items, 20, tags={"exclude": ["1A4060300048D3D000000002"]})
    assert (fact.data["population"], fact.data["foreign"]) == (1, 1)


def test_long_lists_become_a_number_and_a_digest(monkeypatch):
    monkeypatch.setattr(count_report, "MAX_UIDS", 2)
    items = [*up(), *(read for tag in range(3) for read in standing(1, 20, "r1", 1, tag))]
    (fact,) = counted([*items, Command(at(10), "count", {"zone": "vault", "duration": 5})], 20)
    assert fact.data["population"] == 3
    assert fact.data["uids"]["number"] == 3
    assert len(fact.data["uids"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({}, "no zone None: zones are dock, vault"),
        ({"zone": "attic"}, "no zone 'attic': zones are dock, vault"),
        ({"zone": ["vault"]}, r"no zone \['vault'\]"),
        ({"zone": "vault", "duration": 0}, "duration 0 is not a number of seconds up to 3600"),
        ({"zone": "vault", "duration": True}, "duration True"),
        ({"zone": "vault", "duration": float("nan")}, "duration nan"),
        ({"zone": "vault", "duration": "5"}, "duration '5'"),
        ({"zone": "vault", "request": 5}, "request is not a text"),
        ({"zone": "vault", "request": "x" * 129}, "request is not a text"),
        ({"zone": "vault", "zones": 1}, "unknown argument 'zones'"),
        ({"zone": "vault", "expected": "1A40"}, "the UIDs are not a list"),
        ({"zone": "vault", "expected": ["1A40", 7]}, "UID number 2, 7, is not an EPC in hex"),
        ({"zone": "vault", "expected": ["PAG123456.PL1A3RD"]}, "UID number 1, 'PAG123456.PL1A3RD', is not an EPC"),
        ({"zone": "vault", "expected": ["1A4"]}, "is not an EPC in hex"),
        ({"zone": "vault", "expected": ["1A40"] * 100_001}, "100001 UIDs are more than the 100000"),
    ],
)
def test_commands_that_make_no_sense_are_refused_and_change_nothing(args, message):
    floor = Floor(config())
    with pytest.raises(Refused, match=message):
        floor.admit(Command(T0, "count", args))
    assert run(ticked([Command(T0, "count", args)], 5), floor) == []
    assert floor.stats.ignored == 1


def test_unknown_commands_and_too_many_counts_are_refused():
    floor = Floor(config())
    with pytest.raises(Refused, match="no command 'open-door'"):
        floor.admit(Command(T0, "open-door"))
    many = [Command(at(1), "count", {"zone": "dock", "duration": 5}) for _ in range(counts.MAX_RUNNING + 9)]
    run(ticked(many, 5), floor)
    with pytest.raises(Refused, match="64 counts are running already"):
        floor.admit(many[0])
    assert len(of_type(run(ticked([], 10)[50:], floor), COUNT)) == counts.MAX_RUNNING
