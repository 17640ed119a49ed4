"""What was lost, and what is wrong with a reader."""

from __future__ import annotations

import json

import pytest

from drivers.api import AntennaStatus, ClockQuality, ReaderAlive, ReaderClock, ReaderCondition, ReaderDown, ReaderLoss
from drivers.api import ReaderUp as Up
from gateway.clock import SECOND, rfc3339
from gateway.events.envelope import ALARM, COUNT, LOSS, Fact
from gateway.floor import Floor
from gateway.inputs import ClockStep, Command, Dropped, Input, Restart, Tick
from tests.support.floor_scene import alive, at, config, moved, of_type, read, run, standing, ticked, up, when


def losses(items: list[Input], until: float = 300) -> list[tuple[str, str, str, str, bool]]:
    return [
        (fact.place, fact.data["cause"], fact.data["start"], fact.data["end"], fact.data["certain"])
        for fact in of_type(run(ticked(items, until)), LOSS)
    ]


def test_a_drivers_loss_is_passed_on():
    loss = ReaderLoss("r1", at(9), at(2), at(8), "buffer-overflow", True)
    assert losses([*up(), loss], 10) == [("r1", "buffer-overflow", rfc3339(at(2)), rfc3339(at(8)), True)]


def test_a_reader_that_holds_nothing_loses_from_its_last_sign_of_life_less_the_lateness():
    items = [*up(), read(5, "r1", 1, 1), ReaderAlive("r1", at(7)), ReaderDown("r1", at(20), "silent"), Up("r1", at(50))]
    assert losses(items) == [("r1", "reader-unreachable", rfc3339(at(6)), rfc3339(at(50)), False)]


def test_a_reader_that_held_its_reads_has_lost_nothing():
    items = [*up(), ReaderDown("r1", at(20), "cut"), Up("r1", at(50), held=True), ReaderAlive("r1", at(51))]
    assert losses(items) == []


def test_a_reader_that_is_down_twice_before_it_is_back_has_one_loss():
    items = [*up(), ReaderDown("r1", at(20), "cut"), ReaderDown("r1", at(30), "refused"), Up("r1", at(50))]
    assert len(losses(items)) == 1


@pytest.mark.parametrize(
    ("restart", "expected"),
    [
        (Restart(at(60), at(40), True), [("r1", "reader-unreachable", 40, 61), ("r2", "reader-unreachable", 40, 61)]),
        (
            Restart(at(60), at(40), False),
            [
                ("r1", "gateway-crash", -1, 60),
                ("r2", "gateway-crash", -1, 60),
                ("r1", "reader-unreachable", 60, 61),
                ("r2", "reader-unreachable", 60, 61),
            ],
        ),
        (
            Restart(at(60), at(40), False, journal_lost=True),
            [
                ("r1", "gateway-crash", -1, 60),
                ("r2", "gateway-crash", -1, 60),
                ("gw", "journal-lost", 40, 60),
                ("r1", "reader-unreachable", 60, 61),
                ("r2", "reader-unreachable", 60, 61),
            ],
        ),
        (
            Restart(at(60), at(40), True, journal_lost=True, kept=at(10)),
            [
                ("gw", "journal-lost", 10, 60),
                ("r1", "reader-unreachable", 40, 61),
                ("r2", "reader-unreachable", 40, 61),
            ],
        ),
    ],
)
def test_what_a_restart_has_lost(restart, expected):
    facts = of_type(run([*ticked(up(), 40), restart, *up(61)]), LOSS)
    assert [(f.place, f.data["cause"], f.data["start"], f.data["end"]) for f in facts] == [
        (place, cause, rfc3339(at(start)), rfc3339(at(end))) for place, cause, start, end in expected
    ]


def test_a_crash_while_held_reads_arrive_may_lose_any_of_them():
    items = [*up(), ReaderAlive("r1", at(10)), ReaderDown("r1", at(20), "cut"), Up("r1", at(50), held=True)]
    items += [Tick(at(51)), Restart(at(60), at(51), False)]
    assert ("r1", "gateway-crash", rfc3339(at(9)), rfc3339(at(60)), False) in losses(items, 60)


def test_what_a_reader_holds_that_was_never_up_may_be_as_old_as_the_watch():
    """It was set up by a run that ended before it could say so, and held what it read until the next one."""
    items = [Restart(at(10), at(5), False), Up("r1", at(11), held=True), Restart(at(20), at(12), False)]
    assert ("r1", "gateway-crash", rfc3339(at(-1)), rfc3339(at(20)), False) in losses(items, 20)


def test_what_a_reader_read_while_it_was_set_up_may_be_lost_by_a_crash():
    items = [Up("r1", at(8)), Restart(at(20), at(9), False)]
    assert ("r1", "gateway-crash", rfc3339(at(-1)), rfc3339(at(20)), False) in losses(items, 20)


def test_a_reader_that_was_down_before_a_crash_has_no_loss_by_it():
    facts = run([*ticked([*up(), ReaderDown("r1", at(20), "cut")], 40), Restart(at(60), at(40), False), *up(61)])
    assert [(f.place, f.data["cause"], f.data["start"]) for f in of_type(facts, LOSS)] == [
        ("r2", "gateway-crash", rfc3339(at(-1))),
        ("r1", "reader-unreachable", rfc3339(at(-1))),
        ("r2", "reader-unreachable", rfc3339(at(60))),
    ]


@pytest.mark.parametrize("clean", [True, False])
def test_what_was_on_the_way_as_a_link_died_is_said_by_the_next_run_where_the_one_before_could_not(clean):
    items = [*ticked([*up(), ReaderDown("r1", at(20), "3 keepalives are missing")], 40), Restart(at(60), at(40), clean)]
    items += [Restart(at(62), at(61), clean=False), Up("r1", at(63), held=True), ReaderAlive("r1", at(64))]
    items += [ReaderDown("r1", at(65), "cut"), Up("r1", at(66), held=True)]
    found = [(f.data["cause"], f.data["start"], f.data["end"]) for f in of_type(run(items), LOSS) if f.place == "r1"]
    assert found == [("reader-unreachable", rfc3339(at(-1)), rfc3339(at(63)))]


def test_events_that_the_ledger_gave_up_are_a_loss_of_the_gateway():
    (fact,) = run([Dropped(at(9), 5, 17, at(1), at(3))])
    assert fact == Fact(
        LOSS,
        "gw",
        at(9),
        {
            "reader": "gw",
            "cause": "ledger-full",
            "start": rfc3339(at(1)),
            "end": rfc3339(at(3)),
            "certain": True,
            "first_sequence": 5,
            "last_sequence": 17,
        },
    )


def test_a_reader_that_stays_down_is_an_alarm_until_it_is_back():
    items = [*up(), ReaderDown("r1", at(20), "no route to host"), Up("r1", at(200)), ReaderDown("r2", at(20), "cut")]
    items.append(Up("r2", at(70)))
    alarms = of_type(run(ticked(items, 300)), ALARM)
    assert [(fact.place, fact.data["state"], fact.time) for fact in alarms] == [
        ("r1", "raised", at(80)),
        ("r1", "cleared", at(200)),
    ]
    assert alarms[0].data["reason"] == "no route to host"


def test_an_antenna_that_was_lost_before_its_reader_was_up_is_lost_since_then():
    items = [AntennaStatus("r1", at(1), 1, False, "cable"), *up(2), AntennaStatus("r1", at(5), 1, True)]
    facts = of_type(run(ticked(items, 8)), ALARM)
    assert [(fact.data["state"], fact.data["since"]) for fact in facts] == [
        ("raised", rfc3339(at(1))),
        ("cleared", rfc3339(at(1))),
    ]


def test_an_antenna_that_reads_again_is_not_down_for_those_who_look_at_its_reader():
    floor = Floor(config())
    items = [*up(), AntennaStatus("r1", at(2), 1, False, "cable"), *standing(5, 8, "r1", 1, 1)]
    run(ticked(items, 4), floor)
    assert floor.reader_state("r1")["antennas_down"] == {"1": "cable"}
    run([item for item in ticked(items, 10) if when(item) > at(4)], floor)
    assert floor.reader_state("r1")["antennas_down"] == {}


def test_a_condition_that_ended_in_a_count_is_part_of_it_although_the_clock_was_set():
    jump = 3600
    items = ticked(
        [
            *up(),
            *alive(0, 30, "r1"),
            Command(at(5), "count", {"zone": "vault", "duration": 40.0}),
            ReaderCondition("r1", at(10), "throttled", True),
            ReaderCondition("r1", at(20), "throttled", False),
        ],
        30,
    )
    step = ClockStep(at(30 + jump), jump * SECOND, jump * SECOND, "set")
    later = [moved(item, jump * SECOND) for item in ticked([], 60) if when(item) > at(30)]
    (count,) = of_type(run([*items, step, *later]), COUNT)
    assert count.data["quality"]["conditions"] == {"r1": ["throttled"]}


def test_antennas_that_are_not_in_use_are_no_alarm():
    assert of_type(run(ticked([*up(), AntennaStatus("r1", at(1), 4, False)], 5)), ALARM) == []


def test_the_state_of_a_reader():
    floor = Floor(config())
    assert floor.reader_state("r1")["status"] == "unknown"
    items = [
        Up("r1", at(0), True, "R420", "5.14"),
        ReaderClock("r1", at(0), ClockQuality.CORRECTED, 1500),
        AntennaStatus("r1", at(1), 2, False, "disconnected"),
        ReaderCondition("r1", at(1), "throttled", True, "hot"),
        *standing(1, 4, "r1", 1, 7),
    ]
    run(ticked(items, 6), floor)
    state = floor.reader_state("r1")
    assert state == {
        "reader": "r1",
        "status": "catching-up",
        "since": rfc3339(at(0)),
        "reason": "",
        "model": "R420",
        "firmware": "5.14",
        "antennas_down": {"2": "disconnected"},
        "antennas_silent": {},
        "conditions": {"throttled": "hot"},
        "clock": {"quality": "corrected", "offset_us": 1500},
        "reads": 6,
        "late_reads": 0,
    }
    run([ReaderAlive("r1", at(7)), ReaderDown("r1", at(8), "cut")], floor)
    assert (floor.reader_state("r1")["status"], floor.reader_state("r1")["reason"]) == ("down", "cut")
    assert json.dumps(floor.reader_state("r2"))


def test_the_state_of_a_zone():
    floor = Floor(config())
    items = [*up(), AntennaStatus("r1", at(1), 2, False), *standing(1, 20, "r1", 1, 7), *standing(1, 3, "r1", 1, 8)]
    run(ticked(items, 20), floor)
    assert floor.zone_state("vault") == {
        "zone": "vault",
        "name": "",
        "population": 2,
        "not_seen": 0,
        "watched": True,
        "antennas": {"r1/1": "watching", "r1/2": "antenna down"},
        "last_count": None,
        "count_plan": None,
        "expected": None,
    }


def test_clock_quality_is_part_of_the_evidence():
    items = [*up(), ReaderClock("r1", at(0.5), ClockQuality.UPTIME, -250), *standing(1, 4, "r1", 1, 7)]
    (fact,) = run(ticked(items, 5))
    assert fact.data["evidence"]["clock"] == {"quality": "uptime", "offset_us": -250}
