"""A running count: its rounds, the tags that each round saw, and the rule by which it has seen enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.events.count_models import EndedBy, Trigger
from gateway.floor.by_name import by_name

QUIET_ROUNDS = 4
"""Rounds in a row without a new tag that end a count. A tag that every other round sees is missed by four in one case
of sixteen, and the estimate is for those."""

FEWEST_ROUNDS = 6
"""Rounds of a count that ends by itself. With fewer, how often a tag was seen says little of those never seen."""

MOST_ROUNDS = 32
"""Rounds into which a count of a given duration is cut: enough for the estimate, and each costs a look at every tag."""

MAX_FOLLOWED = 100_000
"""Tags that one count follows from round to round: a large shelf a hundred times. Beyond it there is no estimate."""

WATCHED = 0.5
"""The share of a round for which some antenna has to watch, so that seeing nothing in it means something."""

FEWEST_LATELY = 2
"""Rounds that the last third of a count has at least."""

STILL_COMING = 0.04
"""Share of the tags that may be new in the last third of a count that has been all over its zone."""

COME_BACK = 12
"""Rounds in which somebody who carries an antenna past a shelf has been there twice."""


@dataclass(slots=True)
class Running:
    """A count that is being taken. Times in microseconds UTC.

    `end` is when it ends at the latest, `by_itself` whether it may end before. `dark` and `round_dark` are the dark
    times of the zone's antennas, by name, when the count and its present round began. `tags` maps the EPC of each tag
    of the zone that was read to the number of rounds that did; `near` are the tags of other zones that were read here.
    `fresh` has for each round how many tags it was the first to read. `due` is when the calendar had it due, else 0.
    `by` is who asked for it, where somebody did, and `session` the session that it belongs to, which has no end of its
    own: `closing` says that somebody has closed it.
    """

    zone: str
    trigger: Trigger
    request: str | None
    start: int
    end: int
    step: int
    by_itself: bool
    dark: dict[str, int]
    due: int = 0
    expected: list[str] | None = None
    round_start: int = 0
    round_dark: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    blind: int = 0
    quiet: int = 0
    too_many: bool = False
    tags: dict[bytes, int] = field(default_factory=dict)
    near: set[bytes] = field(default_factory=set)
    fresh: list[int] = field(default_factory=list)
    by: str | None = None
    session: str = ""
    closing: bool = False
    is_gone: bool = False  # its zone is configured no more

    @property
    def next(self) -> int:
        """When the present round ends. Rounds of the same length lie on one grid of event time, so that one look at
        the tags serves all counts that are running; the last round takes in what is left of the time."""
        end = (-(-self.round_start // self.step) + 1) * self.step
        return self.end if end + self.step // 2 > self.end else end

    @property
    def finished(self) -> EndedBy | None:
        """Why the count has ended with the round that just did; None while it goes on."""
        if self.is_gone:
            return "zone removed"
        if self.session:
            return None if self.round_start < self.end else "closed" if self.closing else "time limit"
        if self.by_itself and self.rounds >= FEWEST_ROUNDS and self.quiet >= QUIET_ROUNDS:
            return "no new tags"
        if self.round_start >= self.end:
            return "time limit" if self.by_itself else "duration"
        return None

    def redate(self, by: int, grid: int) -> None:
        """All that it saw was `by` microseconds later than was thought. One on a `grid` ends on it."""
        self.start, self.round_start, self.end = self.start + by, self.round_start + by, self.end + by
        if grid:
            self.end = (self.round_start // grid + 1) * grid

    def close_round(self, t: int, seen: Iterable[bytes], near: Iterable[bytes], dark: Mapping[str, int]) -> None:
        """Ends the round at `t`. `seen` are the tags of the zone that were read in it, `near` those of other zones;
        `dark` the dark times of the antennas by now."""
        new = found = 0
        for epc in seen:
            found += 1
            before = self.tags.get(epc, 0)
            new += not before
            if before or len(self.tags) < MAX_FOLLOWED:
                self.tags[epc] = before + 1
            else:
                self.too_many = True
        for epc in near:
            if len(self.near) < MAX_FOLLOWED:
                self.near.add(epc)
        if found or self._watched(t, dark) >= WATCHED:
            self.rounds += 1
            self.quiet = 0 if new else self.quiet + 1
            self.fresh.append(new)
        else:
            self.blind += 1
        self.round_start = t
        self.round_dark = dict(dark)

    def _watched(self, t: int, dark: Mapping[str, int]) -> float:
        """The share of the round for which that antenna was watching that watched the longest."""
        length = max(t - self.round_start, 1)
        return max((1 - (total - self.round_dark.get(name, 0)) / length for name, total in dark.items()), default=0.0)

    def frequencies(self, epcs: Iterable[bytes]) -> dict[int, int]:
        """Number of rounds to how many of these tags were read in so many."""
        return dict(Counter(number for epc in epcs if (number := self.tags.get(epc, 0))))

    @property
    def new_lately(self) -> int:
        """Tags that were read for the first time in the last third of the rounds."""
        return sum(self.fresh[-max(len(self.fresh) // 3, FEWEST_LATELY) :])

    @property
    def covered(self) -> bool:
        """Whether the count shows that it has been all over the zone. It does not while new tags keep coming, nor
        where the antenna walked past, each tag being read in a few rounds only, and there was no time to come back."""
        if self.new_lately > STILL_COMING * len(self.tags):
            return False
        rounds = sorted(self.tags.values())
        passing = bool(rounds) and 3 * rounds[len(rounds) // 2] < 2 * self.rounds
        return self.rounds >= COME_BACK or not passing

    def dump(self) -> dict[str, Any]:
        """The fields by name, ready for JSON."""
        plain = by_name(self)
        tags = [[epc.hex() for epc in self.tags], list(self.tags.values())]
        return plain | {"tags": tags, "near": sorted(epc.hex() for epc in self.near)}

    @classmethod
    def load(cls, dump: Mapping[str, Any]) -> Running:
        """Takes over a dump."""
        epcs, numbers = dump["tags"]
        tags = dict(zip(map(bytes.fromhex, epcs), numbers, strict=True))
        return cls(**{**dump, "tags": tags, "near": set(map(bytes.fromhex, dump["near"]))})
