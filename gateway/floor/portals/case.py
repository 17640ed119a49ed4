"""All that is known of a pass before it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.clock import SECOND
from gateway.floor.passes import Direction
from gateway.floor.portals.beams import Crossing
from gateway.floor.portals.motion import Likelihood
from gateway.floor.portals.profile import Profile

BESIDE = 2 * SECOND
"""How far a tag's loudest time may be from what the beams saw, for it to be the same thing."""


@dataclass(slots=True, frozen=True)
class Case:
    """Times in microseconds UTC. `crossing` is when the tag went through, if it did; `whole` the share of the portal's
    antennas that worked, `beams` what the photo-eyes saw. `full`: it lasted as long as a pass may take. `stood`: it is
    known to stand there, and was there `spells` times without a direction. `cut` says what broke it off."""

    start: int
    end: int
    inside: Profile | None
    outside: Profile | None
    crossing: int
    likelihood: Likelihood
    beams: Direction | None
    whole: float
    cut: str
    full: bool
    stood: bool
    spells: int = 0


def crossing_of(start: int, end: int, inside: Profile | None, outside: Profile | None) -> int:
    """When the tag went through, if it did: when the sides' shares of what they received are furthest apart."""
    if inside is None or outside is None:
        side = inside or outside
        return end if side is None else min(max(start + round(side.centroid * SECOND), start), end)
    shares = {entry.t: entry.power / inside.power for entry in inside.bins}
    for entry in outside.bins:
        shares[entry.t] = shares.get(entry.t, 0.0) - entry.power / outside.power
    steps = sorted(shares.items())
    apart = ahead = 0.0
    t = steps[0][0]
    for (now, share), (then, _) in pairwise(steps):
        ahead += share
        if abs(ahead) > apart:
            apart, t = abs(ahead), (now + then) / 2
    return min(max(start + round(t * SECOND), start), end)


def by_beams(crossings: Sequence[Crossing], t: int) -> Direction | None:
    """What the photo-eyes saw while a tag was near at `t`, where they saw one thing only."""
    ways = {crossing.direction for crossing in crossings if crossing.start - BESIDE <= t <= crossing.end + BESIDE}
    return ways.pop() if len(ways) == 1 else None
