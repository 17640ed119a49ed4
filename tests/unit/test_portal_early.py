"""Directions that are published before a tag is taken to have left: how sure, for how long, how quiet."""

from __future__ import annotations

import pytest

from gateway.clock import SECOND
from gateway.floor import Floor
from gateway.floor.passes import Direction
from gateway.floor.portals.early import (
    BORNE_OUT,
    CERTAIN,
    CERTAIN_WHEN_QUIET,
    HELD,
    QUIET,
    certainty,
    is_certain,
    is_revised,
)
from gateway.floor.portals.judge import Verdict
from gateway.floor.portals.track import Track
from gateway.inputs import Input, Tick
from tests.support.floor_scene import T0, read, ticked
from tests.support.portal_scene import IN, OUT, carried, later, portal_site, the

LAST = 100 * SECOND


def track() -> Track:
    return Track(b"\x1a" * 12, LAST - 5 * SECOND, LAST, LAST - 5 * SECOND, {})


def verdict(direction: Direction) -> Verdict:
    return Verdict(direction, 0.999, LAST, "both sides")


@pytest.mark.parametrize(
    ("quiet", "expected"), [(0, CERTAIN), (QUIET - 1, CERTAIN), (QUIET, CERTAIN_WHEN_QUIET), (9, CERTAIN)]
)
def test_less_is_needed_of_what_is_quiet(quiet, expected):
    assert certainty(track(), LAST + quiet) == expected


def test_while_a_tag_is_read_its_way_must_hold_for_a_while():
    seen = track()
    assert not is_certain(seen, verdict(Direction.IN), LAST)
    seen.last = LAST + HELD
    assert is_certain(seen, verdict(Direction.IN), LAST + HELD)
    assert not is_certain(seen, verdict(Direction.OUT), LAST + HELD)  # another way begins anew


def test_of_a_quiet_tag_a_way_is_enough_and_no_way_is_not():
    assert is_certain(track(), verdict(Direction.IN), LAST + QUIET)
    assert not is_certain(track(), verdict(Direction.UNDETERMINED), LAST + QUIET)


@pytest.mark.parametrize("points", [IN, OUT])
def test_a_pass_is_said_within_three_seconds_of_the_last_read(points):
    floor = Floor(portal_site())
    for item in ticked(carried(points), 30):
        found = the(floor.feed(item), "passed")
        if found:
            assert isinstance(item, Tick)
            assert item.t - T0 <= 11 * SECOND  # the last read is in the eighth second at the latest
            return
    raise AssertionError("nothing was said")


@pytest.mark.parametrize(
    ("found", "leaning", "confidence", "expected"),
    [
        (Direction.TURNED_BACK, None, 0.98, True),
        (Direction.OUT, None, 0.95, True),
        (Direction.IN, None, 0.95, False),
        (Direction.UNDETERMINED, Direction.IN, BORNE_OUT, False),
        (Direction.UNDETERMINED, Direction.IN, BORNE_OUT - 0.01, True),
        (Direction.UNDETERMINED, Direction.OUT, 0.6, True),
        (Direction.UNDETERMINED, None, 0.0, False),  # a reader was down: that speaks against nothing
        (Direction.STANDING, None, 0.95, False),
    ],
)
def test_a_way_is_taken_back_where_the_whole_pass_does_not_bear_it_out(found, leaning, confidence, expected):
    verdict = Verdict(found, confidence, LAST, "", leaning)
    assert is_revised(Direction.IN, verdict, whole=True) is expected


def test_what_stays_is_not_taken_back_for_staying():
    verdict = Verdict(Direction.UNDETERMINED, 0.1, LAST, "", Direction.IN)
    assert not is_revised(Direction.IN, verdict, whole=False)


def test_a_tag_that_is_on_its_old_side_again_at_once_is_not_left_where_it_was_said_to_be():
    there = list(carried(IN))
    last = max(row[4] for batch in there for row in batch.rows) - T0
    back = [
        read(last / SECOND + 0.95 + 0.06 * number, "r1", port, 1, level)
        for number in range(33)
        for port, level in ((2, -40), (1, -70))
    ]
    floor = Floor(portal_site())
    told: list[Direction] = []
    floor._portals.on_pass(lambda found: told.append(found.direction) or [])
    facts = [fact for item in ticked([*there, *back], 30) for fact in floor.feed(item)]
    (passed,), (revised,) = the(facts, "passed"), the(facts, "revised")
    assert passed.data["direction"] == revised.data["was"] == "in"
    assert revised.data["direction"] == "undetermined"
    assert revised.data["to"] == "dock"
    assert told == [Direction.IN, Direction.UNDETERMINED]
    assert [fact.data["to"] for fact in the(facts, "moved")] == ["dock"]
    assert the(facts, "moved")[0].data["confidence"] > 1 - BORNE_OUT
    # Nobody knows where it is, so a pass after that is as likely inwards as outwards.
    again = [fact for item in ticked(list(carried([(60, -5), (68, 5)], seed=1)), 90) for fact in floor.feed(item)]
    assert [fact.data["direction"] for fact in the(again, "passed")] == ["in"]


def in_and_out() -> list[Input]:
    """In at a walk, unread for a moment in which that is said, and out again."""
    there = list(carried(IN))
    last = (max(row[4] for batch in there for row in batch.rows) - T0) / SECOND
    return list(ticked([*there, *carried(later(OUT, last + 0.9), seed=1)], 40))


def test_the_way_back_of_what_was_said_to_have_come_in_is_said_as_well():
    floor = Floor(portal_site())
    facts = [fact for item in in_and_out() for fact in floor.feed(item)]
    there, back = the(facts, "passed")
    assert (there.data["direction"], back.data["direction"]) == ("in", "out")
    assert there.data["evidence"]["last"] < back.data["evidence"]["first"]
    assert [fact.data["to"] for fact in (*the(facts, "arrived"), *the(facts, "moved"))] == ["vault", "dock"]
    assert not the(facts, "revised")


def test_what_was_read_after_a_way_was_said_is_in_a_checkpoint():
    whole, now = Floor(portal_site()), Floor(portal_site())
    for number, item in enumerate(in_and_out()):
        assert now.feed(item) == whole.feed(item)
        if number % 50 == 0:
            parts, more = now.begin_checkpoint(whole=True)
            now = Floor(portal_site())
            now.restore(parts | dict(more))


def test_of_a_track_of_an_earlier_state_nothing_came_after_its_way_was_said():
    before = track()
    before.way = Direction.IN
    dump = before.dump()
    del dump["said"]
    again = Track.load(dump, [0])
    assert (again.way, again.said) == (Direction.IN, LAST)
    assert again.after(again.said).sightings == []
