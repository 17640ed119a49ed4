"""A portal with antennas on both sides, and tags carried past them: noise from a seed, levels by distance alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from random import Random
from typing import Any

from drivers.api import Batch, InputChange
from gateway.config import Config
from gateway.events.envelope import Fact
from tests.support.floor_scene import at, config, epc, read

Points = list[tuple[float, float]]
"""Where a tag is: seconds, and metres from the door, positive inside. Straight lines between them."""


def portal_site(*, photo_eyes: bool = False, each: int = 1, **changes: Any) -> Config:
    """A vault and a dock with no antennas but those of the door between them: `each` on either side, of reader r1."""
    door: dict[str, Any] = {"id": "door", "inside": "vault", "outside": "dock"}
    if photo_eyes:
        door["photo_eyes"] = [
            {"reader": "r1", "port": 1, "side": "inside"},
            {"reader": "r1", "port": 2, "side": "outside"},
        ]
    antennas = [
        {"port": port, "portal": "door", "side": "inside" if port % 2 else "outside"} for port in range(1, 2 * each + 1)
    ]
    content = {
        "zones": [{"id": "vault"}, {"id": "dock"}],
        "portals": [door],
        "readers": [{"id": "r1", "driver": "llrp", "antennas": antennas}],
    }
    return config(**(content | changes))


def carried(
    points: Points,
    tag: int = 1,
    *,
    seed: int = 0,
    ports: Iterable[tuple[int, float]] = ((1, 0.6), (2, -0.6)),
    every: float = 0.06,
    noise: float = 2.0,
    weakest: float = -76.0,
    gain: float = 0.0,
) -> Iterator[Batch]:
    """Reads of a tag by antennas at so many metres from the door, on the tag's side of the wall by their sign."""
    random = Random(seed * 1009 + tag)
    for (start, begin), (end, finish) in pairwise(points):
        steps = max(1, round((end - start) / every))
        for step in range(steps):
            x = begin + (finish - begin) * step / steps
            for port, place in ports:
                behind = 8.0 if x * place < 0 else 0.0
                level = -42 - 30 * math.log10(math.hypot(x - place, 1.2)) - behind + random.gauss(0, noise) + gain
                if level > weakest:
                    t = start + (end - start) * step / steps + 0.01 * port
                    yield read(t, "r1", port, tag, round(level))


OUT: Points = [(0, 5), (8, -5)]
IN: Points = [(0, -5), (8, 5)]
TURNED: Points = [(0, 5), (5, -1.0), (6, -1.0), (11, 5)]
NEAR: Points = [(0, 5), (4, 0.8), (5, 0.8), (9, 5)]
STANDING: Points = [(0, 1.5), (90, 1.5)]


def later(points: Points, seconds: float) -> Points:
    return [(t + seconds, x) for t, x in points]


def eye(seconds: float, port: int, *, broken: bool) -> InputChange:
    return InputChange("r1", at(seconds), port, broken)


def passes(facts: Iterable[Fact]) -> list[tuple[str, str]]:
    """What was said of passes: UID's last digits and direction."""
    return [(fact.data["uid"][-2:], fact.data["direction"]) for fact in facts if fact.data.get("movement") == "passed"]


def the(facts: Iterable[Fact], movement: str) -> list[Fact]:
    return [fact for fact in facts if fact.data.get("movement") == movement]


def name(tag: int) -> str:
    return epc(tag).hex().upper()
