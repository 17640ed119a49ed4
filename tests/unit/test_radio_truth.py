"""The truth is read off the paths: passes with their direction and times, and the zone at every time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.radio import Body, Doorway, Path, PhotoEye, Place, RadioTag, Truth

DOOR = Doorway("door", width=2.0, reach=3.0)
PLACES = [Place("vault", 0.0, 20.0, -5.0, 5.0), Place("dock", -20.0, 0.0, -5.0, 5.0)]
EPC = bytes.fromhex("1A4060300048D3D006913126")


def truth_of(*points, end=60.0, doors=(DOOR,)):
    return Truth([RadioTag(EPC, Path([(t, x, y, 1.0) for t, x, y in points]))], doors, PLACES, 0.0, end)


def ways(truth):
    return [(transit.direction, round(transit.start, 3), round(transit.end, 3)) for transit in truth.transits]


CASES = {
    "in": ([(0, -10, 0), (20, 10, 0)], [("in", 7.0, 13.0)]),
    "out": ([(0, 10, 0), (20, -10, 0)], [("out", 7.0, 13.0)]),
    "comes near and goes back": ([(0, -10, 0), (9, -1, 0), (18, -10, 0)], [("turned_back", 7.0, 11.0)]),
    "half across and back": ([(0, -10, 0), (10.5, 0.5, 0), (21, -10, 0)], [("turned_back", 7.0, 14.0)]),
    "across, a long rest beyond, and back": (
        [(0, -10, 0), (12, 2, 0), (30, 2, 0), (42, -10, 0)],
        [("in", 7.0, 12.0), ("out", 30.0, 35.0)],
    ),
    "across, a short rest beyond, and back": (
        [(0, -10, 0), (12, 2, 0), (14, 2, 0), (26, -10, 0)],
        [("turned_back", 7.0, 19.0)],
    ),
    "stands there": ([(0, 1, 0)], [("standing", 0.0, 60.0)]),
    "stands far away": ([(0, 9, 0)], []),
    "passes by along the wall": ([(0, -1, -10), (20, -1, 10)], [("turned_back", 8.0, 12.0)]),
    "goes through the wall elsewhere": ([(0, -10, 4), (20, 10, 4)], []),
}


@pytest.mark.parametrize("case", CASES)
def test_transits(case):
    points, expected = CASES[case]
    assert ways(truth_of(*points)) == expected


def test_the_crossing_is_where_the_path_meets_the_plane():
    (transit,) = truth_of((0, -10, 0), (20, 10, 0)).transits
    assert transit.crossings == ((pytest.approx(10.0), 1),)


def test_two_doors_each_have_their_own_transits():
    other = Doorway("other", y=3.4, width=2.0)
    truth = truth_of((0, -10, 3.4), (20, 10, 3.4), doors=(DOOR, other))
    assert [(transit.doorway, transit.direction) for transit in truth.transits] == [("other", "in")]


def test_zones_over_time():
    truth = truth_of((0, -10, 0), (20, 10, 0), (40, 10, 0), (60, 30, 0))
    uid = EPC.hex().upper()
    assert [truth.zone_at(uid, t) for t in (0, 9.9, 10.1, 45, 59)] == ["dock", "dock", "vault", "vault", None]
    assert [(zone, round(when, 3)) for _, zone, when in truth.leavings()] == [("dock", 10.0), ("vault", 50.0)]
    assert truth.zones_between(uid, 9, 11) == {"dock", "vault"}
    assert truth.population("vault", 30) == {uid}
    assert truth.population("dock", 30) == set()


@given(
    st.lists(
        st.tuples(st.floats(0.1, 10), st.floats(-9, 9).filter(lambda x: abs(x) > 1e-3), st.floats(-0.9, 0.9)),
        min_size=1,
        max_size=12,
    )
)
def test_transits_add_up_to_where_the_tag_ends(legs):
    """However a tag wanders through the opening, the true ways in less those out are its change of side."""
    t, points = 0.0, [(0.0, -8.0, 0.0)]
    for lasts, x, y in legs:
        t += lasts
        points.append((t, x, y))
    truth = truth_of(*points, end=t)
    net = sum(sign for transit in truth.transits for _, sign in transit.crossings)
    assert net == (points[-1][1] > 0)
    assert all(transit.start <= when <= transit.end for transit in truth.transits for when, _ in transit.crossings)


def test_a_path_says_where_it_is_and_whither():
    path = Path([(1, 0, 0, 1), (3, 2, 0, 1), (5, 2, 2, 1)])
    assert path.at(0) == (0, 0, 1)
    assert path.at(2) == (1, 0, 1)
    assert path.at(9) == (2, 2, 1)
    assert path.heading(4) == pytest.approx((0, 1))
    assert path.velocity(2) == pytest.approx((1, 0, 0))
    assert path.velocity(9) == (0, 0, 0)
    assert math.isclose(path.shifted(0, 0, 1).at(2)[2], 2)
    with pytest.raises(ValueError, match="later than the one before"):
        Path([(1, 0, 0, 0), (1, 1, 0, 0)])


EYE = PhotoEye("r1", 1, x=0.4, south=-1.0, north=1.0)
WALK = Path([(0, -4.6, 0, 1), (10, 5.4, 0, 1)])


@pytest.mark.parametrize(
    ("eye", "edges"),
    [
        (EYE, [(4.75, True), (5.25, False)]),
        (PhotoEye("r1", 1, x=0.4, south=2.0, north=4.0), []),
        (PhotoEye("r1", 1, x=0.4, south=-1.0, north=1.0, dead=True), []),
        (PhotoEye("r1", 1, x=0.4, south=-1.0, north=1.0, stuck=5.0), [(4.75, True)]),
        (PhotoEye("r1", 1, x=0.4, south=-1.0, north=1.0, stuck=7.0), [(4.75, True), (5.25, False), (7.0, True)]),
    ],
    ids=["good", "elsewhere", "blind", "stuck in a pass", "stuck after it"],
)
def test_photo_eyes(eye, edges):
    body = Body(WALK)
    found = eye.edges([(body.path, body.length)], 0.0, 10.0)
    assert [(pytest.approx(t), state) for t, state in edges] == found


def test_bodies_close_behind_each_other_break_a_photo_eye_once():
    paths = [(WALK, 0.25), (WALK.shifted(-0.3, 0, 0), 0.25)]
    assert [state for _, state in EYE.edges(paths, 0.0, 10.0)] == [True, False]
