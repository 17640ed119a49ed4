"""A door learns that one of its sides hears worse, from what goes through."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.floor import Floor
from gateway.floor.portals.balance import LEAST, MOST, WIDEST, Balance, lifted
from gateway.floor.portals.track import Bin, Profile
from tests.support.floor_scene import run, ticked, when
from tests.support.portal_scene import IN, OUT, carried, later, portal_site

INSIDE, OUTSIDE = 1, 2


def side(decibels: float) -> Profile:
    power = 10 ** (decibels / 10)
    return Profile((Bin(0.0, power / 4), Bin(1.0, power)), 1.25 * power, 0.8, 0.4)


def learned(*differences: float) -> Balance:
    balance = Balance()
    for difference in differences:
        balance.learn([(side(60 + difference), side(60))])
    return balance


@pytest.mark.parametrize(
    ("differences", "lift"),
    [
        ([], 0),
        ([12], 0),  # one load may as well have gone by on the one side
        ([12] * 6, 6),
        ([12] * 40, 10),
        ([-12] * 40, -10),
        ([40] * 40, WIDEST),
        ([7, -7] * 20, 0),
        ([LEAST - 1] * 60, 0),
    ],
)
def test_the_weaker_side_is_lifted_by_what_many_loads_have_shown(differences, lift):
    assert learned(*differences).lift == lift


def test_a_load_counts_once_and_what_one_side_alone_saw_not_at_all():
    many, one = Balance(), learned(12)
    many.learn([(side(72), side(60))] * 200)
    many.learn([(side(72), None), (None, side(60))])
    many.learn([])
    assert (many.mean, many.number) == pytest.approx((one.mean, one.number))


def test_a_cable_that_is_mended_is_known_to_be_after_a_day_and_no_number_grows_for_ever():
    balance = learned(*[12] * 500, *[0] * (4 * MOST))
    assert balance.number == MOST
    assert balance.lift == 0


def test_only_the_weaker_side_is_lifted():
    sightings: list[Any] = [(0, INSIDE, 2, -5000, 1000, 70), (0, OUTSIDE, 2, -6000, 100, 7)]
    assert lifted(sightings, frozenset({INSIDE}), 0) == sightings
    assert lifted(sightings, frozenset({INSIDE}), 10) == [sightings[0], (0, OUTSIDE, 2, -5000, 1000, 70)]
    assert lifted(sightings, frozenset({INSIDE}), -10) == [(0, INSIDE, 2, -4000, 10_000, 700), sightings[1]]


def weak_inside() -> list[Any]:
    """Eight people through a door whose inside hears 14 dB worse."""
    reads = []
    for number in range(8):
        reads += carried(later(IN if number % 2 else OUT, 14 * number), number + 1, every=0.2)
    for batch in reads:
        batch.rows[:] = [(e, a, rssi - 14 * (a == INSIDE), c, t, n) for e, a, rssi, c, t, n in batch.rows]
    return ticked(sorted(reads, key=when), 125)


@pytest.mark.slow
def test_what_was_learned_survives_a_restart_and_says_the_same():
    items = weak_inside()
    whole, floor, other = Floor(portal_site()), Floor(portal_site()), Floor(portal_site())
    facts = run(items, whole)
    cut = len(items) * 3 // 4
    said = run(items[:cut], floor)
    other.restore(floor.checkpoint())
    assert [(f.time, f.data) for f in said + run(items[cut:], other)] == [(f.time, f.data) for f in facts]
    balances = [one._portals._portals["door"]._scales.balance for one in (whole, other)]
    assert balances[0] == balances[1]
    assert balances[0].lift < 0
