"""Rivals that are lent to rows are objects again when they are asked for, with the values of the rows."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import numpy as np
import pytest

from gateway.floor.presence.contest import Rival
from gateway.floor.presence.rivals import Rivals, dumped


def rival(number: int) -> Rival:
    made = Rival(number % 7, -5000.25 - number, 1_700_000_000_000_000 + number)
    made.see(number % 7, 1, made.last + 1000, made.last, 3, -5100, 2e6)
    return made


def filled(count: int) -> Rivals:
    rivals = Rivals()
    for slot in range(count):
        rivals[slot] = {zone: rival(10 * slot + zone) for zone in range(1 + slot % 3)}
    return rivals


def lend(rivals: Rivals, *slots: int) -> None:
    rivals.lend(np.array(slots, np.int64))


def values(rivals: Rivals) -> list[list[Any]]:
    return [list(found) for found in dumped(b"".join(rivals.dump()))]


def test_what_is_lent_comes_back_as_it_was() -> None:
    rivals, before = filled(50), values(filled(50))
    lend(rivals, *range(0, 50, 2))
    assert values(rivals) == before
    assert [[view.dump() for view in rivals[slot].values()] for slot in range(50)] == [found[1] for found in before]
    assert not rivals.counts.any()


def test_what_is_done_to_rows_is_done_to_the_object() -> None:
    rivals = filled(4)
    lend(rivals, 2, 3)
    row = rivals.starts[2] + 1
    rivals.rows["level"][row], rivals.rows["reads"][row] = -4000.5, 99
    view = rivals[2][1]
    assert (view.level, view.reads) == (-4000.5, 99)
    assert type(view.reads) is int


@pytest.mark.parametrize("ask", ["get", "pop", "setdefault", "values", "items", "del"])
def test_however_it_is_asked_for(ask: str) -> None:
    rivals = filled(4)
    lend(rivals, 2)
    rivals.rows["level"][rivals.starts[2]] = -1.0
    match ask:
        case "get":
            views = rivals.get(2)
        case "pop":
            views = rivals.pop(2)
        case "setdefault":
            views = rivals.setdefault(2, {})
        case "values":
            views = list(rivals.values())[2]
        case "items":
            views = dict(rivals.items())[2]
        case "del":
            views = dict.__getitem__(rivals, 2)
            del rivals[2]
            assert 2 not in rivals
    assert views[0].level == -1.0
    assert not rivals.counts.any()


def test_the_rows_are_used_again_when_they_are_full() -> None:
    """A model: slots are lent, changed and asked for in any order, over many times the room that there is at first."""
    random = Random(5)
    rivals, model = filled(800), filled(800)
    for _ in range(300):
        slots = random.sample(range(800), random.choice([1, 30, 300]))
        lend(rivals, *slots)
        for slot in slots:
            at = int(rivals.starts[slot])
            assert rivals.counts[slot] == len(model[slot])
            rivals.rows["reads"][at] += 1
            model[slot][0].reads += 1
        for slot in random.sample(range(800), 20):
            assert [view.dump() for view in rivals[slot].values()] == [view.dump() for view in model[slot].values()]
    assert len(rivals.rows) < 20_000
    assert values(rivals) == values(model)


@pytest.mark.parametrize("cut", [4, 100, -1, -96])
def test_a_dump_that_is_cut_off_is_noticed(cut: int) -> None:
    with pytest.raises((ValueError, struct.error)):
        list(dumped(b"".join(filled(20).dump())[:cut]))


def test_a_dump_of_many_comes_in_pieces_of_which_each_stands_by_itself() -> None:
    rivals = filled(5_000)
    lend(rivals, *range(0, 5_000, 3))
    pieces = list(rivals.dump())
    assert len(pieces) == rivals.pieces > 1
    assert [found for piece in pieces for found in dumped(piece)] == list(dumped(b"".join(pieces)))
    assert [slot for slot, _ in dumped(b"".join(pieces))] == list(range(5_000))
