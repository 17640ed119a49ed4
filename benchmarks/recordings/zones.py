"""Moves between zones: who is where, live, and what each way of judging said when."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.recordings.files import Read, Trial
from benchmarks.recordings.floor import Said
from gateway.clock import SECOND


@dataclass(slots=True)
class Score:
    """Microseconds judged and of those in the right zone; moves published; true moves, and those of them that were
    said before the next, with their delays in seconds; confidence of each move with whether it was so."""

    judged: int = 0
    right: int = 0
    moves: int = 0
    true: int = 0
    said: int = 0
    delays: list[float] = field(default_factory=list)
    claims: list[tuple[float, bool]] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Adds another trial, or fold."""
        for name in ("judged", "right", "moves", "true", "said"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.delays += other.delays
        self.claims += other.claims

    @property
    def share(self) -> float:
        """Share of the time in the right zone."""
        return self.right / self.judged if self.judged else math.nan

    @property
    def hours(self) -> float:
        """Hours judged."""
        return self.judged / SECOND / 3600

    @property
    def moves_an_hour(self) -> float:
        """Moves published in an hour of reads."""
        return self.moves / self.hours if self.judged else math.nan


def score(trial: Trial, said: Sequence[Said]) -> Score:
    """What was said of a trial, live: each statement holds from when it was published. Unlabelled time is left out."""
    found = Score()
    places = [(one.at, one.target) for one in said if one.target is not None]
    cuts = sorted({trial.end, *(t for t, _ in trial.stays), *(t for t, _ in places if trial.start < t < trial.end)})
    for begin, end in itertools.pairwise(cuts):
        true = trial.zone(begin)
        if true is None:
            continue
        found.judged += end - begin
        if _at(places, begin) == true:
            found.right += end - begin
    moves = [one for one in said if one.movement == "moved" and one.at <= trial.end]
    found.moves = len(moves)
    for one in moves:
        true = trial.zone(one.at)
        if true is not None:
            found.claims.append((one.confidence, true == one.target))
    labels = trial.labels()
    found.true = len(labels)
    for number, (t, zone) in enumerate(labels):
        until = labels[number + 1][0] if number + 1 < len(labels) else trial.end
        first = next((at for at, place in places if t <= at < until and place == zone), None)
        if first is None and _at(places, t) == zone:
            first = t
        if first is not None:
            found.said += 1
            found.delays.append((first - t) / SECOND)
    return found


def _at(places: Sequence[tuple[int, str | None]], t: int) -> str | None:
    """The newest place that was published by `t`."""
    return next((place for at, place in reversed(places) if at <= t), None)


def six_db(reads: Iterable[Read], zones: dict[int, str], smoothing: float = 5.0, ahead: float = 6.0) -> list[Said]:
    """The location rule: RSSI of each antenna smoothed over 5 s, and another antenna for 6 dB more. It says everything
    at the moment of the read, without the lateness that the floor waits for."""
    level: dict[int, float] = {}
    last: dict[int, int] = {}
    place: int | None = None
    found = []
    for read in reads:
        port = read.antenna
        gap = max(read.t - last.get(port, read.t), 0) / SECOND
        level[port] = read.rssi + (level.get(port, read.rssi) - read.rssi) * math.exp(-gap / smoothing)
        last[port] = read.t
        if place is None:
            place = port
            found.append(Said("arrived", None, zones[port], 1.0, read.t, read.t))
            continue
        fresh = {p: v for p, v in level.items() if read.t - last[p] < 30 * SECOND}
        best = max(fresh, key=lambda p: fresh[p])
        if best != place and fresh[best] > fresh.get(place, -math.inf) + ahead:
            if zones[best] != zones[place]:
                found.append(Said("moved", zones[place], zones[best], 1.0, read.t, read.t))
            place = best
    return found
