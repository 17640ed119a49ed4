"""How far a reader's clock is off, from what arrives."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import ClockQuality
from drivers.llrp.clock import UNSURE, WINDOW, WORTH_TELLING, ReaderTime, Stamps
from tests.support.claims import some

SECOND = 1_000_000
T0 = 1_700_000_000 * SECOND


def greeted(offset: int, stamps: Stamps = Stamps.UTC, mode: str = "auto") -> ReaderTime:
    time = ReaderTime(mode)  # type: ignore[arg-type]
    time.event(stamps, T0 - offset, T0)
    return time


@pytest.mark.parametrize(
    ("offset", "mode", "stamps", "quality", "applied"),
    [
        (0, "auto", Stamps.UTC, ClockQuality.SYNCED, 0),
        (99_999, "auto", Stamps.UTC, ClockQuality.SYNCED, 0),
        (-99_999, "auto", Stamps.UTC, ClockQuality.SYNCED, 0),
        (999_999, "auto", Stamps.UTC, ClockQuality.SYNCED, 0),
        (SECOND, "auto", Stamps.UTC, ClockQuality.CORRECTED, SECOND),
        (-100_001, "auto", Stamps.UTC, ClockQuality.CORRECTED, -100_001),
        (-3 * SECOND, "auto", Stamps.UTC, ClockQuality.CORRECTED, -3 * SECOND),
        (5 * SECOND, "trust", Stamps.UTC, ClockQuality.SYNCED, 0),
        (T0 - 77, "auto", Stamps.UPTIME, ClockQuality.UPTIME, T0 - 77),
        (T0 - 77, "trust", Stamps.UPTIME, ClockQuality.UPTIME, T0 - 77),
        (5 * SECOND, "arrival", Stamps.UTC, ClockQuality.ARRIVAL, 0),
    ],
)
def test_the_greeting_tells_the_clock(
    offset: int, mode: str, stamps: Stamps, quality: ClockQuality, applied: int
) -> None:
    time = greeted(offset, stamps, mode)
    assert (time.reading.quality, time.reading.offset) == (quality, applied)


def test_rows_without_a_time_are_stamped_on_arrival() -> None:
    time = greeted(0)
    assert time.report(Stamps.NONE, 0, T0 + 5)
    assert time.reading.quality is ClockQuality.ARRIVAL
    assert time.offset(Stamps.NONE, 0, T0 + 7) == T0 + 7
    assert not time.event(Stamps.UTC, T0, T0 + 10), "events do not speak for the reports"


@pytest.mark.parametrize(
    ("stamps", "newest", "offset"), [(Stamps.UPTIME, 500, T0 - 500), (Stamps.UTC, T0 - 99, 0)], ids=["uptime", "utc"]
)
def test_held_rows_with_another_kind_of_time_than_the_greeting(stamps: Stamps, newest: int, offset: int) -> None:
    time = greeted(0, Stamps.UTC if stamps is Stamps.UPTIME else Stamps.UPTIME)
    assert time.offset(stamps, newest, T0) == offset


def run(time: ReaderTime, seconds: int, true_offset: int, lag: int, seed: int = 1, start: int = 0) -> list[int]:
    """Ten reports a second, each late by `lag` and up to 0.2 s more. Gives the seconds at which the reading changed."""
    rng = Random(seed)
    changes = []
    for tick in range(seconds * 10):
        arrival = T0 + start * SECOND + tick * SECOND // 10
        stamp = arrival - true_offset - lag - rng.randrange(200_000)
        if time.report(Stamps.UTC, stamp, arrival):
            changes.append(start + tick // 10)
    return changes


def test_late_reports_do_not_move_the_offset() -> None:
    time = greeted(2 * SECOND)
    assert run(time, 60, 2 * SECOND, lag=300_000) == []
    assert time.reading.offset == 2 * SECOND


def test_a_greeting_that_was_slow_to_come_sets_no_clock() -> None:
    """As of a gateway that has just begun, and has much to do."""
    time = greeted(400_000)
    changes = [time.event(Stamps.UTC, T0 + after - 380_000, T0 + after) for after in range(100, 300_000, 100_000)]
    assert run(time, 60, 0, lag=20_000, start=1) == []
    assert not any(some(changes))
    assert (time.reading.quality, time.reading.offset) == (ClockQuality.SYNCED, 0)


def test_a_clock_that_is_a_little_behind_is_corrected_once_nothing_came_sooner() -> None:
    time = greeted(400_000)
    assert run(time, 60, 400_000, lag=20_000) == [UNSURE // SECOND]
    assert (time.reading.quality, time.reading.offset) == (ClockQuality.CORRECTED, 400_000)


def test_a_clock_set_forward_is_seen_at_once() -> None:
    time = greeted(2 * SECOND)
    run(time, 30, 2 * SECOND, lag=20_000)
    assert run(time, 1, 0, lag=20_000, start=30) == [30]
    assert time.reading.quality is ClockQuality.CORRECTED or abs(time.reading.offset) < 200_000


def test_a_clock_set_back_is_seen_within_two_windows() -> None:
    time = greeted(0)
    run(time, 30, 0, lag=20_000)
    changes = run(time, 25, 4 * SECOND, lag=20_000, start=30)
    assert changes
    assert changes[0] <= 30 + 2 * WINDOW // SECOND
    assert abs(time.reading.offset - 4 * SECOND) <= WORTH_TELLING + 20_000
    assert time.reading.quality is ClockQuality.CORRECTED


def test_a_drifting_uptime_clock_is_followed() -> None:
    time = greeted(T0, Stamps.UPTIME)
    worst = 0
    for second in range(0, 3600, 1):  # 200 ppm slow: 0.72 s in the hour
        arrival = T0 + second * SECOND
        true_offset = T0 + second * 200
        time.report(Stamps.UPTIME, arrival - true_offset - 5_000, arrival)
        worst = max(worst, abs(time.reading.offset - true_offset))
    assert worst < WORTH_TELLING + 10_000


def test_the_quality_does_not_flap_at_its_limit() -> None:
    time = greeted(105_000)
    changes = [time.event(Stamps.UTC, T0 + i - (105_000 - 10_000 * (i % 2)), T0 + i) for i in range(100)]
    assert not any(some(changes))


@given(
    offset=st.integers(-100 * SECOND, 100 * SECOND),
    samples=st.lists(st.tuples(st.integers(1, 3 * SECOND), st.integers(0, 900_000)), max_size=60),
)
def test_late_reports_never_take_the_offset_further_than_they_are_late(
    offset: int, samples: list[tuple[int, int]]
) -> None:
    """The reader's clock is even with ours, so that every change is an error, and only delays can cause it."""
    time = greeted(offset)
    before = time.reading
    arrival = T0
    for step, delay in samples:
        arrival += step
        time.report(Stamps.UTC, arrival - offset - delay, arrival)
        assert abs(time.reading.offset - before.offset) <= 900_000


def test_what_a_reader_kept_and_delivers_slowly_does_not_set_its_clock_back() -> None:
    """Reads of yesterday that dribble in behind the set-up: they catch up, as those of a clock set back do not."""
    time = greeted(0)
    day = 86_400 * SECOND
    for tick in range(300):  # half a minute, in which two hours of reads are delivered
        stamp = T0 - day + tick * 24 * SECOND
        time.report(Stamps.UTC, stamp, T0 + tick * SECOND // 10)
        assert (time.reading.quality, time.reading.offset) == (ClockQuality.SYNCED, 0)
    assert run(time, 30, 0, lag=20_000, start=30) == []


@pytest.mark.parametrize("ahead", [3_600 * SECOND, 10 * 365 * 86_400 * SECOND], ids=["an hour", "ten years"])
def test_one_stamp_from_far_ahead_sets_no_clock(ahead: int) -> None:
    """A bit that fell over: the next reads would be of long ago."""
    time = greeted(2 * SECOND)
    run(time, 30, 2 * SECOND, lag=20_000)
    before = time.reading
    assert not time.report(Stamps.UTC, T0 + 30 * SECOND + ahead, T0 + 30 * SECOND)
    assert time.reading == before
    assert run(time, 30, 2 * SECOND, lag=20_000, start=31) == []
    assert time.reading == before


def test_a_clock_set_far_ahead_is_seen_with_the_second_report() -> None:
    """As that of a reader without a battery is once it has asked a server for the time."""
    time = greeted(T0 - 77 * SECOND)
    run(time, 30, T0 - 77 * SECOND, lag=20_000)
    assert set(run(time, 1, 0, lag=20_000, start=30)) == {30}
    assert abs(time.reading.offset) < 250_000


def test_a_clock_set_back_is_seen_where_reports_come_when_they_are_fetched() -> None:
    """Some are two seconds old when they come, others fresh."""
    time, rng = greeted(0), Random(3)
    for tick in range(800):
        arrival = T0 + tick * SECOND // 10
        behind = 3_600 * SECOND if tick >= 300 else 0
        time.report(Stamps.UTC, arrival - behind - rng.randrange(2 * SECOND), arrival)
    assert abs(time.reading.offset - 3_600 * SECOND) < 200_000
