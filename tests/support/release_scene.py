"""The inputs of the site of a release fixture: everything that a checkpoint can hold is in flight at CHECKPOINT.

Seconds count from T0; a checkpoint goes to disk at ON_DISK, and one to memory at CHECKPOINT where the release can; the
process is killed at KILL and runs again from BACK.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

from drivers.api import (
    AntennaStatus,
    Batch,
    ClockQuality,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderDown,
    ReaderLoss,
    ReaderUp,
)
from gateway.clock import SECOND, rfc3339
from gateway.inputs import Command, Input, Tick

T0 = 1_771_020_000 * SECOND
ON_DISK, CHECKPOINT, KILL, BACK, END = 58.0, 60.0, 63.0, 66.0, 150.0

Points = list[tuple[float, float]]


def at(seconds: float) -> int:
    return T0 + round(seconds * SECOND)


def epc(number: int) -> bytes:
    return bytes.fromhex("1A4060300048D3D0") + number.to_bytes(4, "big")


def uid(number: int) -> str:
    return epc(number).hex().upper()


def inputs() -> list[Input]:
    """All inputs in the order in which they come, but for the ticks and readers that a killed process misses."""
    items = [*_readers(), *_standing(), *_passing(), *_commands()]
    items += [Tick(at(step / 2)) for step in range(round(END * 2) + 1)]
    return sorted((item for item in items if not KILL < _when(item) < BACK), key=_when)


def _when(item: Input) -> float:
    return ((item.arrival if isinstance(item, Batch) else item.t) - T0) / SECOND


def _readers() -> Iterator[Input]:
    for start, end in ((0.0, KILL), (BACK + 0.1, END)):
        for reader in ("r1", "r2", "r3"):
            yield ReaderUp(reader, at(start), False, "model-9", "1.2.3")
            yield ReaderClock(reader, at(start) + 1, ClockQuality.CORRECTED, -1500)
            for second in range(int(end - start)):
                if not (reader == "r2" and 58 <= start + second < 75):
                    yield ReaderAlive(reader, at(start + second + 0.9))
    yield ReaderCondition("r1", at(40), "throttled", True, "duty cycle")
    yield ReaderCondition("r1", at(100), "throttled", False)
    yield AntennaStatus("r1", at(50), 2, False, "not connected")
    yield AntennaStatus("r1", at(90), 2, True)
    yield ReaderDown("r2", at(58), "connection refused")
    yield ReaderLoss("r3", at(45), at(44), at(45), "reader-buffer-overflow")
    yield ReaderUp("r2", at(75), False, "model-9", "1.2.3")


def _standing() -> Iterator[Input]:
    for tag in range(1, 7):
        yield from _stays(tag, "r1", 1, 0, END)
    yield from _stays(7, "r1", 2, 0, 49)
    yield from _stays(7, "r1", 2, 91, END)
    yield from _stays(8, "r1", 1, 0, END, level=-60)  # seen by vault and cage
    yield from _stays(8, "r1", 2, 20, 49, level=-62)
    yield from _stays(9, "r2", 1, 0, 57)
    yield from _stays(9, "r2", 1, 76, END)
    yield from _stays(10, "r2", 1, 30, 57)  # moves from the cage to the dock before the reader is lost
    yield from _stays(10, "r1", 2, 0, 28)
    yield from _stays(11, "r2", 1, 0, 10)  # departs
    yield from _stays(12, "r1", 1, 0, 30)  # not seen, and seen again
    yield from _stays(12, "r1", 1, 85, END)
    yield from _stays(13, "r1", 1, 59, END)  # about to arrive
    yield from _stays(14, "r2", 1, 76, 90)  # on the watch list
    for number in (1, 2):
        foreign = bytes.fromhex("30340257BF7194E4000000") + bytes([number])
        for step in range(28):
            t = at(step * 2 + 0.3)
            yield Batch("r2", t, [(foreign, 1, -66, 0, t, 1)])


def _stays(tag: int, reader: str, port: int, start: float, end: float, level: int = -58) -> Iterator[Batch]:
    random = Random(tag * 7 + port)
    steps = int((end - start) / 1.3)
    for step in range(steps):
        t = at(start + step * 1.3 + 0.01 * tag)
        yield Batch(reader, t, [(epc(tag), port, level + random.randint(-2, 2), 3, t, 1)])


def _passing() -> Iterator[Input]:
    yield from _carried(20, [(12, 5), (20, -5)])
    yield from _carried(21, [(16, 5), (24, -5)])
    yield from _carried(22, [(24, 5), (32, -5)])  # on hold
    yield from _carried(30, [(28, 5), (36, -5)])  # on no manifest
    yield from _carried(23, [(36, 5), (41, -1), (42, -1), (47, 5)])  # turned back
    yield from _carried(31, [(20, 2.0), (110, 2.0)], every=0.7)  # stands by the door
    yield from _carried(24, [(56, 5), (64.5, -5)])  # two together, in the door while the state is saved
    yield from _carried(25, [(56.3, 5), (64.8, -5)])
    yield from _carried(26, [(78, 5), (86, -5)])
    for seconds, port, broken in ((15.5, 1, True), (16.0, 2, True), (16.2, 1, False), (16.7, 2, False)):
        yield InputChange("r3", at(seconds), port, broken)
    yield InputChange("r3", at(9), 3, True)
    yield InputChange("r3", at(118), 3, False)


def _carried(tag: int, points: Points, every: float = 0.25) -> Iterator[Batch]:
    """Reads of a tag on its way; metres from the door, positive inside."""
    random = Random(tag)
    for (start, begin), (end, finish) in pairwise(points):
        steps = max(1, round((end - start) / every))
        for step in range(steps):
            x = begin + (finish - begin) * step / steps
            for port, place in ((1, 0.6), (2, -0.6)):
                behind = 8.0 if x * place < 0 else 0.0
                level = -42 - 30 * math.log10(math.hypot(x - place, 1.2)) - behind + random.gauss(0, 2)
                if level > -76:
                    t = at(start + (end - start) * step / steps + 0.01 * port)
                    yield Batch("r3", t, [(epc(tag), port, round(level), 0, t, 1)])


def _commands() -> Iterator[Command]:
    yield Command(at(5), "manifest", manifest())
    yield Command(at(5), "watch", {"list": "hold", "uids": [uid(14)], "as_of": rfc3339(at(4)), "reason": "recall 7"})
    expected = {"zone": "vault", "uids": [uid(n) for n in (1, 2, 3, 4, 5, 6, 12, 99)], "source": "erp"}
    yield Command(at(6), "expected", expected | {"as_of": rfc3339(at(5))})
    yield Command(at(10), "gate.open", {"dock": "dock-1", "manifest": "M1", "delivery": "D1", "by": "ann"})
    yield Command(at(56), "count", {"zone": "vault", "duration": 20, "request": "stock-take-1"})
    yield Command(at(50), "count.open", {"zones": ["cage"], "by": "ann"})
    yield Command(at(52), "reads", {"reader": "sled-1", "uids": [uid(7), uid(40)]})
    yield Command(at(100), "reads", {"reader": "sled-1", "uids": [uid(7), uid(41)]})
    yield Command(at(110), "count.close", {"zone": "cage", "by": "ann"})
    yield Command(at(120), "gate.close", {"dock": "dock-1", "by": "ann"})
    book = {"book": "wms", "as_of": rfc3339(at(7)), "packages": [{"uid": uid(n), "zone": "vault"} for n in (1, 2, 50)]}
    yield Command(at(8), "book", book)
    yield Command(at(47), "difference", {"uid": uid(50), "by": "ann", "state": "owned", "note": "on its way"})
    yield Command(at(130), "destroy", {"uids": [uid(6)], "by": "ann", "witness": "ben", "reason": "mould"})


def manifest() -> dict[str, Any]:
    return {
        "manifest": "M1",
        "version": 1,
        "direction": "out",
        "as_of": rfc3339(at(4)),
        "source": "test",
        "deliveries": [
            {
                "delivery": "D1",
                "dock": "dock-1",
                "recipient": "Example Retail Inc.",
                "lines": [_line(package) for package in (20, 21, 22, 23, 24, 25, 26, 27)],
            }
        ],
    }


def _line(package: int) -> dict[str, Any]:
    result = {
        "test": "Category I Residual Pesticides",
        "performed": "2026-02-06",
        "passed": True,
        "released": True,
        "revoked": False,
        "document": "410031",
    }
    return {
        "uid": uid(package),
        "product": f"Product {package}",
        "category": "Edible (each)",
        "quantity": 48.0,
        "unit": "Each",
        "batch": f"B-{package}",
        "lab_state": "TestPassed",
        "record": {
            "as_of": rfc3339(at(3)),
            "lab_state": "TestPassed",
            "location": "Dock 3 Staging",
            "hold": ["IsOnHold"] if package == 22 else [],
            "recall": [],
            "investigation": [],
            "finished": [],
            "destroyed": False,
        },
        "lab": {
            "as_of": rfc3339(at(3)),
            "required": ["Category I Residual Pesticides (required)"],
            "results": [result],
        },
    }
