"""Phases of reads at portals: pairs that show which way a distance runs, kept until their windows close."""

from __future__ import annotations

import orjson
import pytest

from drivers.api import Batch
from gateway.floor.portals import phases as module
from gateway.floor.portals.phases import TOGETHER, Phases, pairs_of

WIDTH = 250_000
EPC, OTHER = b"\x1a" * 12, b"\x1b" * 12


@pytest.mark.parametrize(
    ("reads", "before", "expected"),
    [
        ([], None, (0, 0, 0)),
        ([(0, 7, 100, 0)], None, (0, 0, 0)),
        ([(0, 7, 100, 0), (1000, 7, 600, 0)], None, (1, 1, 1)),
        ([(0, 7, 600, 0), (1000, 7, 100, 0)], None, (1, 1, -1)),
        ([(0, 7, 4000, 0), (1000, 7, 100, 0)], None, (1, 1, 1)),  # over the end of a turn
        ([(0, 7, 0, 0), (1000, 7, 1500, 0)], None, (1, 0, 1)),  # more than a quarter of a turn
        ([(0, 7, 100, 0), (1000, 8, 600, 0)], None, (0, 0, 0)),  # another channel has a phase of its own
        ([(0, 7, 100, 0), (TOGETHER + 1, 7, 600, 0)], None, (0, 0, 0)),
        ([(0, 7, 100, 0), (0, 7, 600, 0)], None, (0, 0, 0)),  # the same read told twice
        ([(WIDTH, 7, 600, 0)], (WIDTH - 1000, 7, 100, 0), (1, 1, 1)),
        ([(0, 7, 100, 0), (1000, 7, 100, 0)], None, (1, 1, 0)),
    ],
)
def test_pairs(reads, before, expected):
    assert pairs_of(reads, before) == (*expected, 0, 0)


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [((0, 0), (0, 0)), ((40, 0, 1600), (2, 2)), ((-1, -1600, 3), (3, -1))],
)
def test_of_doppler_shifts_only_the_signs_count(shifts, expected):
    reads = [(number, number, 0, shift) for number, shift in enumerate(shifts)]
    assert pairs_of(reads, None) == (0, 0, 0, *expected)


def batch(*rows: tuple[bytes, int, int, int, int], phase: bool = True, reader: str = "r1", offset: int = 0) -> Batch:
    return Batch(
        reader, 10**9, [(e, port, -60, ch, t, 1, turn, -5) for e, port, ch, t, turn in rows], offset, phase=phase
    )


def test_a_window_gives_its_phases_by_port_and_tag_in_order_of_time():
    kept = Phases(["r1"], WIDTH)
    kept.take(batch((EPC, 1, 7, 2000, 20), (EPC, 2, 7, 1000, 10), (OTHER, 1, 7, WIDTH + 1, 99)))
    kept.take(batch((EPC, 1, 8, 500, 5), offset=500))
    assert kept.of(0, "r1", 1) == {EPC: [(1000, 8, 5, -5), (2000, 7, 20, -5)]}
    assert kept.of(0, "r1", 2) == {EPC: [(1000, 7, 10, -5)]}
    assert kept.of(0, "r1", 3) == {}
    assert kept.of(1, "r1", 1) == {OTHER: [(WIDTH + 1, 7, 99, -5)]}
    assert kept.dump() == []


def test_readers_without_portals_or_phases_are_left_out():
    kept = Phases(["r1"], WIDTH)
    kept.take(batch((EPC, 1, 7, 0, 0), phase=False))
    kept.take(batch((EPC, 1, 7, 0, 0), reader="r2"))
    assert kept.dump() == []


def test_what_is_kept_goes_through_a_dump_and_through_a_step_of_the_clock():
    kept, again = Phases(["r1"], WIDTH), Phases(["r1"], WIDTH)
    kept.take(batch((EPC, 1, 7, 100, 20), offset=50))
    again.load(orjson.loads(orjson.dumps(kept.dump())))
    again.redate(4 * WIDTH)
    assert again.of(4, "r1", 1) == {EPC: [(4 * WIDTH + 150, 7, 20, -5)]}


def test_a_dump_from_before_there_were_doppler_shifts_is_taken_over():
    kept = Phases(["r1"], WIDTH)
    kept.load([[0, "r1", [[EPC.hex(), 1, 7, 100, 20]]]])
    assert kept.of(0, "r1", 1) == {EPC: [(100, 7, 20, 0)]}


def test_a_flood_gives_up_what_was_kept(monkeypatch):
    monkeypatch.setattr(module, "MAX_ROWS", 3)
    kept = Phases(["r1"], WIDTH)
    kept.take(batch(*((EPC, 1, 7, t, 0) for t in range(3))))
    kept.take(batch((EPC, 1, 7, 9, 9)))
    assert kept.of(0, "r1", 1) == {EPC: [(9, 7, 9, -5)]}


def test_what_came_too_late_is_given_up():
    kept = Phases(["r1"], WIDTH)
    kept.take(batch((EPC, 1, 7, 0, 0), (EPC, 1, 7, 5 * WIDTH, 0)))
    kept.forget_before(5)
    assert kept.of(0, "r1", 1) == {}
    assert EPC in kept.of(5, "r1", 1)
