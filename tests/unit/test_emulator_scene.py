"""A scene is a pure function of time: the same reads however time is cut, and what was scheduled is what is seen."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.emulators.scene import (
    SECOND,
    Field,
    InputEdge,
    Scene,
    Stay,
    Tag,
    population,
    recorded,
    serial_of,
    serials,
    tid_of,
    traffic,
)

EPC = bytes.fromhex("1A4060300048D3D006913126")
QUIET = Field(rate=100, miss=0, noise=0, late=0)

SCENES = {
    "population": population(20, 300, (1, 2)),
    "serials": serials(250, (1, 2, 3)),
    "traffic": traffic(15, 200, (1, 2), cycle=1.5, foreign=3),
}


@pytest.mark.parametrize("name", SCENES)
@given(cuts=st.lists(st.integers(0, 2 * SECOND), max_size=8))
@settings(max_examples=15, deadline=None)
def test_the_same_reads_however_time_is_cut(name, cuts):
    scene = SCENES[name]
    times = [0, *sorted(cuts), 2 * SECOND]
    pieces = [read for since, until in pairwise(times) for read in scene.reads(since, until)]
    assert pieces == scene.reads(0, 2 * SECOND)


def test_the_seed_decides():
    assert population(20, 300).reads(0, SECOND) == population(20, 300).reads(0, SECOND)
    assert population(20, 300, seed=2).reads(0, SECOND) != population(20, 300).reads(0, SECOND)


@pytest.mark.parametrize(("rate", "miss"), [(100, 0.0), (1000, 0.05), (5000, 0.5)])
def test_rate_and_misses(rate, miss):
    made = len(population(30, rate, miss=miss).reads(0, 2 * SECOND))
    assert made == pytest.approx(2 * rate * (1 - miss), rel=0.06)


def test_a_fifth_or_more_comes_out_of_time_order_within_the_bound():
    reads = population(50, 500, (1, 2)).reads(0, 10 * SECOND)
    late = [newest - read.time for read, newest in zip(reads, running_maximum(reads), strict=True)]
    assert sum(b.time < a.time for a, b in pairwise(reads)) > 0.2 * len(reads)
    assert 0 < max(late) <= 100_000 + SECOND // 500


def running_maximum(reads):
    newest = 0
    for read in reads:
        newest = max(newest, read.time)
        yield newest


def test_no_read_is_older_than_the_antennas():
    reads = population(5, 500).reads(3 * SECOND, 4 * SECOND, earliest=3 * SECOND)
    assert min(read.time for read in reads) == 3 * SECOND


def test_a_tag_is_read_where_and_when_it_stays():
    stays = (Stay(1, 0, SECOND, level=-60), Stay(2, SECOND, 3 * SECOND, level=-50))
    scene = Scene({1: QUIET, 2: QUIET}, [Tag(EPC, stays)])
    reads = scene.reads(0, 5 * SECOND)
    assert {read.epc for read in reads} == {EPC}
    assert [(a, min(t), max(t), set(r)) for a, t, r in by_antenna(reads)] == [
        (1, 0, 990_000, {-6000}),
        (2, 1_000_000, 2_990_000, {-5000}),
    ]


def by_antenna(reads):
    for antenna in sorted({read.antenna for read in reads}):
        mine = [read for read in reads if read.antenna == antenna]
        yield antenna, [read.time for read in mine], [read.rssi for read in mine]


def test_a_pass_rises_and_falls():
    scene = Scene({1: QUIET}, [Tag(EPC, (Stay(1, 0, 2 * SECOND, level=-50, fade=SECOND),))])
    levels = [read.rssi for read in scene.reads(0, 2 * SECOND)]
    peak = levels.index(max(levels))
    assert levels[0] == -6500
    assert max(levels) == -5000
    assert levels[: peak + 1] == sorted(levels[: peak + 1])
    assert levels[peak:] == sorted(levels[peak:], reverse=True)


def test_weak_tags_are_missed_more_often():
    noisy = Field(rate=1000, miss=0, noise=3, sensitivity=-70)
    weak = Scene({1: noisy}, [Tag(EPC, (Stay(1, 0, SECOND, level=-70),))])
    assert 350 < len(weak.reads(0, SECOND)) < 650


def test_a_cycle_repeats_tags_and_inputs():
    scene = Scene({1: QUIET}, [Tag(EPC, (Stay(1, 0, SECOND),))], inputs=[InputEdge(500, 1, True)], cycle=3 * SECOND)
    seconds = sorted({read.time // SECOND for read in scene.reads(0, 9 * SECOND)})
    assert seconds == [0, 3, 6]
    assert [edge.time for edge in scene.edges(0, 9 * SECOND)] == [500, 3_000_500, 6_000_500]
    assert scene.edges(500, 501) == [InputEdge(500, 1, True)]
    assert scene.edges(501, 3_000_500) == []


def test_serial_numbers_are_contiguous_per_antenna_and_never_repeat():
    reads = serials(200, (1, 4), run=9).reads(SECOND, 3 * SECOND)
    numbers = [serial_of(read.epc) for read in reads]
    assert len(set(numbers)) == len(reads) == 800
    for antenna in (1, 4):
        assert sorted(slot for _, a, slot in numbers if a == antenna) == list(range(200, 600))
    assert {run for run, _, _ in numbers} == {9}
    assert {len(read.epc) for read in reads} == {12}


def test_traffic_has_arrivals_moves_and_departures():
    scene = traffic(20, 500, (1, 2), cycle=10.0)
    reads = scene.reads(0, 10 * SECOND)
    antennas = {epc: {read.antenna for read in reads if read.epc == epc} for epc in {read.epc for read in reads}}
    assert len(antennas) == 20
    assert sum(len(seen) == 2 for seen in antennas.values()) >= 12
    early = {read.epc for read in scene.reads(0, SECOND // 2)}
    late = {read.epc for read in scene.reads(9 * SECOND, 10 * SECOND)}
    assert early == late
    assert len(early) == 6


def test_only_the_antennas_asked_for():
    assert {read.antenna for read in population(9, 300, (1, 2, 3)).reads(0, SECOND, {2, 3})} == {2, 3}


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Scene({1: QUIET}, [Tag(EPC, (Stay(2, 0, 1),))]), "antenna 2, which has no field"),
        (lambda: Scene({1: QUIET}, [Tag(EPC, (Stay(1, 5, 5),))]), "must end after its start"),
        (lambda: Scene({1: QUIET}, [Tag(EPC, (Stay(1, 0, 5),))], cycle=4), "within the cycle"),
        (lambda: Scene({1: QUIET}, serial_prefix=b"12345"), "longer than 4 bytes"),
        (lambda: population(17, 1, prefix="1" * 23), "no room for 17"),
    ],
)
def test_what_cannot_be_is_refused(build, says):
    with pytest.raises(ValueError, match=says):
        build()


def test_a_recorded_read_is_in_utc_and_dbm():
    read = Scene({1: QUIET}, [Tag(EPC, (Stay(1, 0, SECOND, level=-61.5),))]).reads(10_000, 10_001)[0]
    line = recorded(read, "dock-a", 1_700_000_000_000_000)
    assert line == {
        "t": 1_700_000_000.01,
        "reader": "dock-a",
        "antenna": 1,
        "epc": EPC.hex().upper(),
        "rssi": -61.5,
        "channel": read.channel,
    }
    assert 1 <= read.channel <= 50


def test_a_tid_is_stable_and_its_own():
    assert tid_of(EPC) == tid_of(EPC) != tid_of(EPC[::-1])
    assert len(tid_of(EPC)) == 12
    assert tid_of(EPC)[0] == 0xE2
