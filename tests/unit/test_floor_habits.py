"""An antenna that reads nothing against its own habit is an alarm; one that never was steady, or whose place was
emptied, is none."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import pytest

from drivers.api import ReaderDown
from gateway.clock import SECOND, micros
from gateway.events.envelope import ALARM, Fact
from gateway.floor import Floor
from gateway.floor.migrations import time_4
from gateway.floor.places import Places
from gateway.floor.readers.habits import Habits
from gateway.inputs import Input
from tests.support.floor_scene import at, config, of_type, read, run, standing, ticked, up

HOUR = 3600.0
LEARNT = 5 * HOUR
seen = partial(standing, every=10.0)
DOOR = {
    "portals": [{"id": "door", "inside": "vault", "outside": "dock"}],
    "readers": [
        {
            "id": "r1",
            "driver": "llrp",
            "antennas": [
                {"port": 1, "portal": "door", "side": "inside"},
                {"port": 2, "portal": "door", "side": "outside"},
            ],
        },
        {"id": "r2", "driver": "llrp", "antennas": [{"port": 1, "zone": "dock"}]},
    ],
}


def given(items: Iterable[Input], until: float) -> list[Input]:
    return ticked([*up(), *items], until, 10 * SECOND)


def silences(facts: Iterable[Fact]) -> list[tuple[str, str, int, float]]:
    """State, reader, antenna and the minute of the alarms about silent antennas."""
    return [
        (fact.data["state"], fact.place, fact.data["antenna"], (fact.time - at(0)) / SECOND // 60)
        for fact in of_type(facts, ALARM)
        if fact.data["alarm"] == "antenna-silent"
    ]


def said(items: Iterable[Input], until: float) -> list[tuple[str, str, int, float]]:
    return silences(run(given(items, until)))


def test_a_shelf_that_was_read_all_day_and_then_is_not():
    items = [*seen(2, LEARNT, "r1", 1, 7), *seen(LEARNT + HOUR, LEARNT + HOUR + 60, "r1", 1, 7)]
    found = said(items, LEARNT + 2 * HOUR)
    assert [entry[:3] for entry in found] == [("raised", "r1", 1), ("cleared", "r1", 1)]
    assert 15 <= found[0][3] - LEARNT / 60 <= 17
    assert found[1][3] == (LEARNT + HOUR) / 60


def test_the_readers_state_and_the_zone_say_so():
    floor = Floor(config())
    run(given(seen(2, LEARNT, "r1", 1, 7), LEARNT + HOUR), floor)
    assert list(floor.reader_state("r1")["antennas_silent"]) == ["1"]
    assert floor.zone_state("vault")["antennas"] == {"r1/1": "reads nothing", "r1/2": "watching"}


def test_nothing_is_said_of_what_was_watched_for_too_short():
    assert said(seen(2, 2 * HOUR, "r1", 1, 7), 6 * HOUR) == []


@pytest.mark.slow
def test_a_shelf_that_was_emptied_is_silent_with_reason():
    items = [*seen(2, LEARNT, "r1", 1, 7), *seen(LEARNT, LEARNT + 3 * HOUR, "r2", 1, 7)]
    assert said(items, LEARNT + 3 * HOUR) == []


@pytest.mark.slow
def test_an_antenna_that_is_often_silent_for_long_is_not_missed():
    visits = [read(hour * 2 * HOUR + n, "r1", 1, 7) for hour in range(6) for n in range(60)]
    assert said([*visits, *seen(2, 24 * HOUR, "r2", 1, 9)], 24 * HOUR) == []


def test_time_in_which_it_did_not_watch_is_no_silence():
    items = [*seen(2, LEARNT, "r1", 1, 7), ReaderDown("r1", at(LEARNT), "cut")]
    assert said(items, LEARNT + 5 * HOUR) == []


def test_reads_that_come_after_newer_ones_say_nothing_of_silence():
    habits = Habits(Places(config(**DOOR)))
    for second in (0, 100, 200):
        habits.read(0, at(second), at(second))
    before = habits.dump()
    assert habits.read(0, at(200), at(150)) is None
    assert habits.dump() == before


INSIDE, OUTSIDE = 0, 1
LOADS = 1200.0
"""Seconds from one load that goes through the door to the next."""


def silent_at_the_door(until: float, reads: Iterable[tuple[float, int]], habits: Habits) -> dict[int, int]:
    """The antennas of the door that are found silent, and in which hour."""
    found: dict[int, int] = {}
    for second, antenna in [*sorted(reads), (until, -1)]:
        while habits.due <= at(second):
            silent = habits.found_silent(lambda _, t=habits.due: t, habits.due)
            found |= dict.fromkeys(silent, (habits.due - at(0)) // micros(HOUR))
        if antenna >= 0:
            habits.read(antenna, at(second), at(second))
    return found


def load(second: float, *antennas: int) -> list[tuple[float, int]]:
    return [(second + 2 * antenna + n / 4, antenna) for antenna in antennas for n in range(20)]


def loads(first: float, last: float, *antennas: int) -> list[tuple[float, int]]:
    return [read for n in range(round((last - first) / LOADS)) for read in load(first + n * LOADS, *antennas)]


def test_a_door_antenna_that_hears_nothing_of_what_the_other_side_hears():
    reads = loads(0, 30 * HOUR, INSIDE, OUTSIDE) + loads(30 * HOUR, 60 * HOUR, INSIDE)
    assert silent_at_the_door(60 * HOUR, reads, Habits(Places(config(**DOOR)))) == {OUTSIDE: 38}


@pytest.mark.parametrize("every", [2.0, 90.0])
def test_what_stands_at_one_side_of_a_door_all_weekend_says_nothing_of_the_other(every: float):
    stands = [(30 * HOUR + n * every, INSIDE) for n in range(round(60 * HOUR / every))]
    reads = loads(0, 30 * HOUR, INSIDE, OUTSIDE) + stands
    assert silent_at_the_door(90 * HOUR, reads, Habits(Places(config(**DOOR)))) == {}


def test_before_it_has_seen_a_night_it_says_nothing_of_what_others_read():
    reads = loads(0, 10 * HOUR, INSIDE, OUTSIDE) + loads(10 * HOUR, 24 * HOUR, INSIDE)
    assert silent_at_the_door(24 * HOUR, reads, Habits(Places(config(**DOOR)))) == {}


def test_habits_that_counted_windows_begin_anew():
    old = Habits(Places(config(**DOOR)))
    silent_at_the_door(30 * HOUR, loads(0, 30 * HOUR, INSIDE, OUTSIDE), old)
    dump = old.dump()
    dump["habits"] = [values[:9] for values in dump["habits"]]
    new = Habits(Places(config(**DOOR)))
    new.load(time_4({"reader_history": {"habits": dump}})["reader_history"]["habits"], list(range(3)))
    habit = new.of[OUTSIDE]
    assert (habit.widest_others, habit.last - habit.began, habit.last) == (0.0, 0, old.of[OUTSIDE].last)


@pytest.mark.slow
def test_habits_outlive_the_process():
    reads = [*seen(2, LEARNT, "r1", 1, 7), *seen(LEARNT + HOUR, LEARNT + HOUR + 60, "r1", 1, 7)]
    items = given(reads, LEARNT + 2 * HOUR)
    whole = silences(run(items))
    for cut in (len(items) // 2, int(len(items) * 0.8)):
        first = Floor(config())
        before = run(items[:cut], first)
        second = Floor(config())
        second.restore(first.checkpoint())
        assert silences([*before, *run(items[cut:], second)]) == whole
