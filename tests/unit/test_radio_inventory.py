"""A reader among tags: reads thin out with the population, antennas take turns, what is dead hears nothing."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from benchmarks.radio import Path, RadioReader, RoomAntenna
from benchmarks.radio.inventory import Inventory
from benchmarks.radio.medium import Medium
from benchmarks.radio.shapes import unit
from benchmarks.radio.things import make
from benchmarks.radio.unrest import CALM, Drift, Unrest
from drivers.emulators.scene import SECOND
from tests.support.claims import some


def panel(port, y=0.0, **changes):
    return replace(RoomAntenna(port, (0.0, y, 1.5), unit(1.0, 0.0), power=28.0), **changes)


def crowd(count, *, spread=0.5):
    random = Random(5)
    place = lambda: (2.0 + random.uniform(-spread, spread), random.uniform(-spread, spread), 1.2)  # noqa: E731
    return [make(number, Path.still(*place()), random, loss=0.0) for number in range(count)]


def reads(tags, *antennas, seconds=4.0, seed="1", unrest=CALM, **settings):
    reader = RadioReader("r1", antennas or (panel(1),), **settings)
    return Inventory(reader, tags, Medium([], []), unrest, seed).reads(0.0, seconds)


def test_reads_of_one_tag_thin_out_as_the_population_grows():
    rates = []
    for population in (1, 10, 60, 200):
        found = reads(crowd(population))
        rates.append(len(found) / population / 4.0)
    assert rates[0] > 50
    assert all(a > 1.5 * b for a, b in some(itertools.pairwise(rates)))
    assert 0.5 < rates[-1] < 4.0


def test_collisions_cost_some_but_a_dense_field_still_gives_hundreds_of_reads_a_second():
    assert 200 * 4 < len(reads(crowd(200))) < 500 * 4


def test_antennas_take_turns():
    found = reads(crowd(3), panel(1), panel(2, 0.5), panel(3, -0.5), dwell=0.1)
    turns = [a.antenna for a, b in itertools.pairwise(found) if a.antenna != b.antenna]
    assert turns[:9] == [1, 2, 3] * 3
    runs = Counter(read.time // (SECOND // 10) for read in found)
    assert len(runs) > 30


def test_dead_antennas_and_outages_give_nothing():
    found = reads(crowd(3), panel(1), panel(2, 0.5, dead=True), outages=((1.0, 2.0),))
    assert {read.antenna for read in found} == {1}
    assert not [read for read in found if 1.1 * SECOND < read.time < 2.0 * SECOND]


def test_deaf_moments_come_in_bursts():
    """Gaps of a tenth of a second and more, where there are otherwise none."""
    gap = lambda found: sum(1 for a, b in itertools.pairwise(found) if b.time - a.time > SECOND // 10)  # noqa: E731
    assert gap(reads(crowd(3), seconds=20.0)) == 0
    assert gap(reads(crowd(3), seconds=20.0, deaf=(2.0, 0.3))) >= 3


def test_session_1_keeps_tags_silent_after_a_read():
    tags = crowd(5)
    loud, quiet = reads(tags), reads(tags, session=1)
    assert len(quiet) < len(loud) / 10
    assert {read.epc for read in quiet} == {tag.epc for tag in tags}
    hold = {tag.epc: tag.hold for tag in tags}
    last = {}
    for read in quiet:
        assert read.time - last.get(read.epc, -9 * SECOND) > hold[read.epc] * SECOND * 0.99
        last[read.epc] = read.time


def test_nothing_is_read_below_what_the_chip_needs():
    far = [make(1, Path.still(11.5, 0.0, 1.5), Random(1), loss=12.0)]
    assert reads(far) == []


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_rssi_comes_in_steps_and_with_noise(step):
    found = reads(crowd(1), step=step, noise=1.0)
    levels = {read.rssi for read in found if read.channel == found[0].channel}
    assert all(level % (100 * step) == 0 for level in some(levels))
    assert len(levels) >= 3


def test_phase_follows_the_distance_and_doppler_the_speed():
    path = Path([(0.0, 4.0, 0.0, 1.5), (4.0, 2.0, 0.0, 1.5)])
    found = reads([make(1, path, Random(2), loss=0.0)])
    doppler = sorted(read.doppler / 16 for read in found)[len(found) // 2]
    assert doppler == pytest.approx(2 * 0.5 / 0.328, abs=1.0)
    turned = 0
    pairs = 0
    for a, b in itertools.pairwise(found):
        if a.channel == b.channel and 0 < b.time - a.time < 20_000:
            step = (b.phase - a.phase + 2048) % 4096 - 2048
            turned += step < 0
            pairs += 1
    assert turned > 0.6 * pairs  # coming nearer: the phase falls, through the noise


def test_the_same_seed_is_the_same_reads_and_another_is_not():
    tags = crowd(4)
    assert reads(tags) == reads(tags)
    assert reads(tags) != reads(tags, seed="2")


def test_unrest_is_heavy_tailed_and_bounded():
    unrest = Unrest(shortest=2.0, longest=900.0, tail=1.2)
    stays = unrest.stays(Random(1), 0.0)
    ends = [0.0] + [next(stays)[0] for _ in range(5000)]
    lengths = sorted(b - a for a, b in itertools.pairwise(ends))
    assert lengths[0] >= 2.0 - 1e-9
    assert lengths[-1] <= 900.0 + 1e-6
    assert lengths[len(lengths) // 2] < 5.0
    assert lengths[-1] > 200.0


def test_drift_holds_until_it_says():
    drift = Drift(Unrest(), Random(1), 0.0)
    first = drift.at(0.0)
    assert drift.at(drift.until - 1e-6) == first
    assert drift.at(drift.until) != first
