"""What must hold for any reads: the facts are those of the reads, not of how they came."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.api import AntennaStatus, Batch, ReaderAlive, ReaderDown, ReaderUp
from gateway.clock import MILLISECOND, SECOND
from gateway.config import Config
from gateway.events.envelope import LOSS
from gateway.floor import Floor
from gateway.floor.sightings import Sightings
from gateway.inputs import Command, Input, Restart, Tick
from gateway.replay import replay
from tests.support.floor_scene import T0, at, config, epc, run, ticked, up, when

LENGTH = 90
LATENESS = SECOND
ANTENNAS = [("r1", 1), ("r1", 2), ("r2", 1)]


def site() -> Config:
    zones = [{"id": "vault", "count_every": 20.0}, {"id": "dock", "departs_after": 10.0}]
    return config(zones=zones, presence={"shortest": 3.0, "dwell": 1.0})


STAY = st.tuples(
    st.integers(0, 3),  # tag
    st.integers(0, 80),  # from, in seconds
    st.sampled_from([1, 4, 12, 30]),  # for
    st.sampled_from(ANTENNAS),
    st.sampled_from([250, 90, 700, 3000]),  # a read every so many ms
    st.integers(-75, -45),
    st.integers(1, 7),
)


@st.composite
def stays(draw: st.DrawFn) -> list[tuple[int, str, int, int, int]]:
    """Reads of a few tags that stay and go: (time in ms, reader, antenna, tag, RSSI)."""
    reads = []
    for tag, start, length, (reader, antenna), every, level, wobble in draw(st.lists(STAY, min_size=1, max_size=9)):
        times = range(1000 * start + 7 * tag, min(1000 * (start + length), 1000 * LENGTH), every)
        reads += [(t, reader, antenna, tag, level + t // every * 5 % wobble) for t in times]
    return sorted(reads)


@st.composite
def news(draw: st.DrawFn) -> list[Input]:
    items: list[Input] = list(up())
    for reader in ("r1", "r2"):
        items += [ReaderAlive(reader, at(t)) for t in range(1, LENGTH, draw(st.integers(2, 9)))]
    if draw(st.booleans()):
        down = draw(st.sampled_from([5, 12.34, 31, 60]))
        items.append(ReaderDown("r1", at(down), "cut"))
        items.append(ReaderUp("r1", at(down + draw(st.sampled_from([0.5, 3, 8, 25]))), draw(st.booleans())))
    if draw(st.booleans()):
        lost = draw(st.sampled_from([5, 12.34, 31, 60]))
        items.append(AntennaStatus("r1", at(lost), 2, False))
        items.append(AntennaStatus("r1", at(lost + draw(st.sampled_from([0.5, 3, 8, 25]))), 2, True))
    if draw(st.booleans()):
        items.append(Command(at(draw(st.sampled_from([2, 17.7, 40]))), "count", {"zone": "dock", "duration": 7.5}))
    return items


def row(read: tuple[int, str, int, int, int]) -> tuple[Any, ...]:
    t, _, antenna, tag, rssi = read
    return (epc(tag), antenna, rssi, 0, T0 + t * MILLISECOND, 1)


def batches(reads: list[Any], delays: list[int]) -> list[Input]:
    """Every read as a batch, arriving after its delay in ms."""
    pairs = [(read, delays[index % len(delays)]) for index, read in enumerate(reads)]
    return [Batch(read[1], T0 + (read[0] + delay) * MILLISECOND, [row(read)]) for read, delay in pairs]


def told(items: list[Input], floor: Floor | None = None) -> list[Any]:
    return [(fact.type, fact.place, fact.time, fact.data) for fact in run(items, floor or Floor(site()))]


@settings(max_examples=30, deadline=None)
@given(stays(), news(), st.lists(st.integers(0, 990), min_size=1, max_size=17))
def test_reads_that_come_late_within_the_lateness_change_nothing(reads, others, delays):
    in_order = ticked([*others, *batches(reads, [0])], LENGTH)
    shuffled = ticked([*others, *batches(reads, delays)], LENGTH)
    held = any(isinstance(item, ReaderUp | ReaderDown) and item.t > T0 for item in others)
    if not held:  # what a reader delivers while it is down is another story
        assert told(shuffled) == told(in_order)


@settings(max_examples=30, deadline=None)
@given(stays(), news(), st.lists(st.integers(1, 30), min_size=1, max_size=9))
def test_it_does_not_matter_how_often_time_is_told(reads, others, steps):
    items = ticked([*others, *batches(reads, [0])], LENGTH)
    ticks = [item for item in items if isinstance(item, Tick)]
    keep, at_tick = {id(ticks[0]), id(ticks[-1])}, 0
    for step in steps * len(ticks):
        at_tick += step
        if at_tick < len(ticks):
            keep.add(id(ticks[at_tick]))
    fewer = [item for item in items if not isinstance(item, Tick) or id(item) in keep]
    held = any(isinstance(item, ReaderUp) and item.held for item in others)
    if not held:  # held reads are taken in when they come
        assert [fact for fact in told(fewer) if fact[0] != LOSS] == [fact for fact in told(items) if fact[0] != LOSS]


@settings(max_examples=30, deadline=None)
@given(stays(), news(), st.lists(st.integers(0, 2500), min_size=1, max_size=4))
def test_a_restored_floor_goes_on_as_if_nothing_had_been(reads, others, cuts):
    items = ticked([*others, *batches(reads, [0, 400, 1700])], LENGTH)
    floor, parts, facts = Floor(site()), {}, []
    for index, item in enumerate(items):
        if index in cuts:
            parts |= floor.checkpoint()
            floor = Floor(site())
            floor.restore(parts)
        elif index % 97 == 0:
            parts |= floor.checkpoint()
        facts += floor.feed(item)
    assert [(fact.type, fact.place, fact.time, fact.data) for fact in facts] == told(items)
    whole = Floor(site())
    run(items, whole)
    for zone in ("vault", "dock"):
        assert floor.zone_state(zone) == whole.zone_state(zone)
    for reader in ("r1", "r2"):
        assert floor.reader_state(reader) == whole.reader_state(reader)


@settings(max_examples=30, deadline=None)
@given(stays(), news())
def test_the_hot_loop_says_what_the_plain_words_say(reads, others):
    items = ticked([*others, *batches(reads, [0])], LENGTH)
    hot = told(items)
    original = Sightings._plain
    Sightings._plain = lambda self, closed, antenna, start: list(closed.sightings)  # type: ignore[method-assign]
    try:
        assert told(items) == hot
    finally:
        Sightings._plain = original  # type: ignore[method-assign]


@settings(max_examples=20, deadline=None)
@given(stays(), st.lists(st.integers(0, 900), min_size=1, max_size=17))
def test_files_without_ticks_replay_alike_however_their_lines_are_interleaved(reads, delays):
    def events(items: list[Input]) -> list[bytes]:
        return [event.payload for event in replay(site(), sorted(items, key=when))]

    assert events(batches(reads, delays)) == events(batches(reads, [0]))


@settings(max_examples=30, deadline=None)
@given(stays(), news())
def test_a_tag_is_always_where_the_events_say(reads, others):
    """Every movement begins where the one before it ended, and times never precede the arrival."""
    where: dict[str, str | None] = {}
    for kind, _, _, data in told(ticked([*others, *batches(reads, [0])], LENGTH)):
        if kind != "rfid.movement.v1":
            continue
        before = where.get(data["uid"])
        match data["movement"]:
            case "arrived":
                assert before is None
            case "moved" | "departed" | "not_seen":
                assert data["from"] == before
            case "seen_again":
                assert data["to"] == before
        if data["movement"] in ("arrived", "moved", "departed"):
            where[data["uid"]] = data["to"]


@settings(max_examples=30, deadline=None)
@given(stays(), news(), st.integers(100, 900), st.integers(10, 900), st.booleans(), st.booleans())
def test_a_restart_in_the_middle_makes_no_tag_arrive_again(reads, others, index, away, clean, lost):
    items = ticked([*others, *batches(reads, [0])], LENGTH)
    tick = next(item for item in reversed(items[:index]) if isinstance(item, Tick))
    back = tick.t + away * SECOND // 10
    later = [item for item in items[index:] if when(item) > back]
    floor = Floor(site())
    before = run(items[:index], floor)
    during = run([Restart(back, tick.t, clean, lost), Tick(back)], floor)
    lost_sight = [fact for fact in during if fact.data.get("movement") in ("not_seen", "departed")]
    assert not [fact for fact in lost_sight if fact.time > tick.t]  # what fell due before is another matter
    after = run([*up((back - T0) / SECOND), *later], floor)
    there: set[str] = set()
    for fact in [*before, *during, *after]:
        if fact.data.get("movement") == "arrived":
            assert fact.data["uid"] not in there
            there.add(fact.data["uid"])
        elif fact.data.get("movement") == "departed":
            there.discard(fact.data["uid"])
