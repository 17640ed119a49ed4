"""The floor at work on a trial, exactly as ``rfid-gateway replay`` runs it, and what it said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from heapq import merge
from typing import Any

import orjson
from pydantic import ValidationError

from benchmarks.accuracy.trial import Trial
from benchmarks.radio.world import EPOCH
from drivers.api import Batch, Item
from gateway import replay
from gateway.clock import SECOND
from gateway.config import Config
from gateway.events.envelope import COUNT, MOVEMENT
from gateway.inputs import Input, Tick

_START = datetime.fromtimestamp(EPOCH // SECOND, tz=UTC)


@dataclass(slots=True, frozen=True)
class Verdict:
    """A published pass. Times in seconds from the beginning of the scene; `said` is when it was published.
    `taken_back`: a `revised` followed."""

    uid: str
    portal: str
    direction: str
    confidence: float
    first: float
    last: float
    said: float
    group: str | None
    taken_back: bool = False


@dataclass(slots=True, frozen=True)
class Movement:
    """A published change of presence: arrived, moved, not_seen, seen_again or departed. `t` is when it is said to have
    happened, `said` when it was published."""

    uid: str
    movement: str
    source: str | None
    target: str | None
    confidence: float
    t: float
    said: float


@dataclass(slots=True)
class Said:
    """Everything that the floor published about a trial. `judged` is false where it has no notion of the trial."""

    verdicts: list[Verdict] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    counts: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    judged: bool = True


def judge(trial: Trial, items: Iterable[Item]) -> Said:
    """Replays the items with the trial's configuration and commands."""
    said = Said()
    try:
        config = Config.model_validate(trial.config)
    except ValidationError as error:
        if "portals" not in str(error):
            raise
        said.judged = False  # a floor without portals: only the simple rules are weighed
        return said
    clock = _Clock(merge(items, trial.commands, key=time_of))
    for event in replay.replay(config, clock):
        _take(said, orjson.loads(event.payload), clock.now)
    return said


# Replay looks far ahead for ticks before it begins, which would hide when something is said. There are none here.
replay.LOOK_AHEAD = 1


GRID = SECOND // 10
"""Microseconds between the ticks of a gateway."""


class _Clock:
    """Inputs on their way to the floor, with the ticks of a gateway between them where anything but reads comes; `now`
    is how far they have come, in seconds of the scene."""

    def __init__(self, items: Iterable[Input]) -> None:
        self._items = list(items)
        self.now = 0.0

    def __iter__(self) -> Iterator[Input]:
        ticks = not all(isinstance(item, Batch) for item in self._items)
        due: int | None = None
        for item in self._items:
            t = time_of(item)
            if ticks and t:
                if due is None:
                    due = t // GRID * GRID
                    yield Tick(due)
                while due + GRID <= t:
                    due += GRID
                    self.now = (due - EPOCH) / SECOND
                    yield Tick(due)
            self.now = max(self.now, (t - EPOCH) / SECOND)
            yield item


def time_of(item: Input) -> int:
    """When an input comes, in microseconds UTC."""
    return item.arrival if isinstance(item, Batch) else getattr(item, "t", 0)


def _take(said: Said, event: dict[str, Any], now: float) -> None:
    data, t = event["data"], seconds(event["time"])
    if event["type"] == COUNT:
        said.counts.append(data)
    elif event["type"] != MOVEMENT:
        said.alarms.append(data)
    elif data["movement"] == "passed":
        proof = data.get("evidence", {})
        first, last = data.get("first", proof.get("first")), data.get("last", proof.get("last"))
        said.verdicts.append(
            Verdict(
                uid=data["uid"],
                portal=data["portal"],
                direction=data["direction"],
                confidence=data["confidence"],
                first=t if first is None else seconds(first),
                last=t if last is None else seconds(last),
                said=now,
                group=data.get("group"),
            )
        )
    elif data["movement"] == "revised":
        _take_back(said, data)
    elif data["movement"] == "group_passed":
        said.groups.append(data)
    else:
        said.movements.append(
            Movement(data["uid"], data["movement"], data["from"], data["to"], data["confidence"], t, now)
        )


def _take_back(said: Said, data: dict[str, Any]) -> None:
    """Marks the pass that a `revised` is about: the tag's last one that way through that portal."""
    for number in reversed(range(len(said.verdicts))):
        verdict = said.verdicts[number]
        if (verdict.uid, verdict.portal, verdict.direction) == (data["uid"], data["portal"], data["was"]):
            said.verdicts[number] = replace(verdict, taken_back=True)
            return


def seconds(text: str) -> float:
    """RFC 3339 as seconds from the beginning of the scene."""
    return (datetime.fromisoformat(text) - _START).total_seconds()
