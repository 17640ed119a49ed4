"""Early passes: directions that are published while the tag is still read, once they are as good as certain.

A tag is weighed twice a second as if it were gone. A direction with a posterior of CERTAIN for HELD on end is
published, or with one of CERTAIN_WHEN_QUIET as soon as the tag was not read for QUIET. The tag is watched on: where
what is read of it from then on is a pass the other way, that is published too. Where it turned back, or its whole pass
shows another direction or makes that one less likely than not, the pass is revised.
"""

from __future__ import annotations

from gateway.clock import SECOND
from gateway.floor.passes import Direction
from gateway.floor.portals.judge import Verdict
from gateway.floor.portals.track import Track

CERTAIN = 0.999
"""Least posterior of a direction that is published while the tag is still read."""

HELD = 1 * SECOND
"""Time for which the posterior must have been so large."""

QUIET, CERTAIN_WHEN_QUIET = 3 * SECOND // 4, 0.99
"""Time without a read from which on the tag may well have left, and the least posterior of a direction that is
published then: what turns around is mostly read while it does."""

EVERY = SECOND // 2
"""Time between two weighings of a tag that is still read."""

FEW_TAGS = 12
"""Most tags in a portal for which early passes are looked for: two milliseconds each. Loads are judged when they have
left."""

BORNE_OUT = 0.5
"""Least posterior of a direction, of the whole pass, that leaves it as it was said: of ten that fell below it, nine had
not gone that way."""

SURELY_CAME_BACK = 0.97
"""Least posterior of the way back, of what was read after a way was said: few come back at once."""

WAYS = (Direction.IN, Direction.OUT)


def is_watched(track: Track, tags: int) -> bool:
    """Whether a track is looked at while it is read, where so many tags are in the portal."""
    return tags <= FEW_TAGS and not track.standing and track.way is None


def certainty(track: Track, t: int) -> float:
    """The least posterior of a direction that is published at `t`, before the tag is taken to have left."""
    return CERTAIN_WHEN_QUIET if t - track.last >= QUIET else CERTAIN


def is_certain(track: Track, verdict: Verdict, t: int) -> bool:
    """Whether the verdict on a track at `t`, reached with CERTAIN, has been the same for HELD, or the tag is quiet."""
    leads = verdict.direction if verdict.direction in WAYS else None
    if leads is None or leads is not track.leads:
        track.leads, track.leads_since = leads, t
        return leads is not None and t - track.last >= QUIET
    return t - track.last >= QUIET or t - track.leads_since >= HELD


def is_revised(said: Direction, verdict: Verdict, *, whole: bool) -> bool:
    """Whether a verdict takes back the way that was said before the pass was over. `whole`: it is over by now; of what
    stays, a way that was likely becomes less so by the staying alone."""
    if verdict.direction is Direction.UNDETERMINED and verdict.leaning is not None:
        return whole and (verdict.leaning is not said or verdict.confidence < BORNE_OUT)
    return verdict.direction is Direction.TURNED_BACK or (verdict.direction in WAYS and verdict.direction is not said)
