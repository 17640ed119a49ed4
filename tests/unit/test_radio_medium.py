"""The medium behaves as radio does: distance, fades within a hand's breadth, phases of the way, bodies and goods."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from random import Random

import pytest

from benchmarks.radio import Body, Goods, Path, RadioTag, Reflector, RoomAntenna
from benchmarks.radio.air import Air, ripples
from benchmarks.radio.medium import Medium, reflectors, wavelength

FRONT = RoomAntenna(1, (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), power=30.0)
CHANNEL = 25


def tag_at(x, y=0.0, z=1.0, **changes):
    return replace(RadioTag(b"\x1a" * 12, Path.still(x, y, z)), **changes)


def heard(tag, *, antenna=FRONT, bodies=(), mirrors=(), floor=0.0, channel=CHANNEL, t=0.0, air=None):
    return Medium(mirrors, bodies, floor, *([air] if air else [])).hear(antenna, tag, channel, t)


def test_twice_as_far_is_six_decibels_at_the_chip_and_twelve_at_the_reader():
    near, far = heard(tag_at(2.0)), heard(tag_at(4.0))
    assert near.chip - far.chip == pytest.approx(6.02, abs=0.05)
    assert near.reader - far.reader == pytest.approx(12.04, abs=0.1)


def test_level_in_front_of_an_antenna_is_that_of_free_space():
    loss = 20 * math.log10(4 * math.pi * 2.0 / wavelength(CHANNEL))
    assert heard(tag_at(2.0, matter=0.0)).chip == pytest.approx(30 + 6 + 2 - 3 - loss, abs=0.01)


def test_where_levels_fall_more_steeply_the_reader_loses_it_all_and_the_chip_half():
    steep = Air(fall=10.0)
    at = {x: (heard(tag_at(x)), heard(tag_at(x), air=steep)) for x in (0.5, 1.0, 10.0)}
    lost = {
        x: (round(clear.chip - less.chip, 6), round(clear.reader - less.reader, 6)) for x, (clear, less) in at.items()
    }
    assert lost == {0.5: (0.0, 0.0), 1.0: (0.0, 0.0), 10.0: (5.0, 10.0)}


def test_ripples_are_as_deep_as_is_said_and_no_two_antennas_have_them_alike():
    air = Air(depth=3.0, ripples=ripples(Random(1), 3, 0.3, 1.5))
    places = [(0.013 * step, 0.007 * step, 0.011 * step) for step in range(20_000)]
    one, other = ([air.level(port, place, 1.0) for place in places] for port in (1, 2))
    assert math.sqrt(sum(level**2 for level in one) / len(one)) == pytest.approx(3.0, rel=0.1)
    assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 3.0


def test_phase_turns_once_in_half_a_wavelength():
    length = wavelength(CHANNEL)
    a, b, c = (heard(tag_at(2.0 + share * length)).phase for share in (0, 1 / 4, 1 / 2))
    assert math.cos(a - b) == pytest.approx(-1, abs=0.01)
    assert math.cos(a - c) == pytest.approx(1, abs=0.01)


def test_half_power_at_half_the_width():
    off = math.radians(FRONT.width / 2)
    ahead, beside = heard(tag_at(2.0)), heard(tag_at(2.0 * math.cos(off), 2.0 * math.sin(off), dipole=(0.0, 0.0, 1.0)))
    assert ahead.chip - beside.chip == pytest.approx(3.0, abs=0.1)


def test_a_dipole_that_points_at_the_antenna_takes_little():
    assert heard(tag_at(2.0)).chip - heard(tag_at(2.0, dipole=(1.0, 0.0, 0.0))).chip > 15


def test_the_dipole_turns_with_the_way():
    path = Path([(0, 2.0, 0.0, 1.0), (1, 2.0, 1e-6, 1.0)])  # heading along y: its side now points along x
    assert heard(tag_at(2.0)).chip - heard(tag_at(0, path=path)).chip > 15


def test_reflections_make_fades_that_are_alike_near_by_and_not_a_quarter_wavelength_on():
    """The level along a line in a corridor that reflects: neighbours 5 mm apart differ little, a quarter of a
    wavelength apart by several decibels now and then."""
    room = reflectors(Random(3), 8, -1, 5, -1.2, 1.2)
    line = [heard(tag_at(2.5 + 0.005 * step), mirrors=room, floor=0.5).chip for step in range(200)]
    steps = [abs(b - a) for a, b in itertools.pairwise(line)]
    quarters = [abs(b - a) for a, b in zip(line, line[16:], strict=False)]
    assert sorted(steps)[len(steps) // 2] < 0.8
    assert max(quarters) > 5.0
    assert max(line) - min(line) > 8.0


def test_another_hop_channel_has_other_fades():
    room = reflectors(Random(3), 8, -4, 6, -4, 4)
    levels = {round(heard(tag_at(3.0), mirrors=room, channel=channel).chip, 2) for channel in (1, 25, 50)}
    assert max(levels) - min(levels) > 0.5


def test_the_floor_reflects():
    assert heard(tag_at(3.0), floor=0.5).chip != pytest.approx(heard(tag_at(3.0)).chip, abs=0.05)


@pytest.mark.parametrize(
    ("y", "least", "most"), [(0.0, 8.0, 13.0), (0.6, -1.0, 1.0)], ids=["in the way", "beside the way"]
)
def test_a_body_shadows_what_is_behind_it(y, least, most):
    body = Body(Path.still(1.5, y, 1.0), mirror=0.0)
    assert least < heard(tag_at(3.0)).chip - heard(tag_at(3.0), bodies=[body]).chip < most


def test_a_body_that_walks_about_changes_the_level_of_a_tag_that_stands():
    body = Body(Path([(0, 1.0, -1.0, 1.0), (2, 3.0, -1.0, 1.0)]))
    medium = Medium([], [body])
    tag = tag_at(3.0)
    levels = [medium.hear(FRONT, tag, CHANNEL, t / 20).chip for t in range(40)]
    assert max(levels) - min(levels) > 1.5


def test_goods_take_the_more_the_deeper_a_tag_is_in_them():
    goods = Goods(Path.still(3.0, 0.0, 1.0), (0.6, 0.5, 0.7), loss=10.0)
    front = heard(tag_at(2.5, goods=goods, offset=(-0.5, 0.0, 0.0))).chip
    middle = heard(tag_at(3.0, goods=goods, offset=(0.0, 0.0, 0.0))).chip
    back = heard(tag_at(3.5, goods=goods, offset=(0.5, 0.0, 0.0))).chip
    spreading = heard(tag_at(2.5)).chip - heard(tag_at(3.5)).chip
    assert front - middle > 4.0
    assert front - back - spreading == pytest.approx(10.0, abs=0.1)


def test_liquids_and_bad_cables_count_each_way():
    good, wet = heard(tag_at(2.0, matter=0.0)), heard(tag_at(2.0, matter=8.0))
    assert (good.chip - wet.chip, good.reader - wet.reader) == pytest.approx((8.0, 16.0))
    weak = heard(tag_at(2.0, matter=0.0), antenna=replace(FRONT, fault=5.0))
    assert good.chip - weak.chip == pytest.approx(5.0)


def test_out_of_range_is_nothing():
    assert heard(tag_at(30.0)) is None


def test_a_reflector_reaches_behind_a_wall_of_bodies():
    """Strays: with the direct path shadowed a strong reflector still feeds the tag."""
    wall = Body(Path.still(1.5, 0.0, 1.0), mirror=0.0, shade=30.0)
    mirror = Reflector((1.5, 2.0, 1.0), 1.0, 0.0)
    alone, helped = heard(tag_at(3.0), bodies=[wall]), heard(tag_at(3.0), bodies=[wall], mirrors=[mirror])
    assert helped.chip > alone.chip + 3.0
