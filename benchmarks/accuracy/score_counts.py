"""What a trial of counting says: the number that was published, its interval, and the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.accuracy.judge import Said, seconds
from benchmarks.accuracy.trial import Trial
from benchmarks.radio import Run
from drivers.emulators.scene import SECOND


@dataclass(slots=True, frozen=True)
class CountOutcome:
    """One count event. `read`: distinct tags in all reads up to its end, which is what a plain inventory says.
    `estimate`: the published one with the ends of its interval, None where the event has none. `lasted` in seconds."""

    true: int
    read: int
    population: int
    estimate: tuple[float, float, float] | None
    lasted: float


def score_counts(trial: Trial, run: Run, said: Said) -> Iterator[CountOutcome]:
    """What became of each count of a trial, held against how many tags were there."""
    for count in said.counts:
        begin, end = seconds(count["started"]), seconds(count["ended"])
        true = run.truth.population(count["zone"], end)
        read = {seen.epc for reads in run.reads.values() for seen in reads if seen.time <= end * SECOND}
        yield CountOutcome(len(true), len(read), count["population"], _estimate(count), end - begin)


def _estimate(count: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """The estimate and its interval: ``estimate`` and ``interval: [low, high]``, or both within ``estimate``."""
    estimate, interval = count.get("estimate"), count.get("interval")
    if isinstance(estimate, dict):
        interval = estimate.get("interval", [estimate.get("low"), estimate.get("high")])
        estimate = estimate.get("population", estimate.get("value"))
    if isinstance(interval, dict):
        interval = [interval.get("low"), interval.get("high")]
    if estimate is None or not interval or None in interval:
        return None
    return estimate, *interval
