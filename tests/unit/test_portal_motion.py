"""How a tag moved, by what both sides heard: in, out or back, and nothing where nothing can be said."""

from __future__ import annotations

import math
from dataclasses import astuple
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import SECOND
from gateway.floor.portals.track import Sighting
from gateway.floor.portals.walk_model import MOST_STEPS, NOTHING, SILENT, Likelihood, likelihood
from tests.support.claims import some

WINDOW = SECOND // 4
INSIDE, OUTSIDE = 0, 1
LOUD = 10**9

Heard = list[tuple[int, int, float]]
"""Window, side, and decibels against the loudest."""


def sightings(heard: Heard, *, width: int = WINDOW, first: int = 0) -> list[Sighting]:
    return [
        sighting_of((first + number) * width, side, round(LOUD * 10 ** (level / 10))) for number, side, level in heard
    ]


def sighting_of(start: int, antenna: int, power: int) -> Sighting:
    return (start, antenna, 1, -6000, power, power * WINDOW // 2)


def told(heard: Heard) -> Likelihood:
    return likelihood(sightings(heard), frozenset({INSIDE}), WINDOW)


def shares(story: Likelihood) -> tuple[float, ...]:
    return astuple(story)


def walked(*points: tuple[float, float], apart: float = 0.6, noise: float = 0.0, seed: int = 0) -> Heard:
    """What both sides hear of a tag that goes through the points (seconds, and metres from the middle, positive
    inside) in straight lines. The antennas hang a metre beside the way, `apart` metres from the middle, and look across
    it: from afar the level falls by 60 dB for ten times the distance, forth and back and out of the lobe."""
    random = Random(seed)
    heard: Heard = []
    for (start, begin), (end, finish) in pairwise(points):
        for number in range(round(start * 4), round(end * 4)):
            x = begin + (finish - begin) * (number / 4 - start) / (end - start)
            for side, place in ((INSIDE, apart), (OUTSIDE, -apart)):
                level = -60 * math.log10(math.hypot(x - place, 1.0)) + random.gauss(0, noise)
                if level > -30:
                    heard.append((number, side, level))
    return heard


def mirrored(heard: Heard) -> Heard:
    return [(number, OUTSIDE if side == INSIDE else INSIDE, level) for number, side, level in heard]


def backwards(heard: Heard) -> Heard:
    last = max(number for number, _, _ in heard)
    return [(last - number, side, level) for number, side, level in heard]


OUTWARDS = {
    "one side falls while the other rises": [
        (number, side, -number if side == INSIDE else number - 25) for number in range(26) for side in (INSIDE, OUTSIDE)
    ],
    "one side and then the other": [(number, INSIDE if number < 8 else OUTSIDE, 0) for number in range(16)],
    "a walk": walked((0, 4), (8, -4)),
    "a run": walked((0, 4), (3, -4)),
    "a walk that waits at the door": walked((0, 4), (4, 1), (8, 1), (12, -4)),
    "antennas on one frame": walked((0, 4), (8, -4), apart=0.4),
    "antennas far from the door": walked((0, 5), (10, -5), apart=2.0),
    "a walk with fading": walked((0, 4), (8, -4), noise=4.0),
    "one side 8 dB weaker": [(n, side, level - 8 * side) for n, side, level in walked((0, 4), (8, -4))],
}
BACK = {
    "near and back": walked((0, 4), (4, 0.7), (5, 0.7), (9, 4)),
    "across and back": walked((0, 4), (5, -1), (6, -1), (11, 4)),
    "past the inside, which alone hears it": [
        entry for entry in walked((0, 4), (4, 1.5), (8, 4)) if entry[1] == INSIDE
    ],
}
STANDING = {
    "near the middle": [(number, side, 0.0) for number in range(100) for side in (INSIDE, OUTSIDE)],
    "on the inside": [(number, side, -10.0 * side) for number in range(100) for side in (INSIDE, OUTSIDE)],
    "on the inside, with fading": walked((0, 1.5), (25, 1.5), noise=3.0),
}


@pytest.mark.parametrize("case", OUTWARDS)
def test_what_goes_through_is_out_one_way_and_in_the_other(case):
    heard = OUTWARDS[case]
    assert told(heard).outward > 0.97
    assert told(mirrored(heard)).inward > 0.97
    assert told(backwards(heard)).inward > 0.97


@pytest.mark.parametrize("case", BACK)
def test_what_comes_near_and_goes_back_is_back(case):
    heard = BACK[case]
    for same in (heard, mirrored(heard), backwards(heard)):
        assert told(same).turned_back > 0.8
        assert max(told(same).inward, told(same).outward) < 0.2


@pytest.mark.parametrize("case", STANDING)
def test_what_stands_there_goes_no_way(case):
    """Neither way is as likely as all the rest, however long it was read."""
    story = told(STANDING[case])
    assert max(story.inward, story.outward) < 0.45


@pytest.mark.parametrize("heard", [[(0, INSIDE, 0.0)], [(0, OUTSIDE, 0.0)], [(0, INSIDE, 0.0), (0, OUTSIDE, 0.0)]])
def test_one_look_tells_no_way(heard):
    story = told(heard)
    assert abs(story.inward - story.outward) < 0.02
    assert max(story.inward, story.outward) < 0.5


def test_no_look_tells_nothing():
    assert told([]) == NOTHING


def test_more_of_the_way_is_surer():
    """A way that was seen from end to end, two metres of it, and one."""
    way = walked((0, 4), (8, -4))
    ends = [told([entry for entry in way if low <= entry[0] < 32 - low]).outward for low in (0, 12, 14)]
    assert ends == sorted(ends, reverse=True)
    assert ends[2] < 0.9


def test_a_tag_that_was_read_on_both_sides_but_in_no_order_is_not_through():
    """The sides take turns."""
    story = told([(number, number % 2, 0.0) for number in range(24)])
    assert max(story.inward, story.outward) < 0.6


# ---- what must change nothing

HEARD = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([INSIDE, OUTSIDE]), st.integers(-60, 0)),
    max_size=40,
    unique_by=lambda entry: entry[:2],
)
ROUNDED = 2e-6


@settings(max_examples=40, deadline=None)
@given(HEARD)
def test_any_looks_give_shares_of_one(heard):
    story = told(heard)
    assert math.fsum(shares(story)) == pytest.approx(1, abs=3 * ROUNDED)
    assert all(0 <= share <= 1 for share in some(shares(story)))


@settings(max_examples=40, deadline=None)
@given(HEARD)
def test_sides_that_are_swapped_swap_in_and_out(heard):
    one, other = told(heard), told(mirrored(heard))
    assert shares(other) == pytest.approx((one.outward, one.inward, one.turned_back, one.standing), abs=ROUNDED)


@settings(max_examples=40, deadline=None)
@given(HEARD, st.integers(2, 10**6))
def test_a_tag_that_is_so_much_louder_everywhere_moves_alike(heard, times):
    louder = [sighting_of(start, antenna, power * times) for start, antenna, _, _, power, _ in sightings(heard)]
    assert likelihood(louder, frozenset({INSIDE}), WINDOW) == told(heard)


@settings(max_examples=20, deadline=None)
@given(HEARD, st.randoms(use_true_random=False))
def test_antennas_of_a_side_add_up_and_looks_come_in_any_order(heard, random):
    split = []
    for start, antenna, _, _, power, _ in sightings(heard):
        part = random.randint(0, power)
        split += [sighting_of(start, antenna + 2 * n, share) for n, share in enumerate((part, power - part)) if share]
    random.shuffle(split)
    assert likelihood(split, frozenset({INSIDE, INSIDE + 2}), WINDOW) == told(heard)


@settings(max_examples=20, deadline=None)
@given(HEARD, st.integers(1, 10**10))
def test_it_does_not_matter_when(heard, windows):
    later = likelihood(sightings(heard, first=windows), frozenset({INSIDE}), WINDOW)
    assert shares(later) == pytest.approx(shares(told(heard)), abs=ROUNDED)


def test_short_windows_are_put_together():
    whole = sightings(walked((0, 1.2), (2, -1.2)))
    parts = [
        sighting_of(start + n * WINDOW // 5, side, power) for start, side, _, _, power, _ in whole for n in range(5)
    ]  # five times as loud, too, which changes nothing
    found = likelihood(parts, frozenset({INSIDE}), WINDOW // 5)
    assert found == likelihood(whole, frozenset({INSIDE}), WINDOW)
    assert 0.5 < found.outward < 0.999


@pytest.mark.parametrize("level", [-200.0, -80.0, -79.0])
def test_levels_beyond_any_receiver_are_bounded(level):
    way = OUTWARDS["a walk"]
    faint = [(50, INSIDE, level), (51, OUTSIDE, level)]
    found = likelihood(
        [*sightings(way), *(sighting_of(n * WINDOW, side, 1) for n, side, _ in faint)], frozenset({INSIDE}), WINDOW
    )
    assert math.fsum(shares(found)) == pytest.approx(1, abs=3 * ROUNDED)


@pytest.mark.parametrize("heard", [[0, 13, 26, 39], [0, 5, 20, 28], [0, 4, 8, 12]])
def test_two_reads_by_one_side_and_then_two_by_the_other_are_no_certain_passage(heard):
    """A third of the orders that chance makes of what stands there and is read now and then."""
    story = told([(number, INSIDE if place < 2 else OUTSIDE, -3.0) for place, number in enumerate(heard)])
    assert story.inward < story.outward < 0.97
    assert story.standing > 0.005


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_what_walks_through_does_not_stand_however_seldom_it_is_read(every, seed):
    way = [one for one in walked((0, 4), (10, -4), noise=3.0, seed=seed) if one[0] % every == 0]
    story = told(way)
    assert story.standing < 0.05
    assert story.outward > 0.8


def test_no_more_than_so_many_steps_are_looked_at():
    """A tag that is read for months costs no more than one that is read for minutes."""
    long = [(number * 3, number % 2, 0.0) for number in range((MOST_STEPS + SILENT) // 3 + 1)]
    assert told([*long, (10**8, OUTSIDE, 0.0)]) == told(long)
    assert math.fsum(shares(told(long))) == pytest.approx(1, abs=3 * ROUNDED)
