"""What a count says about the tags that it missed, held against populations of which the truth is known."""

from __future__ import annotations

import math
from json import dumps, loads
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.floor.counts.estimate import estimate
from gateway.floor.counts.run import FEWEST_ROUNDS, MAX_FOLLOWED, QUIET_ROUNDS, Running

SEED = 20_260_214


def test_by_hand():
    """10 tags in one round and 5 in two, of 4 rounds: 3/4 * 100 / 10 = 7.5 are missing."""
    found = estimate({1: 10, 2: 5, 4: 15}, 4)
    assert found is not None
    assert (found.seen, found.once, found.twice) == (30, 10, 5)
    assert found.population == pytest.approx(37.5)
    looks = 10 + 2 * 5 + 4 * 15
    assert found.coverage == pytest.approx(1 - 10 / looks * (3 * 10 / (3 * 10 + 2 * 5)))
    variance = 5 * (0.375 * 2**2 + 0.5625 * 2**3 + 0.140625 * 2**4)
    assert found.high == pytest.approx(30 + 7.5 * math.exp(1.96 * math.sqrt(math.log(1 + variance / 7.5**2))), rel=1e-3)


def test_no_tag_was_seen_twice():
    found = estimate({1: 4}, 3)
    assert found is not None
    assert found.population == pytest.approx(4 + 2 / 3 * 4 * 3 / 2)
    assert found.high > 2 * found.population, "four tags seen once each in three rounds: nearly nothing is known"


@pytest.mark.parametrize("rounds", [0, 1])
def test_one_look_cannot_say_what_it_missed(rounds):
    assert estimate({1: 5}, rounds) is None


def test_an_empty_shelf():
    found = estimate({}, 8)
    assert found is not None
    assert (found.seen, found.population, found.coverage) == (0, 0, 0)
    assert found.high < 6, "an empty shelf may hide a few tags, not many"


@given(
    st.integers(2, 60).flatmap(
        lambda rounds: st.tuples(st.just(rounds), st.dictionaries(st.integers(1, rounds), st.integers(1, 5_000)))
    )
)
def test_the_ends_are_in_order_whatever_was_seen(case):
    rounds, frequencies = case
    found = estimate(frequencies, rounds)
    assert found is not None
    assert found.seen <= found.population <= found.high + 1e-9
    assert found.high < math.inf
    assert -1e-9 <= found.coverage <= 1


def tag(number: int) -> bytes:
    return number.to_bytes(4, "big")


def counted(chances: list[float], random: Random) -> Running:
    """A count of tags that each round sees with chances of their own, until it ends by itself."""
    count = Running("vault", "command", None, 0, 60, 1, True, {"r1/1": 0}, round_dark={"r1/1": 0})
    while not count.finished:
        seen = [tag(number) for number, chance in enumerate(chances) if random.random() < chance]
        count.close_round(count.next, seen, [], {"r1/1": 0})
    return count


POPULATIONS = {
    # chances by which a round sees a tag: how they are drawn, the mean number of tags that are missed at most by the
    # estimate (share of the population), and the share of the intervals that hold the truth at least
    "all easy": (lambda random: 0.9, 0.005, 0.97),
    "all hard": (lambda random: 0.3, 0.02, 0.95),
    "spread": (lambda random: random.betavariate(2, 2), 0.03, 0.95),
    "a fifth is hidden": (lambda random: 0.2 if random.random() < 0.2 else 0.9, 0.03, 0.95),
}


@pytest.mark.parametrize("tags", [20, 200])
@pytest.mark.parametrize("name", POPULATIONS)
def test_the_interval_holds_the_truth(name, tags):
    draw, bias, wanted = POPULATIONS[name]
    random = Random(SEED)
    held, total, trials = 0, 0.0, 120
    for _ in range(trials):
        count = counted([draw(random) for _ in range(tags)], random)
        found = estimate(count.frequencies(map(tag, range(tags))), count.rounds)
        assert found is not None
        held += found.seen <= tags <= found.high
        total += found.population
    assert held / trials >= wanted - 1e-9, f"{held} of {trials} intervals hold the truth"
    assert total / trials / tags == pytest.approx(1, abs=bias + 0.02)


def test_it_is_a_lower_bound_where_tags_differ_without_limit():
    """Every chance from 0 to 1 is as frequent: many tags are all but invisible, and the estimate says so too low."""
    random = Random(SEED)
    seen, guessed, trials = 0, 0.0, 60
    for _ in range(trials):
        count = counted([random.random() for _ in range(200)], random)
        found = estimate(count.frequencies(map(tag, range(200))), count.rounds)
        assert found is not None
        seen += found.seen
        guessed += found.population
    assert seen / trials < guessed / trials < 200, "better than what was seen, and below the truth"


def test_a_count_goes_on_while_tags_keep_coming():
    count = Running("vault", "command", None, 0, 100, 1, True, {"r1/1": 0}, round_dark={"r1/1": 0})
    for number in range(20):
        count.close_round(count.next, [tag(number)], [], {"r1/1": 0})
        assert not count.finished
    for quiet in range(1, QUIET_ROUNDS + 1):
        count.close_round(count.next, [tag(0)], [], {"r1/1": 0})
        assert count.finished == ("no new tags" if quiet == QUIET_ROUNDS else None)


def test_a_count_of_nothing_new_takes_the_fewest_rounds():
    random = Random(SEED)
    assert counted([1.0] * 5, random).rounds == FEWEST_ROUNDS
    assert counted([], random).rounds == FEWEST_ROUNDS


def test_rounds_in_which_nobody_watches_are_no_looks():
    count = Running("vault", "command", None, 0, 20, 1, True, {"r1/1": 0}, round_dark={"r1/1": 0})
    while not count.finished:
        count.close_round(count.next, [], [], {"r1/1": count.next})
    assert (count.finished, count.rounds, count.blind) == ("time limit", 0, 20)


def walked(tags: int, rounds: int, way: int) -> Running:
    """Somebody who walks past `tags` in `way` rounds and back again, reading those that are near, for `rounds`."""
    count = Running("vault", "command", None, 0, rounds, 1, False, {}, round_dark={})
    for step in range(rounds):
        place = abs((step + way) % (2 * way) - way) * (tags - 1) / way
        count.close_round(count.next, [tag(n) for n in range(tags) if abs(n - place) < tags / way], [], {})
    return count


@pytest.mark.parametrize(
    ("rounds", "way", "covered"),
    [(4, 8, False), (8, 8, False), (16, 8, True), (32, 8, True), (14, 20, False), (30, 30, False)],
)
def test_a_walk_has_covered_the_room_once_it_was_there_again(rounds, way, covered):
    assert walked(60, rounds, way).covered == covered


@pytest.mark.parametrize("chance", [0.8, 0.9, 1.0])
def test_a_shelf_that_is_read_again_and_again_is_covered(chance):
    assert counted([chance] * 40, Random(SEED)).covered


def test_a_count_outlives_the_process():
    count = walked(20, 10, 4)
    count.near.add(tag(99))
    assert Running.load(loads(dumps(count.dump()))) == count


def test_more_tags_than_can_be_followed():
    count = Running("vault", "command", None, 0, 20, 1, True, {}, round_dark={})
    count.close_round(1, map(tag, range(MAX_FOLLOWED + 5)), [], {})
    assert (len(count.tags), count.too_many) == (MAX_FOLLOWED, True)


@pytest.mark.parametrize(
    ("start", "end", "step", "ends"),
    [
        (0, 10, 5, [5, 10]),
        (3, 13, 5, [10, 13]),  # the grid is that of event time, and what is left at the end is a round too
        (3, 11, 5, [11]),  # 1 s would be no round
        (0, 4, 10, [4]),
    ],
)
def test_the_grid_of_the_rounds(start, end, step, ends):
    count = Running("vault", "command", None, start, end, step, False, {}, round_start=start)
    found = []
    while not count.finished:
        found.append(count.next)
        count.close_round(count.next, [], [], {})
    assert (found, count.finished) == (ends, "duration")
