"""A checkpoint is the whole state, although only those of its parts are written that have changed.

One story with books, counts, a person who counts, outages, a clock that is set, and a dock. At many moments of it the
parts written so far are held against all parts, and a floor that begins with them goes on beside the first.
"""

from __future__ import annotations

import json
from typing import Any

from drivers.api import AntennaStatus, ReaderAlive, ReaderCondition, ReaderDown, ReaderUp
from gateway.clock import SECOND
from gateway.floor import Floor
from gateway.floor.snapshot import unseal
from gateway.inputs import ClockStep, Command, Input, Tick
from tests.support.floor_scene import alive, at, config, moved, standing, ticked, up, when
from tests.support.gate_scene import manifest_args
from tests.unit.test_floor_books import SOURCES, deal, package, said, uid

JUMP = 3600 * SECOND
STEP = 70.0  # seconds of the scene; the clock is set forward by JUMP then

SITE: dict[str, Any] = {
    "zones": [
        {"id": "vault", "name": "The Vault", "count_every": 30.0},
        {"id": "dock", "departs_after": 20.0},
        {"id": "shelf"},
    ],
    "books": {"sources": SOURCES, "lag": 10.0, "every": 5.0, "at": "22:14"},
    "counts": {"plan": [{"zone": "vault", "every": "1d", "at": "22:14"}]},
    "watch": [{"name": "hold", "forbidden": ["dock"], "repeat": 5.0}],
}


def tell(seconds: float, name: str, **args: Any) -> Command:
    return Command(at(seconds), name, args)


def inputs() -> list[Input]:
    items: list[Input] = [
        *up(),
        *alive(0, 130, "r1"),
        *alive(0, 60, "r2"),
        *standing(1, 125, "r1", 1, 1),
        *standing(1, 40, "r1", 2, 2),
        *standing(1, 50, "r2", 1, 4),
        *standing(20, 45, "r2", 1, 1, -50),
        ReaderCondition("r1", at(12), "throttled", active=True),
        ReaderCondition("r1", at(25), "throttled", active=False),
        AntennaStatus("r1", at(30), 2, up=False, reason="cable"),
        AntennaStatus("r1", at(90), 2, up=True),
        ReaderDown("r2", at(60.5), "no answer"),
        ReaderUp("r2", at(100), held=True),
        ReaderAlive("r2", at(104)),
        tell(3, "watch", list="hold", uids=[uid(4)]),
        Command(at(4), "manifest", manifest_args([1, 2], dock=None)),
        tell(5, "expected", zone="vault", uids=[uid(1), uid(3)], by="Kim", source="erp"),
        said(6, "metrc", package(1), package(2, "Dock"), package(4, "dock"), package(7)),
        said(7, "erp", package(1, quantity=47.0), package(4, "shelf")),
        tell(8, "count.open", zones=["shelf", "dock"], by="Dana"),
        tell(9, "reads", reader="sled", uids=[uid(3), uid(9)]),
        tell(10, "reads", reader="sled", uids=[uid(3), uid(11)]),
        deal(24, 7, owner="Dana"),
        said(33, "metrc", package(8), mode="change"),
        said(36, "metrc", removed=[uid(8)], mode="change"),
        tell(40, "count.close", zone="shelf", by="Dana"),
        tell(50, "count", zone="vault", duration=30.0),
    ]
    before = [item for item in ticked(items, STEP, SECOND // 2) if when(item) <= at(STEP)]
    after = [moved(item, JUMP) for item in ticked(items, 130, SECOND // 2) if when(item) > at(STEP)]
    return [*before, ClockStep(at(STEP) + JUMP, JUMP, JUMP, "set"), *after]


def plain(parts: dict[str, bytes]) -> dict[str, Any]:
    """Parts as what they say: a difference is easier to read so."""
    bodies = {name: unseal(name, part) for name, part in parts.items()}
    return {name: json.loads(body) if body[:1] == b"{" else body for name, body in bodies.items()}


def whole(floor: Floor) -> dict[str, bytes]:
    parts, more = floor.begin_checkpoint(whole=True)
    return parts | dict(more)


def test_what_was_written_is_the_whole_state_and_who_begins_with_it_says_the_same():
    floor, written = Floor(config(**SITE)), dict[str, bytes]()
    successors: list[tuple[int, Floor]] = []
    ticks = 0
    for item in inputs():
        facts = floor.feed(item)
        for begun, other in successors:
            assert other.feed(item) == facts, f"begun at tick {begun}, differs at {ticks}"
        ticks += isinstance(item, Tick)
        if ticks % 3 or not isinstance(item, Tick):
            continue
        assert plain(whole(floor)) == plain(whole(floor)), "to look at all parts changes nothing"
        written |= floor.checkpoint()
        parts = whole(floor)
        assert plain({name: written[name] for name in parts}) == plain(parts)
        again = Floor(config(**SITE))
        again.restore({name: written[name] for name in parts})
        assert plain(whole(again)) == plain(parts)
        if ticks % 36 == 0:
            successors.append((ticks, again))
    assert len(successors) > 5
