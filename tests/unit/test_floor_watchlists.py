"""Watch lists on the floor: alarmed is what presence and passes say, at once for every new place, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.clock import SECOND
from gateway.events.envelope import ALARM, Fact
from gateway.floor import Floor
from gateway.inputs import ClockStep, Command, Input
from tests.support.floor_scene import at, config, epc, moved, of_type, read, run, standing, ticked, when

ZONES = ["cage", "staging", "vault"]
TAG = 7


def site(**changes: Any) -> Any:
    """A cage, staging and a vault, an antenna each of one reader; quarantined tags belong into the cage."""
    return config(
        zones=[{"id": zone} for zone in ZONES],
        readers=[
            {
                "id": "r1",
                "driver": "llrp",
                "antennas": [{"port": port, "zone": zone} for port, zone in enumerate(ZONES, 1)],
            }
        ],
        watch=[{"name": "quarantine", "allowed": ["cage"], "repeat": 300.0}, {"name": "destroyed", "repeat": 300.0}],
        **changes,
    )


def watched(reads: list[Any], until: float, *, name: str = "quarantine") -> list[tuple[str, str, float]]:
    """What is said of the tag: state of the alarm, zone, and when in seconds of the scene."""
    command: Input = Command(at(0.5), "watch", {"list": name, "uids": [epc(TAG).hex().upper()]})
    facts: list[Fact] = run(ticked([command, *reads], until), Floor(site()))
    return [
        (fact.data["state"], fact.data["zone"], round((fact.time - at(0)) / 1e6, 1)) for fact in of_type(facts, ALARM)
    ]


def stand(zone: str, start: float, end: float, rssi: int = -50, every: float = 0.5) -> list[Any]:
    return list(standing(start, end, "r1", ZONES.index(zone) + 1, TAG, rssi, every))


def test_a_clock_that_is_set_forward_does_not_bring_it_back_to_its_place_for_longer():
    """It is back in the cage for less than thirty seconds when the clock is set: the rest is waited for."""
    jump = 3600
    later = [moved(item, jump * SECOND) for item in ticked(stand("cage", 80, 140), 140) if when(item) > at(80)]
    items = ticked([*stand("cage", 1, 20), *stand("vault", 20, 60), *stand("cage", 60, 80)], 80)
    floor, step = Floor(site()), ClockStep(at(80 + jump), jump * SECOND, jump * SECOND, "set")
    floor.feed(Command(at(0.5), "watch", {"list": "quarantine", "uids": [epc(TAG).hex().upper()]}))
    facts = of_type(run([*items, step, *later], floor), ALARM)
    (cleared,) = [fact for fact in facts if fact.data["state"] == "cleared"]
    assert cleared.time == at(90 + jump), "it had moved at 60 s"


def test_from_a_bad_place_to_a_worse_one_is_said_at_once():
    """Cage, staging, vault: nobody waits for `repeat` before the vault is named."""
    said = watched([*stand("cage", 1, 60), *stand("staging", 60, 120), *stand("vault", 120, 240)], 240)
    assert [(state, zone) for state, zone, _ in said] == [("raised", "staging"), ("raised", "vault")]
    assert 60 <= said[0][2] <= 85
    assert 120 <= said[1][2] <= 145


def test_strays_of_a_neighbour_alarm_nobody():
    strays = [read(second, "r1", 2, TAG, -71) for second in range(20, 600, 20)]
    assert watched([*stand("cage", 1, 600, -60), *strays], 600) == []


def test_a_stray_before_the_first_read_in_its_cage_alarms_nobody():
    assert watched([read(1, "r1", 2, TAG, -75), *stand("cage", 1.3, 20)], 20) == []


def test_two_readers_that_hear_it_alike_do_not_shout():
    said = watched([*stand("cage", 1, 370, -62, 0.2), *stand("staging", 1.1, 370, -62, 0.2)], 370)
    assert len(said) <= 2


def test_back_in_the_cage_for_a_while_it_is_cleared():
    said = watched([*stand("cage", 1, 60), *stand("staging", 60, 120), *stand("cage", 120, 240)], 240)
    assert [(state, zone) for state, zone, _ in said] == [("raised", "staging"), ("cleared", "staging")]
    assert 145 <= said[1][2] <= 185


@pytest.mark.parametrize("zone", ZONES)
def test_a_destroyed_tag_is_an_alarm_wherever_it_arrives(zone: str):
    said = watched(stand(zone, 5, 20), 20, name="destroyed")
    assert [(state, place) for state, place, _ in said] == [("raised", zone)]
    assert said[0][2] <= 8
