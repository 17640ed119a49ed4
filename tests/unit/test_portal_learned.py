"""The learned layer of the portals: the shape of a pass in numbers, and what the network makes of it."""

from __future__ import annotations

import math
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.floor import portals
from gateway.floor.portals.features import EVEN, ODD, features
from gateway.floor.portals.learned import NAMED, WEIGHTS, learned
from gateway.floor.portals.walk_model import NOTHING, Likelihood, likelihood
from tests.support.claims import some

WINDOW = 250_000
INSIDE = frozenset({0, 2})
OTHER = frozenset({1, 3})

sightings = st.lists(
    st.tuples(
        st.integers(0, 120).map(lambda number: number * WINDOW),
        st.integers(0, 3),
        st.integers(1, 30),
        st.just(-6000),
        st.integers(1, 10**9),
        st.integers(0, 10**9 * (WINDOW - 1)),
    ),
    min_size=1,
    max_size=60,
).map(lambda found: [(*look[:5], min(look[5], look[4] * (WINDOW - 1))) for look in found])
pairs = st.lists(
    st.tuples(st.integers(0, 120).map(lambda n: n * WINDOW), st.integers(0, 3), st.integers(1, 9)).flatmap(
        lambda t: st.tuples(
            *map(st.just, t),
            st.integers(0, t[2]),
            st.integers(-t[2], t[2]),
            st.just(t[2] + 1),
            st.integers(-t[2], t[2]),
        )
    ),
    max_size=30,
)
shares = st.floats(0, 1)


def swapped(story: Likelihood) -> Likelihood:
    return Likelihood(story.outward, story.inward, story.turned_back, story.standing)


def way(sign: int = 1, *, turn: bool = False) -> list[tuple[int, int, int, int, int, int]]:
    """A walk past four antennas, from the outside to the inside (sign 1), or half of it and back."""
    found = []
    for number in range(32):
        t = number if not turn or number < 16 else 32 - number
        for antenna in range(4):
            at = 1.0 if antenna in INSIDE else -1.0
            x = sign * (t / 31 * 8 - 4)
            power = max(round(10 ** (4 - 3 * math.log10(1 + (x - at) ** 2 / 1.44))), 1)
            found.append((number * WINDOW, antenna, 2, -6000, power, power * WINDOW // 2))
    return found


@given(sightings, pairs, st.tuples(shares, shares, shares, shares).map(lambda four: Likelihood(*four)), st.booleans())
def test_exchanging_the_sides_turns_the_signs_of_the_odd_features_and_leaves_the_even_ones(found, turned, story, gone):
    one = features(found, turned, INSIDE, story, gone=gone)
    other = features(found, turned, OTHER, swapped(story), gone=gone)
    assert one.odd == pytest.approx([-value for value in other.odd], abs=1e-6)
    assert one.even == pytest.approx(other.even, abs=1e-6)


@given(sightings, pairs, st.booleans())
def test_features_are_finite_and_likelihoods_are_shares(found, turned, gone):
    shape = features(found, turned, INSIDE, NOTHING, gone=gone)
    assert len(shape.odd) == len(ODD)
    assert len(shape.even) == len(EVEN)
    assert all(math.isfinite(value) and abs(value) <= 100 for value in (*shape.odd, *shape.even))
    story = learned().likelihood(shape)
    assert story.inward + story.outward + story.turned_back + story.standing == pytest.approx(1, abs=1e-5)


@given(sightings, pairs)
@pytest.mark.slow
def test_the_order_of_looks_does_not_matter(found, turned):
    story = likelihood(found, INSIDE, WINDOW)
    one = features(found, turned, INSIDE, story, gone=True)
    other = features(found[::-1], turned[::-1], INSIDE, story, gone=True)
    assert (*one.odd, *one.even) == pytest.approx((*other.odd, *other.even), abs=1e-9)


@given(sightings, st.booleans())
def test_the_network_answers_a_mirror_image_with_the_mirror_image(found, gone):
    story = likelihood(found, INSIDE, WINDOW)
    one = learned().likelihood(features(found, [], INSIDE, story, gone=gone))
    other = learned().likelihood(features(found, [], OTHER, swapped(story), gone=gone))
    assert one.inward == pytest.approx(other.outward, abs=1e-4)
    assert one.turned_back == pytest.approx(other.turned_back, abs=1e-4)


@pytest.mark.parametrize(("sign", "likeliest"), [(1, "inward"), (-1, "outward")])
def test_a_plain_walk_through_is_one(sign, likeliest):
    found = way(sign)
    shape = features(found, [], INSIDE, likelihood(found, INSIDE, WINDOW), gone=True)
    assert getattr(learned().likelihood(shape), likeliest) > 0.8
    reasons = learned().decided_by(shape)
    assert len(reasons) == NAMED
    assert set(reasons) <= {*ODD, *EVEN}
    assert all(odds > 0 for odds in some(reasons.values()))


def test_half_a_walk_and_back_is_none():
    found = way(turn=True)
    story = learned().likelihood(features(found, [], INSIDE, likelihood(found, INSIDE, WINDOW), gone=True))
    assert story.turned_back > max(story.inward, story.outward, story.standing)


def test_the_weights_say_what_they_were_fitted_to_and_how_well_they_do():
    content = orjson.loads((Path(portals.__path__[0]) / WEIGHTS).read_bytes())
    assert set(content["features"]) == {*ODD, *EVEN}
    figures = content["figures"]
    assert figures["fitted"] > 1000 < figures["held"] * 10
    passes, right, wrong = (
        sum(kind[name] for kind in figures["kinds"].values()) for name in ("passes", "right", "wrong_way")
    )
    assert right > passes / 4  # most sketches are of open fields, where little can be decided
    assert wrong < passes / 100
    doors = [kind for name, kind in figures["kinds"].items() if name.startswith("door")]
    assert sum(kind["right"] for kind in doors) > sum(kind["passes"] for kind in doors) / 2
    assert not sum(kind["wrong_way"] for kind in doors)
