"""A whole scene: deterministic, delivered as real readers deliver, fit for a driver's sink and a recording."""

from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random

import pytest

from benchmarks.radio import (
    Body,
    Delivery,
    Doorway,
    Path,
    PhotoEye,
    Place,
    RadioReader,
    RoomAntenna,
    World,
    run,
)
from benchmarks.radio.shapes import unit
from benchmarks.radio.things import make
from benchmarks.radio.unrest import Unrest
from benchmarks.radio.world import EPOCH
from drivers.api import Batch, InputChange, ReaderAlive, ReaderDown, ReaderUp, RssiUnit
from drivers.emulators.scene import SECOND
from tests.support.claims import some


def world(**changes):
    random = Random(1)
    path = Path([(1, -5, 0, 1), (9, 5, 0, 1)])
    antennas = tuple(
        RoomAntenna(port, (side * 0.4, 1.4, 1.8), unit(side * 0.3, -1.0), power=27.0)
        for port, side in ((1, 1), (2, -1))
    )
    base = World(
        tags=[make(number, path.shifted(0.1 * number, 0, 0), random, loss=1.0) for number in range(3)],
        readers=[RadioReader("r1", antennas)],
        places=[Place("vault", 0, 9, -9, 9), Place("dock", -9, 0, -9, 9)],
        end=12.0,
        doorways=[Doorway("door")],
        bodies=[Body(path.shifted(-0.4, 0, 0))],
        photo_eyes=[PhotoEye("r1", 3, 0.3, -1, 1)],
    )
    return replace(base, **changes)


def rows_of(items):
    return [row for item in items if isinstance(item, Batch) for row in item.rows]


def test_the_same_seed_is_the_same_run():
    assert run(world(), "a").items == run(world(), "a").items
    assert run(world(), "a").items != run(world(), "b").items


@pytest.mark.parametrize("late", [0.0, 0.2, 0.75])
def test_reads_come_out_of_order_within_the_bound(late):
    items = run(world(delivery=Delivery(late=late, bound=0.4, report=0.05)), "a").items
    newest, behind, reads = 0, 0, 0
    for item in items:
        if isinstance(item, Batch):
            for row in item.rows:
                reads += 1
                behind += row[4] < newest
                newest = max(newest, row[4])
                assert 0 <= item.arrival - row[4] <= 0.45 * SECOND
    assert reads > 200
    if late == 0:
        assert behind == 0
    else:
        assert 0.6 * late < behind / reads < 1.1 * late


def test_a_sign_of_life_comes_after_every_read_before_its_time():
    alive = 0
    for item in run(world(), "a").items:
        if isinstance(item, ReaderAlive):
            alive = max(alive, item.t)
        elif isinstance(item, Batch):
            assert min(row[4] for row in item.rows) >= alive
    assert alive > EPOCH + 10 * SECOND


def test_a_bare_recording_is_reads_only():
    items = run(world(delivery=Delivery(alive=None), photo_eyes=[]), "a").items
    assert {type(item) for item in items} == {Batch}


def test_the_reader_says_that_it_was_away():
    reader = replace(world().readers[0], outages=((3.0, 6.0),))
    items = run(world(readers=[reader]), "a").items
    assert [
        (type(item), round((item.t - EPOCH) / SECOND)) for item in items if isinstance(item, ReaderUp | ReaderDown)
    ] == [
        (ReaderUp, 0),
        (ReaderDown, 3),
        (ReaderUp, 6),
    ]
    assert not [row for row in rows_of(items) if 3.2 < (row[4] - EPOCH) / SECOND < 6.0]


def test_photo_eyes_are_inputs():
    items = run(world(), "a").items
    assert [(item.port, item.state) for item in items if isinstance(item, InputChange)] == [(3, True), (3, False)]


@pytest.mark.parametrize(
    ("step", "phase", "unit_", "width"), [(0.5, True, RssiUnit.CENTI_DBM, 8), (1.0, False, RssiUnit.DBM, 6)]
)
def test_rows_are_those_of_the_driver_contract(step, phase, unit_, width):
    reader = replace(world().readers[0], step=step, phase=phase)
    batches = [item for item in run(world(readers=[reader]), "a").items if isinstance(item, Batch)]
    assert {batch.rssi_unit for batch in batches} == {unit_}
    assert {batch.phase for batch in batches} == {phase}
    row = batches[0].rows[0]
    assert len(row) == width
    assert type(row[0]) is bytes
    assert all(type(value) is int for value in some(row[1:]))
    assert -9000 < row[2] < -10


def test_the_pass_is_seen_on_both_sides_and_the_truth_says_in():
    played = run(world(), "a")
    assert {transit.direction for transit in played.truth.transits} == {"in"}
    for tag in world().tags:
        assert {read.antenna for read in played.reads["r1"] if read.epc == tag.epc} == {1, 2}


def standing(**changes):
    """One tag in a lively room for six hours, one antenna well and one badly placed for it."""
    tag = make(1, Path.still(2.0, 0.0, 1.2), Random(4), loss=0.0)
    near = RoomAntenna(1, (0.0, 0.0, 1.5), unit(1.0, 0.0), power=22.0)
    base = World(
        tags=[tag],
        readers=[RadioReader("r1", (near,))],
        places=[Place("room", 0, 9, -9, 9)],
        end=6 * 3600.0,
        unrest=Unrest(spread=3.0, blocked=0.15),
        cover=Unrest(shortest=6.0, tail=1.1, blocked=0.1),
        looks=0.5,
    )
    return replace(base, **changes)


def gaps(reads):
    return sorted((b.time - a.time) / SECOND for a, b in itertools.pairwise(reads))


def test_standing_still_for_hours_is_quick_and_has_long_gaps():
    """The gaps are heavy-tailed: most are seconds, and one is minutes."""
    lengths = gaps(run(standing(), "a").reads["r1"])
    assert len(lengths) > 2000
    assert lengths[len(lengths) // 2] < 4.0
    assert lengths[-1] > 100.0


def test_without_unrest_the_gaps_are_those_of_chance():
    calm = Unrest(spread=0.0, blocked=0.0)
    assert gaps(run(standing(unrest=calm, cover=calm), "a").reads["r1"])[-1] < 60.0


def test_what_is_carried_away_is_not_read_any_more():
    path = Path([(3600.0, 2.0, 0.0, 1.2), (3610.0, -30.0, 0.0, 1.2)])
    tag = replace(standing().tags[0], path=path)
    played = run(standing(tags=[tag]), "a")
    assert 3000 * SECOND < played.reads["r1"][-1].time <= 3600 * SECOND
    assert [zone for _, zone, _ in played.truth.leavings()] == ["room"]
