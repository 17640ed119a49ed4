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


def test_a_door_antenna_that_hears_nothing_of_what_the_other_side_hears():
    habits = Habits(Places(config(**DOOR)))
    inside, outside = 0, 1
    hours = [at(hour * HOUR) for hour in range(12)]
    found = {}
    for hour in hours:
        for n in range(150):
            habits.read(inside, hour + n * SECOND, hour + n * SECOND)
            if hour < hours[6]:
                habits.read(outside, hour + n * SECOND, hour + n * SECOND)
        while habits.due <= hour + micros(HOUR) - 1:
            found |= dict.fromkeys(habits.found_silent(lambda antenna, t=habits.due: t, habits.due), hour)
    assert found == {outside: hours[8]}


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
