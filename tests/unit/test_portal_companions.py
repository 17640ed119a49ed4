"""What packages that come and go together say of each other."""

from __future__ import annotations

import math
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SECOND
from gateway.floor.portals.companions import (
    AND_LONGER,
    OF_LOAD,
    SLACK,
    TIMES_AS_LONG,
    Trace,
    TraceTable,
    alone,
    nearer,
    share_together,
    with_companions,
)
from gateway.floor.portals.judge import USUAL
from gateway.floor.portals.walk_model import Likelihood
from tests.support.portal_companions import all_of

OUT, IN, BACK = Likelihood(0.0, 0.99, 0.01), Likelihood(0.99, 0.0, 0.01), Likelihood(0.005, 0.005, 0.99)
STILL = Likelihood(0.005, 0.005, 0.0, 0.99)
UNCLEAR = Likelihood(0.3, 0.3, 0.2, 0.2)
SELDOM = Likelihood(0.05, 0.05, 0.1, 0.8)


def trace(name: str, start: float, end: float, story: Likelihood = OUT, *, standing: bool = False) -> Trace:
    return Trace(name.encode(), round(start * SECOND), round(end * SECOND), story, 1000, standing)


ONE = trace("one", 10, 16)
SLACK_S, LONGER_S = SLACK / SECOND, AND_LONGER / SECOND
LENGTH = 6
LONGEST = TIMES_AS_LONG * LENGTH + LONGER_S


def beside(one: Trace, others: list[Trace]) -> list[Trace]:
    return TraceTable(others).beside(one).traces


OTHERS = {
    "at the same time": (trace("x", 10, 16), True),
    "a little before": (trace("x", 9, 15), True),
    "before, within the slack": (trace("x", 10 - SLACK_S, 16 - SLACK_S), True),
    "before, by more than the slack": (trace("x", 9.9 - SLACK_S, 15.9 - SLACK_S), False),
    "after, within the slack": (trace("x", 10 + SLACK_S, 16 + SLACK_S), True),
    "after, by more than the slack": (trace("x", 10.1 + SLACK_S, 16.1 + SLACK_S), False),
    "read for a second while it went": (trace("x", 13, 14), True),
    "read once while it went": (trace("x", 13, 13), False),  # six seconds are long beside nothing
    "read for a second, shortly after": (trace("x", 16, 17), True),
    "read for a second, later": (trace("x", 16.1, 17.1), False),
    "read for twice as long around it": (trace("x", 7, 19), True),
    "read for as long as may be": (trace("x", 5, 5 + LONGEST), True),
    "read for longer than that": (trace("x", 5, 5.1 + LONGEST), False),
    "standing there": (trace("x", 10, 16, standing=True), False),
    "the tag itself": (trace("one", 10, 16), False),
    "another time": (trace("x", 30, 36), False),
}


@pytest.mark.parametrize("case", OTHERS)
def test_who_came_and_went_with_a_tag(case):
    other, together = OTHERS[case]
    assert beside(ONE, [other]) == ([other] if together else [])
    if other.epc != ONE.epc:
        assert beside(other, [ONE]) == ([ONE] if together else [])


def test_nobody_is_beside_what_stands_there():
    assert beside(trace("one", 10, 16, standing=True), [trace("x", 10, 16)]) == []


def test_what_one_side_alone_saw_has_company_and_is_none_to_others():
    """A side that is deaf for a tag has not seen it stay away: that would take a whole load for one that went back."""
    one, other = replace(trace("one", 10, 16), mute=True), trace("other", 10, 16)
    assert beside(one, [other]) == [other]
    assert beside(other, [one]) == []


TIMES = st.integers(0, 40 * SECOND)


@given(TIMES, TIMES, TIMES, TIMES, st.booleans(), st.booleans())
def test_being_together_is_mutual(start, length, other_start, other_length, standing, other_standing):
    one = Trace(b"one", start, start + length, OUT, 1, standing)
    other = Trace(b"other", other_start, other_start + other_length, OUT, 1, other_standing)
    assert bool(beside(one, [other])) is bool(beside(other, [one]))


def test_without_company_nothing_changes():
    assert with_companions(USUAL, alone()) is USUAL


@pytest.mark.parametrize(("story", "expected"), [(OUT, "outward"), (IN, "inward"), (BACK, "turned_back")])
def test_what_others_did_is_expected_of_a_tag(story, expected):
    found = with_companions(USUAL, all_of([trace(str(n), 10, 16, story) for n in range(20)]))
    share, own = getattr(found, expected), getattr(USUAL, expected)
    assert OF_LOAD < share <= OF_LOAD + (1 - OF_LOAD) * own + 1e-9


@pytest.mark.parametrize("number", [1, 2, 5, 20, 200])
@pytest.mark.parametrize("prior", [USUAL, SELDOM])
def test_no_load_is_so_large_that_a_tag_could_not_be_on_its_own(number, prior):
    """What is left to the other stories is the tag's own share of the cases in which it is not with them."""
    found = with_companions(prior, all_of([trace(str(n), 10, 16) for n in range(number)]))
    own = 1 - share_together(number)
    assert found.inward >= own * prior.inward
    assert found.turned_back >= own * prior.turned_back
    assert math.fsum(astuple(found)) == pytest.approx(1)
    assert found.outward > prior.outward


def test_more_of_them_say_more():
    shares = [
        with_companions(USUAL, all_of([trace(str(n), 10, 16) for n in range(number)])).outward for number in range(6)
    ]
    assert shares == sorted(shares)
    assert shares[1] < shares[5]


def test_those_that_went_both_ways_say_nothing_of_the_way():
    found = with_companions(USUAL, all_of([trace("x", 10, 16, IN), trace("y", 10, 16, OUT)]))
    assert found.inward == pytest.approx(found.outward)


def test_what_says_nothing_changes_nothing():
    found = with_companions(
        USUAL, all_of([trace(str(n), 10, 16, Likelihood(0.25, 0.25, 0.25, 0.25)) for n in range(50)])
    )
    assert astuple(found) == pytest.approx(astuple(USUAL))


def test_what_stands_beside_others_that_stand_is_not_expected_to_pass():
    found = with_companions(USUAL, all_of([trace(str(n), 10, 16, STILL) for n in range(5)]))
    assert found.standing > 0.9


SHARE = st.integers(0, 1000)
STORY = (
    st.tuples(SHARE, SHARE, SHARE, SHARE)
    .filter(any)
    .map(lambda parts: Likelihood(*(part / sum(parts) for part in parts)))
)


@given(st.lists(STORY, max_size=300))
def test_whatever_others_did_what_is_expected_are_shares_of_one(stories):
    found = with_companions(USUAL, all_of([trace(str(n), 10, 16, story) for n, story in enumerate(stories)]))
    assert math.fsum(astuple(found)) == pytest.approx(1)
    assert min(found.inward, found.outward) >= (1 - OF_LOAD) * 0.25 * (1 - 1e-9)


# ---- two portals that hear the same

ELSEWHERE = {
    # how loud the other portal heard it, and each of two others of its load, against this one's 1000
    "not at all": (0, (0, 0), False),
    "10 dB weaker": (100, (100, 100), False),
    "alike": (1000, (1000, 1000), True),
    "2 dB weaker": (630, (630, 630), True),
    "louder": (4000, (4000, 4000), True),
    "louder, but its load was not": (1500, (50, 50), False),
    "weaker, but its load was louder": (400, (4000, 4000), True),
    "weaker, and its load was not heard there": (700, (0, 0), False),
    "not at all, but its load was": (0, (4000, 4000), False),  # what did not hear it has not seen it pass
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_what_another_portal_heard_as_well_may_have_passed_there(case):
    there, others, expected = ELSEWHERE[case]
    companions = [trace("x", 10, 16), trace("y", 10, 16)]
    heard = {ONE.epc: there, b"x": others[0], b"y": others[1]}
    assert nearer(ONE, all_of(companions), lambda other: heard[other.epc]) is expected


def test_without_company_a_tag_speaks_for_itself():
    assert nearer(ONE, alone(), lambda _: ONE.power)
    assert not nearer(ONE, alone(), lambda _: ONE.power // 3)


def test_a_trace_is_dumped_and_loaded():
    for one in (ONE, replace(ONE, standing=True, likelihood=UNCLEAR), replace(ONE, mute=True)):
        assert Trace.load(one.dump()) == one
