"""Passes by example: which way tags went through a door, and when nothing is said of it."""

from __future__ import annotations

from random import Random

import pytest

from drivers.api import AntennaStatus, ReaderDown, ReaderUp
from gateway.clock import SECOND
from gateway.events.envelope import ALARM, GENESIS, MOVEMENT, seal
from gateway.events.payloads import MODELS
from gateway.floor import Floor
from gateway.floor.passes import Direction
from gateway.inputs import Restart, Tick
from gateway.replay import replay_facts
from tests.support.floor_scene import T0, at, read, run, ticked
from tests.support.portal_scene import (
    IN,
    NEAR,
    OUT,
    STANDING,
    TURNED,
    carried,
    eye,
    later,
    name,
    passes,
    portal_site,
    the,
)


def judged(items, until=30.0, site=None, floor=None):
    return run(ticked(items, until), floor or Floor(site or portal_site()))


@pytest.mark.parametrize(("points", "direction"), [(OUT, "out"), (IN, "in")])
@pytest.mark.parametrize("seed", range(5))
def test_a_tag_that_goes_through(points, direction, seed):
    (fact,) = the(judged(carried(points, seed=seed)), "passed")
    assert fact.data["direction"] == direction
    assert fact.place == "door"
    assert fact.data["confidence"] >= 0.9
    assert fact.data["group"] is None
    assert abs(fact.time - at(4)) < SECOND  # at the door after four seconds
    ways = {"out": ("vault", "dock"), "in": ("dock", "vault")}
    assert (fact.data["from"], fact.data["to"]) == ways[direction]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("points", [TURNED, NEAR, [(0, -5), (5, 0.8), (10, -5)], [(0, 5), (8, 0.5), (10, 5)]])
def test_a_tag_that_turns_around_has_not_passed(points, seed):
    (said,) = [direction for _, direction in passes(judged(carried(points, seed=seed)))]
    assert said in ("turned_back", "undetermined")


@pytest.mark.parametrize("points", [TURNED, [(0, -5), (5, 0.8), (10, -5)]])
def test_a_tag_that_was_across_and_came_back_has_returned(points):
    found = [passes(judged(carried(points, seed=seed)))[0][1] for seed in range(10)]
    assert found == ["turned_back"] * 10


@pytest.mark.parametrize("wait", [8, 60])
@pytest.mark.slow
def test_a_tag_that_waits_before_the_door_and_goes_through_has_not_returned(wait):
    site = portal_site(portals=[{"id": "door", "inside": "vault", "outside": "dock", "longest": 120}])
    facts = judged(carried([(0, 5), (3, 2), (3 + wait, 2), (8 + wait, -5)]), until=wait + 60, site=site)
    (fact,) = the(facts, "passed")
    assert fact.data["direction"] == "out" or (wait == 60 and fact.data["direction"] == "undetermined")


def test_unequal_antennas_count_alike():
    """One side is 12 dB weaker than the other."""
    reads = [*carried(OUT, ports=[(1, 0.6)]), *carried(OUT, ports=[(2, -0.6)], gain=-12)]
    assert passes(judged(reads)) == [("01", "out")]


@pytest.mark.parametrize("weaker", [20, 25, 30])
@pytest.mark.parametrize("port", [1, 2])
def test_a_side_that_hardly_hears_a_tag_takes_no_passage_for_a_return(port, weaker):
    """The tag is stuck on metal, or a cable is bad: 20 dB and more between the sides."""
    reads = []
    for number, place in ((1, 0.6), (2, -0.6)):
        reads += carried(OUT, every=0.3, ports=[(number, place)], gain=-weaker if number == port else 0.0)
    (fact,) = the(judged(reads), "passed")
    assert fact.data["direction"] in ("out", "undetermined")


def test_one_read_decides_nothing():
    (fact,) = the(judged([read(1, "r1", 1, 1, -50)]), "passed")
    assert fact.data["direction"] == "undetermined"


def test_two_strong_reads_in_order_decide_nothing():
    (fact,) = the(judged([read(1, "r1", 1, 1, -40), read(2.5, "r1", 2, 1, -40)]), "passed")
    assert fact.data["direction"] == "undetermined"
    assert fact.data["evidence"]["leaning"] == "out"


def test_one_side_only_decides_nothing():
    (fact,) = the(judged(carried(OUT, ports=[(1, 0.6)])), "passed")
    assert fact.data["direction"] == "undetermined"
    assert fact.data["evidence"]["sides"]["outside"] is None


# ---- standing stock


def test_standing_stock_is_said_once():
    facts = judged(carried(STANDING), until=100)
    assert passes(facts) == [("01", "standing")]


def test_stock_that_is_read_now_and_then_is_learned():
    """Ten spells of a second, a minute apart."""
    spells = [list(carried([(60 * n, 2.0), (60 * n + 1, 2.0)], seed=n)) for n in range(10)]
    facts = judged([batch for spell in spells for batch in spell], until=620)
    assert [direction for _, direction in passes(facts)] == ["undetermined", "undetermined", "standing"]


def test_a_person_in_the_way_of_standing_stock_is_no_pass():
    """One side is 15 dB weaker for the second half, then the tag is not read any more."""
    before, after = [(0, 0.2), (40, 0.2)], [(40, 0.2), (60, 0.2)]
    reads = [*carried(before), *carried(after, ports=[(1, 0.6)], gain=-15), *carried(after, ports=[(2, -0.6)])]
    said = [direction for _, direction in passes(judged(reads, until=80))]
    assert said
    assert set(said) <= {"standing", "undetermined"}


@pytest.mark.parametrize("mean", [pytest.param(2, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow), 20])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_what_stands_there_all_day_and_is_read_now_and_then_never_passes(seed, mean):
    """By one side or the other, at levels that wander: it is unclear a few times, and then known to stand there."""
    random = Random(seed)
    reads, t, levels = [], 0.0, [-62.0, -62.0]
    while t < 3600:
        side = random.randrange(2)
        levels[side] += 0.2 * (-62 - levels[side]) + random.gauss(0, 2)
        reads.append(read(t, "r1", 1 + side, 1, round(levels[side] + random.gauss(0, 3))))
        t += random.expovariate(1 / mean)
    said = [direction for _, direction in passes(judged(reads, until=3700))]
    assert "standing" in said
    assert not {"in", "out", "turned_back"} & set(said)
    assert said.count("undetermined") <= 8


def test_standing_stock_that_is_carried_out_has_passed():
    """Or, where that is not certain, it is said that it may have: it is not passed over in silence."""
    facts = the(judged(carried([(0, 2.0), (70, 2.0), (75, -5)]), until=90), "passed")
    assert [fact.data["direction"] for fact in facts][:1] == ["standing"]
    (gone,) = facts[1:]
    assert "out" in (gone.data["direction"], gone.data["evidence"]["leaning"])


@pytest.mark.parametrize("each_way", [3, *(pytest.param(seconds, marks=pytest.mark.slow) for seconds in (4, 5, 6))])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_what_goes_in_and_out_for_half_a_minute_has_not_passed_where_it_came_from(each_way, seed):
    """Its last time out is a pass by itself, but it began out there."""
    points = [(0, -8.0), (6, -2.0)]
    for t in range(6 + each_way, 6 + 9 * each_way, each_way):
        points.append((t, -points[-1][1]))
    reads = carried([*points, (points[-1][0] + 6, -8.0)], seed=seed, noise=4.0, every=0.12)
    said = [direction for _, direction in passes(judged(reads, until=points[-1][0] + 56))]
    assert "undetermined" in said
    assert set(said) <= {"undetermined", "standing"}


@pytest.mark.parametrize("apart", [1.0, 2.5])
@pytest.mark.parametrize("waits", [2, 5, 10, *(pytest.param(long, marks=pytest.mark.slow) for long in (20, 40, 100))])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_what_stands_on_one_side_and_then_on_the_other_has_passed_once(apart, waits, seed):
    """However long it stands there before and after: a shelf beside the door, a bench."""
    points = [(0, -2.5), (waits, -2.5), (waits + 4, 2.5), (2 * waits + 4, 2.5)]
    reads = carried(points, seed=seed, ports=[(1, apart), (2, -apart)], noise=5.0, every=0.2)
    said = [direction for _, direction in passes(judged(reads, until=2 * waits + 40))]
    assert said.count("in") + said.count("undetermined") == 1
    assert not {"out", "turned_back"} & set(said)
    assert waits > 10 or said in (["in"], ["undetermined"])


@pytest.mark.parametrize("apart", [4.0, 6.0])
@pytest.mark.parametrize("speed", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("seed", range(3))
def test_sides_that_are_far_apart_leave_it_unread_in_between(apart, speed, seed):
    ports = [(1, apart), (2, -apart)]
    reads = carried([(0, -10), (20 / speed, 10)], seed=seed, ports=ports, noise=4.0, every=0.2, weakest=-60)
    said = [direction for _, direction in passes(judged(reads, until=20 / speed + 40))]
    assert said[0] in ("in", "undetermined")
    assert set(said) <= {"in", "undetermined", "standing"}


# ---- photo-eyes


def through(start: float, first: int, second: int):
    yield eye(start, first, broken=True)
    yield eye(start + 0.3, second, broken=True)
    yield eye(start + 0.5, first, broken=False)
    yield eye(start + 0.9, second, broken=False)


def test_photo_eyes_decide_where_one_side_saw_the_tag():
    reads = list(carried(OUT, ports=[(1, 0.6)]))
    (fact,) = the(judged([*reads, *through(3.4, 1, 2)], site=portal_site(photo_eyes=True)), "passed")
    assert fact.data["direction"] == "out"
    assert fact.data["evidence"]["photo_eyes"] == "out"
    assert fact.data["confidence"] == 0.95


def test_who_turns_between_the_photo_eyes_has_not_passed():
    reads = list(carried(NEAR, ports=[(1, 0.6)]))
    photo_eyes = [
        eye(4.0, 1, broken=True),
        eye(4.2, 2, broken=True),
        eye(4.6, 2, broken=False),
        eye(4.9, 1, broken=False),
    ]
    assert passes(judged([*reads, *photo_eyes], site=portal_site(photo_eyes=True))) == [("01", "undetermined")]


def test_the_far_photo_eye_ends_the_pass_sooner():
    def said(photo_eyes):
        floor, site = None, portal_site(photo_eyes=True)
        floor = Floor(site)
        for item in ticked([*carried(OUT), *photo_eyes], 30):
            if the(floor.feed(item), "passed"):
                assert isinstance(item, Tick)
                return (item.t - T0) / SECOND
        return None

    assert said(list(through(3.6, 1, 2))) <= said([]) - 1


def test_a_stuck_photo_eye_is_an_alarm_and_is_left_out():
    items = [eye(1, 1, broken=True), *carried(later(OUT, 70)), eye(100, 1, broken=False)]
    facts = judged(items, until=110, site=portal_site(photo_eyes=True))
    alarms = [(fact.data["state"], fact.time) for fact in facts if fact.type == ALARM]
    assert alarms == [("raised", at(61)), ("cleared", at(100))]
    (fact,) = the(facts, "passed")
    assert fact.data["direction"] == "out"
    assert fact.data["evidence"]["photo_eyes_stuck"] == ["r1/1"]


# ---- readers and antennas


def test_an_outage_in_the_middle_of_a_pass_leaves_it_open():
    items = [ReaderUp("r1", at(-1)), *carried([(0, 5), (3.9, 0.2)])]
    items += [ReaderDown("r1", at(4), "cut"), ReaderUp("r1", at(6)), *carried([(6, -2), (8, -5)])]
    facts = judged(items)
    assert {direction for _, direction in passes(facts)} == {"undetermined"}
    assert the(facts, "passed")[0].data["evidence"]["reason"] == "a reader was down"


def test_a_restart_in_the_middle_of_a_pass_leaves_it_open():
    items = [ReaderUp("r1", at(-1)), *carried([(0, 5), (4, 0)]), Restart(at(5), at(4), False)]
    assert passes(judged([*items, ReaderUp("r1", at(5.1))])) == [("01", "undetermined")]


def test_a_dead_antenna_is_named_and_lowers_the_confidence():
    """The same reads, once from antennas that all watch, once while one of them is known not to."""
    site = portal_site(each=2)
    reads = list(carried([(0, 2.0), (3, -2.0)], ports=[(1, 0.6), (2, -0.6), (3, 0.6)], every=0.1))
    items = [ReaderUp("r1", at(0)), *reads]
    (whole,) = the(judged(items, site=site), "passed")
    dead = AntennaStatus("r1", at(0), 4, False, "no antenna")
    (crippled,) = the(judged([*items, dead], site=site), "passed")
    assert whole.data["direction"] == crippled.data["direction"] == "out"
    assert whole.data["evidence"]["antennas_down"] == []
    assert crippled.data["evidence"]["antennas_down"] == ["r1/4"]
    assert crippled.data["evidence"]["likelihood"] == whole.data["evidence"]["likelihood"]
    assert crippled.data["confidence"] < whole.data["confidence"]


# ---- groups


def test_a_pallet_is_one_group_and_standing_stock_is_its_stray():
    stock = list(carried([(0, 2.5), (80, 2.5)], tag=99))
    pallet = [batch for tag in range(1, 21) for batch in carried(later(OUT, 50 + tag / 20), tag, every=0.2)]
    facts = judged([*stock, *pallet], until=100)
    (group,) = the(facts, "group_passed")
    assert group.data["members"] == [name(tag) for tag in range(1, 21)]
    assert group.data["strays"] == [name(99)]
    assert group.data["direction"] == "out"
    members = [fact for fact in the(facts, "passed") if fact.data["direction"] == "out"]
    assert {fact.data["group"] for fact in members} == {group.data["group"]}


def test_two_loads_that_cross_are_two_groups():
    out = [batch for tag in (1, 2, 3) for batch in carried(OUT, tag)]
    into = [batch for tag in (4, 5, 6) for batch in carried(IN, tag)]
    groups = the(judged([*out, *into]), "group_passed")
    found = {group.data["direction"]: group.data["members"] for group in groups}
    assert found == {"out": [name(1), name(2), name(3)], "in": [name(4), name(5), name(6)]}


@pytest.mark.parametrize("early", [[1], [1, 3]])
def test_a_member_that_stays_in_sight_is_said_later_and_is_in_the_group(early):
    """The last package is put down just outside and read there for some seconds more."""
    reads = [batch for tag in early for batch in carried(OUT, tag)]
    reads += carried([(0, 5), (6.8, -3.5), (13, -3.5)], 2)
    facts = judged(reads, until=40)
    said = [fact.data["uid"] for fact in the(facts, "passed")]
    assert sorted(said[:-1]) == [name(tag) for tag in early]
    assert said[-1] == name(2)
    (group,) = the(facts, "group_passed")
    assert group.data["members"] == sorted(said)
    groups = [fact.data["group"] for fact in the(facts, "passed")]
    assert groups[1:] == [group.data["group"]] * len(early)  # the first may be said before there is another


def test_what_is_read_little_goes_with_its_load():
    """Five packages that are read well, and one that is seen for a moment only: by itself it is not certain enough."""
    glimpses = list(carried([(2.4, 0.3), (5.4, -0.3)], 6, every=0.9))
    (alone,) = the(judged(glimpses), "passed")
    assert (alone.data["direction"], alone.data["evidence"]["leaning"]) == ("undetermined", "out")
    load = [batch for tag in range(1, 6) for batch in carried(OUT, tag)]
    facts = judged([*load, *glimpses])
    found = {fact.data["uid"]: fact.data for fact in the(facts, "passed")}[name(6)]
    assert (found["direction"], found["evidence"]["reason"]) == ("out", "with its load")
    assert found["evidence"]["companions"] == 5
    assert the(facts, "group_passed")[0].data["number"] == 6


def test_what_goes_back_while_a_load_goes_out_is_not_of_the_load():
    load = [batch for tag in range(1, 6) for batch in carried(OUT, tag)]
    facts = judged([*load, *carried([(0, 5), (4, 0.8), (8, 5)], 6)])
    assert dict(passes(facts))["06"] in ("turned_back", "undetermined")
    (group,) = the(facts, "group_passed")
    assert name(6) not in group.data["members"]
    assert name(6) in group.data["strays"]


def test_two_hundred_tags_at_once_are_judged_together():
    """Half a second after the last of them is taken to have left at the latest."""
    facts = judged([batch for tag in range(200) for batch in carried([(0, 2.5), (3, -2.5)], tag, every=0.3)])
    found = the(facts, "passed")
    assert len(found) == 200
    assert {fact.data["direction"] for fact in found} == {"out"}
    (group,) = the(facts, "group_passed")
    assert group.data["number"] == 200


# ---- one after the other


def test_ins_and_outs_alternate_unless_one_is_beyond_doubt():
    """Twice out, and nothing in between: the second is taken back to how likely it is that the way in was missed."""
    site = portal_site(portals=[{"id": "door", "inside": "vault", "outside": "dock", "certainty": 0.992}])
    items = [batch for n in range(2) for batch in carried(later(OUT, 30 * n), seed=n, noise=1.0)]
    first, second = the(judged(items, until=80, site=portal_site()), "passed")
    assert first.data["direction"] == "out"
    assert second.data["confidence"] < first.data["confidence"]
    assert second.data["evidence"]["reason"] == "the same way as the time before"
    strict = passes(judged(items, until=80, site=site))
    assert strict[1] == ("01", "undetermined")


def test_in_and_out_again():
    items = [*carried(IN), *carried(later(OUT, 30), seed=2), *carried(later(IN, 60), seed=3)]
    assert [direction for _, direction in passes(judged(items, until=90))] == ["in", "out", "in"]


# ---- presence


def story(facts):
    keys = ("arrived", "moved", "departed", "not_seen")
    return [(f.data["movement"], f.data["from"], f.data["to"]) for f in facts if f.data.get("movement") in keys]


def test_a_pass_tells_where_the_tag_is_and_no_silence_takes_it_back():
    facts = judged([*carried(IN), *carried(later(OUT, 300), seed=2)], until=400)
    assert story(facts) == [("arrived", None, "vault"), ("moved", "vault", "dock")]
    moved = the(facts, "moved")[0]
    assert moved.data["portal"] == "door"
    assert moved.data["evidence"]["algorithm"] == "pass/8"


def test_out_of_the_site_is_a_departure_at_once():
    site = portal_site(
        zones=[{"id": "vault"}],
        portals=[{"id": "door", "inside": "vault", "outside": None}],
    )
    floor = Floor(site)
    facts = judged([*carried(IN), *carried(later(OUT, 30), seed=2), *carried(later(IN, 60), seed=3)], 90, floor=floor)
    assert story(facts) == [("arrived", None, "vault"), ("departed", "vault", None), ("arrived", None, "vault")]
    assert floor.zone_state("vault")["population"] == 1


def test_nothing_is_said_twice_where_the_zone_has_seen_the_tag_already():
    """The dock has an antenna of its own, which sees the tag before the pass is over."""
    readers = [
        {"id": "r1", "driver": "llrp", "antennas": [
            {"port": 1, "portal": "door", "side": "inside"}, {"port": 2, "portal": "door", "side": "outside"}
        ]},
        {"id": "r2", "driver": "llrp", "antennas": [{"port": 1, "zone": "dock"}]},
    ]  # fmt: skip
    dock = [read(6 + n / 4, "r2", 1, 1, -55) for n in range(60)]
    facts = judged([*carried(OUT), *dock], 21, site=portal_site(readers=readers))
    assert story(facts) == [("arrived", None, "dock")]
    assert passes(facts) == [("01", "out")]


def test_a_tag_that_is_given_up_while_it_waits_makes_room_for_another():
    site = portal_site(
        zones=[{"id": "vault"}, {"id": "shelf"}],
        portals=[{"id": "door", "inside": "shelf", "outside": None}],
        readers=[
            {"id": "r1", "driver": "llrp", "antennas": [
                {"port": 1, "portal": "door", "side": "inside"}, {"port": 2, "portal": "door", "side": "outside"}
            ]},
            {"id": "r2", "driver": "llrp", "antennas": [{"port": 1, "zone": "vault"}]},
        ],
    )  # fmt: skip
    floor = Floor(site)
    stay = [read(n / 2, "r2", 1, 1, -50) for n in range(30)]
    facts = judged([*stay, *carried(later(OUT, 10))], 400, floor=floor)
    assert story(facts) == [("arrived", None, "vault"), ("departed", "vault", None)]
    assert len(floor._presence.tags.free) == 1


# ---- what is handed on


def test_passes_are_handed_to_whoever_wants_them():
    floor, taken = Floor(portal_site()), []
    floor._portals.on_pass(lambda found: taken.append(found) or [])
    judged(carried(OUT), floor=floor)
    (found,) = taken
    assert (found.uid, found.portal, found.direction) == (name(1), "door", Direction.OUT)
    assert T0 <= found.start < found.end


def test_what_is_published_fits_its_model():
    pallet = [batch for tag in (1, 2, 3) for batch in carried(OUT, tag)]
    facts = [fact for fact in judged([*pallet, read(5, "r1", 1, 9, -60)]) if fact.type == MOVEMENT]
    assert {fact.data["movement"] for fact in facts} == {"passed", "group_passed", "arrived"}
    for fact in facts:
        MODELS[MOVEMENT].model_validate_json(seal(fact, "/rfid/site/gw", "e", 1, GENESIS).payload)


def test_a_recording_that_ends_in_the_middle_is_judged_by_what_there_is():
    assert passes(replay_facts(portal_site(), carried(OUT))) == [("01", "out")]


def test_a_tag_passes_through_the_nearer_of_two_doors_only():
    """The door beside it hears everything too, 10 dB weaker."""
    doors = [{"id": name, "inside": "vault", "outside": "dock"} for name in ("door", "next")]
    antennas = [
        {"port": port, "portal": "door" if port < 3 else "next", "side": "inside" if port % 2 else "outside"}
        for port in range(1, 5)
    ]
    site = portal_site(portals=doors, readers=[{"id": "r1", "driver": "llrp", "antennas": antennas}])
    reads = [*carried(OUT), *carried(OUT, ports=[(3, 0.6), (4, -0.6)], gain=-10, seed=2)]
    found = {fact.place: fact.data["direction"] for fact in the(judged(reads, site=site), "passed")}
    assert found == {"door": "out", "next": "undetermined"}
