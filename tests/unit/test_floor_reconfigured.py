"""A floor that goes on under another configuration: what was going on in places that are gone is said first."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.events.envelope import COUNT, COUNT_SESSION, GENESIS, MOVEMENT, Fact, seal
from gateway.floor import Floor
from gateway.inputs import Command, Input, Tick
from tests.support.floor_scene import alive, at, config, epc, of_type, run, standing, ticked, up, when
from tests.support.portal_scene import OUT, carried, later, portal_site, the

ZONES = [{"id": "vault"}, {"id": "dock"}]


def uid(tag: int) -> str:
    return epc(tag).hex().upper()


def renamed() -> Any:
    """The vault is called another name, and its reader looks at that."""
    antennas = [{"port": 1, "zone": "vault-1"}]
    return config(
        zones=[{"id": "vault-1"}, {"id": "dock"}],
        readers=[
            {"id": "r1", "driver": "llrp", "antennas": antennas},
            {"id": "r2", "driver": "llrp", "antennas": [{"port": 1, "zone": "dock"}]},
        ],
    )


def tell(seconds: float, name: str, **args: Any) -> Command:
    return Command(at(seconds), name, args)


def counting(*zones: str) -> Floor:
    """A floor in which tag 1 stands in the vault, and Dana, who counts `zones`, has read it and tag 7."""
    items: list[Input] = [*up(), *alive(0, 30, "r1"), *alive(0, 30, "r2"), *standing(1, 30, "r1", 1, 1)]
    items += [tell(10, "count.open", zones=list(zones), by="Dana"), tell(12, "count", zone="vault", duration=600.0)]
    items += [tell(20, "reads", reader="sled", uids=[uid(1), uid(7)], by="Dana")]
    floor = Floor(config(zones=ZONES))
    run(ticked(items, 30), floor)
    return floor


def rest(seconds: float) -> list[Input]:
    return [Tick(at(30 + t / 10)) for t in range(1, round(seconds * 10))]


def test_what_was_counted_in_a_zone_that_is_gone_is_said():
    floor = counting("vault").successor(renamed())
    facts = run(rest(60), floor)
    (closed,) = of_type(facts, COUNT_SESSION)
    assert {key: closed.data[key] for key in ("state", "by", "note")} == {
        "state": "closed",
        "by": "gateway",
        "note": "its zones are configured no more",
    }
    by_trigger = {fact.data["trigger"]: fact.data for fact in of_type(facts, COUNT)}
    assert by_trigger.keys() == {"session", "command"}
    assert {data["zone"] for data in by_trigger.values()} == {"vault"}
    assert {data["rounds"]["ended_by"] for data in by_trigger.values()} == {"zone removed"}
    assert by_trigger["session"]["uids"] == sorted([uid(1), uid(7)])
    assert by_trigger["command"]["uids"] == [uid(1)]
    assert floor.counts.by_hand.sessions.open_ones() == []


def test_a_session_goes_on_in_the_zones_that_are_left():
    floor = counting("vault", "dock").successor(renamed())
    facts = run([*rest(30), tell(61, "count.close", zone="dock", by="Dana"), *ticked([], 80)[620:]], floor)
    assert [fact.data["by"] for fact in of_type(facts, COUNT_SESSION)] == ["Dana"]
    sessions = [fact.data for fact in of_type(facts, COUNT) if fact.data["trigger"] == "session"]
    assert [(data["zone"], data["rounds"]["ended_by"]) for data in sessions] == [
        ("vault", "zone removed"),
        ("dock", "closed"),
    ]


@pytest.mark.parametrize("wanted", [config(zones=ZONES), config(zones=[*ZONES, {"id": "shelf"}])])
def test_where_no_place_is_gone_everything_goes_on(wanted):
    facts = run(rest(20), counting("vault").successor(wanted))
    assert of_type(facts, COUNT) == of_type(facts, COUNT_SESSION) == []


def sealed(facts: list[Fact]) -> list[bytes]:
    return [seal(fact, "/rfid/site/gw", "epoch", n, GENESIS).payload for n, fact in enumerate(facts, 1)]


def test_it_is_said_once_whatever_comes_between():
    floor = counting("vault").successor(renamed())
    saved = floor.checkpoint()
    said = run(rest(60), floor)
    killed, cut = Floor(renamed()), Floor(renamed())
    killed.restore(saved)
    assert run(rest(60), killed) == said
    cut.restore(saved)
    cut.apply(sealed(said))
    assert of_type(run(rest(60), cut), COUNT) == []


def passing() -> tuple[Floor, list[Input]]:
    """A floor in whose door a tag has just been read for the last time, and what comes after that."""
    items = ticked(sorted([*up(), *alive(0, 60, "r1"), *carried(later(OUT, 20), 1)], key=when), 60)
    floor = Floor(portal_site())
    run([item for item in items if when(item) < at(29.2)], floor)
    return floor, [item for item in items if when(item) >= at(29.2)]


def test_a_pass_through_a_portal_that_is_gone_is_said_and_its_tag_is_where_it_led():
    floor, after = passing()
    as_it_was = the(run(after, floor), "passed")
    floor, after = passing()
    gate = {"id": "gate", "inside": "vault", "outside": "dock"}
    antennas = [{"port": 1, "portal": "gate", "side": "inside"}, {"port": 2, "portal": "gate", "side": "outside"}]
    wanted = portal_site(portals=[gate], readers=[{"id": "r1", "driver": "llrp", "antennas": antennas}])
    again = floor.successor(wanted)
    facts = run(after, again)
    (passed,) = the(facts, "passed")
    assert [(fact.data["portal"], fact.data["direction"]) for fact in [*as_it_was, passed]] == [("door", "out")] * 2
    assert [fact.data["to"] for fact in of_type(facts, MOVEMENT) if fact.data["movement"] == "arrived"] == ["dock"]
    assert again.inside(["dock"]) == {uid(1): "dock"}
