"""A portal that is put down in the middle of everything, and taken up again: it has forgotten nothing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from drivers.api import ReaderAlive, ReaderDown, ReaderUp
from gateway.floor import Floor
from gateway.floor.portals.portal import WEIGHED_AT_MOST
from gateway.inputs import Tick
from tests.support.floor_scene import at, read, run, ticked, when
from tests.support.portal_scene import IN, OUT, TURNED, carried, eye, later, portal_site, the

LENGTH = 90.0


def scene() -> list[Any]:
    """Stock by the door, some of which is covered up, a cart out and one package far behind, one in, one that turns,
    photo-eyes, an outage."""
    reads = [*carried([(0, 2.5), (LENGTH, 2.5)], tag=99, every=0.4), *carried([(0, -2.5), (41, -2.5)], tag=98)]
    for tag in range(1, 6):
        reads += carried(later(OUT, 34 + 0.2 * tag), tag, every=0.2)
    reads += carried(later(OUT, 37.5), 6, every=0.2)
    reads += carried(later(IN, 41), 7, every=0.2)
    reads += carried(later(TURNED, 55), 8, every=0.2)
    reads += [read(70.1, "r1", 1, 9), *carried(later(OUT, 73), 10, every=0.2)]
    photo_eyes = [
        eye(37.6, 1, broken=True),
        eye(38, 2, broken=True),
        eye(38.5, 1, broken=False),
        eye(39, 2, broken=False),
    ]
    stuck = [eye(80, 1, broken=True)]
    readers = [ReaderUp("r1", at(0)), *(ReaderAlive("r1", at(t)) for t in range(1, 90, 2))]
    outage = [ReaderDown("r1", at(76), "cut"), ReaderUp("r1", at(78))]
    return ticked(sorted([*reads, *photo_eyes, *stuck, *readers, *outage], key=when), LENGTH)


ITEMS = scene()
CUTS = [10.0, 36.0, 38.2, 41.05, 43.0, 44.3, 46.0, 48.5, 52.0, 62.0, 71.0, 77.0, 85.0]


def floor_at(seconds: float) -> tuple[Floor, list[Any]]:
    """A floor that was given all before a moment, and the rest."""
    count = sum(when(item) < at(seconds) for item in ITEMS)
    floor = Floor(portal_site(photo_eyes=True))
    run(ITEMS[:count], floor)
    return floor, ITEMS[count:]


def state(floor: Floor) -> Any:
    return orjson.loads(orjson.dumps(floor._portals.dump()))


@pytest.mark.parametrize(
    "cut", [pytest.param(cut, marks=() if number % 6 == 0 else pytest.mark.slow) for number, cut in enumerate(CUTS)]
)
@pytest.mark.slow
def test_a_portal_is_taken_up_where_it_was_put_down(cut):
    floor, rest = floor_at(cut)
    other = Floor(portal_site(photo_eyes=True))
    other.restore(floor.checkpoint())
    assert state(other) == state(floor)
    facts = run(rest, floor)
    assert [(f.type, f.time, f.data) for f in run(rest, other)] == [(f.type, f.time, f.data) for f in facts]
    assert state(other) == state(floor)


@pytest.mark.slow
def test_the_moments_that_are_tried_have_something_of_everything():
    seen = dict.fromkeys(("tracks", "waiting", "traced", "loads", "bystanders", "outages", "standing"), False)
    doors = [state(floor_at(cut)[0])["portals"]["door"] for cut in CUTS]
    for door in doors:
        seen = {key: found or bool(door[key]) for key, found in seen.items()}
    assert [key for key, found in seen.items() if not found] == []
    waiting = [entry for door in doors for entry in door["waiting"]]
    assert any(entry["spells"] for entry in waiting), "stock has left, and is not judged yet"


def test_the_scene_has_a_group_and_its_passes():
    facts = run(ITEMS, Floor(portal_site(photo_eyes=True)))
    ways = [(int(fact.data["uid"][-2:], 16), fact.data["direction"]) for fact in the(facts, "passed")]
    assert sorted(tag for tag, way in ways if way == "out" and tag <= 6) == [1, 2, 3, 4, 5, 6]
    assert (7, "in") in ways
    assert sorted(tag for tag, way in ways if way in ("turned_back", "undetermined")) == [8, 9, 10]
    assert [len(group.data["members"]) for group in the(facts, "group_passed")] == [5]


# ---- a load that is weighed in slices

LOAD = 3 * WEIGHED_AT_MOST
"""Tags: more than one step may weigh."""


def pallet_reads() -> list[Any]:
    """Four seconds in which all of a load is read by the outside, then by the inside, and then by neither at once."""
    moments = [(step, tag) for step in range(17) for tag in range(LOAD)]
    return [
        read(step / 4 + tag / 400, "r1", 1 + (step > 8), tag, -70 + 3 * min(step, 16 - step)) for step, tag in moments
    ]


PALLET = ticked(pallet_reads(), 25)


def told(facts: list[Any]) -> list[Any]:
    return [(fact.type, fact.time, fact.data) for fact in facts]


@pytest.fixture(scope="module")
def pallet() -> list[Any]:
    return told(run(PALLET, Floor(portal_site())))


def test_no_tick_weighs_more_of_a_load_than_it_may_and_nothing_is_lost(pallet):
    floor = Floor(portal_site())
    scales = floor._portals._portals["door"]._scales
    most = before = 0
    for item in PALLET:
        floor.feed(item)
        most, before = max(most, scales.weighings - before), scales.weighings
    assert most == WEIGHED_AT_MOST
    assert len({data["uid"] for _, _, data in pallet if data["movement"] == "passed"}) == LOAD


@pytest.mark.parametrize("seconds", [5.6, 6.1, 6.6, 7.4, 8.6])
def test_a_load_goes_on_in_the_middle_of_its_weighing(pallet, seconds):
    count = sum(when(item) < at(seconds) for item in PALLET)
    floor, other = Floor(portal_site()), Floor(portal_site())
    facts = run(PALLET[:count], floor)
    other.restore(floor.checkpoint())
    assert state(other) == state(floor)
    assert told(facts + run(PALLET[count:], other)) == pallet


def test_how_often_time_is_told_does_not_change_the_slices(pallet):
    seldom = [item for item in PALLET if not isinstance(item, Tick)]
    assert sorted(map(repr, told(run([*seldom, PALLET[-1]], Floor(portal_site()))))) == sorted(map(repr, pallet))
