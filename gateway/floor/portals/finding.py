"""A tag that has left a portal, weighed alone, and waiting to be judged with those that were there with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.floor.passes import Direction
from gateway.floor.portals.company import Trace
from gateway.floor.portals.profile import Profile, inside_of, sides_of
from gateway.floor.portals.track import Track


@dataclass(slots=True)
class Finding:
    """`inside` and `outside` are what the sides saw, `trace` is what is known of it in short. `beams` is what the
    photo-eyes saw, `down` are the antennas that were not at work all the while, `cut` says what broke the pass off.
    `closed` is when it was closed, microseconds UTC."""

    track: Track
    inside: Profile | None
    outside: Profile | None
    trace: Trace
    beams: Direction | None
    down: list[int]
    cut: str
    closed: int

    def dump(self) -> dict[str, Any]:
        return {
            "track": self.track.dump(),
            "trace": self.trace.dump(),
            "beams": self.beams,
            "down": self.down,
            "cut": self.cut,
            "closed": self.closed,
        }

    @classmethod
    def load(cls, dump: dict[str, Any], numbers: list[int], sides: Mapping[int, str]) -> Finding:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``; `sides` are those of the
        antennas that the portal has now."""
        beams = dump["beams"]
        track = Track.load(dump["track"], numbers)
        track.looks = [look for look in track.looks if look[1] in sides]
        inside, outside = sides_of(track.looks, inside_of(sides), track.since)
        return cls(
            track=track,
            inside=inside,
            outside=outside,
            trace=Trace.load(dump["trace"]),
            beams=None if beams is None else Direction(beams),
            down=[numbers[antenna] for antenna in dump["down"]],
            cut=dump["cut"],
            closed=dump["closed"],
        )
