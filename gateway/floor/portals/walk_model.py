"""How a tag moved: what was read of it, held against four stories. It went in, it went out, it came and went back, or
it stands there (standing_model.py).

A hidden Markov model of the way through a portal. Hidden is where the tag is, on a line across the portal, and which
way it faces. From one window to the next it stays, strides on, or rarely turns. It comes from out of reach on one side,
and it goes out of reach on one side. Each window of each side says something of where it is: how loud it was heard, or
that it was not heard at all. The level falls with the distance from the place where that side hears best. So a tag that
goes through makes first one side the louder one and then the other; one that comes near and goes back ends as it began;
and the loud windows say more than the weak ones, because there the sides differ most.

What a fitter or a package decides is not known: how far the two sides' best places are apart, by how much one side
hears better, how loud the tag could be. Each is tried in a few values and the sum is taken, weighted by how well the
values explain the reads. Nothing is learned from one tag to the next.

Levels count in whole decibels. What rounding leaves to the processor is cut off at DIGITS.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gateway.clock import MILLISECOND
from gateway.floor.portals.standing_model import Heard, StandingModel
from gateway.floor.portals.track import Sighting

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[np.float64]"

SHORTEST = 250 * MILLISECOND
"""Time of one step. Shorter windows are put together: in it a walk changes the level, and most tags are read."""

# ---- the way

STRIDE = 0.4
"""Metres between the places on the line."""

REACH = 4.4
"""Metres from the middle of the portal to either end of the line. Beyond it nothing can be said of where a tag is."""

STAYS = 0.6
"""Share of steps in which the tag is still where it was: people walk at a metre a second, and wait before doors."""

STRIDES = (0.18, 0.14, 0.08)
"""Shares of steps in which it goes on by one, two, three places: up to 4.8 m/s, which leaves room for late and early
reads within a window."""

TURNS = 0.03
"""How often it turns around, for each step: once in eight seconds."""

FAR = 1.0
"""Metres from the middle from which on a pass can begin and end, and no nearer than where its side hears best."""

SILENT = 4
"""Steps without a read that are taken in before the first and after the last read: it came from out of reach."""

# ---- what is heard of it

ASIDE = 1.2
"""Metres from the way to the antennas: half of a door's width."""

FALL = 30.0
"""Decibels of ``log10(1 + (distance along the way / ASIDE)^2)``. From afar that is 60 dB for ten times the distance:
40 in free space, forth and back, and 20 because the way leaves an antenna's lobe."""

FADING_DB = 7.0
"""Standard deviation in decibels of the level in one window around that, of several reads and antennas together. One
Rayleigh path has 5.6 dB, a tag's answer goes it twice, and reads and antennas even some of it out."""

STRAY, STRAYS_DB = 0.05, 60.0
"""Share of windows whose level says nothing, and the range in decibels in which it may then lie: bodies, metal."""

MOST_HEARD, UNHEARD = 9, 0.02
"""Share of windows in which a tag is read: where it is loud at most, in tenths, and where it is out of reach."""

EDGE = 6.0
"""Decibels over which reading sets in. At the weakest level that was read, half of what can be read is."""

SAME, SAME_AGAIN = 2, 0.3
"""A window in which both sides are as loud as in the one before, within SAME decibels, counts for so much of one: what
does not move shows the same fade again."""

# ---- what is not known

APART = (0.4, 1.0, 2.5)
"""Metres from the middle to where a side hears best: antennas on one frame, on both faces of a wall, by two zones."""

UNEVEN, UNEVEN_SD = (-5.0, 0.0, 5.0), 4.0
"""Decibels by which the inside hears better than the outside: power, cables, what the tag is stuck on."""

HEADROOM, HEADROOM_MEAN, HEADROOM_SD = (-4.0, 2.0, 8.0, 14.0), 2.0, 12.0
"""Decibels by which the tag would be louder in the best place than it was heard: it may not have come so near."""

# ---- arithmetic

LOWEST = 80
"""Decibels below the loudest that are told apart: more than any receiver's range."""

MOST_STEPS = 2_000
"""Steps of one pass that are looked at: eight minutes, more than the longest pass that a configuration allows."""

RESCALED, LOST = 8, 1e-150
"""Every so many steps a state is brought back to a sum of one, and what is less than LOST of it is given up: numbers
too small for a processor's normal range are slow."""

MOST_LIKELY = 700.0
"""The largest logarithm of which there is a number."""

DIGITS = 6
"""Decimals of a likelihood that are kept: well above what another processor's exp() may differ by."""


@dataclass(slots=True, frozen=True)
class Likelihood:
    """How well each story explains what was read: shares of one. `turned_back` is coming and going on the same
    side, `standing` is standing there."""

    inward: float
    outward: float
    turned_back: float
    standing: float = 0.0


NOTHING = Likelihood(0.25, 0.25, 0.25, 0.25)
"""Of reads that say nothing."""

_PLACES = [place * STRIDE for place in range(-round(REACH / STRIDE), round(REACH / STRIDE) + 1)]
_TRIED = list(product(APART, UNEVEN, HEADROOM))

# A state is a matrix of probabilities. Its rows are the facing (inwards, then outwards) and the place, its columns the
# side that the tag came from (outside, then inside) and what is tried.
_SHAPE = (2, len(_PLACES), 2, len(_TRIED))


@cache
def _moves() -> Array:
    """What one step makes of a state, as a matrix. What would go beyond the reach stays at its end."""
    number = len(_PLACES)
    moves = np.zeros((2, number, 2, number))
    for here, facing, faced in product(range(number), range(2), range(2)):
        turned = TURNS if facing != faced else 1 - TURNS
        for places, share in enumerate((STAYS, *STRIDES)):
            there = here + (places if facing == 0 else -places)
            moves[facing, min(max(there, 0), number - 1), faced, here] += turned * share
    return moves.reshape(2 * number, 2 * number)


@cache
def _far(sign: int) -> Array:
    """From where a pass may begin and end, by place and what is tried; `sign` is 1 for the inside."""
    nearest = np.array([max(FAR, apart) for apart, _, _ in _TRIED])
    return np.asarray(sign * np.array(_PLACES)[:, np.newaxis] > nearest - 1e-9, dtype=float)


@cache
def _beginning() -> Array:
    """Where a pass may begin: outside facing inwards, or inside facing outwards; by the weight of what is tried."""
    begin = np.zeros(_SHAPE)
    begin[0, :, 0] = _far(-1) * _weights() / _far(-1).sum(axis=0)
    begin[1, :, 1] = _far(1) * _weights() / _far(1).sum(axis=0)
    return begin.reshape(2 * len(_PLACES), -1)


def _weights() -> Array:
    """The weight of what is tried, before anything is read."""
    weights = [
        math.exp(-(uneven**2) / (2 * UNEVEN_SD**2) - (headroom - HEADROOM_MEAN) ** 2 / (2 * HEADROOM_SD**2))
        for _, uneven, headroom in _TRIED
    ]
    return np.array(weights) / math.fsum(weights)


@cache
def _levels(side: int) -> Array:
    """Decibels against the loudest that was heard, by place and what is tried; `side` is 0 for the inside."""
    sign = -1 if side else 1
    columns = []
    for apart, uneven, headroom in _TRIED:
        along = np.array(_PLACES) - sign * apart
        columns.append(headroom + sign * uneven / 2 - FALL * np.log10(1 + (along / ASIDE) ** 2))
    return np.array(columns).T.copy()


def prepare() -> None:
    """Makes the tables that every pass is held against: a tenth of a second at a start, which no tick has to spare."""
    _moves()
    _beginning()
    for side in (0, 1):
        _levels(side)


def _stories(state: Array) -> tuple[float, float, float]:
    """How much of a state has gone in, out, and back."""
    inwards, outwards = state.reshape(_SHAPE)
    inside = np.einsum("pct,pt->c", inwards, _far(1))
    outside = np.einsum("pct,pt->c", outwards, _far(-1))
    return float(inside[0]), float(outside[1]), float(outside[0] + inside[1])


_unread: list[Array] = []  # by number of steps: the state where nothing is known


def _before_reading(steps: int) -> tuple[float, float, float]:
    """How probable the stories are after so many steps, before anything is read."""
    while len(_unread) <= steps:
        _unread.append(_moves() @ _unread[-1] if _unread else _beginning())
    return _stories(_unread[steps])


@cache
def _level_is(side: int, off: int) -> Array:
    """How probable it is that a side which reads the tag hears it at `off` dB below the loudest."""
    z = (-off - _levels(side)) / FADING_DB
    density = (1 - STRAY) * np.exp(-z * z / 2) / (FADING_DB * math.sqrt(2 * math.pi)) + STRAY / STRAYS_DB
    return np.asarray(density)


@cache
def _is_read(side: int, edge: int, tenths: int) -> Array:
    """How probable it is that a side reads the tag in a step, where it read nothing weaker than `edge` dB below, and so
    many tenths of the steps where it is loud."""
    return np.clip(tenths / 10 / (1 + np.exp((-edge - _levels(side)) / EDGE)), UNHEARD, None)


@lru_cache(512)
def _unheard(edge: int, inside: int, outside: int) -> Array:
    """How probable it is that neither side reads the tag."""
    return (1 - _is_read(0, edge, inside)) * (1 - _is_read(1, edge, outside))


@lru_cache(512)
def _after_silence(edge: int, inside: int, outside: int) -> Array:
    """The state after SILENT steps in which neither side read the tag: where every pass begins."""
    unheard = _unheard(edge, inside, outside)[:, np.newaxis, :]
    state = _beginning().copy()
    for step in range(SILENT):
        state = _moves() @ state if step else state
        weighed = state.reshape(_SHAPE)
        weighed *= unheard
    return state


UNREAD: Heard = (None, None)
"""A step in which neither side read the tag."""


class Walk:
    """Where the tag may be, after each step and all that was heard until then: at first nothing, for SILENT steps, by
    sides that would have read it as `edge` and `tenths` say."""

    def __init__(self, edge: int, tenths: tuple[int, int]) -> None:
        self._state = _after_silence(edge, *tenths).copy()
        self._steps = SILENT - 1
        self._divided = 0.0  # the logarithm of what the state was divided by, for its numbers not to become too small

    def take(self, seen: Array) -> None:
        """Moves the state on by a step; `seen` is how probable what was heard is, by place and by what is tried."""
        self._steps += 1
        self._state = _moves() @ self._state
        weighed = self._state.reshape(_SHAPE)
        weighed *= seen[:, np.newaxis, :]
        if self._steps % RESCALED == 0:
            total = self._state.sum()
            self._divided += math.log(total)
            self._state /= total
            self._state[self._state < LOST] = 0.0

    def against(self, standing: StandingModel) -> Likelihood:
        """How well in, out and back explain what was heard, and standing still."""
        before = _before_reading(self._steps)
        moved = [share / expected for share, expected in zip(_stories(self._state), before, strict=True)]
        stories = [*moved, math.exp(min(standing.log - self._divided, MOST_LIKELY))]
        total = math.fsum(stories)
        return Likelihood(*(round(share / total, DIGITS) for share in stories)) if total > 0 else NOTHING


def likelihood(sightings: Iterable[Sighting], inside: frozenset[int], width: int, *, gone: bool = True) -> Likelihood:
    """Weighs the sightings of one pass; `inside` are the antennas of that side, `width` is that of a window in us,
    `gone` says that the tag is not read any more."""
    heard = _heard(sightings, inside, max(width, SHORTEST))
    if not heard:
        return NOTHING
    edge = max(off for pair in heard.values() for off in pair if off is not None)
    first, last = min(heard), min(max(heard), min(heard) + MOST_STEPS) + (SILENT if gone else 0)
    often = (_tenths(heard, 0), _tenths(heard, 1))
    walk, standing = Walk(edge, often), StandingModel(FADING_DB, STRAY / STRAYS_DB)
    for _ in range(SILENT):
        standing.take(UNREAD, 1.0)
    previous, before = first - SILENT, UNREAD
    for number in range(first, last + 1):
        pair = heard.get(number, UNREAD)
        if pair == UNREAD:
            walk.take(_unheard(edge, *often))
            standing.take(pair, 1.0)
            continue
        seen, news = _seen(0, pair[0], edge, often[0]) * _seen(1, pair[1], edge, often[1]), 1.0
        if number - previous <= 2 and _alike(before, pair):
            seen, news = seen**SAME_AGAIN, SAME_AGAIN
        walk.take(seen)
        standing.take(pair, news)
        previous, before = number, pair
    return walk.against(standing)


def _heard(sightings: Iterable[Sighting], inside: frozenset[int], width: int) -> dict[int, Heard]:
    """By number of step, what was heard in it."""
    powers: dict[int, list[int]] = {}
    for start, antenna, _, _, power, _ in sightings:
        powers.setdefault(start // width, [0, 0])[0 if antenna in inside else 1] += power
    loudest = max((max(pair) for pair in powers.values()), default=1)
    return {number: (_below(loudest, pair[0]), _below(loudest, pair[1])) for number, pair in powers.items()}


def _below(loudest: int, power: int) -> int | None:
    return min(round(10 * math.log10(loudest / power)), LOWEST) if power else None


def _seen(side: int, off: int | None, edge: int, tenths: int) -> Array:
    """How probable it is that a side heard the tag so far below the loudest, or not at all."""
    read = _is_read(side, edge, tenths)
    return 1 - read if off is None else read * _level_is(side, off)


def _tenths(heard: Mapping[int, Heard], side: int) -> int:
    """How often a side reads the tag where it is loud: how often it did from its first read to its last, in tenths."""
    steps = [number for number, pair in heard.items() if pair[side] is not None]
    if not steps:
        return MOST_HEARD
    span = max(steps) - min(steps) + 1
    return min(max(round(10 * len(steps) / span), 1), MOST_HEARD)


def _alike(before: Heard, pair: Heard) -> bool:
    """Whether a step shows what one shortly before it has shown."""
    return all(a is b if a is None or b is None else abs(a - b) <= SAME for a, b in zip(before, pair, strict=True))
