"""Silence: how often a worn tag that stays is said to be not seen, and how late that is said of one that has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean, median

from benchmarks.recordings.files import Read, Trial
from benchmarks.recordings.floor import movements
from gateway.clock import SECOND

CUTS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of a trial at which the tag is made to leave: no read of it comes after that."""

AFTER = 900 * SECOND
"""Microseconds for which time goes on after the tag has left."""

TIMEOUTS = (5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 125, 150, 200)


@dataclass(slots=True)
class Silence:
    """`false`: not seen, and read again; in `hours`. `delays`: seconds from leaving to the statement. `claims`: the
    confidence of each statement with whether the tag had left."""

    hours: float = 0.0
    false: int = 0
    delays: list[float] = field(default_factory=list)
    claims: list[tuple[float, bool]] = field(default_factory=list)

    def add(self, other: Silence) -> None:
        """Adds another trial, or fold."""
        self.hours += other.hours
        self.false += other.false
        self.delays += other.delays
        self.claims += other.claims


def of_floor(trial: Trial, zones: Mapping[int, str]) -> Silence:
    """What the floor says of the trial, and of the same tag leaving at each of CUTS."""
    found = Silence(_hours(trial))
    for cut in CUTS:
        left = _cut(trial, cut)
        reads = [read for read in trial.reads if read.t <= left]
        said = [one for one in movements(reads, zones, AFTER) if one.movement in ("not_seen", "seen_again", "moved")]
        silent = [one for one in said if one.movement == "not_seen"]
        if cut == CUTS[-1]:
            found.false = sum(one.at <= reads[-1].t for one in silent)
            found.claims = [(one.confidence, one.at > reads[-1].t) for one in silent]
        found.delays.append(max(0, silent[-1].at - left) / SECOND if silent else AFTER / SECOND)
    return found


def of_timeout(trial: Trial, timeout: float) -> Silence:
    """What a fixed timeout says of the same."""
    times = [read.t for read in trial.reads]
    found = Silence(_hours(trial), sum(b - a > timeout * SECOND for a, b in pairwise(times)))
    for cut in CUTS:
        left = _cut(trial, cut)
        last = max(t for t in times if t <= left)
        found.delays.append(max(0.0, timeout - (left - last) / SECOND))
    return found


def false_at_equal_delay(floor: Silence, fixed: Sequence[Silence], middle: str) -> float:
    """False statements of the fixed timeout that is as late as the floor, on average or at the median (linear between
    two of them)."""
    how = {"mean": mean, "median": median}[middle]
    late = how(floor.delays)
    curve = [(how(one.delays), one.false) for one in fixed]
    for (before, many), (after, few) in pairwise(curve):
        if before <= late <= after:
            return many + (few - many) * (late - before) / (after - before)
    return float(curve[-1][1] if late > curve[-1][0] else curve[0][1])


def _hours(trial: Trial) -> float:
    return (trial.reads[-1].t - trial.reads[0].t) / SECOND / 3600


def _cut(trial: Trial, share: float) -> int:
    first, last = trial.reads[0].t, trial.reads[-1].t
    return first + max(round((last - first) * share), _second(trial.reads) - first)


def _second(reads: Sequence[Read]) -> int:
    return reads[min(1, len(reads) - 1)].t
