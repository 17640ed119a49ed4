"""Whatever becomes of the clocks, the same reads give the same movements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.api import Batch, ReaderAlive, ReaderUp
from drivers.llrp.clock import ReaderTime, Stamps
from gateway.clock import MILLISECOND, SECOND, micros, parse_rfc3339
from gateway.config import Config
from gateway.events.envelope import CLOCK_STEP, GENESIS, MOVEMENT, Fact, seal
from gateway.floor import Floor
from gateway.inputs import ClockStep, Command, Input, Restart, Tick
from gateway.service import event_clock
from tests.property import test_floor, test_portals
from tests.support.floor_scene import T0, at, config, epc, moved, ticked
from tests.support.machine import HOUR, Machine
from tests.support.portal_scene import portal_site

DAY = 24 * HOUR
YEAR = 365 * DAY
TIME = re.compile(rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)"')
LOAD = re.compile(rb'"group":"[^"]*"')

STEPS = st.lists(
    st.tuples(
        st.integers(0, 3_000),  # which input it comes behind
        st.sampled_from([0.25, 2, 10, 59, 600, 3_600, 86_400, 31_536_000, 1_700_000_000]),
    ),
    min_size=1,
    max_size=4,
)


def told(floor: Floor, items: list[Input], jumps: dict[int, int]) -> list[tuple[Any, ...]]:
    """What is said of the items, with steps behind some; every time in it as it was before the steps."""
    by, now, said = 0, T0, []

    def plain(fact: Fact) -> tuple[Any, ...]:
        content = LOAD.sub(b'"group":0', orjson.dumps(fact.data))
        times = TIME.sub(lambda found: b"%d" % (parse_rfc3339(found[1].decode()) - by), content)
        return fact.type, fact.place, fact.time - by, times

    for index, item in enumerate(items):
        facts = floor.feed(moved(item, by))
        now = max(now, item.t) if isinstance(item, Tick) else now
        said += [plain(fact) for fact in facts]
        if jump := jumps.get(index):
            by += jump
            step = floor.feed(ClockStep(now + by, jump, jump, "set"))
            assert [(fact.type, fact.data["jump_us"]) for fact in step] == [(CLOCK_STEP, jump)]
    return said


def check(make: Callable[[], Floor], items: list[Input], steps: list[tuple[int, float]]) -> None:
    jumps: Counter[int] = Counter()
    for index, seconds in steps:
        jumps[index % len(items)] += micros(seconds)
    assert told(make(), items, dict(jumps)) == told(make(), items, {})


@settings(max_examples=25, deadline=None)
@given(test_floor.stays(), test_floor.news(), STEPS)
def test_a_step_says_nothing_of_the_tags(reads, others, steps):
    site = config(zones=[{"id": "vault"}, {"id": "dock", "departs_after": 10.0}], presence={"shortest": 3.0})
    others = [item for item in others if not isinstance(item, Command)]  # the rounds of counts lie on a grid of time
    items = ticked([*others, *test_floor.batches(reads, [0, 400, 1700])], test_floor.LENGTH)
    check(lambda: Floor(site), items, steps)


@settings(max_examples=15, deadline=None)
@given(test_portals.walks(), test_portals.news(), STEPS)
def test_a_step_says_nothing_of_the_passes(reads, others, steps):
    items = ticked([*others, *test_portals.late(reads, [0, 300])], test_portals.LENGTH + 20)
    check(lambda: Floor(portal_site(photo_eyes=True)), items, steps)


# ---- the whole way, from the clocks of machine and readers to the floor

ON_DISK = 250
"""Tenths of a second between two checkpoints on disk."""

BY = st.sampled_from([-YEAR, -HOUR, -20 * SECOND, SECOND, DAY])
SET = st.tuples(st.integers(1, 80), st.sampled_from(["set", "restart"]), BY)
CUT = st.tuples(st.integers(1, 80), st.sampled_from(["set", "restart", "reboot"]), BY)
OFF = st.lists(st.sampled_from([0, -HOUR, 90 * SECOND, -40 * MILLISECOND, -YEAR]), min_size=2, max_size=2)


def site() -> Config:
    return config(zones=[{"id": "vault"}, {"id": "dock"}], presence={"shortest": 3.0, "dwell": 1.0})


def movements(reads: list[Any], sets: list[tuple[int, str, int]], readers: list[int]) -> list[Any]:
    """Runs a gateway over 90 s of reads, whose clocks are set and which is started again as `sets` says (at a second,
    by so much), after a reboot from what was on disk; `readers` are the microseconds by which the readers' own clocks
    are off."""
    machine, floor = Machine(), Floor(site())
    said: list[Fact] = []
    on_disk: dict[str, bytes] = {}
    kept = events = 0
    clock, last = machine.clock(), 0
    began, at_read = machine.mono, 0
    times = {reader: ReaderTime() for reader in ("r1", "r2")}
    off = dict(zip(times, readers, strict=True))
    first = True

    def feed(item: Input) -> None:
        said.extend(floor.feed(item))

    def connect() -> None:
        for reader in times:
            times[reader] = ReaderTime()
            true = T0 + machine.mono - began
            times[reader].event(Stamps.UTC, true + off[reader], clock.steady())
            feed(clock.dated(ReaderUp(reader, clock.steady())))

    def save() -> None:
        nonlocal kept, events
        on_disk.update(floor.checkpoint())
        kept, events = last, len(said)

    save()
    for step in range(900):
        second = step // 10
        for when, what, by in sets:
            if when * 10 != step:
                continue
            if what in ("restart", "reboot"):
                clean = what == "restart"
                if clean:
                    save()
                floor = Floor(site())
                floor.restore(on_disk)
                kept += floor.apply([seal(fact, "/rfid/s/g", "e", 1, GENESIS).payload for fact in said[events:]])
                last = max([kept, *(fact.time for fact in said[events:])])
                machine.set_wall(by)
                clock = machine.clock()
                clock.grain = micros(0.25)
                if behind := clock.seed(last):
                    feed(behind)
                now = clock.now()
                feed(Restart(now, last, clean, not clean, kept=kept if kept < last else 0))
                last = now
                feed(Tick(last))
                connect()
            else:
                machine.set_wall(by)
        if first:
            first = False
            clock.grain = micros(0.25)
            feed(Tick(clock.now()))
            connect()
        until = 100 * (step + 1)
        while at_read < len(reads) and reads[at_read][0] < until:
            t, reader, antenna, tag, rssi = reads[at_read]
            stamp = T0 + t * MILLISECOND + off[reader]
            offset = times[reader].offset(Stamps.UTC, stamp, clock.steady())
            row = (epc(tag), antenna, rssi, 0, stamp, 1)
            feed(clock.dated(Batch(reader, clock.steady(), [row], offset)))
            at_read += 1
        machine.pass_time(100 * MILLISECOND)
        if step % 10 == 9:
            for reader in times:
                feed(clock.dated(ReaderAlive(reader, clock.steady())))
        if stepped := clock.look():
            feed(stepped)
        last = max(last, clock.now())
        feed(Tick(last))
        if step % ON_DISK == ON_DISK - 1:
            save()
        assert second <= 90
    moves = [fact.data for fact in said if fact.type == MOVEMENT]
    return [(data["movement"], data["uid"][-2:], data["from"], data["to"]) for data in moves]


def by_tag(moves: list[Any]) -> list[Any]:
    """The movements of each tag in order. Those of others may change places by the error of a reader's clock."""
    return sorted(moves, key=lambda move: str(move[1]))


@settings(max_examples=20, deadline=None)
@given(test_floor.stays(), st.lists(SET, min_size=1, max_size=4), OFF)
def test_clocks_that_are_set_and_starts_change_no_movement(reads, sets, readers):
    """Without the pace at which event time comes back to the wall clock, which moves what is due by milliseconds. A
    clock that is set forward while nothing runs is the same as a longer time without a gateway."""
    unset = [(when, what, max(0, by)) for when, what, by in sets if what != "set"]
    with patch.object(event_clock, "SLEW", 1 << 62):
        assert by_tag(movements(reads, sets, readers)) == by_tag(movements(reads, unset, [0, 0]))


@settings(max_examples=15, deadline=None)
@given(st.lists(CUT, min_size=1, max_size=4), OFF)
def test_tags_that_stand_stand_through_clocks_and_power_cuts(sets, readers):
    """A power cut takes reads, and when exactly something was so with them, but no tag that is there all the time."""
    standing = [(t, *where, tag, -60) for tag, where in enumerate(test_floor.ANTENNAS) for t in range(0, 90_000, 400)]
    said = movements(sorted(standing), sets, readers)
    assert by_tag(said) == [
        ("arrived", f"{tag:02X}", None, place) for tag, place in enumerate(["vault", "vault", "dock"])
    ]


def test_the_step_itself_is_said():
    floor = Floor(site())
    (fact,) = floor.feed(ClockStep(at(5), -7, 0, "behind"))
    assert (fact.topic(), fact.place) == ("events/clock-step", "gw")
    assert fact.data == {"by_us": -7, "jump_us": 0, "cause": "behind"}


def test_a_machine_that_was_asleep_watched_nobody():
    """An hour of sleep: the tags are not missed, and what was passing is not judged."""
    floor = Floor(site())
    items = ticked(
        [ReaderUp("r1", at(0)), *test_floor.batches([(t, "r1", 1, 1, -60) for t in range(0, 9_000, 500)], [0])], 10
    )
    said = [fact for item in items for fact in floor.feed(item)]
    said += floor.feed(ClockStep(at(10) + HOUR, HOUR, HOUR, "suspended"))
    said += floor.feed(Tick(at(12) + HOUR))
    assert [fact.data["movement"] for fact in said if fact.type == MOVEMENT] == ["arrived"]
