"""The parts of a portal by themselves: profiles, photo-eyes, standing stock, last passes, configuration."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from drivers.api import InputChange
from gateway.clock import SECOND
from gateway.config import AntennaConfig, PortalConfig
from gateway.config.file import ConfigError, load
from gateway.floor.passes import Direction
from gateway.floor.portals.last_passes import MAX_TAGS, LastPasses
from gateway.floor.portals.photo_eyes import STUCK_AFTER, PhotoEyes
from gateway.floor.portals.standing import MEMORY, TIMES, Standing
from gateway.floor.portals.track import profile, sides_of

WINDOW = SECOND // 4


def bell(middle: float, *, width: float = 4.0, top: int = 1_000_000, antenna: int = 0, count: int = 24):
    """Looks of a side whose power is a bell around window `middle`."""
    sightings = []
    for number in range(count):
        power = max(1, round(top / 2 ** (((number - middle) / width) ** 2)))
        sightings.append((number * WINDOW, antenna, 1, -6000, power, power * WINDOW // 2))
    return sightings


def test_a_centroid_is_exact_whatever_the_strength():
    for top in (1000, 10**9):
        assert profile(bell(12, top=top), 0).centroid == pytest.approx(12.5 / 4, abs=0.01)
    assert profile([], 0) is None


def test_looks_of_one_side_and_window_are_one_bin():
    sightings = [(0, antenna, 1, -6000, 1000, 1000 * WINDOW // 2) for antenna in (0, 2, 4)]
    found = profile(sightings, 0)
    assert [(entry.t, entry.power) for entry in found.bins] == [(0.125, 3000.0)]
    assert (found.centroid, found.spread) == (0.125, 0.0)


def test_a_wider_curve_has_a_wider_spread_and_the_same_middle():
    narrow, wide = profile(bell(12, width=2), 0), profile(bell(12, width=4), 0)
    assert wide.spread == pytest.approx(2 * narrow.spread, rel=0.05)
    assert wide.centroid == pytest.approx(narrow.centroid, abs=0.02)


def test_sides_are_told_apart_by_their_antennas_in_any_order():
    both = [*bell(14, antenna=1), *bell(9, antenna=0)]
    inside, outside = sides_of(both, frozenset({0}), 0)
    assert inside.centroid < outside.centroid
    assert (inside, outside) == sides_of(both[::-1], frozenset({0}), 0)
    assert sides_of(bell(9), frozenset({0}), 0)[1] is None


# ---- photo-eyes


def door(**changes):
    content = {
        "id": "door",
        "inside": "vault",
        "photo_eyes": [{"reader": "r1", "port": 1, "side": "inside"}, {"reader": "r1", "port": 2, "side": "outside"}],
    }
    return PortalConfig.model_validate(content | changes)


def after(*changes, until=20.0):
    """The photo-eyes after changes of ``(seconds, port, broken)``."""
    photo_eyes = PhotoEyes(door())
    facts = []
    for t, port, broken in (*changes, (until, 0, False)):
        while photo_eyes.due <= t * SECOND:
            facts += photo_eyes.fire(photo_eyes.due)
        if port:
            facts += photo_eyes.take(InputChange("r1", round(t * SECOND), port, broken))
    return photo_eyes, facts


@pytest.mark.parametrize(
    ("changes", "direction"),
    [
        ([(1, 1, True), (1.3, 2, True), (1.5, 1, False), (2, 2, False)], Direction.OUT),
        ([(1, 2, True), (1.3, 1, True), (1.5, 2, False), (2, 1, False)], Direction.IN),
        ([(1, 1, True), (1.3, 1, False), (1.8, 2, True), (2, 2, False)], Direction.OUT),
        ([(1, 1, True), (1.3, 2, True), (1.5, 2, False), (2, 1, False)], Direction.TURNED_BACK),
    ],
)
def test_photo_eyes_tell_a_way(changes, direction):
    photo_eyes, facts = after(*changes)
    assert [crossing.direction for crossing in photo_eyes.crossings] == [direction]
    assert facts == []
    again_ = PhotoEyes(door())
    again_.load(photo_eyes.dump())
    assert again_.dump() == photo_eyes.dump()


@pytest.mark.parametrize("port", [1, 2])
def test_one_photo_eye_alone_tells_nothing(port):
    """Something came near, or the other one is blind."""
    photo_eyes, facts = after((1, port, True), (1.3, port, False), (1.6, port, True), (1.9, port, False))
    assert photo_eyes.crossings == []
    assert facts == []
    assert photo_eyes.due > 10**15  # and is over: the next one begins anew


def test_two_crossings_are_two():
    one = [(1, 1, True), (1.3, 2, True), (1.5, 1, False), (2, 2, False)]
    photo_eyes, _ = after(*one, *((t + 5, port, broken) for t, port, broken in one))
    assert len(photo_eyes.crossings) == 2
    assert photo_eyes.between(6 * SECOND, 9 * SECOND) == photo_eyes.crossings[1:]


def test_a_stuck_photo_eye_is_said_once_and_the_other_alone_tells_nothing():
    photo_eyes, facts = after((1, 1, True), (80, 2, True), (81, 2, False), until=90)
    assert [fact.data["state"] for fact in facts] == ["raised"]
    assert facts[0].time == SECOND + STUCK_AFTER
    assert photo_eyes.stuck == ["r1/1"]
    assert photo_eyes.crossings == []


def test_photo_eyes_of_a_reader_that_is_down_are_not_known():
    photo_eyes, _ = after((1, 1, True), until=2)
    photo_eyes.lose("r1")
    assert photo_eyes.due > 10**15


# ---- standing stock, last passes


def test_standing_stock_is_learned_by_repetition_and_forgotten():
    standing = Standing()
    found = [standing.add(b"tag", n * SECOND, long=False) for n in range(TIMES + 2)]
    assert found == [False] * (TIMES - 1) + [True, False, False]
    assert standing.is_standing(b"tag", 10 * SECOND)
    assert not standing.is_standing(b"tag", 2 * MEMORY)
    standing.forget(b"tag")
    assert not standing.is_standing(b"tag", 10 * SECOND)


def test_what_stays_too_long_for_a_pass_is_standing_stock_at_once():
    assert Standing().add(b"tag", 0, long=True)


@pytest.mark.slow
def test_last_passes_are_bounded_and_restored():
    last_passes = LastPasses()
    for n in range(MAX_TAGS + 1):
        last_passes.passed(n.to_bytes(4, "big"), None)
    assert len(last_passes.dump()) <= MAX_TAGS
    newest = MAX_TAGS.to_bytes(4, "big")
    other = LastPasses()
    other.load(last_passes.dump()[-5:])
    assert other.there(newest, None)
    assert not other.there(newest, "vault")
    other.lose(newest)
    assert not other.there(newest, None)


# ---- configuration


@pytest.mark.parametrize(
    "keys",
    [
        {"port": 1},
        {"port": 1, "zone": "vault", "portal": "door", "side": "inside"},
        {"port": 1, "portal": "door"},
        {"port": 1, "zone": "vault", "side": "inside"},
        {"port": 1, "portal": "door", "side": "left"},
    ],
)
def test_an_antenna_looks_at_a_zone_or_at_a_side_of_a_portal(keys):
    with pytest.raises(ValidationError):
        AntennaConfig.model_validate(keys)


SITE = """\
site: s
gateway: g
zones:
  - id: vault
portals:
  - id: door
    inside: vault
    outside: null
readers:
  - id: r1
    driver: llrp
    host: r1.local
    antennas:
      - {port: 1, portal: door, side: inside}
      - {port: 2, portal: door, side: outside}
"""


@pytest.mark.parametrize(
    ("before", "instead", "words"),
    [
        ("inside: vault", "inside: volt", "there is no zone `volt`: did you mean `vault`?"),
        ("    inside: vault\n", "", "the portal leads from nowhere to nowhere"),
        ("outside: null", "outside: vault", "both sides of the portal are the same zone"),
        ("portal: door, side: outside", "portal: dor, side: outside", "there is no portal `dor`: did you mean `door`?"),
        ("side: outside", "side: inside", "no antenna looks at the outside of the portal `door`"),
        ("side: outside", "side: left", "side"),
        (
            "    outside: null\n",
            "    photo_eyes: [{reader: r2, port: 1, side: inside}]\n",
            "there is no reader `r2`",
        ),
    ],
)
def test_what_is_wrong_with_a_portal_is_said(tmp_path, before, instead, words):
    good = tmp_path / "good.yaml"
    good.write_text(SITE)
    assert [portal.id for portal in load(good).portals] == ["door"]
    bad = tmp_path / "bad.yaml"
    bad.write_text(SITE.replace(before, instead))
    with pytest.raises(ConfigError, match="portal") as error:
        load(bad)
    assert words in str(error.value)


def test_one_side_is_enough_where_photo_eyes_are_on_both(tmp_path):
    both = "    photo_eyes: [{reader: r1, port: 1, side: inside}, {reader: r1, port: 2, side: outside}]\n"
    file = tmp_path / "photo-eyes.yaml"
    inputs = "    inputs: [{port: 1}, {port: 2}]\n"
    text = SITE.replace("    outside: null\n", both).replace("      - {port: 2, portal: door, side: outside}\n", "")
    file.write_text(text.replace("    host: r1.local\n", "    host: r1.local\n" + inputs))
    assert len(load(file).portals[0].photo_eyes) == 2


def test_a_portal_changes_the_digest(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    config = load(file)
    other = config.model_copy(update={"portals": [config.portals[0].model_copy(update={"certainty": 0.97})]})
    assert other.digest() != config.digest()
