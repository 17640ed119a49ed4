"""Ways that are said while a tag is still read: when a pass is certain there is nothing to wait for.

A tag is weighed twice a second as if it were gone. A way that is as good as certain for a second on end is said. What
the tag does after that is still watched: where it came back, or the whole pass says another way, what was said is
revised.
"""

from __future__ import annotations

from gateway.clock import SECOND
from gateway.floor.passes import Direction
from gateway.floor.portals.judge import Verdict
from gateway.floor.portals.track import Track

CERTAIN = 0.999
"""How certain a way must be to be said while the tag is still read."""

HELD = 1 * SECOND
"""For how long it must have been so."""

EVERY = SECOND // 2
"""Time between two looks."""

FEW_TAGS = 12
"""Tags in a portal at most for which that is done: two milliseconds each. Loads are judged when they have left."""

WAYS = (Direction.IN, Direction.OUT)


def is_watched(track: Track, tags: int) -> bool:
    """Whether a track is looked at while it is read, where so many tags are in the portal."""
    return tags <= FEW_TAGS and not track.standing and track.way is None


def is_certain(track: Track, verdict: Verdict, t: int) -> bool:
    """Whether the verdict on a track at `t`, reached with CERTAIN, has been the same for HELD."""
    leads = verdict.direction if verdict.direction in WAYS else None
    if leads is None or leads is not track.leads:
        track.leads, track.leads_since = leads, t
        return False
    return t - track.leads_since >= HELD


def is_revised(said: Direction, verdict: Verdict) -> bool:
    """Whether the verdict on a whole pass takes back the way that was said before it was over."""
    return verdict.direction is Direction.TURNED_BACK or (verdict.direction in WAYS and verdict.direction is not said)
