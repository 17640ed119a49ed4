"""Directions that are published before a tag is taken to have left: how sure, for how long, how quiet."""

from __future__ import annotations

import pytest

from gateway.clock import SECOND
from gateway.floor import Floor
from gateway.floor.passes import Direction
from gateway.floor.portals.early import CERTAIN, CERTAIN_WHEN_QUIET, HELD, QUIET, certainty, is_certain
from gateway.floor.portals.judge import Verdict
from gateway.floor.portals.track import Track
from gateway.inputs import Tick
from tests.support.floor_scene import T0, ticked
from tests.support.portal_scene import IN, OUT, carried, portal_site, the

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
