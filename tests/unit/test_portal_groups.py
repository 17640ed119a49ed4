"""Loads: which passes belong together, and when nothing can belong to them any more."""

from __future__ import annotations

import json

import pytest

from gateway.clock import SECOND
from gateway.floor.passes import Direction
from gateway.floor.portals.groups import LINK, SLOW_DIVISOR, SPAN, Judged, Load, Loads
from gateway.floor.portals.judge import Verdict
from gateway.floor.portals.proof import PassProof
from gateway.floor.portals.walk_model import Likelihood
from tests.support.claims import some

NOTHING_READ = Likelihood(0.25, 0.25, 0.25, 0.25)
PROOF = PassProof(
    0, 0, 0, 0, 0, 0, frozenset(), 0, (), None, None, NOTHING_READ, NOTHING_READ, {}, None, ()
)  # which passes belong together does not depend on it
LINK_S, SPAN_S = LINK / SECOND, SPAN / SECOND


def judged(uid, crossing, direction=Direction.OUT, *, length=2.0, confidence=0.99):
    t = round(crossing * SECOND)
    half = round(length * SECOND / 2)
    return Judged(uid, t - half, t + half, Verdict(direction, confidence, t, ""), PROOF)


def members(loads: Loads) -> list[str]:
    return ["".join(load.members) for load in loads.open]


def said(*passes: Judged, t: int = 100) -> Loads:
    """The loads of passes that are said all at once."""
    loads = Loads("door")
    loads.put_together(passes, t * SECOND)
    return loads


TOGETHER = {
    "alone": ([judged("A", 1)], ["A"]),
    "close behind each other": ([judged("A", 1), judged("B", 1 + LINK_S)], ["AB"]),
    "further apart": ([judged("A", 1), judged("B", 1.1 + LINK_S)], ["A", "B"]),
    "linked by one in between": ([judged("A", 1), judged("C", 2.6), judged("B", 1.8)], ["ABC"]),
    "not the same way": ([judged("A", 1), judged("B", 1.2, Direction.IN), judged("C", 1.4)], ["AC", "B"]),
    "slow ones": ([judged("A", 1, length=12), judged("B", 1 + 12 / SLOW_DIVISOR, length=12)], ["AB"]),
    "a slow one and a quick one": ([judged("A", 1, length=12), judged("B", 1 + 12 / SLOW_DIVISOR)], ["A", "B"]),
    "a tag that is through twice": ([judged("A", 1), judged("A", 1.5)], ["A", "A"]),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_who_belongs_together(case):
    passes, expected = TOGETHER[case]
    assert members(said(*passes)) == expected
    assert members(said(*reversed(passes))) == expected


def test_a_stream_is_cut_into_loads_that_a_load_can_be():
    stream = [judged(f"{n:02}", n * 0.5) for n in range(20)]
    loads = said(*stream)
    assert [len(load.members) for load in loads.open] == [9, 9, 2]
    assert all(load.last - load.first <= SPAN for load in some(loads.open))


def test_members_that_are_said_with_others_carry_the_name_and_in_the_order_of_their_crossing():
    passes = [judged("B", 1.5), judged("A", 1), judged("X", 9)]
    found = Loads("door").put_together(passes, 20 * SECOND)
    assert [one.uid for one in found] == ["A", "B", "X"]
    assert [one.group for one in found] == ["door/out/1970-01-01T00:00:01.000000Z"] * 2 + [None]


def test_a_load_takes_in_who_is_judged_later():
    """The first was said alone; the group knows them all."""
    loads = Loads("door")
    (first,) = loads.put_together([judged("A", 1, confidence=0.95)], 5 * SECOND)
    (second,) = loads.put_together([judged("B", 0.6, confidence=0.92)], 7 * SECOND)
    assert first.group is None
    assert second.group == loads.open[0].name
    (load,) = loads.complete(before=100 * SECOND, said=0)
    assert load.members == ["A", "B"]
    assert (load.first, load.last) == (0.6 * SECOND, 1 * SECOND)
    assert (load.start, load.end) == (-0.4 * SECOND, 2 * SECOND)
    assert (load.said, load.confidence) == (7 * SECOND, 0.92)


COMPLETE = [
    # everything open was read after (s), last said no later than (s), what is whole
    (2.0, 0, []),  # something that is still open was read when the load was
    (2.1, 0, ["AB"]),
    (0, 9, []),
    (0, 10, ["AB"]),  # it was waited for
]


@pytest.mark.parametrize(("before", "last_said", "whole"), COMPLETE)
def test_a_load_is_whole_when_nothing_can_belong_to_it(before, last_said, whole):
    loads = said(judged("A", 0.5), judged("B", 1), t=10)
    found = loads.complete(round(before * SECOND), last_said * SECOND)
    assert ["".join(load.members) for load in found] == whole
    assert members(loads) == ([] if whole else ["AB"])
    assert loads.complete(round(before * SECOND), last_said * SECOND) == []  # once


def test_one_is_no_group_but_is_given_up_when_it_is_old():
    loads = said(judged("A", 1))
    assert loads.complete(100 * SECOND, 0) == []
    assert loads.open == []


def test_loads_are_dumped_and_loaded():
    loads = said(judged("A", 1), judged("B", 1.4), judged("C", 1.2, Direction.IN), judged("D", 8, confidence=0.91))
    dump = json.loads(json.dumps(loads.dump()))
    other = Loads("door")
    other.load(dump)
    assert other.open == loads.open
    assert other.dump() == loads.dump()
    assert all(isinstance(load.direction, Direction) for load in some(other.open))
    late = judged("E", 1.8)
    assert [one.group for one in other.put_together([late], 0)] == [loads.open[0].name]


def test_a_load_does_not_grow_beyond_its_span():
    load = Load("x", Direction.OUT, 0, SECOND, 0, 0, 0)
    for n in range(20):
        one = judged(str(n), n * 0.5)
        if load.takes(one):
            load.add(one, 0)
    assert load.last - load.first == SPAN
