"""The verdict on one pass: the direction with the largest posterior, where that is large enough.

::

    broken off (reader down)                                        → undetermined
    one side only        → in, out    where photo-eyes say so and the tag came and went with what they saw
                         → standing   where it was there for the longest time a pass takes
    otherwise prior x likelihood of each story x evidence of the photo-eyes:
                         → in, out    where that is certain enough
                         → turned back where coming and going back is as good as certain, and both sides saw it
                         → standing   the same of a tag that is known to stand there
                         → undetermined

The prior: two thirds of what comes near a portal go through; of what is known to stand there, or was read for long, one
in ten; and what came and went with others most probably went their way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gateway.clock import SECOND
from gateway.floor.passes import Direction
from gateway.floor.portals.companions import LOAD, Companions, with_companions
from gateway.floor.portals.finding import Case
from gateway.floor.portals.track import Profile
from gateway.floor.portals.walk_model import Likelihood

USUAL = Likelihood(1 / 3, 1 / 3, 1 / 6, 1 / 6)
"""Prior of what is read at a portal: two in three go through, as often in as out; one in six comes near and goes back,
and one in six stands there."""

RARELY, OFTEN = 10, 190
"""Prior of a pass for a tag that is read for longer than a pass takes, or is known to stand there: 1 / (RARELY + n), n
its earlier stays without a pass, at most OFTEN. Turning back has the same prior; the rest is standing there."""

LEG = 4.0
"""Factor of received power (6 dB) by which a standing tag that passes must fall on the side that it leaves and rise on
the other: what stands in the way changes one side only."""

PASSES_WITHIN, FURTHER = 10 * SECOND, 5 * SECOND
"""Length of a pass up to which the prior is as usual, and in which it falls by a factor e beyond that: people who wait
before a door are through by then, and what is read for longer mostly stands there."""

ENOUGH, ENOUGH_IN_A_LOAD = 3, 2
"""Fewest windows with reads of a tag that is to be judged by its companions: one or two do not show when it came and
went. Where a load's worth of others was there only meanwhile, two do."""

TWICE, MANY = 2, 5
"""Fewest windows of each side for a tag that passed by itself, and fewest companions for one that has less: one read on
the far side is a reflection as often as not."""

ONE_IN = 4
"""Of MANY companions and more, but no load's worth, one in so many must be certain of a way by itself for a tag to go
along that is not: what misleads one of them, as where people turn around with a cart, misleads all of them alike."""

PHOTO_EYE_ODDS = 19.0
"""Odds that what broke the photo-eyes in an order was the tag beside them: once in twenty times something else went."""

SWELL = 4.0
"""Factor of received power (6 dB) between the loudest window of a tag that comes and goes and those at both ends."""

LEAST_WINDOWS = 4
"""Windows that a side must have seen the tag in: a second is the least in which something is seen to come and go."""

SURE_OF_FEW = 0.97
"""Least posterior of a direction of a tag by itself that a side saw in less than LEAST_WINDOWS: what stands there and
is read now and then shows one side and then the other by chance."""

UNLIKE = 10**1.5
"""Largest factor of received power (15 dB) between the sides of a tag that is said to have turned back: beyond that a
bad cable or a metal package looks the same."""

AT_ONCE = 0.5
"""Largest distance between the centroids of the sides, in spreads of the longer one, of a tag that is said to have
turned back: it was nearest to both sides at the same time, and what goes through is not."""

SURELY_BACK = 0.97
"""Least posterior of having turned back: a passage that is called so is lost, which is worse than unclear."""

AGREED = 0.5
"""Least posterior by the learned layer alone that a tag which is said to have turned back did not pass, with the usual
prior however long it was read: that it took its time is no proof of having turned back."""

SURELY_STANDING = 0.6
"""Least posterior that a tag which is known to stand there still does: two chances in five that it left are worth
saying."""

MOST = 0.999
"""Nothing that rests on radio is certain."""

MISSED = 0.1
"""Share of passes that are missed or left undetermined. Two passes the same way need one that was missed in between."""


@dataclass(slots=True, frozen=True)
class Verdict:
    """What became of a tag in a portal. `leaning` is the likelier direction where it is not certain enough, `reason`
    says in a word or two what decided or was missing. `crossing` in microseconds UTC; `companions` is how many others
    were taken into account."""

    direction: Direction
    confidence: float
    crossing: int
    reason: str
    leaning: Direction | None = None
    companions: int = 0


def judge(case: Case, companions: Companions, needed: float) -> Verdict:
    """The verdict on a case. `companions` are the tags that came and went with it, `needed` is the least posterior of a
    direction that is said."""
    if case.cut:
        return Verdict(Direction.UNDETERMINED, 0.0, case.end, case.cut)
    if case.inside is None or case.outside is None:
        seen = _one_side(case, needed)
        if seen is not None:
            return seen
    stays = case.full or case.standing
    photo_eyes = None if stays else case.photo_eyes
    usual = expected = _expected(case)
    alone = _posterior(expected, case.likelihood, photo_eyes)
    enough = ENOUGH_IN_A_LOAD if companions.number >= LOAD else ENOUGH
    with_others = not case.standing and _windows(case) >= enough
    if with_others:
        expected = with_companions(expected, companions)
    found = _posterior(expected, case.likelihood, photo_eyes)
    shape = _posterior(USUAL, case.likelihood, photo_eyes)
    walked, walked_alone = (_posterior(prior, case.walk, photo_eyes) for prior in (expected, usual))
    way, sure = (Direction.IN, found.inward) if found.inward > found.outward else (Direction.OUT, found.outward)
    sure = _told(sure, case.whole)
    turned_back = _told(min(walked.turned_back, walked_alone.turned_back), case.whole)
    by_itself = max(alone.inward, alone.outward) >= needed
    seen_back = not by_itself and walked_alone.turned_back >= SURELY_BACK  # no load takes along what was seen to turn
    likely = sure >= needed and not seen_back and _is_vouched_for(way, companions, needed, by_itself=by_itself)
    if (
        likely
        and _was_there(case, way, companions, sure)
        and (not stays or (_changed_sides(case, way) and _began_there(case, way)))
    ):
        return Verdict(
            way, sure, case.crossing, "both sides" if by_itself else "with its load", companions=companions.number
        )
    if stays:
        # What stood there all along is lost to whoever asks where it went: the model of the way must say so too.
        standing = _told(min(found.turned_back + found.standing, walked.turned_back + walked.standing), case.whole)
        if standing >= (SURELY_STANDING if case.standing else needed):
            return Verdict(Direction.STANDING, standing, case.end, "neither side first", companions=companions.number)
    elif (
        turned_back >= SURELY_BACK
        and shape.turned_back + shape.standing >= AGREED
        and _seen_well(case.inside, case.outside)
    ):
        return Verdict(
            Direction.TURNED_BACK, turned_back, case.crossing, "one side before and after", companions=companions.number
        )
    if case.full:
        sure = max(sure, _told(max(walked.inward, walked.outward), case.whole))
    reason = "one side only" if case.inside is None or case.outside is None else "too close to call"
    return Verdict(Direction.UNDETERMINED, sure, case.crossing, reason, way, companions.number)


def _one_side(case: Case, needed: float) -> Verdict | None:
    side = case.inside or case.outside
    if side is None:
        return Verdict(Direction.UNDETERMINED, 0.0, case.end, "no reads")
    confidence = PHOTO_EYE_ODDS / (1 + PHOTO_EYE_ODDS) * case.whole
    if case.full:
        return Verdict(Direction.STANDING, 0.95, case.end, "one side only, all the time")
    if (
        case.photo_eyes in (Direction.IN, Direction.OUT)
        and _swells(side)
        and not case.standing
        and confidence >= needed
    ):
        return Verdict(case.photo_eyes, confidence, case.crossing, "photo-eyes")
    return None


def _posterior(expected: Likelihood, story: Likelihood, photo_eyes: Direction | None = None) -> Likelihood:
    """The posterior of each story: prior (`expected`) x likelihood (`story`) x photo-eyes, shares of one."""
    inward = expected.inward * story.inward * (PHOTO_EYE_ODDS if photo_eyes is Direction.IN else 1)
    outward = expected.outward * story.outward * (PHOTO_EYE_ODDS if photo_eyes is Direction.OUT else 1)
    turned_back = (
        expected.turned_back * story.turned_back * (PHOTO_EYE_ODDS if photo_eyes is Direction.TURNED_BACK else 1)
    )
    standing = expected.standing * story.standing
    total = inward + outward + turned_back + standing
    return Likelihood(inward / total, outward / total, turned_back / total, standing / total)


def _told(sure: float, whole: float) -> float:
    """A posterior discounted for the share of antennas that worked (`whole`), and never more than MOST."""
    return min(1 - min(1.0, (1 - sure) / max(whole, 0.1) ** 2), MOST)


def _expected(case: Case) -> Likelihood:
    """The prior of each story for a tag that was read for so long, shares of one."""
    if case.full or case.standing:
        passes = 1 / (RARELY + min(case.spells, OFTEN))
        return Likelihood(passes / 2, passes / 2, passes, 1 - 2 * passes)
    longer = case.end - case.start - PASSES_WITHIN
    if longer <= 0 or any(_changed_sides(case, way) for way in (Direction.IN, Direction.OUT)):
        return USUAL
    rarer = max(math.exp(-longer / FURTHER), 2 / RARELY)
    inward, outward = USUAL.inward * rarer, USUAL.outward * rarer
    return Likelihood(inward, outward, USUAL.turned_back, 1 - inward - outward - USUAL.turned_back)


def _changed_sides(case: Case, way: Direction) -> bool:
    """Whether the side that a tag came from received less of it after the crossing, and the other one more."""
    first, second = (case.outside, case.inside) if way is Direction.IN else (case.inside, case.outside)
    if first is None or second is None:
        return False
    before, after = max(case.crossing - case.start, SECOND), max(case.end - case.crossing, SECOND)
    at = (case.crossing - case.start) / SECOND
    first_before, first_after = _parts(first, at)
    second_before, second_after = _parts(second, at)
    fell = first_before / before >= LEG * first_after / after
    rose = second_after / after >= LEG * second_before / before
    return fell and rose


def _began_there(case: Case, way: Direction) -> bool:
    """Whether a tag that was there for long began as it was before the crossing, and not as it was after it: what goes
    round and round goes both ways, of which the last one is no passage."""
    if case.began is None or case.inside is None or case.outside is None:
        return True
    at = (case.crossing - case.start) / SECOND
    (inside_before, inside_after), (outside_before, outside_after) = _parts(case.inside, at), _parts(case.outside, at)
    began = _balance(*case.began)
    before, after = _balance(inside_before, outside_before), _balance(inside_after, outside_after)
    return abs(began - before) <= abs(began - after)


def _balance(inside: float, outside: float) -> float:
    """Decibels by which the inside received more than the outside, within thirty."""
    least = (inside + outside) / 1000
    return 10 * math.log10((inside + least) / (outside + least)) if least else 0.0


def _parts(side: Profile, at: float) -> tuple[float, float]:
    """The power that a side received before and after a time."""
    before = math.fsum(entry.power for entry in side.bins if entry.t <= at)
    return before, math.fsum(entry.power for entry in side.bins) - before


def _was_there(case: Case, way: Direction, companions: Companions, sure: float) -> bool:
    """Whether there is more to show that a tag was on both sides than one read, and more than a few where it is not
    quite `sure` which way it went."""
    if companions.number >= MANY or case.photo_eyes is way:
        return True
    fewest = min(0 if side is None else len(side.bins) for side in (case.inside, case.outside))
    return fewest >= (TWICE if sure >= SURE_OF_FEW else LEAST_WINDOWS)


def _is_vouched_for(way: Direction, companions: Companions, needed: float, *, by_itself: bool) -> bool:
    """Whether enough of the companions are certain by themselves: of this way, or one of any way for a tag that is so
    `by_itself`. Of what came near and turned around together one seems certain by chance, and none of the others."""
    if not MANY <= companions.number < LOAD:
        return True
    posteriors = [_posterior(USUAL, trace.likelihood) for trace in companions.traces]
    if by_itself:
        return any(max(each.inward, each.outward) >= needed for each in posteriors)
    certain = sum((each.inward if way is Direction.IN else each.outward) >= needed for each in posteriors)
    return certain * ONE_IN >= companions.number


def _windows(case: Case) -> int:
    return sum(len(side.bins) for side in (case.inside, case.outside) if side is not None)


def _seen_well(inside: Profile | None, outside: Profile | None) -> bool:
    """Whether both sides saw the tag often and well enough to say that it went back, and at the same time."""
    if inside is None or outside is None or min(len(inside.bins), len(outside.bins)) < LEAST_WINDOWS:
        return False
    one, other = (max(entry.power for entry in side.bins) for side in (inside, outside))
    at_once = abs(inside.centroid - outside.centroid) <= AT_ONCE * max(inside.spread, outside.spread)
    return max(one, other) <= UNLIKE * min(one, other) and at_once


def _swells(side: Profile) -> bool:
    """Whether the tag came nearer and went away again."""
    powers = [entry.power for entry in side.bins]
    return len(powers) >= LEAST_WINDOWS and max(powers) >= SWELL * max(powers[0], powers[-1])


def again(confidence: float) -> float:
    """The posterior of a direction in which the tag's last pass went too: it must have come back unseen."""
    odds = confidence / (1 - confidence) * MISSED
    return odds / (1 + odds)
