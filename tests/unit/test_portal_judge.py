"""Verdicts on a pass, by what is known of it: radio, company, photo-eyes, how long it took, what did not work."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SECOND
from gateway.floor.passes import Direction
from gateway.floor.portals.companions import Trace, alone
from gateway.floor.portals.finding import BESIDE, Case, by_photo_eyes, crossing_of
from gateway.floor.portals.judge import MOST, again, judge
from gateway.floor.portals.photo_eyes import Crossing
from gateway.floor.portals.track import Bin, Profile
from gateway.floor.portals.walk_model import NOTHING, Likelihood
from tests.support.portal_companions import all_of

NEEDED = 0.9
OUT, IN, BACK = Likelihood(0.0, 0.995, 0.005), Likelihood(0.995, 0.0, 0.005), Likelihood(0.0005, 0.0005, 0.999)
PERHAPS = Likelihood(0.02, 0.75, 0.15, 0.08)
"""Out is not certain enough by itself."""
ALMOST = Likelihood(0.0, 0.9, 0.1)
"""Out is certain enough (0.947), where it was seen often enough."""


def side(*powers: float, start: float = 0.0) -> Profile:
    bins = tuple(Bin(start + n / 4, power) for n, power in enumerate(powers))
    return Profile(bins, sum(powers), sum(entry.t for entry in bins) / len(bins), 0.5)


SWELLING, FLAT = side(1, 2, 20, 30, 20, 2, 1), side(9, 9, 10, 10, 10, 9, 9)
CASE = Case(
    start=10 * SECOND,
    end=15 * SECOND,
    inside=FLAT,
    outside=side(1, 2, 9, 9, 2, 1, start=2),
    crossing=12 * SECOND,
    walk=OUT,
    likelihood=OUT,
    photo_eyes=None,
    whole=1.0,
    cut="",
    full=False,
    standing=False,
)


def case(**changes) -> Case:
    known = replace(CASE, **({"walk": changes.get("likelihood", OUT)} | changes))
    return replace(known, crossing=crossing_of(known.start, known.end, known.inside, known.outside))


def load(story: Likelihood, number: int = 10) -> list[Trace]:
    return [Trace(bytes([n]), 10 * SECOND, 15 * SECOND, story, 100, False) for n in range(number)]


def one_side(**changes) -> Case:
    return case(**({"outside": None, "inside": SWELLING, "likelihood": NOTHING} | changes))


AT_ONCE = {"likelihood": BACK, "outside": FLAT}
"""It was nearest to both sides at the same time."""

VERDICTS = {
    "it came and went back, nearest to the sides one after the other": (
        case(likelihood=BACK),
        [],
        "undetermined",
        None,
        "too close to call",
    ),
    # what is known, those beside it, direction, leaning, reason
    "both sides say out": (case(), [], "out", None, "both sides"),
    "both sides say in": (case(likelihood=IN), [], "in", None, "both sides"),
    "it came and went back": (case(**AT_ONCE), [], "turned_back", None, "one side before and after"),
    "it took its time and went back, and looks as if it had passed": (
        case(end=35 * SECOND, walk=BACK, likelihood=Likelihood(0.2, 0.2, 0.6), outside=FLAT),
        [],
        "undetermined",
        None,
        "too close to call",
    ),
    "it took its time and went back": (
        case(end=35 * SECOND, walk=BACK, likelihood=Likelihood(0.1, 0.1, 0.8), outside=FLAT),
        [],
        "turned_back",
        None,
        "one side before and after",
    ),
    "not certain enough": (case(likelihood=PERHAPS), [], "undetermined", "out", "too close to call"),
    "nothing is known": (case(likelihood=NOTHING), [], "undetermined", "out", "too close to call"),
    "unclear, and its load went out": (case(likelihood=PERHAPS), load(OUT), "out", None, "with its load"),
    "unclear, and so are nine others": (
        case(likelihood=PERHAPS),
        load(PERHAPS, 9),
        "undetermined",
        "out",
        "too close to call",
    ),
    "unclear, and two of nine others are certain": (
        case(likelihood=PERHAPS),
        [*load(OUT, 2), *load(PERHAPS, 9)[2:]],
        "undetermined",
        "out",
        "too close to call",
    ),
    "unclear, and three of nine others are certain": (
        case(likelihood=PERHAPS),
        [*load(OUT, 3), *load(PERHAPS, 9)[3:]],
        "out",
        None,
        "with its load",
    ),
    "unclear, and so are twelve others": (case(likelihood=PERHAPS), load(PERHAPS, 12), "out", None, "with its load"),
    "unclear, and its load went back": (case(likelihood=PERHAPS), load(BACK), "undetermined", "out", None),
    "clear, and none of five others is": (case(), load(PERHAPS, 5), "undetermined", "out", "too close to call"),
    "clear, and none of four others is": (case(), load(PERHAPS, 4), "out", None, "both sides"),
    "clear, and one of five others is": (case(), [*load(OUT, 1), *load(PERHAPS, 5)[1:]], "out", None, "both sides"),
    "clear, though its load went the other way": (case(likelihood=IN), load(OUT), "in", None, "both sides"),
    "likely, and its load went the other way": (
        case(likelihood=Likelihood(0.975, 0.02, 0.005)),
        load(OUT),
        "undetermined",
        None,
        "too close to call",
    ),
    "perhaps back, and its load for certain": (
        case(likelihood=Likelihood(0.05, 0.05, 0.9), outside=FLAT),
        load(BACK),
        "undetermined",
        None,
        None,
    ),
    "it went back for certain, its load out": (case(**AT_ONCE), load(OUT), "turned_back", None, None),
    "it went back perhaps, its load out": (
        case(likelihood=Likelihood(0.01, 0.02, 0.97)),
        load(OUT),
        "undetermined",
        None,
        None,
    ),
    "almost certain, and seen in three windows by a side": (
        case(likelihood=ALMOST, outside=side(5, 9, 5, start=2)),
        [],
        "undetermined",
        "out",
        "too close to call",
    ),
    "almost certain, and seen in four windows by each side": (
        case(likelihood=ALMOST, outside=side(5, 9, 9, 5, start=2)),
        [],
        "out",
        None,
        "both sides",
    ),
    "almost certain, seen in three windows, with the photo-eyes": (
        case(likelihood=ALMOST, outside=side(5, 9, 5, start=2), photo_eyes=Direction.OUT),
        [],
        "out",
        None,
        "both sides",
    ),
    "almost certain, seen in three windows, and its load went out": (
        case(likelihood=ALMOST, outside=side(5, 9, 5, start=2)),
        load(OUT),
        "out",
        None,
        "both sides",
    ),
    "certain, and seen in two windows by a side": (
        case(outside=side(9, 9, start=2)),
        [],
        "out",
        None,
        "both sides",
    ),
    "seen in two windows, its load went out": (
        case(likelihood=PERHAPS, inside=side(1), outside=side(1)),
        load(OUT),
        "undetermined",
        "out",
        None,
    ),
    "seen in two windows, its pallet went out": (
        case(likelihood=PERHAPS, inside=side(1), outside=side(1)),
        load(OUT, 12),
        "out",
        None,
        "with its load",
    ),
    "photo-eyes say out too": (case(likelihood=PERHAPS, photo_eyes=Direction.OUT), [], "out", None, "both sides"),
    "photo-eyes say in": (case(likelihood=PERHAPS, photo_eyes=Direction.IN), [], "undetermined", None, None),
    "photo-eyes against both sides": (
        case(likelihood=Likelihood(0.05, 0.94, 0.01), photo_eyes=Direction.IN),
        [],
        "undetermined",
        None,
        None,
    ),
    "a reader was down": (case(cut="a reader was down"), load(OUT), "undetermined", None, "a reader was down"),
    "seen for less than a second, and went back": (
        case(likelihood=BACK, outside=side(1, 1, 1)),
        [],
        "undetermined",
        None,
        None,
    ),
    "one side only": (one_side(), [], "undetermined", "out", "one side only"),
    "one side only, its load went out": (one_side(), load(OUT), "out", None, "with its load"),
    "one side, and photo-eyes": (one_side(photo_eyes=Direction.OUT), [], "out", None, "photo-eyes"),
    "one side, photo-eyes saw somebody turn": (
        one_side(photo_eyes=Direction.TURNED_BACK),
        [],
        "undetermined",
        None,
        None,
    ),
    "one side as loud all the while, and photo-eyes": (
        one_side(inside=FLAT, photo_eyes=Direction.OUT, likelihood=BACK),
        [],
        "undetermined",
        None,
        None,
    ),
    "no reads": (case(inside=None, outside=None), [], "undetermined", None, "no reads"),
    # for the longest time, or known to stand there
    "one side, all the time": (one_side(full=True), [], "standing", None, "one side only, all the time"),
    "both sides, all the time": (case(full=True, likelihood=NOTHING), [], "standing", None, "neither side first"),
    "all the time, and then out": (case(full=True, likelihood=Likelihood(0, 0.9999, 1e-4)), [], "out", None, None),
    "it stands there": (case(standing=True, likelihood=NOTHING), [], "standing", None, "neither side first"),
    "it stands there, a load goes out": (case(standing=True, likelihood=NOTHING), load(OUT), "standing", None, None),
    "it stands there, somebody breaks the photo-eyes": (
        case(standing=True, likelihood=NOTHING, photo_eyes=Direction.OUT),
        [],
        "standing",
        None,
        None,
    ),
    "it stood there and was taken away": (
        case(standing=True, likelihood=Likelihood(0, 0.9999, 1e-4)),
        [],
        "out",
        None,
        "both sides",
    ),
    "it stood there, inside at first, and was taken away": (
        case(standing=True, likelihood=Likelihood(0, 0.9999, 1e-4), began=(9, 1)),
        [],
        "out",
        None,
        "both sides",
    ),
    "it went out after a while, and had come from there": (
        case(standing=True, likelihood=Likelihood(0, 0.9999, 1e-4), began=(1, 90)),
        [],
        "undetermined",
        "out",
        "too close to call",
    ),
    # longer than passes last
    "out, and half a minute before the door": (case(end=35 * SECOND), [], "out", None, "both sides"),
    "perhaps out, half a minute before the door, and both sides changed": (
        case(end=35 * SECOND, likelihood=Likelihood(0.0, 0.97, 0.03)),
        [],
        "out",
        None,
        "both sides",
    ),
    "perhaps out, half a minute before the door, and one side alone changed": (
        case(end=35 * SECOND, likelihood=Likelihood(0.0, 0.95, 0.05), inside=side(*[9] * 100)),
        [],
        "undetermined",
        "out",
        None,
    ),
    "out of standing stock, and one side alone changed": (
        case(standing=True, inside=side(*[9] * 16), outside=side(*[1] * 8, *[9] * 8)),
        [],
        "undetermined",
        "out",
        None,
    ),
    "standing stock carried out": (
        case(standing=True, inside=side(9, 9, 9, 9, 1, 1, 1, 1), outside=side(1, 1, 1, 9, 9, 9, 9, start=0.5)),
        [],
        "out",
        None,
        "both sides",
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(name):
    known, companions, direction, leaning, reason = VERDICTS[name]
    verdict = judge(known, all_of(companions), NEEDED)
    assert str(verdict.direction) == direction
    if leaning is not None:
        assert str(verdict.leaning) == leaning
    if reason is not None:
        assert verdict.reason == reason
    if direction in ("in", "out"):
        assert NEEDED <= verdict.confidence <= MOST
        assert verdict.leaning is None
    assert known.start <= verdict.crossing <= known.end


@pytest.mark.parametrize("seconds", [1, 10, 20, 30, 60, 120, 300])
def test_what_both_sides_saw_go_through_has_not_returned_however_long_it_waited(seconds):
    verdict = judge(case(end=CASE.start + seconds * SECOND), alone(), NEEDED)
    assert verdict.direction in (Direction.OUT, Direction.UNDETERMINED)


SHARE = st.integers(0, 1000)
STORIES = (
    st.tuples(SHARE, SHARE, SHARE, SHARE)
    .filter(any)
    .map(lambda parts: Likelihood(*(part / sum(parts) for part in parts)))
)
COMPANY = st.lists(STORIES, max_size=5).map(
    lambda stories: [Trace(bytes([n]), 10, 20, story, 1, False) for n, story in enumerate(stories)]
)
PHOTO_EYES = st.sampled_from([None, Direction.IN, Direction.OUT, Direction.TURNED_BACK])


def mirrored(story: Likelihood) -> Likelihood:
    return replace(story, inward=story.outward, outward=story.inward)


OPPOSITE = {Direction.IN: Direction.OUT, Direction.OUT: Direction.IN}


@given(STORIES, COMPANY, PHOTO_EYES, st.booleans(), st.booleans())
@pytest.mark.slow
def test_in_and_out_are_judged_alike(story, companions, photo_eyes, full, standing):
    """Everything the other way round gives the opposite, as sure."""
    one = judge(case(likelihood=story, photo_eyes=photo_eyes, full=full, standing=standing), all_of(companions), NEEDED)
    turned = [replace(other, likelihood=mirrored(other.likelihood)) for other in companions]
    photo_eyes = None if photo_eyes is None else OPPOSITE.get(photo_eyes, photo_eyes)
    other = judge(
        case(likelihood=mirrored(story), photo_eyes=photo_eyes, full=full, standing=standing), all_of(turned), NEEDED
    )
    assert other.direction is OPPOSITE.get(one.direction, one.direction)
    assert other.confidence == pytest.approx(one.confidence)


def test_where_half_of_the_antennas_work_a_direction_is_four_times_as_doubtful():
    whole, half = (
        judge(case(likelihood=Likelihood(0.001, 0.98, 0.01), whole=share), alone(), NEEDED) for share in (1, 0.5)
    )
    assert 1 - half.confidence == pytest.approx(4 * (1 - whole.confidence))


@given(STORIES, COMPANY, st.floats(0.1, 1.0))
def test_what_did_not_work_never_makes_a_direction_surer(story, companions, whole):
    complete = judge(case(likelihood=story), all_of(companions), NEEDED)
    crippled = judge(case(likelihood=story, whole=whole), all_of(companions), NEEDED)
    if crippled.direction in OPPOSITE:
        assert crippled.direction is complete.direction
        assert crippled.confidence <= complete.confidence


@given(STORIES, COMPANY, st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_who_asks_for_more_certainty_gets_fewer_directions_and_the_same(story, companions, one, other):
    low, high = sorted((one, other))
    strict, lax = (
        judge(case(likelihood=story), all_of(companions), high),
        judge(case(likelihood=story), all_of(companions), low),
    )
    if strict.direction in OPPOSITE:
        assert lax.direction is strict.direction


def test_it_crossed_when_the_shares_of_the_sides_were_furthest_apart():
    """However long it waited before: the mean of the centroids would be far too early."""
    inside, outside = side(9, 9, 9, 9, 9, 9, 9, 9, 1), side(1, 9, 9, start=2)
    start, end = 10 * SECOND, 15 * SECOND
    assert crossing_of(start, end, inside, outside) == crossing_of(start, end, outside, inside)
    assert crossing_of(start, end, inside, outside) == start + 1_875_000
    assert crossing_of(start, end, inside, None) == start + round(inside.centroid * SECOND)
    assert crossing_of(start, end, None, None) == end
    assert crossing_of(start, 11 * SECOND, None, outside) == 11 * SECOND  # never outside of the pass


SEEN = [Crossing(10 * SECOND, 12 * SECOND, Direction.OUT)]


@pytest.mark.parametrize(
    ("crossings", "t", "direction"),
    [
        ([], 11, None),
        (SEEN, 11, Direction.OUT),
        (SEEN, 10 - BESIDE // SECOND, Direction.OUT),
        (SEEN, 12 + BESIDE // SECOND, Direction.OUT),
        (SEEN, 13 + BESIDE // SECOND, None),
        ([*SEEN, Crossing(11 * SECOND, 12 * SECOND, Direction.OUT)], 11, Direction.OUT),
        ([*SEEN, Crossing(11 * SECOND, 12 * SECOND, Direction.IN)], 11, None),  # which of them was it?
    ],
)
def test_photo_eyes_speak_of_what_is_beside_them_then(crossings, t, direction):
    assert by_photo_eyes(crossings, t * SECOND) is direction


def test_twice_the_same_way_needs_ten_times_the_odds():
    assert again(0.99) == pytest.approx(0.908, abs=0.001)
    assert again(0.9) < 0.5
