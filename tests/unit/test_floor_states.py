"""The states of a tag: the table is whole, and the counts of each zone follow it."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.floor.presence.states import TRANSITIONS, Change, State, States

ZONES = 3


def test_every_state_can_be_reached_and_left():
    reached = {after for changes in TRANSITIONS.values() for after in changes.values()}
    assert reached == set(State) == set(TRANSITIONS)
    assert {change for changes in TRANSITIONS.values() for change in changes} == set(Change)


@pytest.mark.parametrize(
    ("state", "change"),
    [
        (State.FREE, Change.MOVED),
        (State.SETTLING, Change.SILENT),
        (State.PRESENT, Change.SEEN_AGAIN),
        (State.UNSEEN, Change.RIVALLED),
    ],
)
def test_what_cannot_happen_is_an_error_and_changes_nothing(state, change):
    column = array("B", [state])
    with pytest.raises(KeyError):
        States(column, ZONES).change(0, change, 0)
    assert column[0] == state


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(Change), st.integers(0, ZONES - 1)), max_size=60))
def test_the_counts_are_those_of_the_states(changes):
    column, zones = array("B", [0] * 4), [0] * 4
    states = States(column, ZONES)
    for slot, change, to in changes:
        if change in TRANSITIONS[State(column[slot])]:
            states.change(slot, change, zones[slot], to)
            zones[slot] = to
    counted = States(column, ZONES)
    counted.recount(range(4), zones.__getitem__, ZONES)
    assert (states.present, states.unseen) == (counted.present, counted.unseen)
