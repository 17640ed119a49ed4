"""Loads: passes that belong together, such as a pallet, a cart, an armful.

Passes the same way whose crossings follow each other closely are a load. A load takes in members as they are judged,
and is said as a group once nothing is left that could belong to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.clock import SECOND, rfc3339
from gateway.floor.passes import Direction
from gateway.floor.portals.judge import Verdict
from gateway.floor.portals.proof import PassProof

LINK = 1 * SECOND
"""Longest time between the crossings of two packages of one load: a metre at a walk."""

SPAN = 4 * SECOND
"""Longest time in which a load crosses: a pallet and its jack, two metres, at half a metre a second."""

SLOW_DIVISOR = 4
"""A slow load takes longer: LINK is at least this part of the time for which a package was read, SPAN at least twice
that part. When a package crossed is found no better than that."""


@dataclass(slots=True)
class Judged:
    """A pass that is decided: the tag, the verdict on it, and the reads behind that. `start` to `end` is when it was
    read, microseconds UTC. `group` is the name of its load where it was not alone; `revises` is the way that it takes
    back."""

    uid: str
    start: int
    end: int
    verdict: Verdict
    proof: PassProof
    group: str | None = None
    revises: Direction | None = None

    @property
    def direction(self) -> Direction:
        """The way that the tag went; where it takes a way back, the opposite one, since it is where it was before."""
        if self.revises is None:
            return self.verdict.direction
        return Direction.OUT if self.revises is Direction.IN else Direction.IN

    @property
    def told(self) -> Direction:
        """The way that is told to whoever must know whether a package left: undetermined where nobody knows, also where
        a way is taken back for that."""
        undetermined = self.verdict.direction is Direction.UNDETERMINED
        return self.verdict.direction if undetermined else self.direction

    @property
    def crossing(self) -> int:
        """When the tag went through, microseconds UTC."""
        return self.verdict.crossing

    @property
    def confidence(self) -> float:
        """Confidence of the direction, from 0 to 1."""
        taken_back = self.revises is not None and self.verdict.direction is Direction.UNDETERMINED
        return 1 - self.verdict.confidence if taken_back else self.verdict.confidence

    @property
    def passes(self) -> bool:
        """Whether the tag is on the other side by that."""
        return self.direction in (Direction.IN, Direction.OUT)

    @property
    def joins(self) -> bool:
        """Whether it may belong to a load."""
        return self.passes and self.revises is None


@dataclass(slots=True)
class Load:
    """Passes that belong together. `name` is its group's; `start` to `end` is when any of it was read, `first` to
    `last` when it crossed, `said` when its last member was, all in microseconds UTC. `confidence` is the least."""

    name: str
    direction: Direction
    start: int
    end: int
    first: int
    last: int
    said: int
    confidence: float = 1.0
    members: list[str] = field(default_factory=list)

    def takes(self, judged: Judged) -> bool:
        """Whether a pass belongs to the load."""
        part = (judged.end - judged.start) // SLOW_DIVISOR
        link, span = max(LINK, part), max(SPAN, 2 * part)
        first, last = min(self.first, judged.crossing), max(self.last, judged.crossing)
        near = self.first - link <= judged.crossing <= self.last + link
        return judged.direction is self.direction and near and last - first <= span and judged.uid not in self.members

    def add(self, judged: Judged, t: int) -> None:
        """Takes in a pass, which is said at `t`."""
        self.members.append(judged.uid)
        self.start, self.end = min(self.start, judged.start), max(self.end, judged.end)
        self.first, self.last = min(self.first, judged.crossing), max(self.last, judged.crossing)
        self.said = t
        self.confidence = min(self.confidence, judged.confidence)


class Loads:
    """The loads of one portal that may still grow."""

    def __init__(self, portal: str) -> None:
        self._portal = portal
        self.open: list[Load] = []

    def put_together(self, passes: Iterable[Judged], t: int) -> list[Judged]:
        """Finds the load of each of the passes that are said at `t`, and writes the group of those that are not alone
        in theirs. Returns them in the order of their crossing."""
        ordered = sorted(passes, key=lambda judged: (judged.crossing, judged.uid))
        found = [(judged, self._join(judged, t)) for judged in ordered]
        for judged, load in found:
            if len(load.members) > 1:
                judged.group = load.name
        return ordered

    def _join(self, judged: Judged, t: int) -> Load:
        load = next((load for load in self.open if load.takes(judged)), None)
        if load is None:
            crossing = judged.crossing
            name = f"{self._portal}/{judged.direction}/{rfc3339(crossing)}"
            load = Load(name, judged.direction, judged.start, judged.end, crossing, crossing, t)
            self.open.append(load)
        load.add(judged, t)
        return load

    def complete(self, before: int, said: int) -> list[Load]:
        """Takes out the loads that nothing can belong to any more: everything that is still open was read only after
        `before`, or their last member was said no later than `said`. Those of one member are no group."""
        whole = [load for load in self.open if load.end < before or load.said <= said]
        self.open = [load for load in self.open if load.end >= before and load.said > said]
        return [load for load in whole if len(load.members) > 1]

    def redate(self, by: int) -> None:
        """The loads that are open were `by` microseconds later than was thought. Their names stay."""
        for load in self.open:
            load.start, load.end = load.start + by, load.end + by
            load.first, load.last, load.said = load.first + by, load.last + by, load.said + by

    def dump(self) -> list[Any]:
        """The state for a checkpoint, ready for JSON."""
        return [asdict(load) for load in self.open]

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        self.open = [Load(**(entry | {"direction": Direction(entry["direction"])})) for entry in dump]
