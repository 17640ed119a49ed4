"""How many tags of a zone nobody can hear, judged from how strongly the others are heard.

What a reader cannot hear leaves no trace in any round, but it leaves one in the levels. A reader hears a tag down to
some edge, and the levels of a shelf do not end because the reader's hearing does: where tags still lie close above the
edge, others lie below it, and where the weakest lies far above it, none does.

Only the weaker half of the tags is looked at, and of its levels it is assumed that they grow rarer downwards at an even
rate, by a share ``exp(-slope)`` a decibel. That is what fading leaves: the power that reaches a tag through many paths,
or beside the null of its dipole, is below a small x with a chance that goes with x (Rayleigh), and so in decibels
with an even rate. Where the levels thin out faster and faster, as those of log-normal shadowing do, the rate of the
half is lower than that below the edge, and the estimate errs on the high side. A second heap of tags far below the
edge (tins, foil) shows in no level, and is not in the estimate.

The edge is not sharp, because chips differ and levels waver: a tag is heard with a chance that falls as a logistic
curve around it. Slope, edge and its softness are fitted by maximum likelihood over a grid; the high end is the largest
number of unheard tags that some slope and edge do not make too unlikely (profile likelihood, 95 % one-sided; G. A. F.
Seber, *The Estimation of Animal Abundance*, 1982, has the binomial model of the number).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import mul

FEWEST_TAGS = 24
"""Tags whose levels say something: a dozen in the weaker half."""

NARROWEST_SPAN = 6
"""Decibels that the weaker half must span. Levels that hardly differ are those of a test bench, or of a reader that
does not measure them, and have no slope."""

FADING_SLOPE = math.log(10) / 20
"""Slope, a decibel of RSSI, that fading alone leaves: a tenth for each 10 dB on the way there, which the way back
doubles. The likeliest number is that of the best fit that is at least so steep."""

GENTLEST = 1 / 12
"""The smallest slope that is thought possible, in the same unit. What stands in the way besides makes the slope gentler
than fading does, from some tags. That it is a third at most is a judgement: the bound decides how wide the interval is
where the levels fit many slopes."""

_SLOPES = tuple(GENTLEST * 1.07**step for step in range(48))  # to 2 a decibel: a sudden end
_SOFT = (0.5, 1.0)  # dB; in 1.1 of them the chance to be heard falls from a half to a quarter
_NEAR = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0)  # where the edge may lie below the weakest tag, in softnesses
_FAR = (1.25, 1.5, 2.0)  # and below the median, in spans of the weaker half, where no tag comes near it
_BEYOND = 8  # softnesses below the edge from which on nobody is heard
_LOST = 8.0  # a fit whose log-likelihood is so much below the best has no say in the interval
_DROP = 1.3528  # half of the quantile of chi-squared (1 degree of freedom) that leaves 5 % on one side
_MOST = 100  # times the weaker half: up to there the high end is looked for


@dataclass(slots=True, frozen=True)
class Unheard:
    """Tags that are too weak to be heard: the likeliest number, and the highest that is plausible at 95 %."""

    tags: float
    high: float


@dataclass(slots=True, frozen=True)
class _Fit:
    """A slope with an edge: the log-likelihood of the levels, and the share of the weaker half that is heard."""

    slope: float
    likelihood: float
    heard: float


def unheard(levels: Iterable[int]) -> Unheard | None:
    """The estimate from the strongest level of each tag in the zone, in hundredths of a decibel.

    None where the levels are too few or too much alike to say anything.
    """
    ordered = sorted(levels)
    size = len(ordered) // 2
    if len(ordered) < FEWEST_TAGS:
        return None
    top = ordered[size]
    heap = [0] * ((top - ordered[0]) // 100 + 1)  # tags by whole decibels below the median
    for level in ordered[:size]:
        heap[(top - level) // 100] += 1
    if len(heap) <= NARROWEST_SPAN:
        return None
    fits = _fits(heap, size)
    best = max((fit for fit in fits if fit.slope >= FADING_SLOPE), key=_likelihood)
    most = max(map(_likelihood, fits))
    close = [fit for fit in fits if most - fit.likelihood < _LOST]
    return Unheard(size * (1 - best.heard) / best.heard, _highest(close, size))


def _likelihood(fit: _Fit) -> float:
    return fit.likelihood


def _fits(heap: Sequence[int], size: int) -> list[_Fit]:
    """Each slope with each edge. `heap` are the tags of the weaker half by decibels below the median, `size` all."""
    span = len(heap)
    depth = sum(step * tags for step, tags in enumerate(heap))
    steps = range(math.ceil(span * _FAR[-1] + _BEYOND * _SOFT[-1]))
    rates = [(slope, [math.exp(-slope * step) for step in steps]) for slope in _SLOPES]
    found = []
    for soft in _SOFT:
        for edge in [span + soft * near for near in _NEAR] + [span * far for far in _FAR]:
            chances = [_chance((edge - step) / soft) for step in range(math.ceil(edge + _BEYOND * soft))]
            all_heard = math.fsum(tags * math.log(chances[step]) for step, tags in enumerate(heap) if tags)
            for slope, tags in rates:
                heard = math.fsum(map(mul, tags, chances))  # of one tag at the median, and so many at each step
                share = min(heard * -math.expm1(-slope), 1.0)
                found.append(_Fit(slope, all_heard - slope * depth - size * math.log(heard), share))
    return found


def _chance(margin: float) -> float:
    return 1 / (1 + math.exp(-margin))


def _highest(fits: Sequence[_Fit], size: int) -> float:
    """The largest number of unheard tags whose likelihood, with the fit that suits it best, is not too small."""
    terms = [(fit.likelihood + size * math.log(fit.heard), math.log1p(-fit.heard)) for fit in fits if fit.heard < 1]
    number, peak, last = 0.0, -math.inf, 0.0
    while terms and number < _MOST * size:
        ways = math.lgamma(size + number + 1) - math.lgamma(number + 1)
        likelihood = ways + max(base + number * each for base, each in terms)
        peak = max(peak, likelihood)
        if likelihood >= peak - _DROP:
            last = number
        elif likelihood < peak - _LOST:
            break
        number += max(1.0, number // 32)  # whole numbers, but no more of them than matter
    return last
