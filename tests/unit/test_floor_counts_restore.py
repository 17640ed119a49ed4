"""Counts outlive the process: a floor that is stopped and restored anywhere states the same counts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.api import AntennaStatus
from gateway.floor import Floor
from gateway.inputs import Command, Input, Tick
from tests.support.floor_scene import alive, at, config, epc, run, standing, ticked, up

UNTIL = 75.0


def site() -> Floor:
    return Floor(
        config(
            zones=[{"id": "vault", "count_every": 20.0}, {"id": "dock", "departs_after": 5.0}],
            counts={"round": 1.0, "plan": [{"zone": "vault", "every": "1h", "at": "00:14"}]},
        )
    )


def scene() -> list[Input]:
    uids = [epc(tag).hex().upper() for tag in range(1, 7)]
    items: list[Input] = [
        *up(),
        *alive(0, UNTIL, "r1"),
        *alive(0, UNTIL, "r2"),
        *standing(1, UNTIL, "r1", 1, 1),
        *standing(1, UNTIL, "r1", 2, 2, every=2.5),
        *standing(1, 20, "r1", 2, 3),
        *standing(44, UNTIL, "r1", 1, 4, every=1.5),
        *standing(1, 20, "r2", 1, 5),
        *standing(30, UNTIL, "r2", 1, 6),
        AntennaStatus("r1", at(48), 2, False, "cut"),
        AntennaStatus("r1", at(53), 2, True, "mended"),
        Command(at(5), "expected", {"zone": "vault", "uids": uids[:5]}),
        Command(at(50), "expected", {"zone": "dock", "uids": uids[3:4]}),
        Command(at(18), "count", {"zone": "dock", "duration": 30, "expected": uids}),
        Command(at(47.3), "count", {"zone": "vault"}),
    ]
    return ticked(items, UNTIL)


ITEMS = scene()
WHOLE = run(ITEMS, site())


def test_the_scene_is_about_every_kind_of_count():
    counts = [fact.data for fact in WHOLE if "trigger" in fact.data]
    assert {data["trigger"] for data in counts} == {"periodic", "command", "calendar"}
    assert {data["rounds"]["ended_by"] for data in counts} == {"no new tags", "duration"}
    missing = [data["expected"]["missing"] for data in counts if data["expected"]]
    assert any(tag["status"] == "departed" for entry in missing for tag in entry["tags"])


@settings(deadline=None, max_examples=12)
@given(st.lists(st.integers(0, len(ITEMS)), min_size=1, max_size=4))
def test_restored_anywhere(cuts):
    facts, floor, parts, begin = [], site(), {}, 0
    for cut in [*sorted(cuts), len(ITEMS)]:
        facts += run(ITEMS[begin:cut], floor)
        parts |= floor.checkpoint()
        floor = site()
        floor.restore(parts)
        begin = cut
    assert facts == WHOLE


@settings(deadline=None, max_examples=9)
@given(st.integers(1, 9))
def test_however_often_time_is_told(every):
    ticks = [item for item in ITEMS if isinstance(item, Tick)]
    told = {ticks[0], ticks[-1], *ticks[::every]}
    assert run([item for item in ITEMS if not isinstance(item, Tick) or item in told], site()) == WHOLE
