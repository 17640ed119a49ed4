"""The harness as a whole: scenes can be played, weighed and printed, twice the same; a judge that errs is found out."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from benchmarks.accuracy import scenes_doors, scenes_rooms
from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.judge import Movement, Said, Verdict
from benchmarks.accuracy.run import SCENES
from benchmarks.accuracy.score_counts import score_counts
from benchmarks.accuracy.score_passes import score_groups, score_passes
from benchmarks.accuracy.score_presence import score_presence
from benchmarks.accuracy.tally import play
from benchmarks.radio import run
from gateway.config import Config
from gateway.recording.read import open_reads, read_items
from gateway.replay import replay
from tests.support.claims import some

BY_NAME = {scene.name: scene for scene in SCENES}


@pytest.fixture(scope="module")
def two_ways():
    trial = scenes_doors._two_way(Random("two ways"))
    return trial, run(trial.world, "two ways")


def oracle(played, *, flip=False, confidence=0.9):
    """A judge that knows the truth, and one that says the opposite."""
    other = {"in": "out", "out": "in"}
    return Said(
        verdicts=[
            Verdict(
                t.uid,
                t.doorway,
                other.get(t.direction, t.direction) if flip else t.direction,
                confidence,
                t.start,
                t.end,
                (t.crossings[-1][0] if t.crossings else t.end) + 9.0,
                None,
            )
            for t in played.truth.transits
        ]
    )


@pytest.mark.parametrize(("flip", "result"), [(False, "right"), (True, "wrong")])
def test_the_oracle_is_right_and_its_opposite_wrong(two_ways, flip, result):
    trial, played = two_ways
    outcomes = score_passes(trial, played, oracle(played, flip=flip))
    assert {outcome.result for outcome in outcomes} - {"unread"} == {result}
    assert {held for outcome in outcomes for _, held in outcome.confidences} == {not flip}
    assert all(outcome.delay == pytest.approx(9.0) for outcome in some(outcomes) if outcome.delay is not None)


def test_who_says_nothing_is_silent_and_who_has_no_portals_unjudged(two_ways):
    trial, played = two_ways
    assert {outcome.result for outcome in score_passes(trial, played, Said())} <= {"silent", "unread"}
    assert {outcome.result for outcome in score_passes(trial, played, Said(judged=False))} <= {"unjudged", "unread"}


def test_a_passage_at_the_other_dock_is_found_out():
    trial = scenes_doors._adjacent(Random("adjacent"))
    trial.world.end = 25.0
    played = run(trial.world, "adjacent")
    said = oracle(played)
    moved = next(t for t in played.truth.transits if t.direction in ("in", "out"))
    other = {"door-1": "door-2", "door-2": "door-1"}[moved.doorway]
    read = {seen.epc.hex().upper() for seen in played.reads["r1" if other == "door-1" else "r2"]}
    assert moved.uid in read, "the trial is of no use where the other dock does not hear the tag"
    clean = [o for o in score_passes(trial, played, said) if o.row == "at the other door"]
    said.verdicts.append(Verdict(moved.uid, other, "in", 0.9, moved.start, moved.end, moved.end, None))
    wrong = [o for o in score_passes(trial, played, said) if o.row == "at the other door" and o.false_passage]
    assert clean
    assert not any(o.false_passage for o in some(clean))
    assert len(wrong) == 1


def test_standing_stock_that_is_muted_is_right_and_moved_is_wrong():
    trial = scenes_doors._standing(Random("standing"))
    trial.world.tags = trial.world.tags[:2] + trial.world.tags[-5:]
    trial.world.end = 15.0
    played = run(trial.world, "standing")
    moving = Said(verdicts=[v for v in oracle(played).verdicts if v.direction != "standing"])
    standing = [o for o in score_passes(trial, played, moving) if o.row == "standing" and o.result != "unread"]
    assert standing
    assert {outcome.result for outcome in standing} == {"right"}
    stock = next(t for t in played.truth.transits if t.direction == "standing")
    moving.verdicts.append(Verdict(stock.uid, "door", "out", 0.8, 5.0, 9.0, 9.0, None))
    assert sum(o.false_passage for o in score_passes(trial, played, moving)) == 1


def test_groups_count_members_and_strangers():
    trial = scenes_doors._carts(Random("carts"))
    trial.world.tags = trial.world.tags[:5]
    played = run(trial.world, "carts")
    read = {seen.epc.hex().upper() for seen in played.reads["r1"]}
    members = sorted(trial.groups[0] & read)
    said = Said(groups=[{"members": [*members[:-1], "STRANGER"]}])
    best = score_groups(trial, played, said)[0]
    assert (best.members, best.listed, best.foreign) == (len(members), len(members) - 1, 1)


@pytest.fixture(scope="module")
def leaving():
    trial = scenes_rooms._leaving(Random("leaving"))
    return trial, run(trial.world, "leaving")


def test_presence_false_departures_and_delays(leaving):
    trial, played = leaving
    leavings = list(played.truth.leavings())
    true = [Movement(uid, "departed", zone, None, 0.9, when, when + 30.0) for uid, zone, when in leavings]
    uid, zone, when = leavings[0]
    early = [
        Movement(uid, "departed", zone, None, 0.9, when - 60.0, when - 60.0),
        Movement(uid, "arrived", None, zone, 0.9, when - 50.0, when - 50.0),
    ]
    moved = [Movement(uid, "moved", zone, "elsewhere", 0.9, when - 55.0, when - 55.0)]
    clean = score_presence(trial, played, Said(movements=true))["floor"]
    assert (clean.false_departed, clean.false_moved, clean.departed) == (0, 0, clean.leavings)
    assert set(map(round, clean.departed_delays)) == {30}
    dirty = score_presence(trial, played, Said(movements=early + moved + true))["floor"]
    assert (dirty.false_departed, dirty.false_moved) == (1, 1)


def test_shorter_timeouts_are_faster_and_falser(leaving):
    trial, played = leaving
    scores = score_presence(trial, played, Said())
    false = [scores[f"timeout {t} s"].false_departed for t in (10, 30, 60)]
    assert false[0] > false[1] > false[2]


@pytest.mark.slow
def test_counts_are_held_against_the_shelf():
    scene = BY_NAME["shelf of 97, 1 antenna"]
    trial = scene.build(Random("shelf"))
    trial.world.end = 12.0
    played = run(trial.world, "shelf")
    count = {
        "zone": "shelf",
        "started": "2023-11-14T22:13:25.000000Z",
        "ended": "2023-11-14T22:13:30.000000Z",
        "population": 90,
        "estimate": 96.5,
        "interval": [92, 99],
    }
    (outcome,) = score_counts(trial, played, Said(counts=[count]))
    assert (outcome.true, outcome.population, outcome.estimate, outcome.lasted) == (97, 90, (96.5, 92, 99), 5.0)
    assert 70 < outcome.read <= 97


@pytest.mark.slow
def test_the_same_trial_twice_is_the_same_outcome():
    scene = BY_NAME["two ways at once"]
    first = play(scene, 0, "1")
    assert first == play(scene, 0, "1")
    assert first != play(scene, 1, "1")


def test_scenes_have_names_of_their_own():
    assert len(BY_NAME) == len(SCENES)


@pytest.mark.parametrize("name", BY_NAME)
def test_scenes_can_be_built_and_their_configuration_holds(name):
    trial = BY_NAME[name].build(Random(name))
    Config.model_validate(trial.config)
    assert trial.world.tags
    assert trial.world.end > max(point[0] for tag in trial.world.tags for point in tag.path.points)


def test_main_prints_tables_and_writes_json(tmp_path, capsys):
    file = tmp_path / "figures.json"
    arguments = ["--scene", "two ways at once", "--trials", "1", "--jobs", "1", "--json", str(file)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "weighted time" in printed
    figures = json.loads(file.read_text())["scenes"]["two ways at once"]
    assert figures["trials"] == 1
    assert sum(figures["passes"]["passing"]["rules"]["first seen"].values()) >= 2


def test_other_physics_are_others_for_each_site_and_the_same_for_a_seed(capsys):
    arguments = ["--scene", "by hand, fast (1.6-2.5 m/s)", "--trials", "2", "--jobs", "1"]
    printed = []
    for more in ([], ["--other-physics"], ["--other-physics"]):
        assert main([*arguments, *more]) == 0
        printed.append(capsys.readouterr().out.split("\n", 1)[1])
    usual, other, again = printed
    assert usual != other == again
    assert "| carried by hand: decided | 80 % |" in other
    assert "turned around" not in other


def test_a_trial_on_disk_is_the_trial_with_its_truth_beside_it(tmp_path, capsys):
    assert main(["--scene", "two ways at once", "--trials", "1", "--write", str(tmp_path)]) == 0
    place = Path(capsys.readouterr().out.strip())
    config = load_plain(place / "config.yaml")
    with open_reads(place / "reads.jsonl") as lines:
        from_disk = [event.payload for event in replay(config, read_items(lines))]
    trial = BY_NAME["two ways at once"].build(Random("1/two ways at once/0"))
    played = run(trial.world, "1/two ways at once/0")
    assert from_disk == [event.payload for event in replay(config, played.items)]
    truth = json.loads((place / "truth.json").read_text())
    assert [one["direction"] for one in truth["passes"]] == [t.direction for t in played.truth.transits]
    assert set(truth["zones"]) == {tag.uid for tag in trial.world.tags}


def load_plain(path):
    return Config.model_validate_json(path.read_text())


def test_main_says_that_there_is_no_such_scene(capsys):
    assert main(["--scene", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
