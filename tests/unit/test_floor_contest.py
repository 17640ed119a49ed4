"""When another zone takes a tag over: a lasting change of the mean, and nothing less."""

from __future__ import annotations

import random

import pytest

from gateway.clock import SECOND
from gateway.config import PresenceConfig
from gateway.floor import Floor
from gateway.floor.presence.contest import GROWTH, LEAST_WINDOWS, OPENING, SETTLED, Contest, Rival
from tests.support.floor_scene import alive, config, epc, read, run, standing, story, ticked, up


def noisy_border(seed: int, seconds: int) -> list:
    """Both zones hear the tag alike. Each level stays for a heavy-tailed while and is another one then."""
    chance = random.Random(seed)
    items, until, level = [*up()], {"r1": 0.0, "r2": 0.0}, {"r1": -60.0, "r2": -60.0}
    for step in range(seconds):
        for reader in ("r1", "r2"):
            if step >= until[reader]:
                until[reader] = step + min(2 * chance.paretovariate(1.3), 600)
                level[reader] = -60 + chance.gauss(0, 3)
            if chance.random() < 0.5:
                items.append(read(step + chance.random(), reader, 1, 7, round(level[reader] + chance.gauss(0, 1))))
    return items


@pytest.mark.slow
def test_a_tag_that_two_zones_hear_alike_moves_now_and_then_only():
    """There is nothing in the reads by which it could be told where it is."""
    stories = [story(run(ticked(noisy_border(seed, 3000), 3000, SECOND))) for seed in range(3)]
    kinds = [entry[0] for found in stories for entry in found]
    assert set(kinds) <= {"arrived", "moved"}
    assert kinds.count("arrived") == 3
    assert kinds.count("moved") <= 12


@pytest.mark.parametrize(("stood", "within"), [(20, 25), (120, 15), (1200, 12)])
def test_a_tag_that_is_carried_over_moves_within_seconds(stood, within):
    items = [
        *up(),
        *alive(0, stood + within, "r1"),
        *standing(1, stood, "r1", 1, 7, -60),
        *standing(stood, stood + within, "r2", 1, 7, -55),
    ]
    facts = run(ticked(items, stood + within + 1))
    assert story(facts) == [("arrived", "vault", 1.0), ("moved", "dock", pytest.approx(stood, abs=1))]


def test_it_is_not_called_unseen_while_another_zone_sees_it():
    """The other zone hears it more faintly at first: it is not clear yet where it is, but it is in sight."""
    items = [
        *up(),
        *alive(0, 130, "r1"),
        *standing(1, 60, "r1", 1, 7, -40, every=0.25),
        *standing(60, 130, "r2", 1, 7, -75),
    ]
    assert [entry[:2] for entry in story(run(ticked(items, 131)))] == [("arrived", "vault"), ("moved", "dock")]


def test_a_lead_that_came_to_nothing_leaves_nothing_behind():
    rival = Rival(0, -6000.0, 0)
    for t in range(60):
        rival.weigh(15.0, 3.0, t * SECOND)
    assert rival.lead == pytest.approx(59 * 12)
    for t in range(60, 120):
        rival.weigh(-20.0, 3.0, t * SECOND)
    assert (rival.lead, rival.windows, rival.reads) == (0, 0, 0)


def test_the_threshold_grows_with_the_logarithm_of_the_stay():
    rule = Contest(PresenceConfig())
    stays = [0.0, SETTLED, 3 * SETTLED, 7 * SETTLED]
    needed = [rule.needed(round(stay * SECOND)) for stay in stays]
    assert needed == [pytest.approx(OPENING + GROWTH * n * 0.6931, rel=1e-3) for n in range(4)]


def test_a_look_stands_for_two_seconds_however_long_the_next_one_takes():
    rival = Rival(0, -6000.0, 0)
    rival.weigh(13.0, 3.0, 60 * SECOND)
    assert rival.lead == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("windows", "against", "won"), [(LEAST_WINDOWS, 0, True), (LEAST_WINDOWS - 1, 0, False), (8, 17, False)]
)
def test_a_rival_must_have_seen_the_tag_often_enough(windows, against, won):
    rule, rival = Contest(PresenceConfig()), Rival(0, -5000.0, 0)
    rival.first, rival.last, rival.windows, rival.against, rival.lead = 1, 10 * SECOND, windows, against, 500.0
    assert rule.won(rival, -7000.0, 0, 10 * SECOND) == won


def test_a_longer_lead_is_surer():
    rule = Contest(PresenceConfig())
    rival = Rival(0, -5000.0, 0)
    rival.first = 1
    sure = []
    for ahead in (4.0, 6.0, 8.0, 12.0):
        rival.lead = (ahead - 3.0) * 10
        sure.append(rule.confidence(rival, 10 * SECOND + 1))
    assert sure == sorted(sure)
    assert sure[0] < 0.5 < sure[1]
    assert sure[-1] > 0.99


def test_to_and_fro_every_time():
    """Each way takes as long as the first: what was shown before does not hold the tag where it is."""
    items, stay = [*up()], 60
    for leg in range(6):
        begin = 1 + leg * stay
        near, far = ("r1", "r2") if leg % 2 == 0 else ("r2", "r1")
        items += [*alive(begin, begin + stay, near), *standing(begin, begin + stay, near, 1, 7, -55)]
        items += standing(begin, begin + stay, far, 1, 7, -63)
    moves = [entry for entry in story(run(ticked(items, 1 + 6 * stay))) if entry[0] == "moved"]
    assert [round(t) for _, _, t in moves] == [pytest.approx(1 + leg * stay, abs=4) for leg in range(1, 6)]


def test_a_tag_that_came_back_after_it_was_taken_to_have_departed_is_waited_for_longer():
    items, starts = [*up(), *alive(0, 500, "r2")], (1, 100, 200)
    for start in starts:
        items += standing(start, start + 20, "r2", 1, 7)
    facts = run(ticked(items, 400))
    windows = [fact.data["evidence"]["expected_within_s"] for fact in facts if fact.data["movement"] == "not_seen"]
    assert windows[0] < 30
    assert windows[1] > windows[0] + 75
    assert [t for what, _, t in story(facts) if what == "departed"] == [
        pytest.approx(when, abs=2) for when in (67, 355)
    ]


def test_a_tag_that_was_away_for_longer_than_any_silence_is_new():
    settings = PresenceConfig(longest=60.0).model_dump()
    items = [*up(), *alive(0, 300, "r2"), *standing(1, 20, "r2", 1, 7), *standing(200, 220, "r2", 1, 7)]
    facts = run(ticked(items, 300), Floor(config(presence=settings)))
    assert [entry[0] for entry in story(facts)].count("departed") == 2


def test_what_departed_tags_were_like_is_bounded_and_survives_a_restart(monkeypatch):
    monkeypatch.setattr("gateway.floor.presence.silence.MAX_GONE", 3)
    items = [*up(), *alive(0, 100, "r2")]
    for tag in range(6):
        items += standing(1 + tag, 20 + tag, "r2", 1, tag)
    floor, other = Floor(config()), Floor(config())
    run(ticked(items, 100), floor)
    other.restore(floor.checkpoint())
    gone = other._presence.gone.dump()
    assert gone == floor._presence.gone.dump()
    assert [entry[0] for entry in gone] == [epc(tag).hex() for tag in (3, 4, 5)]
