from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SECOND, SteadyClock, micros, rfc3339


def clock_over(readings: list[int]) -> list[int]:
    source = iter(readings)
    clock = SteadyClock(lambda: next(source))
    return [clock.now() for _ in readings]


def test_follows_the_wall_clock_forward_whatever_the_step():
    assert clock_over([10, 20, 5_000 * SECOND]) == [10, 20, 5_000 * SECOND]


def test_stands_still_over_a_small_step_back():
    assert clock_over([2 * SECOND, 2 * SECOND - 500, 2 * SECOND + 1]) == [2 * SECOND, 2 * SECOND, 2 * SECOND + 1]


def test_runs_on_after_a_large_step_back_and_rejoins_the_wall_clock():
    hour = 3_600 * SECOND
    start = 10 * hour
    readings = [start, start - hour, start - hour + 7, start - hour + 9, start + 50]
    assert clock_over(readings) == [start, start, start + 7, start + 9, start + 50]


@given(st.lists(st.integers(min_value=0, max_value=10**15), min_size=1, max_size=50))
def test_never_goes_back(readings):
    times = clock_over(readings)
    assert times == sorted(times)


def test_formats_with_microseconds():
    assert rfc3339(1_700_000_000_123_456) == "2023-11-14T22:13:20.123456Z"
    assert micros(0.1) == 100_000
