"""When there is no room for more tags: what was seen once and never again goes first, and is said."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.events.envelope import LOSS, Fact
from gateway.floor import Floor
from gateway.floor.presence.timeouts import PIECE
from gateway.inputs import Room, Tick
from tests.support.floor_scene import at, config, of_type, read, run, standing, ticked, up

MOST = 160


def given_up(facts: list[Fact]) -> list[dict[str, Any]]:
    return [fact.data for fact in of_type(facts, LOSS) if fact.data["cause"] == "tags-given-up"]


def flood(first: int, number: int, start: float) -> list[Any]:
    """Strays, one after the other, each read once."""
    return [read(start + 0.01 * tag, "r1", 1, first + tag) for tag in range(number)]


def test_a_flood_takes_the_room_of_strays_only():
    stock = [batch for tag in range(20) for batch in standing(0, 30, "r1", 2, tag)]
    floor = Floor(config(), MOST)
    facts = run(ticked([*up(), *stock, *flood(1_000, 500, 5)], 30), floor)
    assert floor.stats.tags <= MOST
    assert floor.stats.untracked == 0
    assert sum(data["tags"] for data in given_up(facts)) == 520 - floor.stats.tags
    stock_uids = {f"1A4060300048D3D0{tag:08X}" for tag in range(20)}
    told = [fact.data["movement"] for fact in facts if fact.data.get("uid") in stock_uids]
    assert told == ["arrived"] * 20
    assert floor.zone_state("vault")["population"] + floor.zone_state("vault")["not_seen"] == floor.stats.tags


def test_where_every_tag_is_stock_new_ones_are_counted_as_untracked():
    stock = [batch for tag in range(MOST) for batch in standing(0, 10, "r1", 2, tag, every=1.0)]
    floor = Floor(config(), MOST)
    facts = run(ticked([*up(), *stock, *flood(1_000, 50, 5)], 12), floor)
    assert given_up(facts) == []
    assert floor.stats.untracked == 50


def test_a_start_with_more_than_there_is_room_for_drops_the_oldest_strays():
    stock = [batch for tag in range(20) for batch in standing(0, 10, "r1", 2, tag)]
    floor = Floor(config(), MOST)
    run(ticked([*up(), *stock, *flood(1_000, 120, 2)], 12), floor)
    later = Floor(config(), 60)
    later.restore(floor.checkpoint())
    (said,) = given_up(later.feed(Room(at(12.2), 60)))
    assert said["tags"] == 80
    run(ticked([read(12.5, "r1", 2, 0)], 14), later)
    assert later.stats.tags == 60


def test_less_room_while_it_runs_gives_up_as_many_strays_and_more_room_is_used():
    stock = [batch for tag in range(20) for batch in standing(0, 10, "r1", 2, tag)]
    floor = Floor(config(), MOST)
    run(ticked([*up(), *stock, *flood(1_000, 120, 2)], 12), floor)
    (said,) = given_up(floor.feed(Room(at(12.2), 100)))
    assert said["tags"] == 40
    assert given_up(floor.feed(Room(at(12.3), 100))) == []
    floor.feed(Room(at(12.4), MOST))
    facts = run(ticked(flood(2_000, 60, 12.5), 16), floor)
    assert given_up(facts) == []
    assert floor.stats.tags == MOST


@pytest.mark.slow
def test_very_much_is_handed_on_in_pieces():
    site = config(presence={"shortest": 5.0})
    floor, whole = Floor(site), Floor(site)
    inputs: list[Any] = [*up(), *flood(1_000, 3 * PIECE, 0.0)]
    for item in inputs:
        assert floor.feed(item) == whole.feed(item) == []
    pieces: list[list[Fact]] = []
    pieces.append(floor.feed(Tick(at(120)), pieces.append))
    assert max(map(len, pieces)) < 2 * PIECE
    assert len(pieces) > 2
    assert [fact for piece in pieces for fact in piece] == whole.feed(Tick(at(120)))
    assert floor.stats.events == whole.stats.events
