from itertools import islice
from random import Random

import pytest

from drivers.backoff import delays
from tests.support.claims import some


def test_the_first_delay_is_below_a_second_and_all_are_below_the_cap() -> None:
    for seed in range(200):
        waits = list(islice(delays(Random(seed), first=0.5, cap=8.0), 12))
        ceilings = [0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8, 8, 8]
        assert all(0 <= wait <= ceiling for wait, ceiling in some(zip(waits, ceilings, strict=True)))


def test_readers_that_were_lost_together_come_back_apart() -> None:
    firsts = {round(next(delays(Random(seed))), 6) for seed in range(50)}
    assert len(firsts) == 50


def test_delays_grow_to_the_cap() -> None:
    many = [list(islice(delays(Random(seed), first=0.5, cap=30.0), 20))[-1] for seed in range(300)]
    assert max(many) > 27  # full jitter: anywhere up to the cap
    assert 13 < sum(many) / len(many) < 17


def test_the_same_seed_gives_the_same_delays() -> None:
    assert list(islice(delays(Random(7)), 9)) == list(islice(delays(Random(7)), 9))


@pytest.mark.parametrize(("first", "cap"), [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_senseless_limits_are_refused(first: float, cap: float) -> None:
    with pytest.raises(ValueError, match="first must be above 0"):
        next(delays(Random(0), first=first, cap=cap))
