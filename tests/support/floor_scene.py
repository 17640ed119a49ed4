"""A small site and ways of giving reads to its floor, for tests of the floor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from drivers.api import Batch, ReaderAlive, ReaderUp
from gateway.clock import MILLISECOND, SECOND
from gateway.config import Config
from gateway.events.envelope import Fact
from gateway.events.types import EVENTS
from gateway.floor import Floor
from gateway.inputs import Input, Restart, Tick

T0 = 1_700_000_000 * SECOND
TICK = 100 * MILLISECOND


def config(**changes: Any) -> Config:
    """A vault with two antennas of one reader, a dock with one of another, where tags depart after 20 s of silence."""
    content: dict[str, Any] = {
        "site": "site",
        "gateway": "gw",
        "zones": [{"id": "vault"}, {"id": "dock", "departs_after": 20.0}],
        "readers": [
            {
                "id": "r1",
                "driver": "llrp",
                "antennas": [{"port": 1, "zone": "vault"}, {"port": 2, "zone": "vault"}],
            },
            {"id": "r2", "driver": "llrp", "antennas": [{"port": 1, "zone": "dock"}]},
        ],
    }
    return Config.model_validate(content | changes)


def at(seconds: float) -> int:
    """Microseconds UTC of a moment of the scene."""
    return T0 + round(seconds * SECOND)


def epc(number: int) -> bytes:
    return bytes.fromhex("1A4060300048D3D0") + number.to_bytes(4, "big")


def read(seconds: float, reader: str, antenna: int, tag: int, rssi: int = -60) -> Batch:
    """One read that arrived when it was made."""
    return Batch(reader, at(seconds), [(epc(tag), antenna, rssi, 0, at(seconds), 1)])


def standing(
    start: float, end: float, reader: str, antenna: int, tag: int, rssi: int = -60, every: float = 0.5
) -> Iterator[Batch]:
    """A tag that stands there and is read regularly."""
    for step in range(round((end - start) / every)):
        yield read(start + step * every, reader, antenna, tag, rssi)


def up(seconds: float = 0.0, *, held: bool = False) -> list[Input]:
    return [ReaderUp("r1", at(seconds), held), ReaderUp("r2", at(seconds), held)]


def alive(start: float, end: float, reader: str, every: float = 1.0) -> Iterator[ReaderAlive]:
    for step in range(round((end - start) / every)):
        yield ReaderAlive(reader, at(start + step * every))


def when(item: Input) -> int:
    return item.arrival if isinstance(item, Batch) else item.t


def moved(item: Input, by: int) -> Input:
    """The item as it is when clocks are ahead by so many microseconds."""
    if isinstance(item, Batch):
        return replace(item, arrival=item.arrival + by, offset=item.offset + by)
    if isinstance(item, Restart):
        kept = item.kept + by if item.kept else 0
        return replace(item, t=item.t + by, since=item.since + by, kept=kept)
    return replace(item, t=item.t + by)


def ticked(items: Iterable[Input], until: float, tick: int = TICK) -> list[Input]:
    """The items in the order in which they come, with regular ticks from T0 on up to `until` seconds."""
    ticks: list[Input] = [Tick(t) for t in range(T0, at(until) + 1, tick)]
    return sorted([*ticks, *items], key=when)


def run(items: Iterable[Input], floor: Floor | None = None) -> list[Fact]:
    """What the floor says, each of it held against its type."""
    floor = floor or Floor(config())
    facts = [fact for item in items for fact in floor.feed(item)]
    for fact in facts:
        _data_of(fact.type).validate_python(fact.data)
    return facts


@cache
def _data_of(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(EVENTS[kind].data)


def story(facts: Iterable[Fact]) -> list[tuple[str, str, float]]:
    """Movements in short: what, where, when in seconds of the scene."""
    return [
        (fact.data["movement"], fact.place, round((fact.time - T0) / SECOND, 2))
        for fact in facts
        if "movement" in fact.data
    ]


def of_type(facts: Iterable[Fact], kind: str) -> list[Fact]:
    return [fact for fact in facts if fact.type == kind]
