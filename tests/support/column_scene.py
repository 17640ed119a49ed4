"""Random scenes of readers whose records are all alike, to be given to two floors: as rows and as the reader's bytes.

Everything that can make a read, a window or a tag unusual occurs: late and misdated reads, held reads, readers and
antennas that go down, portals, foreign tags, antennas of the same zone, strays from other zones, antennas that nobody
configured, counts of 0, clocks that are off, restarts, sudden leaps of time, a gateway that has fallen behind.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from drivers.api import AntennaStatus, Batch, ReaderAlive, ReaderDown, ReaderUp, RssiUnit
from drivers.records import RecordFormat, Records
from gateway.clock import SECOND
from gateway.config import Config
from gateway.events.envelope import Fact
from gateway.floor import Floor
from gateway.floor.columns import dumped
from gateway.floor.sighting_columns import parts_of
from gateway.floor.snapshot import unseal
from gateway.inputs import Command, Input, Restart, Tick

START = 1_700_000_000 * SECOND
END = START + 24 * SECOND

_DBM = (struct.Struct(">3x12sxHbxQxH"), [("epc", 3, "12s"), ("antenna", 16, "H"), ("rssi", 18, "b"), ("time", 20, "Q"),
                                         ("count", 29, "H")])  # fmt: skip
_FINE = (struct.Struct(">H12sQhx"), [("antenna", 0, "H"), ("epc", 2, "12s"), ("time", 14, "Q"), ("rssi", 22, "h")])


@dataclass(slots=True)
class Scene:
    """A configuration and its inputs; the rows of every batch are `Records`."""

    config: Config
    items: list[Input]


def scene(seed: int) -> Scene:
    """The scene of a seed. Two in three are calm: every tag has its own zone, and few reads are odd."""
    return _Maker(random.Random(seed)).make()


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.calm = chance.random() < 0.66
        self.zones = [f"z{number}" for number in range(chance.choice([1, 2, 3]))]
        self.has_portal = chance.random() < 0.4
        self.readers = {
            f"{chance.choice('arz')}{number}": self.antennas(number) for number in range(chance.randint(1, 5))
        }

    def antennas(self, reader: int) -> list[dict[str, Any]]:
        chance, zones = self.chance, self.zones
        home = zones[reader % len(zones)]
        found: list[dict[str, Any]] = [
            {"port": port, "zone": home if self.calm else chance.choice(zones)}
            for port in range(1, chance.randint(2, 5))
        ]
        if reader == 0:
            found += [{"port": 10 + number, "zone": zone} for number, zone in enumerate(zones)]
            if self.has_portal:
                found += [
                    {"port": 20, "portal": "door", "side": "inside"},
                    {"port": 21, "portal": "door", "side": "outside"},
                ]
        return found

    def config(self) -> Config:
        chance = self.chance
        departs = [{"departs_after": 3.0} if chance.random() < 0.5 else {} for _ in self.zones]
        counts = [{"count_every": 7.0} if chance.random() < 0.3 else {} for _ in self.zones]
        floor: dict[str, Any] = {
            "lateness": chance.choice([0.0, 0.3, 1.0]),
            "window": chance.choice([0.1, 0.25, 0.5]),
        }
        if chance.random() < 0.3:
            floor |= {"max_windows": 1000, "lateness": 3.0}
        content: dict[str, Any] = {
            "site": "s",
            "gateway": "g",
            "zones": [{"id": zone} | a | b for zone, a, b in zip(self.zones, departs, counts, strict=True)],
            "readers": [{"id": name, "driver": "llrp", "antennas": made} for name, made in self.readers.items()],
            "floor": floor,
            "presence": {"shortest": chance.choice([1.0, 3.0]), "dwell": chance.choice([0, 1.0, 2.0]),
                         "hysteresis": chance.choice([1.0, 6.0])},
            "watch": [{"name": "w", "forbidden": ["z0"], "repeat": 1.0}] if chance.random() < 0.3 else [],
            "tags": {"include": ["1A"]} if chance.random() < 0.5 else {},
        }  # fmt: skip
        if self.has_portal:
            content["portals"] = [{"id": "door", "inside": "z0", "outside": None}]
        return Config.model_validate(content)

    def make(self) -> Scene:
        config = self.config()
        chance = self.chance
        tags = [
            bytes.fromhex("1A4060300048D3D0") + number.to_bytes(4, "big")
            for number in range(chance.choice([3, 20, 60]))
        ]
        tags += [bytes.fromhex("3039606203C4") + number.to_bytes(6, "big") for number in range(5)] + [b"0123456789AB"]
        timed: list[tuple[int, Input]] = [(t, Tick(t)) for t in range(START, END, SECOND // 10)]
        for reader in self.readers:
            timed += self.news(reader)
            timed += self.batches(reader, tags)
        if chance.random() < 0.3:
            timed.append((START + 9 * SECOND, Restart(START + 9 * SECOND, START + 8 * SECOND, chance.random() < 0.5)))
        if chance.random() < 0.4:
            timed.append((START + 5 * SECOND, Command(START + 5 * SECOND, "count", {"zone": "z0", "duration": 4.0})))
        if config.watch:
            uids = [tag.hex().upper() for tag in tags[:2]]
            timed.append((START + SECOND, Command(START + SECOND, "watch", {"list": "w", "uids": uids})))
        if chance.random() < 0.2:
            timed.append((END + 2000 * SECOND, Tick(END + 2000 * SECOND)))
        timed.sort(key=lambda entry: entry[0])
        return Scene(config, [item for _, item in timed])

    def news(self, reader: str) -> Iterator[tuple[int, Input]]:
        chance = self.chance
        if chance.random() < 0.9:
            yield START, ReaderUp(reader, START, not self.calm and chance.random() < 0.2)
        for second in range(1, 25):
            if chance.random() < 0.6:
                yield START + second * SECOND, ReaderAlive(reader, START + second * SECOND)
        if chance.random() < 0.4:
            down, up = self.span()
            yield down, ReaderDown(reader, down, "cut")
            yield up, ReaderUp(reader, up, not self.calm and chance.random() < 0.5)
        if chance.random() < 0.4:
            (down, up), port = self.span(), chance.choice(self.readers[reader])["port"]
            yield down, AntennaStatus(reader, down, port, False)
            yield up, AntennaStatus(reader, up, port, True)

    def span(self) -> tuple[int, int]:
        begin = START + self.chance.randrange(3 * SECOND, 18 * SECOND)
        return begin, begin + self.chance.randrange(SECOND // 2, 6 * SECOND)

    def batches(self, reader: str, tags: list[bytes]) -> Iterator[tuple[int, Input]]:
        """The reads of one reader. Most scenes have steps of few reads and of many."""
        chance = self.chance
        fine = chance.random() < 0.3
        pack, fields = _FINE if fine else _DBM
        format = RecordFormat(pack.size, fields)
        ports = [antenna["port"] for antenna in self.readers[reader]]
        if chance.random() < 0.2:
            ports += [99, 300]
        mine = [tag for tag in tags if not self.calm or zlib.crc32(tag) % len(self.readers) == len(reader) % 2] or tags
        favourites = {tag: chance.sample(ports, min(len(ports), chance.choice([1, 1, 2, 3]))) for tag in tags}
        late, misdated = (0.0, 0.0) if self.calm else (chance.choice([0, 0.02, 0.2]), chance.choice([0, 0.005]))
        offset = chance.choice([0, 0, 123_456, -999])
        rate = chance.choice([30, 200, 800])
        stuck, free = self.span() if chance.random() < 0.3 else (0, 0)  # meanwhile the gateway takes nothing
        t = START
        while t < START + 22 * SECOND:
            step = chance.randrange(20_000, 200_000)
            t += step
            body = []
            for _ in range(max(1, rate * step // SECOND)):
                tag = chance.choice(mine)
                port = chance.choice(favourites[tag] if chance.random() < 0.95 else ports)
                made = t - chance.randrange(100_000)
                if chance.random() < late:
                    made -= chance.randrange(5 * SECOND)
                if chance.random() < misdated:
                    made = chance.choice([5, made + 3600 * SECOND, made - 8 * 86_400 * SECOND, 1 << 63])
                rssi = -60 - zlib.crc32(tag + bytes([port & 255])) % 15 + chance.randrange(-4, 5)
                if chance.random() < 0.005:
                    rssi = chance.choice([-128, -90, -30, 20])
                made = max(1, made - offset)
                if fine:
                    centi = (
                        rssi * 100 + chance.randrange(100)
                        if chance.random() < 0.999
                        else chance.choice([-32_768, 32_767])
                    )
                    body.append(pack.pack(port, tag, made, centi))
                else:
                    body.append(pack.pack(tag, port, rssi, made, chance.choice([1] * 10 + [0, 2, 7, 65_535])))
            unit = RssiUnit.CENTI_DBM if fine else RssiUnit.DBM
            arrival = (free if stuck < t < free else t) + chance.randrange(30_000)
            yield arrival, Batch(reader, arrival, Records(format, b"".join(body)), offset, unit)


@dataclass(slots=True)
class Run:
    """What a floor made of a scene. `states` are checkpoints on the way and at the end; `columns` counts sightings
    that were taken in as columns."""

    facts: list[Fact]
    crowded: list[bool]
    states: list[dict[str, Any]]
    figures: dict[str, Any]


def play(made: Scene, *, raw: bool, restored: int = 0) -> Run:
    """Gives a scene to a floor; with `raw` the batches hold bytes, otherwise rows. After every so many inputs the floor
    is another one, `restored` from the checkpoints of the one before."""
    parts: dict[str, bytes] = {}
    floor = Floor(made.config)
    run = Run([], [], [], {})
    for at, item in enumerate(made.items):
        if isinstance(item, Batch) and not raw:
            item = replace(item, rows=list(item.rows))
        run.facts += floor.feed(item)
        run.crowded.append(floor.crowded)
        if floor.crowded and not isinstance(item, Tick):
            run.facts += floor.feed(Tick(getattr(item, "arrival", END)))
        if at % 997 == 996:
            run.states.append(_normal(floor.checkpoint()))
        if restored and at % restored == restored - 1:
            parts |= floor.checkpoint()
            floor = Floor(made.config)
            floor.restore(parts)
    run.facts += floor.finish()
    run.states.append(_normal(floor.checkpoint()))
    run.figures = {
        name: getattr(floor.stats, name)
        for name in type(floor.stats).__slots__
        if name != "windows"  # an upper bound
    }
    return run


def _normal(parts: dict[str, bytes]) -> dict[str, Any]:
    """The parts of a checkpoint, with what has no order sorted."""
    normal: dict[str, Any] = dict(parts)
    content = json.loads(unseal("floor", parts["floor"]))
    readers = list(content["windows"]["readers"].values())
    for number, key, epc, sums in dumped(unseal("windows", normal.pop("windows"))):
        reader, port, unit = parts_of(key)
        readers[reader]["open"].append([number, unit, port, [[epc.hex(), *sums]]])
    for reader in content["windows"]["readers"].values():
        for name in ("open", "stale"):
            reader[name] = _together(reader[name])
    normal["floor"] = json.dumps(content, sort_keys=True)  # sums may exceed 64 bits
    return normal


def _together(entries: list[Any]) -> list[Any]:
    """The cells of open windows, each once: a floor may have one in two parts."""
    sightings: dict[tuple[Any, ...], list[int]] = {}
    for number, unit, port, content in entries:
        for epc, reads, rssi, power, moment in content:
            sums = sightings.setdefault((number, unit, port, epc), [0, rssi, 0, 0])
            sums[:] = [sums[0] + reads, max(sums[1], rssi), sums[2] + power, sums[3] + moment]
    return sorted([*key, *sums] for key, sums in sightings.items())
