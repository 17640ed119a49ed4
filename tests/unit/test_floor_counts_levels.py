"""What the levels of the tags that were heard say about the others, held against populations that are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.floor.counts.estimate import Estimate, estimate
from gateway.floor.counts.levels import FEWEST_TAGS, NARROWEST_SPAN, unheard
from gateway.floor.counts.run import Running

SEED = 20_260_214
EDGE = -70.0  # dBm
TRIALS = 40

Draw = Callable[[Random], float]
"""Draws the level of a tag in decibels above the edge."""


def faded(random: Random) -> float:
    """What fading does to the level, there and back: the power on either way is exponential (Rayleigh)."""
    return 20 * math.log10(max(random.expovariate(1.0), 1e-9))


def behind_liquids(random: Random) -> float:
    return random.uniform(8, 22) if random.random() < 0.15 else random.uniform(0, 8)


def chance(margin: float) -> float:
    """That a look sees a tag so many decibels above the edge: one in 33 is lost to others that answer."""
    return 0.97 / (1 + math.exp(-max(margin, -500.0)))


def count(margins: list[float], random: Random) -> tuple[Estimate, float]:
    """A count until no new tags come, the level of each tag being another one from time to time: what it says, and
    the high end of its interval."""
    run = Running("vault", "command", None, 0, 60, 1, True, {"r1/1": 0}, round_dark={"r1/1": 0})
    off = [random.gauss(0, 2) for _ in margins]
    strongest: dict[int, float] = {}
    while not run.finished:
        seen = []
        for slot, margin in enumerate(margins):
            if random.random() < 0.3:
                off[slot] = random.gauss(0, 2)
            level = margin + off[slot]
            if random.random() < chance(level):
                seen.append(bytes([slot]))
                strongest[slot] = max(strongest.get(slot, -math.inf), level)
        run.close_round(run.next, seen, [], {"r1/1": 0})
    weak = unheard(round(100 * (EDGE + level)) for level in strongest.values())
    found = estimate(run.frequencies(bytes([slot]) for slot in range(len(margins))), run.rounds, weak)
    assert found is not None
    return found, max(found.high, found.seen + (weak.high if weak else 0))


SHELVES: dict[str, tuple[Draw, float]] = {
    # how far above the edge the tags are, and how wide the interval may be in the median, in shares of 100 tags
    "shadows, wide": (lambda random: random.gauss(25, 16), 0.15),
    "shadows": (lambda random: random.gauss(18, 12), 0.22),
    "shadows, narrow": (lambda random: random.gauss(15, 10), 0.28),
    "fading": (lambda random: 28 + faded(random), 0.15),
    "fading, two antennas": (lambda random: 20 + max(faded(random), faded(random)), 0.18),
    "fading and liquids": (lambda random: 30 + faded(random) - behind_liquids(random), 0.2),
    "fading and shadows": (lambda random: 30 + faded(random) + random.gauss(0, 8), 0.15),
    "all well above the edge": (lambda random: random.gauss(35, 8), 0.18),
}


@pytest.mark.parametrize("name", SHELVES)
def test_the_interval_holds_the_truth_whatever_weakens_the_tags(name):
    draw, widest = SHELVES[name]
    random = Random(f"{SEED}/{name}")
    held, widths, off = 0, [], 0.0
    for _ in range(TRIALS):
        found, high = count([draw(random) for _ in range(100)], random)
        held += found.seen <= 100 <= high
        widths.append(high - found.seen)
        off += found.seen + (found.unheard.tags if found.unheard else 0) - 100
    assert held >= 0.92 * TRIALS, f"{held} of {TRIALS} intervals hold the truth"
    assert median(widths) <= 100 * widest
    assert off / TRIALS == pytest.approx(0, abs=5), "the likeliest number is right on average"


CHANCES: dict[str, Draw] = {
    "all hard": lambda random: 0.3,
    "spread": lambda random: random.betavariate(2, 2),
    "log-normal odds": lambda random: 1 / (1 + math.exp(-random.gauss(2, 2))),
    "a fifth is hidden": lambda random: 0.2 if random.random() < 0.2 else 0.9,
    "every chance is as frequent": lambda random: random.random(),
}


@pytest.mark.parametrize("name", CHANCES)
def test_the_interval_holds_the_truth_where_levels_say_nothing_of_the_chances(name):
    """Collisions and bodies hide tags at any level: then it is the rounds that tell."""
    random = Random(f"{SEED}/{name}")
    held = 0
    for _ in range(TRIALS):
        run = Running("vault", "command", None, 0, 60, 1, True, {"r1/1": 0}, round_dark={"r1/1": 0})
        chances = [CHANCES[name](random) for _ in range(150)]
        while not run.finished:
            seen = [bytes([number]) for number, one in enumerate(chances) if random.random() < one]
            run.close_round(run.next, seen, [], {"r1/1": 0})
        weak = unheard(round(100 * random.gauss(-40, 8)) for _ in run.tags)
        found = estimate(run.frequencies(bytes([number]) for number in range(150)), run.rounds, weak)
        assert found is not None
        assert weak is not None
        held += max(found.high, found.seen + weak.high) >= 150
    assert held >= 0.92 * TRIALS, f"{held} of {TRIALS} intervals hold the truth"


def test_a_heap_of_tags_far_below_the_edge_cannot_be_found():
    """A fifth is in tins: nothing in the levels or the rounds shows it, and the interval does not reach it. This is the
    limit of all estimates; the expected set is for it."""
    random = Random(SEED)
    held = 0
    for _ in range(20):
        margins = [-40.0 if random.random() < 0.2 else random.gauss(35, 8) for _ in range(100)]
        held += count(margins, random)[1] >= 100
    assert held < 10


def ramp(random: Random, tags: int, slope: float, edge: float) -> list[int]:
    """The levels of a shelf of which half thins out downwards from -45 dBm at an even rate, and ends at a soft edge;
    the other half is stronger, and as many of it are there as of the weaker one."""
    levels = [-45 - random.expovariate(slope) for _ in range(tags)]
    weaker = [round(100 * level) for level in levels if random.random() < 1 / (1 + math.exp(edge - level))]
    return weaker + [-4499 + number for number in range(len(weaker))]


def test_an_even_rate_is_found():
    """Exactly what the model assumes, without the slack that it has where levels thin out faster and faster: here the
    likeliest number is right on average, and the interval is too short for about one shelf in eight."""
    random = Random(SEED)
    shelves = [(slope, edge) for slope in (0.12, 0.16) for edge in (-65.0, -60.0)] * TRIALS
    held, likeliest, hidden = 0, 0.0, 0
    for slope, edge in shelves:
        levels = ramp(random, 100, slope, edge)
        found = unheard(levels)
        assert found is not None
        missed = 100 - len(levels) // 2
        held += missed <= found.high
        likeliest += found.tags
        hidden += missed
    assert held >= 0.85 * len(shelves), f"{held} of {len(shelves)} intervals hold the truth"
    assert likeliest == pytest.approx(hidden, rel=0.2)


def test_where_the_weakest_is_further_from_the_median_fewer_are_unheard():
    random = Random(SEED)
    near, far = unheard(ramp(random, 200, 0.13, -58.0)), unheard(ramp(random, 200, 0.13, -75.0))
    assert near is not None
    assert far is not None
    assert near.tags > 3 * far.tags
    assert near.high > 2 * far.high


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        ([], "no tags"),
        (list(range(-7000, -7000 + 200 * (FEWEST_TAGS - 1), 200)), "too few"),
        ([-6000] * 500, "a reader that does not measure"),
        ([-6000] * 250 + [-6000 - 100 * (NARROWEST_SPAN - 1)] * 250, "levels that hardly differ"),
    ],
)
def test_levels_that_say_nothing(levels, why):
    assert unheard(levels) is None, why


@given(st.lists(st.integers(-12_800, 12_700), max_size=120), st.randoms(use_true_random=False))
def test_any_levels_give_an_interval_in_any_order(levels, random):
    found = unheard(levels)
    shuffled = levels[:]
    random.shuffle(shuffled)
    assert unheard(shuffled) == found
    if found is not None:
        assert 0 <= found.tags < math.inf
        assert 0 <= found.high < math.inf


def test_only_distances_between_levels_matter():
    levels = ramp(Random(SEED), 200, 0.12, -66.0)
    assert unheard(levels) == unheard(level + 1_300 for level in levels)
