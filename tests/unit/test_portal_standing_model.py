"""What stands there: how probable each step is, given what those before it have shown."""

from __future__ import annotations

import math

import pytest

from gateway.floor.portals.standing_model import NONE, SOME, Side


def told(side: Side, steps: list[int | None]) -> float:
    """How probable the steps are together."""
    chance = 1.0
    for off in steps:
        chance *= side.chance(off)
        side.learn(off)
    return chance


@pytest.mark.parametrize("shown", [[], [None] * 5, [3, None, 8], [0] * 20])
def test_what_may_be_heard_next_has_the_probability_of_one(shown):
    side = Side(7.0, 0.0)
    told(side, shown)
    assert side.chance(None) + math.fsum(side.chance(off) for off in range(-80, 160)) == pytest.approx(1, abs=0.01)


def test_how_often_it_is_read_is_learned():
    side = Side(7.0, 0.0)
    assert side.chance(None) == NONE / (SOME + NONE)
    told(side, [5] * 9)
    assert side.chance(None) < 0.1


def test_its_level_is_learned():
    side = Side(7.0, 0.0)
    told(side, [20] * 10)
    assert side.chance(20) > 3 * side.chance(5)


def test_the_order_of_what_it_shows_says_nothing():
    steps = [None, 3, 12, None, 5, 5, None]
    assert told(Side(7.0, 0.001), sorted(steps, key=lambda off: (off is None, off))) == pytest.approx(
        told(Side(7.0, 0.001), steps), rel=0.1
    )


def test_a_level_that_rises_and_falls_is_less_like_it_than_one_that_stays():
    assert told(Side(7.0, 0.001), [20, 10, 0, 10, 20]) < told(Side(7.0, 0.001), [10] * 5) / 5
