"""The floor on recorded reads, live: each event with the time at which it is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.recordings.files import Read
from drivers.api import Batch, RssiUnit
from gateway.clock import SECOND
from gateway.config import Config
from gateway.events.envelope import Fact
from gateway.floor import Floor
from gateway.inputs import Command, Input, Tick

READER = "reader-1"

TICK = SECOND // 10


@dataclass(slots=True, frozen=True)
class Said:
    """A published movement. `t`: when it is said to have happened, `at`: when it was published (microseconds)."""

    movement: str
    source: str | None
    target: str | None
    confidence: float
    t: int
    at: int


def config(zones: Mapping[int, str], **more: Any) -> Config:
    """A site of one reader with the usual settings. `zones`: the zone of each antenna."""
    antennas = [{"port": port, "zone": zone} for port, zone in zones.items()]
    return Config.model_validate(
        {
            "site": "bench",
            "gateway": "bench",
            "zones": [{"id": zone} for zone in sorted(set(zones.values()))],
            "readers": [{"id": READER, "driver": "llrp", "host": "localhost", "antennas": antennas}],
            **more,
        }
    )


def facts(
    settings: Config, reads: Sequence[Read], commands: Sequence[Command] = (), after: int = 0
) -> Iterator[tuple[int, Fact]]:
    """What is published when. Time goes on for `after` microseconds behind the last read."""
    floor = Floor(settings)
    for t, item in _inputs(reads, commands, after):
        for fact in floor.feed(item):
            yield t, fact


def movements(reads: Sequence[Read], zones: Mapping[int, str], after: int = 0) -> list[Said]:
    """What is said of one tag, whose reads these are."""
    found = []
    for at, fact in facts(config(zones), reads, after=after):
        data = fact.data
        if "movement" in data:
            found.append(Said(data["movement"], data["from"], data["to"], data["confidence"], fact.time, at))
    return found


def _inputs(reads: Sequence[Read], commands: Sequence[Command], after: int) -> Iterator[tuple[int, Input]]:
    """The reads in batches of a tick each, as they came, with the commands between them."""
    waiting = list(commands)
    now = min(read.t for read in reads) // TICK * TICK
    batch: list[Read] = []
    for read in reads:
        while read.t >= now + TICK:
            now += TICK
            yield from _until(now, batch, waiting)
            batch = []
        batch.append(read)
    for t in range(now + TICK, now + max(after, TICK) + TICK, TICK):
        yield from _until(t, batch, waiting)
        batch = []


def _until(now: int, batch: Sequence[Read], waiting: list[Command]) -> Iterator[tuple[int, Input]]:
    if batch:
        rows = [(bytes.fromhex(r.epc), r.antenna, round(r.rssi * 100), 0, r.t, 1) for r in batch]
        yield now, Batch(READER, now, rows, rssi_unit=RssiUnit.CENTI_DBM)
    while waiting and waiting[0].t <= now:
        yield now, waiting.pop(0)
    yield now, Tick(now)
