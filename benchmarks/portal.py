"""Loads of 10 to 2,000 tags through a portal: processor time for each tag, and the longest that one tick takes.

Four antennas read what is near them, no more than 4,000 reads a second together, as readers do. Of a load that leaves
at once so many tags are weighed and judged in each quarter of a second, so that no tick grows with the load. The
garbage collector is set as it is in the daemon.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

from drivers.api import Batch, Row, RssiUnit
from gateway.clock import SECOND
from gateway.config import Config
from gateway.events.envelope import MOVEMENT
from gateway.floor import Floor
from gateway.inputs import Tick
from gateway.run import spare_collector

LOADS = (10, 50, 200, 400, 800, 1_600, 2_000)
CROSSING = 3.0
EVERY = 0.25
READS = 1_000
"""Most reads in EVERY seconds."""

TICK = SECOND // 10
AFTER = 45.0
EPOCH = 1_700_000_000 * SECOND
ROUNDS = 3

SITE = {
    "site": "bench",
    "gateway": "bench",
    "zones": [{"id": "vault"}, {"id": "dock"}],
    "portals": [{"id": "door", "inside": "vault", "outside": "dock"}],
    "readers": [
        {
            "id": "r1",
            "driver": "llrp",
            "host": "localhost",
            "antennas": [
                {"port": port, "portal": "door", "side": "inside" if port % 2 else "outside"} for port in (1, 2, 3, 4)
            ],
        }
    ],
}


def measure() -> Iterator[str]:
    """A line for each size of load: passes decided, milliseconds for each tag, the longest tick, the last statement."""
    spare_collector()
    for tags in LOADS:
        rounds = [_round(tags, seed) for seed in range(ROUNDS)]
        said, whole, longest, last = min(rounds, key=lambda one: one[2])
        yield (
            f"{tags:>5} tags: {said:>5} with a direction, {1000 * whole / tags:.1f} ms of processor time for each, "
            f"{1000 * longest:.0f} ms in the longest tick; the last was said {last:.1f} s after the crossing"
        )


def _round(tags: int, seed: int) -> tuple[int, float, float, float]:
    """Directions said; CPU seconds of all ticks and of the longest; seconds from the crossing to the last of them."""
    floor = Floor(Config.model_validate(SITE))
    batches = _reads(tags, Random(seed))
    said, whole, longest, last = 0, 0.0, 0.0, EPOCH
    for t in range(EPOCH + TICK, EPOCH + round(AFTER * SECOND), TICK):
        while batches and batches[0].arrival <= t:
            floor.feed(batches.pop(0))
        before = time.process_time()
        facts = floor.feed(Tick(t))
        took = time.process_time() - before
        whole, longest = whole + took, max(longest, took)
        passed = [fact for fact in facts if fact.type == MOVEMENT and "uid" in fact.data]
        ways = sum(fact.data.get("direction") == "in" for fact in passed)
        said, last = said + ways, t if ways else last
    return said, whole, longest, (last - EPOCH) / SECOND - CROSSING / 2


def _reads(tags: int, random: Random) -> list[Batch]:
    """In the order of their arrival: each tag is read by each antenna on its way, the nearer the louder."""
    batches = []
    steps = round(CROSSING / EVERY)
    for step in range(steps):
        start = EPOCH + round(step * EVERY * SECOND)
        x = -4 + 8 * step / steps
        rows: list[Row] = []
        for tag in range(tags):
            epc = bytes.fromhex("1A4060300048") + tag.to_bytes(6, "big")
            for port in (1, 2, 3, 4):
                level = -45 - 8 * abs(x - (0.6 if port % 2 else -0.6)) + random.gauss(0, 4)
                if level > -72:
                    rows.append((epc, port, round(level), 1, start + random.randrange(200_000), 1))
        chosen = random.sample(rows, min(len(rows), READS))
        batches.append(Batch("r1", start + SECOND // 4, chosen, rssi_unit=RssiUnit.DBM))
    return batches
