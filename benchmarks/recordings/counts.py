"""Counts: a handheld is carried past a known number of tags, all the way and half of it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.recordings.files import Read, load, truth
from benchmarks.recordings.floor import config, facts
from gateway.clock import SECOND
from gateway.inputs import Command

ZONE = "shop"


@dataclass(slots=True, frozen=True)
class Walk:
    """One count: tags that are there and tags that were read, of these the `missing` ones; the interval of the
    estimate, None where there was none; and whether the count says that it has been everywhere."""

    name: str
    true: int
    read: int
    missing: int
    interval: tuple[float, float] | None
    covered: bool | None

    @property
    def holds(self) -> bool:
        """Whether the interval holds the truth."""
        return self.interval is not None and self.interval[0] <= self.true <= self.interval[1]


def walks(share: float) -> list[Walk]:
    """Every recording up to `share` of its length, counted on command from its first read on."""
    found = []
    for entry in truth("counts"):
        reads = load(entry["reads"])
        start = min(read.t for read in reads)
        until = start + round((max(read.t for read in reads) - start) * share)
        found.append(_walk(entry["reads"], entry["truth"], [read for read in reads if read.t <= until], start, until))
    return found


def _walk(name: str, true: int, reads: list[Read], start: int, until: int) -> Walk:
    tags = sorted({read.epc for read in reads})
    args = {"zone": ZONE, "duration": (until - start) / SECOND + 0.5, "expected": tags}
    command = Command(start, "count", args)
    settings = config({1: ZONE})
    (data,) = (
        fact.data for _, fact in facts(settings, reads, [command], 5 * SECOND) if fact.data.get("trigger") == "command"
    )
    guess = data["estimate"]
    interval = None if guess is None else (guess["interval"][0], guess["interval"][1])
    return Walk(name, true, len(tags), data["expected"]["missing"]["number"], interval, guess and guess["covered"])
