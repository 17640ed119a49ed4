"""What a trial of counting says: the number that was published, its interval, and the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.accuracy.judge import Said, seconds
from benchmarks.accuracy.trial import Trial
from drivers.emulators.radio import Run
from drivers.emulators.scene import SECOND


@dataclass(slots=True, frozen=True)
class CountOutcome:
    """One count event. `read`: distinct tags in all reads up to its end, which is what a plain inventory says.
    `estimate`, `low`, `high`: None where the event does not give them. `lasted` in seconds."""

    true: int
    read: int
    population: int
    estimate: float | None
    low: float | None
    high: float | None
    lasted: float


def score_counts(trial: Trial, run: Run, said: Said) -> Iterator[CountOutcome]:
    for count in said.counts:
        begin, end = seconds(count["started"]), seconds(count["ended"])
        true = run.truth.population(count["zone"], end)
        read = {seen.epc for reads in run.reads.values() for seen in reads if seen.time <= end * SECOND}
        estimate, low, high = _interval(count)
        yield CountOutcome(len(true), len(read), count["population"], estimate, low, high, end - begin)


def _interval(count: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    """The estimate and its interval, wherever in the event they are."""
    estimate, interval = count.get("estimate"), count.get("interval")
    if isinstance(estimate, dict):
        interval = estimate.get("interval", [estimate.get("low"), estimate.get("high")])
        estimate = estimate.get("population", estimate.get("value"))
    if isinstance(interval, dict):
        interval = [interval.get("low"), interval.get("high")]
    low, high = interval if interval else (None, None)
    return estimate, low, high
