"""A tag in a portal, weighed by itself, and waiting to be judged with those that were there with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from typing import Any

from gateway.clock import SECOND, micros
from gateway.config import PortalConfig
from gateway.floor.passes import Direction
from gateway.floor.portals.ahead import Ahead, Weighed
from gateway.floor.portals.balance import Balance, lifted
from gateway.floor.portals.companions import Trace
from gateway.floor.portals.features import Features, features, took_turns
from gateway.floor.portals.learned import learned
from gateway.floor.portals.outages import MARGIN, ReaderOutages
from gateway.floor.portals.photo_eyes import Crossing, PhotoEyes
from gateway.floor.portals.standing import Standing
from gateway.floor.portals.track import Profile, Track, inside_of, sides_of
from gateway.floor.portals.walk_model import Likelihood, likelihood
from gateway.floor.readers.antennas import AntennaClock, DarkCause

BESIDE = 2 * SECOND
"""Longest time between the crossing of a tag and what the photo-eyes saw, for the two to be the same thing."""


@dataclass(slots=True, frozen=True)
class Case:
    """What the verdict on a tag rests on. Times in microseconds UTC. `crossing` is when the tag went through, if it
    did; `whole` the share of the portal's antennas that worked, `photo_eyes` what those saw. `full`: it lasted as long
    as a pass may take. `standing`: it is known to stand there, and was there `spells` times without a direction;
    `began` is what the inside and the outside received of it in the beginning, linear, where that was long before
    `start`. `cut` says what broke it off. `walk` is how well the model of the way explains the reads, `likelihood` what
    the learned layer makes of that and of the shape of the whole pass."""

    start: int
    end: int
    inside: Profile | None
    outside: Profile | None
    crossing: int
    walk: Likelihood
    likelihood: Likelihood
    photo_eyes: Direction | None
    whole: float
    cut: str
    full: bool
    standing: bool
    spells: int = 0
    began: tuple[int, int] | None = None


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


def by_photo_eyes(crossings: Sequence[Crossing], t: int) -> Direction | None:
    """What the photo-eyes saw while a tag was near at `t`, where they saw one thing only."""
    ways = {crossing.direction for crossing in crossings if crossing.start - BESIDE <= t <= crossing.end + BESIDE}
    return ways.pop() if len(ways) == 1 else None


@dataclass(slots=True)
class Finding:
    """A tag in a portal, weighed by itself. `case` is all that is known of it, `trace` the same in short for its
    companions. `down` are the antennas that were not watching all the while. `closed` is when its track was closed,
    microseconds UTC. `shape` are its features, None where they are made again if asked for, with the weaker side given
    `lift` decibels."""

    track: Track
    case: Case
    trace: Trace
    down: list[int]
    closed: int
    shape: Features | None = None
    lift: int = 0

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {
            "track": self.track.dump(),
            "trace": self.trace.dump(),
            "walk": astuple(self.case.walk),
            "lift": self.lift,
            "photo_eyes": self.case.photo_eyes,
            "spells": self.case.spells,
            "down": self.down,
            "cut": self.case.cut,
            "closed": self.closed,
        }


class Scales:
    """Weighs the tags of one portal. `antennas` maps the numbers of its antennas to their sides; `width` is that of a
    window in microseconds."""

    def __init__(
        self,
        config: PortalConfig,
        antennas: Mapping[int, str],
        antenna_clock: AntennaClock,
        photo_eyes: PhotoEyes,
        standing: Standing,
        outages: ReaderOutages,
        width: int,
    ) -> None:
        self._antennas = antennas
        self._antenna_clock = antenna_clock
        self._photo_eyes = photo_eyes
        self._standing = standing
        self._outages = outages
        self._width = width
        self._silence = micros(config.silence)
        self._learned = learned()
        self.ahead = Ahead()
        self.balance = Balance()
        self.weighings = 0
        """How often reads were weighed, for whoever may only weigh so many at a time."""
        self.inside = inside_of(antennas)
        self._two_sides = len(set(antennas.values())) == 2

    def weigh(self, track: Track, t: int, *, gone: bool) -> Finding:
        """What is known at `t` of a tag that has left (`gone`), or was there for the longest time a pass takes."""
        start, end = track.since, track.last
        weighed = (self.ahead.find(track) if gone else None) or self._weighed(track, gone=gone)
        walk, story = weighed.walk, weighed.story
        standing = track.standing or self._standing.is_standing(track.epc, end)
        down = self._down(track)
        spells = self._standing.spells(track.epc, end)
        case = self._case(track, walk, story, down, self._cut(track, down), standing, spells, full=not gone)
        crossings = self._photo_eyes.between(start - self._silence, end + self._silence)
        case = replace(case, photo_eyes=by_photo_eyes(crossings, case.crossing))
        mute = case.inside is None or case.outside is None
        trace = Trace(track.epc, start, end, story, track.power, standing, mute=mute)
        return Finding(track, case, trace, down, t, weighed.shape, weighed.lift)

    def weigh_rest(self, finding: Finding) -> Finding | None:
        """What is known of a tag by what was read since its way was said; nothing where that is nothing."""
        track = finding.track
        if track.last < track.said:
            return None
        return self.weigh(track.after(track.said), finding.closed, gone=not finding.case.full)

    def weigh_ahead(self, track: Track) -> None:
        """Weighs the reads of a tag that has probably left, for when it is known to have."""
        if self.ahead.find(track) is None:
            self.ahead.keep(track, self._weighed(track, gone=True))

    def load(self, dump: dict[str, Any], numbers: list[int]) -> Finding:
        """A finding from its dump, in which antenna i is the one that is now called ``numbers[i]``."""
        track = Track.load(dump["track"], numbers)
        track.keep(self._antennas)
        trace = Trace.load(dump["trace"])
        down = [numbers[antenna] for antenna in dump["down"]]
        walk = Likelihood(*dump["walk"]) if "walk" in dump else self._weighed(track, gone=True).walk
        case = self._case(track, walk, trace.likelihood, down, dump["cut"], trace.standing, dump["spells"], full=False)
        case = replace(case, photo_eyes=None if dump["photo_eyes"] is None else Direction(dump["photo_eyes"]))
        return Finding(track, case, trace, down, dump["closed"], lift=dump.get("lift", 0))

    def redated(self, finding: Finding, by: int) -> Finding:
        """The same finding, `by` microseconds later."""
        finding.track.redate(by)
        case = self._case(
            finding.track,
            finding.case.walk,
            finding.case.likelihood,
            finding.down,
            finding.case.cut,
            finding.case.standing,
            finding.case.spells,
            full=finding.case.full,
        )
        case = replace(case, photo_eyes=finding.case.photo_eyes)
        return Finding(
            finding.track, case, finding.trace.redated(by), finding.down, finding.closed + by, lift=finding.lift
        )

    def decided_by(self, finding: Finding) -> dict[str, float]:
        """The features that did most for the likeliest story of a finding."""
        track, case = finding.track, finding.case
        if not self._two_sides or not track.sightings:
            return {}
        shape = finding.shape or self.shape(track, case.walk, gone=not case.full, lift=finding.lift)
        return self._learned.decided_by(shape)

    def shape(self, track: Track, walk: Likelihood, *, gone: bool, lift: int = 0) -> Features:
        """The features of a track that was read, by both sides or by one, the weaker one lifted by `lift` decibels."""
        return features(lifted(track.sightings, self.inside, lift), track.pairs, self.inside, walk, gone=gone)

    def _weighed(self, track: Track, *, gone: bool) -> Weighed:
        """What the model of the way and the learned layer make of a track; nothing where the portal has one side. Where
        the sides took turns the shape of the pass has no news, and the model of the way is believed if it is surer."""
        if not self._two_sides or not track.sightings:
            return Weighed()
        self.weighings += 1
        lift = self.balance.lift
        walk = likelihood(lifted(track.sightings, self.inside, lift), self.inside, self._width, gone=gone)
        shape = self.shape(track, walk, gone=gone, lift=lift)
        story = self._learned.likelihood(shape)
        surer = max(walk.inward, walk.outward) > max(story.inward, story.outward)
        return Weighed(walk, walk if surer and took_turns(shape) else story, shape, lift)

    def _case(
        self,
        track: Track,
        walk: Likelihood,
        story: Likelihood,
        down: list[int],
        cut: str,
        standing: bool,
        spells: int,
        *,
        full: bool,
    ) -> Case:
        """All that is known but for what the photo-eyes saw."""
        inside, outside = sides_of(track.sightings, self.inside, track.since)
        return Case(
            start=track.since,
            end=track.last,
            inside=inside,
            outside=outside,
            crossing=crossing_of(track.since, track.last, inside, outside),
            walk=walk,
            likelihood=story,
            photo_eyes=None,
            whole=1 - len(down) / max(len(self._antennas), 1),
            cut=cut,
            full=full,
            standing=standing,
            spells=spells,
            began=track.began,
        )

    def _down(self, track: Track) -> list[int]:
        """Antennas that were not watching all the while."""
        antenna_clock = self._antenna_clock
        return [
            number
            for number in self._antennas
            if antenna_clock.causes[number] & (DarkCause.READER | DarkCause.ANTENNA)
            or antenna_clock.total[number] > track.dark.get(number, 0)
        ]

    def _cut(self, track: Track, down: list[int]) -> str:
        """What broke a pass off, if anything did."""
        if self._outages.within(track.first - MARGIN, track.last + self._silence):
            return "a reader was down"
        for side in ("inside", "outside"):
            antennas = {number for number, where in self._antennas.items() if where == side}
            if antennas and antennas <= set(down):
                return f"no antenna {side} was at work"
        return ""
