"""The parts of a portal by themselves: profiles, photo-eyes, standing stock, loads, whereabouts, configuration."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from drivers.api import InputChange
from gateway.clock import SECOND
from gateway.config import AntennaConfig, PortalConfig
from gateway.config_file import ConfigError, load
from gateway.floor.passes import Direction
from gateway.floor.portals.beams import STUCK_AFTER, Beams
from gateway.floor.portals.groups import Judged, loads, with_their_load
from gateway.floor.portals.judge import again
from gateway.floor.portals.profile import certainty, compare, profile
from gateway.floor.portals.standing import LOUDER, MEMORY, TIMES, Standing
from gateway.floor.portals.whereabouts import MAX_TAGS, Whereabouts

WINDOW = SECOND // 4


def bell(middle: float, *, width: float = 4.0, top: int = 1_000_000, antenna: int = 0, count: int = 24):
    """Looks of a side whose power is a bell around window `middle`."""
    looks = []
    for number in range(count):
        power = max(1, round(top / 2 ** (((number - middle) / width) ** 2)))
        looks.append((number * WINDOW, antenna, 1, -6000, power, power * WINDOW // 2))
    return looks


def compared(first, second):
    return compare(profile(first, 0), profile(second, 0), 6.0)


def test_a_centroid_is_exact_whatever_the_strength():
    for top in (1000, 10**9):
        assert profile(bell(12, top=top), 0).centroid == pytest.approx(12.5 / 4, abs=0.01)
    assert profile([], 0) is None


def test_sides_that_change_once_are_told_apart_and_their_order_is_the_sign():
    out, into = compared(bell(9), bell(14)), compared(bell(14), bell(9))
    assert out.difference == pytest.approx(1.25, abs=0.05)
    assert into.difference == -out.difference
    assert out.dominance == pytest.approx(1)
    assert into.dominance == pytest.approx(-1)
    assert certainty(out, 1.0) == certainty(into, 1.0) > 0.95


def test_the_difference_is_the_area_between_the_curves():
    found = compared(bell(9, width=5), bell(12, width=2))
    area = found.difference / found.dominance  # both signs together
    assert area - 2 * found.contrary == pytest.approx(found.difference, rel=1e-6)


def test_a_curve_within_the_other_is_no_order():
    found = compared(bell(12, width=6), bell(12.3, width=2))
    assert abs(found.dominance) < 0.5
    assert certainty(found, 1.0) < 0.6


def test_fewer_looks_are_less_certain():
    many = compared(bell(9), bell(14))
    few = compared(bell(9)[::6], bell(14)[::6])
    assert certainty(few, 1.0) < certainty(many, 1.0)
    assert certainty(compared(bell(4)[4:5], bell(14)[14:15]), 1.0) < 0.9


def test_a_rough_profile_is_less_certain_than_a_smooth_one():
    rough = [
        (*look[:4], power, power * WINDOW // 2)
        for n, look in enumerate(bell(9))
        for power in [look[4] // (n % 3 * 7 + 1) + 1]
    ]
    assert compared(rough, bell(14)).error > compared(bell(9), bell(14)).error


def test_missing_antennas_lower_the_certainty():
    found = compared(bell(10), bell(13))
    assert certainty(found, 0.5) < certainty(found, 1.0)


# ---- photo-eyes


def door(**changes):
    content = {
        "id": "door",
        "inside": "vault",
        "beams": [{"reader": "r1", "port": 1, "side": "inside"}, {"reader": "r1", "port": 2, "side": "outside"}],
    }
    return PortalConfig.model_validate(content | changes)


def after(*changes, until=20.0):
    """The beams after changes of ``(seconds, port, broken)``."""
    beams = Beams(door())
    facts = []
    for t, port, broken in (*changes, (until, 0, False)):
        while beams.due <= t * SECOND:
            facts += beams.fire(beams.due)
        if port:
            facts += beams.take(InputChange("r1", round(t * SECOND), port, broken))
    return beams, facts


@pytest.mark.parametrize(
    ("changes", "direction"),
    [
        ([(1, 1, True), (1.3, 2, True), (1.5, 1, False), (2, 2, False)], Direction.OUT),
        ([(1, 2, True), (1.3, 1, True), (1.5, 2, False), (2, 1, False)], Direction.IN),
        ([(1, 1, True), (1.3, 1, False), (1.8, 2, True), (2, 2, False)], Direction.OUT),
        ([(1, 1, True), (1.3, 2, True), (1.5, 2, False), (2, 1, False)], Direction.RETURNED),
        ([(1, 1, True), (1.3, 1, False)], Direction.RETURNED),
    ],
)
def test_photo_eyes_tell_a_way(changes, direction):
    beams, facts = after(*changes)
    assert [crossing.direction for crossing in beams.crossings] == [direction]
    assert facts == []
    again_ = Beams(door())
    again_.load(beams.dump())
    assert again_.dump() == beams.dump()


def test_two_crossings_are_two():
    one = [(1, 1, True), (1.3, 2, True), (1.5, 1, False), (2, 2, False)]
    beams, _ = after(*one, *((t + 5, port, broken) for t, port, broken in one))
    assert len(beams.crossings) == 2
    assert beams.between(6 * SECOND, 9 * SECOND) == beams.crossings[1:]


def test_a_stuck_beam_is_said_once_and_the_other_goes_on_alone():
    beams, facts = after((1, 1, True), (80, 2, True), (81, 2, False), until=90)
    assert [fact.data["state"] for fact in facts] == ["raised"]
    assert facts[0].time == SECOND + STUCK_AFTER
    assert beams.stuck == ["r1/1"]
    assert [crossing.direction for crossing in beams.crossings] == [Direction.RETURNED]


def test_beams_of_a_reader_that_is_down_are_not_known():
    beams, _ = after((1, 1, True), until=2)
    beams.lose("r1")
    assert beams.due > 10**15


# ---- standing stock, loads, whereabouts


def test_standing_stock_is_learned_by_repetition_and_forgotten():
    standing = Standing()
    found = [standing.add(b"tag", n * SECOND, -6000, long=False) for n in range(TIMES + 2)]
    assert found == [False] * (TIMES - 1) + [True, False, False]
    assert standing.quiet(b"tag", 10 * SECOND, -6000)
    assert not standing.quiet(b"tag", 10 * SECOND, -6000 + LOUDER)
    assert not standing.quiet(b"tag", 2 * MEMORY, -6000)
    standing.forget(b"tag")
    assert not standing.quiet(b"tag", 10 * SECOND, -6000)


def test_what_stays_too_long_for_a_pass_is_standing_stock_at_once():
    assert Standing().add(b"tag", 0, -6000, long=True)


def judged(uid, crossing, direction=Direction.OUT):
    t = round(crossing * SECOND)
    return Judged(uid, direction, t - SECOND, t + SECOND, t, 0.99, t + 3 * SECOND, {})


def test_loads_are_those_close_together_and_of_one_way():
    passes = [judged("A", 1), judged("B", 1.8), judged("C", 4), judged("D", 1.5, Direction.IN), judged("E", 4.2)]
    assert [[j.uid for j in load] for load in loads(passes)] == [["D"], ["A", "B"], ["C", "E"]]


def test_a_stream_of_passes_is_cut_into_loads():
    stream = [judged(f"{n:02}", n * 0.5) for n in range(20)]
    assert [len(load) for load in loads(stream)] == [9, 9, 2]


def test_whereabouts_are_bounded_and_restored():
    whereabouts = Whereabouts()
    for n in range(MAX_TAGS + 1):
        whereabouts.passed(n.to_bytes(4, "big"), None)
    assert len(whereabouts.dump()) <= MAX_TAGS
    newest = MAX_TAGS.to_bytes(4, "big")
    other = Whereabouts()
    other.load(whereabouts.dump()[-5:])
    assert other.there(newest, None)
    assert not other.there(newest, "vault")
    other.lose(newest)
    assert not other.there(newest, None)


def test_twice_the_same_way_needs_ten_times_the_odds():
    assert again(0.99) == pytest.approx(0.908, abs=0.001)
    assert again(0.9) < 0.5


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
            "    beams: [{reader: r2, port: 1, side: inside}]\n",
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
    eyes = "    beams: [{reader: r1, port: 1, side: inside}, {reader: r1, port: 2, side: outside}]\n"
    file = tmp_path / "eyes.yaml"
    inputs = "    inputs: [{port: 1}, {port: 2}]\n"
    text = SITE.replace("    outside: null\n", eyes).replace("      - {port: 2, portal: door, side: outside}\n", "")
    file.write_text(text.replace("    host: r1.local\n", "    host: r1.local\n" + inputs))
    assert len(load(file).portals[0].beams) == 2


def test_a_portal_changes_the_digest(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    config = load(file)
    other = config.model_copy(update={"portals": [config.portals[0].model_copy(update={"certainty": 0.95})]})
    assert other.digest() != config.digest()


# ---- what goes with a load


def test_who_comes_and_goes_with_a_load_and_leans_its_way_is_on_it():
    load = [judged(name, crossing) for name, crossing in (("A", 1), ("B", 1.5), ("C", 2))]

    def doubtful(crossing, confidence, leaning=Direction.OUT):
        found = judged("X", crossing, Direction.UNDETERMINED)
        found.confidence, found.leaning = confidence, leaning
        return found

    taken = [doubtful(1.8, 0.7), doubtful(1.8, 0.4), doubtful(1.8, 0.7, Direction.IN), doubtful(9, 0.7)]
    assert [j is taken[0] for j, _ in with_their_load(load, taken, 0.9)] == [True]
    assert list(with_their_load(load[:2], taken, 0.9)) == []
