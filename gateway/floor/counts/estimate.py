"""How many tags a count has missed, judged from how often it saw the others.

A count looks in rounds. Tags that were seen in one round only (`once`) say how many were seen in none: Chao's
estimator for incidence data (A. Chao, Biometrics 43, 1987), ``missed = (T - 1)/T * once^2 / (2 * twice)`` over T
rounds. It is exact where every tag is as easy to see as every other, and a *lower bound* where they differ: by the
Cauchy-Schwarz inequality, whatever the chances of the tags are, those that were never seen are at least so many.
A tag that is too weak to be heard leaves no trace in any round; how many those are is judged from the levels of the
others (levels.py).

The interval: its low end is what was seen, since that many are there. Its high end is the largest of several, because
each alone is too narrow where another is needed: the log-normal one of the same paper; where few tags were seen once,
what would be missed if a tag that was seen i times was seen so often on average, and so missed with chance exp(-i);
and that of the levels, or, on shelves that are too small for these, what the estimator says with as many tags seen once
as chance may have hidden (Poisson, 97.5 %).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.events.count_models import CountEstimate
from gateway.floor.counts.levels import Unheard

LEVEL = 0.95
_Z = 1.96  # of LEVEL, two-sided

FEWEST_ROUNDS = 2
"""One look cannot say what it missed."""


@dataclass(slots=True, frozen=True)
class Estimate:
    """`seen` tags in `rounds` rounds, `once` and `twice` of them in one and in two; `population` and `high` include
    those that were missed, but not those that `unheard` tells of, where the levels say something. `coverage` is the
    chance that a look at a tag is one at a tag that was seen before."""

    seen: int
    rounds: int
    once: int
    twice: int
    population: float
    high: float
    coverage: float
    unheard: Unheard | None


def estimate(frequencies: Mapping[int, int], rounds: int, weak: Unheard | None = None) -> Estimate | None:
    """The estimate from `frequencies`, which maps a number of rounds to how many tags were seen in so many, beside what
    the levels say of the tags that are too weak.

    None where the rounds are too few to say anything.
    """
    if rounds < FEWEST_ROUNDS:
        return None
    seen = sum(frequencies.values())
    once, twice = frequencies.get(1, 0), frequencies.get(2, 0)
    share = (rounds - 1) / rounds
    missed = share * once * once / (2 * twice) if twice else share * once * (once - 1) / 2
    high = max(
        _log_normal(missed, _variance(once, twice, seen + missed, share)),
        _by_rate(frequencies, seen),
        _hidden(once, twice, share) if weak is None else 0.0,
    )
    coverage = _coverage(frequencies, rounds, once, twice)
    return Estimate(seen, rounds, once, twice, seen + missed, seen + high, coverage, weak)


def _variance(once: int, twice: int, population: float, share: float) -> float:
    """The variance of the number of missed tags: equations of Chao (1987), and of EstimateS for no tag that was seen
    twice."""
    if twice:
        ratio = once / twice
        return twice * (share / 2 * ratio**2 + share**2 * ratio**3 + share**2 / 4 * ratio**4)
    if once < 2:
        return 0.0
    pairs = share * once * (once - 1) / 2
    return max(0.0, pairs + share**2 * once * (2 * once - 1) ** 2 / 4 - share**2 * once**4 / (4 * population))


def _log_normal(missed: float, variance: float) -> float:
    """The high end for the missed tags: their number is skewed, its logarithm is not."""
    if missed <= 0:
        return 0.0
    return missed * math.exp(_Z * math.sqrt(math.log1p(variance / missed**2)))


def _hidden(once: int, twice: int, share: float) -> float:
    """The missed tags if as many should have been seen once as Poisson's law allows at most for those that were."""
    most = once + _Z * math.sqrt(once + 0.75) + _Z**2 / 2
    return share * most * (most - 1) / (2 * max(twice, 1))


def _by_rate(frequencies: Mapping[int, int], seen: int) -> float:
    """The missed tags if each tag is read at random at its own rate, and its rate is how often it was seen."""
    sightings = sum(number * tags for number, tags in frequencies.items())
    if not sightings:
        return 0.0
    first = math.fsum(tags * math.exp(-number) for number, tags in frequencies.items())
    second = math.fsum(tags * math.exp(-2 * number) for number, tags in frequencies.items())
    slope = math.fsum(number * tags * math.exp(-number) for number, tags in frequencies.items())
    spread = _Z * math.sqrt(max(first - second - slope**2 / sightings, 0.0))
    return (first + spread) / (1 - first / seen)


def _coverage(frequencies: Mapping[int, int], rounds: int, once: int, twice: int) -> float:
    """Good and Turing's coverage for incidence data (Chao and Jost, Ecology 93, 2012)."""
    sightings = sum(number * tags for number, tags in frequencies.items())
    if not sightings:
        return 0.0
    if not twice:
        tail = (rounds - 1) * (once - 1) / ((rounds - 1) * (once - 1) + 2) if once > 1 else float(once == sightings)
    else:
        tail = (rounds - 1) * once / ((rounds - 1) * once + 2 * twice)
    return 1 - once / sightings * tail


def stay(guess: CountEstimate | None, round_s: float) -> float | None:
    """The seconds, in rounds of `round_s`, to go on looking until less than half a tag is expected to be missed of all
    that can be heard; 0 where it is less already, None where nothing is known (A. Chao et al., Ecology 90, 2009,
    equation 12)."""
    if guess is None or guess["rounds"] < 2:
        return None
    rounds, once, twice = guess["rounds"], guess["seen_once"], guess["seen_twice"]
    share = (rounds - 1) / rounds
    missed = share * once**2 / (2 * twice) if twice else share * once * (once - 1) / 2
    if missed < 0.5:
        return 0.0
    twice = max(twice, 1)
    more = math.log(0.5 / missed) / math.log1p(-2 * twice / ((rounds - 1) * once + 2 * twice))
    return math.ceil(more) * round_s
