"""The memory that forgets its oldest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.floor.bounded import Bounded


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 6))
def test_it_holds_the_newest_in_the_order_in_which_they_were_renewed(keys, most):
    memory: Bounded[int, int] = Bounded(most)
    for when, key in enumerate(keys):
        memory.renew(key, when)
    newest = {key: when for when, key in enumerate(keys)}
    assert list(memory.items()) == sorted(newest.items(), key=lambda entry: entry[1])[-most:]
