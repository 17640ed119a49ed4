"""What must hold for any passes: the same facts however the reads come and over restarts; ins and outs that add up."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.api import AntennaStatus, Batch, ReaderAlive, ReaderDown, ReaderUp
from gateway.clock import MILLISECOND, SECOND, rfc3339
from gateway.floor import Floor
from gateway.inputs import Input, Restart, Tick
from tests.support.floor_scene import T0, at, run, ticked, when
from tests.support.portal_scene import IN, NEAR, OUT, STANDING, TURNED, carried, eye, later, portal_site

LENGTH = 60

WALK = st.tuples(
    st.sampled_from([IN, OUT, TURNED, NEAR, [*STANDING[:1], (40.0, 1.5)], [(0, 4), (2.5, -4)]]),
    st.integers(0, 40),  # begins, in seconds
    st.integers(1, 4),  # tag
    st.integers(0, 99),  # seed
    st.sampled_from([0.06, 0.25, 0.9]),  # a read every so many seconds
)


@st.composite
def walks(draw: st.DrawFn) -> list[Batch]:
    """Reads in the order of their time, in which each tag does one thing at a time."""
    reads: list[Batch] = []
    for points, start, tag, seed, every in draw(st.lists(WALK, min_size=1, max_size=5)):
        reads += carried(later(points, start), tag, seed=seed, every=every)
    return sorted(reads, key=when)


@st.composite
def news(draw: st.DrawFn) -> list[Input]:
    items: list[Input] = [ReaderUp("r1", at(0)), *(ReaderAlive("r1", at(t)) for t in range(1, LENGTH, 2))]
    for start in draw(st.lists(st.integers(1, 50), max_size=3)):
        near, far = draw(st.sampled_from([(1, 2), (2, 1), (1, 1)]))
        items += [eye(start, near, broken=True), eye(start + 0.4, far, broken=True)]
        items += [eye(start + 0.7, near, broken=False), eye(start + 1.1, far, broken=False)]
    if draw(st.booleans()):
        down = draw(st.integers(1, 50))
        items += [ReaderDown("r1", at(down), "cut"), ReaderUp("r1", at(down + 3))]
    if draw(st.booleans()):
        items.append(AntennaStatus("r1", at(draw(st.integers(1, 50))), 2, False))
    return items


def late(reads: list[Batch], delays: list[int]) -> list[Input]:
    """The reads, each with its delay in milliseconds."""
    return [
        Batch(batch.reader, batch.arrival + delays[index % len(delays)] * MILLISECOND, batch.rows)
        for index, batch in enumerate(reads)
    ]


def told(items: list[Input], floor: Floor | None = None) -> list[Any]:
    floor = floor or Floor(portal_site(photo_eyes=True))
    return [(fact.type, fact.place, fact.time, fact.data) for fact in run(items, floor)]


@settings(max_examples=15, deadline=None)
@given(walks(), news(), st.lists(st.integers(0, 950), min_size=1, max_size=13))
def test_reads_that_come_late_within_the_lateness_change_nothing(reads, others, delays):
    if any(isinstance(item, ReaderDown) for item in others):
        others = [item for item in others if not isinstance(item, ReaderDown | ReaderUp)]
    in_order = ticked([*others, *reads], LENGTH + 20)
    assert told(ticked([*others, *late(reads, delays)], LENGTH + 20)) == told(in_order)


@settings(max_examples=15, deadline=None)
@given(walks(), news(), st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_it_does_not_matter_how_often_time_is_told(reads, others, steps):
    items = ticked([*others, *reads], LENGTH + 20)
    ticks = [item for item in items if isinstance(item, Tick)]
    keep, at_tick = {id(ticks[0]), id(ticks[-1])}, 0
    for step in steps * len(ticks):
        at_tick += step
        if at_tick < len(ticks):
            keep.add(id(ticks[at_tick]))
    fewer = [item for item in items if not isinstance(item, Tick) or id(item) in keep]
    assert sorted(map(repr, told(fewer))) == sorted(map(repr, told(items)))


@settings(max_examples=15, deadline=None)
@given(walks(), news(), st.lists(st.integers(0, 1600), min_size=1, max_size=5))
def test_a_restored_floor_goes_on_as_if_nothing_had_been(reads, others, cuts):
    items = ticked([*others, *late(reads, [0, 400, 1700])], LENGTH + 20)
    site = portal_site(photo_eyes=True)
    floor, parts, facts = Floor(site), {}, []
    for index, item in enumerate(items):
        if index in cuts:
            parts |= floor.checkpoint()
            floor = Floor(site)
            floor.restore(parts)
        elif index % 97 == 0:
            parts |= floor.checkpoint()
        facts += floor.feed(item)
    assert [(fact.type, fact.place, fact.time, fact.data) for fact in facts] == told(items)


def state(floor: Floor) -> Any:
    """What the portals would write into a checkpoint."""
    return orjson.loads(orjson.dumps(floor._portals.dump()))


@settings(max_examples=15, deadline=None)
@given(walks(), news(), st.integers(200, 1600))
def test_what_is_dumped_and_loaded_is_dumped_alike(reads, others, cut):
    """In the middle of everything: open tracks, passes that wait for others, loads, photo-eyes, outages."""
    items = ticked([*others, *reads], LENGTH + 20)
    floor, other = Floor(portal_site(photo_eyes=True)), Floor(portal_site(photo_eyes=True))
    run(items[:cut], floor)
    other.restore(floor.checkpoint())
    assert state(other) == state(floor)
    assert told(items[cut:], other) == told(items[cut:], floor)
    assert state(other) == state(floor)


@settings(max_examples=15, deadline=None)
@given(walks(), news())
def test_a_tag_is_where_its_passes_say_and_no_confident_pass_goes_where_it_is(reads, others):
    where: dict[str, str | None] = {}
    last: dict[str, str] = {}
    for _, _, _, data in told(ticked([*others, *reads], LENGTH + 20)):
        match data.get("movement"):
            case "passed" if data["direction"] in ("in", "out"):
                if last.get(data["uid"]) == data["direction"]:
                    assert data["evidence"]["reason"] == "the same way as the time before"
                last[data["uid"]] = data["direction"]
            case "passed" if data["direction"] == "undetermined":
                last.pop(data["uid"], None)
            case "arrived":
                assert where.get(data["uid"]) is None
                where[data["uid"]] = data["to"]
            case "moved":
                assert where[data["uid"]] == data["from"] != data["to"]
                where[data["uid"]] = data["to"]


@st.composite
def loads(draw: st.DrawFn) -> list[Batch]:
    """A few loads of a few tags, each with its own reads and a little behind the one before."""
    reads: list[Batch] = []
    tag = 0
    for points, start, size, gap, seed in draw(st.lists(LOAD, min_size=1, max_size=3)):
        for number in range(size):
            tag += 1
            every = 0.1 if number % 3 else 0.4
            reads += carried(later(points, start + number * gap), tag, seed=seed, every=every)
    return sorted(reads, key=when)


LOAD = st.tuples(
    st.sampled_from([IN, OUT, [(0, 4), (4, -4)]]),
    st.integers(0, 30),
    st.integers(1, 5),
    st.sampled_from([0.0, 0.2, 0.9]),
    st.integers(0, 99),
)


@settings(max_examples=15, deadline=None)
@given(loads(), news())
def test_groups_are_said_once_and_are_made_of_passes_that_were_said_before(reads, others):
    passed: dict[str, list[tuple[str, str | None]]] = {}
    groups: dict[str, list[str]] = {}
    for _, _, _, data in told(ticked([*others, *reads], LENGTH + 40)):
        if data.get("movement") == "passed":
            passed.setdefault(data["uid"], []).append((data["direction"], data["group"]))
        elif data.get("movement") == "group_passed":
            name, members = data["group"], data["members"]
            assert name not in groups
            assert len(set(members)) == len(members) == data["number"] > 1
            for uid in members:
                assert any(way == data["direction"] and group in (None, name) for way, group in passed[uid])
            assert not set(members) & set(data["strays"])
            groups[name] = members
    for uid, ways in passed.items():
        assert len(ways) == 1  # each tag went once
        for way, group in ways:
            assert group is None or uid in groups[group]
            assert group is None or way in ("in", "out")
            assert sum(uid in members for members in groups.values()) <= 1


@settings(max_examples=15, deadline=None)
@given(walks(), st.integers(100, 900), st.booleans())
def test_a_restart_never_makes_a_direction_out_of_half_a_pass(reads, index, clean):
    items = ticked([ReaderUp("r1", at(0)), *reads], LENGTH + 20)
    tick = next((item for item in reversed(items[:index]) if isinstance(item, Tick)), None)
    if tick is None:
        return
    floor = Floor(portal_site(photo_eyes=True))
    run(items[:index], floor)
    away = tick.t + 30 * SECOND
    during = run([Restart(away, tick.t, clean), ReaderUp("r1", away), Tick(away + 5 * SECOND)], floor)
    for fact in during:
        if fact.data.get("movement") == "passed" and fact.data["direction"] in ("in", "out"):
            assert fact.data["last"] < fact_time(tick.t - 900 * MILLISECOND)


def fact_time(t: int) -> str:
    return rfc3339(max(t, T0))
