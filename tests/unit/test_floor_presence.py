"""Where a tag is: what is said when, and what must never be said."""

from __future__ import annotations

import random

import pytest

from drivers.api import AntennaStatus, Batch, ReaderAlive, ReaderDown, ReaderUp, RssiUnit
from gateway.clock import SECOND, rfc3339
from gateway.config import PresenceConfig
from gateway.events.envelope import ALARM
from gateway.floor import Floor
from gateway.inputs import Restart
from tests.support.floor_scene import (
    alive,
    at,
    config,
    epc,
    of_type,
    read,
    run,
    standing,
    story,
    ticked,
    up,
)


def test_a_tag_arrives_where_it_was_first_seen():
    facts = run(ticked([*up(), *standing(1, 6, "r1", 1, 7)], 8))
    assert story(facts) == [("arrived", "vault", 1.0)]
    (fact,) = facts
    assert fact.data["uid"] == fact.data["epc"] == "1A4060300048D3D000000007"
    assert (fact.data["from"], fact.data["to"], fact.data["since"]) == (None, "vault", None)
    evidence = fact.data["evidence"]
    assert evidence["antennas"] == ["r1/1"]
    assert evidence["strongest_rssi"] == -60.0
    assert evidence["rssi_unit"] == "dBm"
    assert evidence["first"] == rfc3339(at(1))
    assert evidence["config"] == config().digest()


def test_one_read_is_an_arrival_of_little_confidence():
    (once,) = run(ticked([*up(), read(1, "r1", 1, 7)], 5))
    (often,) = run(ticked([*up(), *standing(1, 5, "r1", 1, 7)], 5))
    assert once.data["movement"] == often.data["movement"] == "arrived"
    assert once.data["confidence"] == 0.5
    assert often.data["confidence"] > 0.9


def test_a_tag_arrives_in_the_zone_that_hears_it_best():
    items = [*up(), read(1, "r2", 1, 7, -75), *standing(1.3, 4, "r1", 1, 7, -55), *standing(1.3, 4, "r2", 1, 7, -74)]
    assert story(run(ticked(items, 6))) == [("arrived", "vault", 1.3)]


def test_a_move_needs_another_zone_to_be_stronger_for_a_while():
    items = [*up(), *standing(1, 20, "r1", 1, 7, -60), *standing(20, 40, "r2", 1, 7, -50)]
    facts = run(ticked(items, 40))
    assert story(facts) == [("arrived", "vault", 1.0), ("moved", "dock", 20.0)]
    moved = facts[1].data
    assert (moved["from"], moved["to"], moved["since"]) == ("vault", "dock", rfc3339(at(1)))
    assert moved["evidence"]["antennas"] == ["r2/1"]


def test_a_tag_that_has_left_for_a_weaker_zone_moves_when_its_silence_says_so():
    items = [*up(), *alive(0, 60, "r1"), *standing(1, 20, "r1", 1, 7, -45), *standing(20, 60, "r2", 1, 7, -65)]
    facts = run(ticked(items, 60))
    assert story(facts)[0] == ("arrived", "vault", 1.0)
    assert [entry[:2] for entry in story(facts)[-1:]] == [("moved", "dock")]


@pytest.mark.parametrize("rssi", [-70, -50, -30])
@pytest.mark.parametrize("strays", [[10.1], [10.1, 10.2], [5.1, 20.1, 30.1]])
def test_stray_reads_move_nothing(rssi, strays):
    items = [*up(), *standing(1, 40, "r1", 1, 7, -60), *(read(t, "r2", 1, 7, rssi) for t in strays)]
    assert story(run(ticked(items, 40))) == [("arrived", "vault", 1.0)]


def test_equal_strength_does_not_flap():
    chance = random.Random(5)
    reads = [
        read(1 + step / 4, chance.choice(["r1", "r2"]), 1, 7, -60 + chance.randrange(-4, 5)) for step in range(1200)
    ]
    movements = [entry[0] for entry in story(run(ticked([*up(), *reads], 300)))]
    assert movements == ["arrived"]


def test_not_seen_then_seen_again_then_departed_only_where_silence_means_departure():
    items = [
        *up(),
        *alive(0, 300, "r1"),
        *alive(0, 300, "r2"),
        *standing(1, 40, "r1", 1, 1),
        *standing(1, 40, "r2", 1, 2),
        *standing(80, 140, "r1", 1, 1),
    ]
    facts = run(ticked(items, 300))
    dock = [fact for fact in facts if fact.place == "dock"]
    assert [fact.data["movement"] for fact in dock] == ["arrived", "not_seen", "departed"]
    gone = dock[-1].data["evidence"]
    assert gone["silence_s"] == pytest.approx(gone["expected_within_s"] + 20.0)
    vault = [fact.data["movement"] for fact in facts if fact.place == "vault"]
    assert vault == ["arrived", "not_seen", "seen_again", "not_seen"]
    windows = [fact.data["evidence"]["expected_within_s"] for fact in facts if fact.data.get("movement") == "not_seen"]
    assert windows[2] > windows[0] + 35  # it has shown a wider gap meanwhile


@pytest.mark.parametrize(("every", "low", "high"), [(0.25, 20, 25), (1.0, 30, 37), (5.0, 70, 100), (20.0, 80, 110)])
@pytest.mark.slow
def test_the_departure_window_follows_the_tags_own_read_rate(every, low, high):
    items = [*up(), *alive(0, 2500, "r1"), *standing(1, 100 * every, "r1", 1, 7, every=every)]
    facts = run(ticked(items, 100 * every + 400))
    (gone,) = [fact for fact in facts if fact.data.get("movement") == "not_seen"]
    assert low <= gone.data["evidence"]["expected_within_s"] <= high


@pytest.mark.slow
def test_flapping_is_bounded_by_arithmetic():
    """Gaps that grow as nastily as they can: each just a little longer than what is expected."""
    settings = PresenceConfig(shortest=15.0, longest=300.0)
    items, t, gap = [*up(), *standing(1, 30, "r1", 1, 7, every=0.25)], 30.0, 20.0
    while t < 10_000:
        t += min(gap, 290)
        items += list(standing(t, t + 20, "r1", 1, 7, every=0.25))
        t += 20
        gap += 20.0
    items += list(alive(0, t, "r1", every=5))
    lost = story(run(ticked(items, t, SECOND), Floor(config(presence=settings.model_dump()))))
    assert 1 <= sum(1 for entry in lost if entry[0] == "not_seen") <= 17  # 300 / 20 and the end
    assert not [entry for entry in lost if entry[0] in ("moved", "departed")]


def test_nothing_is_not_seen_while_its_reader_is_down():
    items = [
        *up(),
        *standing(1, 30, "r2", 1, 7),
        ReaderDown("r2", at(30), "gone"),
        ReaderUp("r2", at(500)),
        *standing(501, 520, "r2", 1, 7),
    ]
    assert story(run(ticked(items, 521))) == [("arrived", "dock", 1.0)]


def test_a_reader_that_goes_quiet_before_it_is_called_down_takes_no_tag_with_it():
    """The keepalive watchdog takes longer to notice than a tag that is read well may be silent."""
    items = [*up(), *standing(1, 30, "r2", 1, 7, every=0.25), ReaderDown("r2", at(60), "silent for 30 s")]
    assert story(run(ticked(items, 100))) == [("arrived", "dock", 1.0)]


def test_a_quiet_reader_that_proves_to_be_alive_was_watching_all_the_time():
    items = [*up(), *standing(1, 30, "r2", 1, 7, every=0.25), *alive(5, 100, "r2", every=10)]
    movements = story(run(ticked(items, 100)))
    assert [entry[0] for entry in movements] == ["arrived", "not_seen", "departed"]
    assert movements[1][2] == pytest.approx(51.5, abs=0.5)


def test_nothing_is_not_seen_while_its_antenna_is_down_and_an_alarm_says_so():
    items = [
        *up(),
        *alive(0, 300, "r1"),
        *standing(1, 30, "r1", 2, 7),
        AntennaStatus("r1", at(30), 2, False, "disconnected"),
        AntennaStatus("r1", at(200), 2, True),
        *standing(201, 300, "r1", 2, 7),
    ]
    facts = run(ticked(items, 300))
    assert story(facts) == [("arrived", "vault", 1.0)]
    assert [(fact.data["alarm"], fact.data["state"]) for fact in of_type(facts, ALARM)] == [
        ("antenna-down", "raised"),
        ("antenna-down", "cleared"),
    ]


def test_an_antenna_that_reads_is_not_lost():
    items = [*up(), AntennaStatus("r1", at(5), 1, False), *standing(10, 20, "r1", 1, 7)]
    facts = run(ticked(items, 20))
    assert [fact.data["state"] for fact in of_type(facts, ALARM)] == ["raised", "cleared"]


@pytest.mark.parametrize("clean", [True, False])
def test_a_restart_moves_nothing(clean):
    before = ticked([*up(), *standing(1, 30, "r2", 1, 7), *standing(1, 30, "r1", 1, 8)], 30)
    after = [
        Restart(at(600), at(30), clean),
        *ticked([*up(605), *standing(606, 640, "r2", 1, 7), *standing(606, 640, "r1", 1, 8)], 640)[6000:],
    ]
    assert [entry[0] for entry in story(run([*before, *after]))] == ["arrived", "arrived"]


def test_held_reads_take_the_place_that_they_were_made_for():
    """The reader was away from 30 s to 90 s; it kept its reads and delivers them in one go."""
    held = [read(t, "r2", 1, 7) for t in range(30, 90)]
    for batch in held:
        batch.arrival = at(90.5)
    items = [
        *up(),
        *standing(1, 30, "r2", 1, 7),
        ReaderDown("r2", at(31), "cut"),
        ReaderUp("r2", at(90), held=True),
        *held,
        ReaderAlive("r2", at(91)),
        *standing(91, 100, "r2", 1, 7),
    ]
    floor = Floor(config())
    assert story(run(ticked(items, 102), floor)) == [("arrived", "dock", 1.0)]
    assert floor.stats.late == 0
    assert floor.reader_state("r2")["status"] == "up"


def test_late_reads_are_counted_and_kept_as_evidence():
    late = read(3.1, "r1", 1, 7)
    late.arrival = at(5)
    floor = Floor(config())
    items = [*up(), *standing(1, 10, "r1", 1, 7), late, *alive(0, 40, "r1")]
    facts = run(ticked(items, 40), floor)
    assert floor.stats.late == 1
    assert facts[-1].data["movement"] == "not_seen"
    assert facts[-1].data["evidence"]["late_reads"] == 1
    assert facts[-1].data["evidence"]["reads"] == 19


def test_impossible_times_do_not_drag_time_along():
    floor = Floor(config())
    wild = Batch("r1", at(2), [(epc(9), 1, -60, 0, at(10**7), 1), (epc(9), 1, -60, 0, 12345, 1)])
    facts = run(ticked([*up(), *standing(1, 6, "r1", 1, 7), wild], 8), floor)
    assert floor.stats.misdated == 2
    assert sorted(story(facts)) == [("arrived", "vault", 1.0), ("arrived", "vault", 2.0)]


def test_foreign_tags_are_classified_and_never_published():
    floor = Floor(config(tags={"include": ["1A"], "exclude": ["1AFF"]}))
    epcs = [b"\x30" + bytes(11), b"\x31" + bytes(11), b"\xe2" + bytes(11), b"\x1a\xff" + bytes(10), b""]
    rows = [(each, 1, -60, 0, at(1), 2) for each in epcs]
    assert run(ticked([*up(), Batch("r1", at(1), rows)], 5), floor) == []
    assert floor.stats.foreign == {"sgtin": 2, "sscc": 2, "other": 4, "blank": 2}


def test_unknown_readers_and_antennas_are_only_counted():
    floor = Floor(config())
    assert run(ticked([*up(), read(1, "nobody", 1, 7), read(1, "r1", 9, 7), ReaderUp("nobody", at(1))], 5), floor) == []
    assert floor.stats.unmapped == 2


def test_raw_units_are_marked_and_out_of_range_values_do_no_harm():
    rows = [(epc(7), 1, 180, 0, at(1), 1), (epc(7), 1, 99_999, 0, at(1), 1)]
    (fact,) = run(ticked([*up(), Batch("r1", at(1), rows, rssi_unit=RssiUnit.RAW)], 5))
    assert fact.data["evidence"]["strongest_rssi"] == 255
    assert fact.data["evidence"]["rssi_unit"] == "raw"


def test_rows_with_phase_count_like_others():
    rows = [(epc(7), 1, -6123, 0, at(1), 1, 17, -3)]
    (fact,) = run(ticked([*up(), Batch("r1", at(1), rows, rssi_unit=RssiUnit.CENTI_DBM, phase=True)], 5))
    assert fact.data["evidence"]["strongest_rssi"] == -61.23


def test_windows_are_bounded_and_a_crowd_is_closed_early():
    floor = Floor(config(floor={"max_windows": 1000}))
    run(ticked(up(), 1), floor)
    rows = [(epc(number), 1, -60, 0, at(1), 1) for number in range(1500)]
    floor.feed(Batch("r1", at(1), rows))
    assert floor.crowded
    run(ticked([], 1)[-1:], floor)
    assert not floor.crowded
    assert floor.stats.forced == 1
    assert floor.stats.tags == 1500
