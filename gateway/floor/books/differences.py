"""The life of a difference.

::

    agrees ──does not──▶ waiting ──for the lag──▶ open ◀──▶ explained, closed      by command, by a name
       ▲                    │                       │
       └────agrees again────┴───────────────────────┘
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.events.book_models import DifferenceState, What
from gateway.floor.by_name import by_name

MAX_DIFFERENCES = 20_000
"""Differences at a time. Beyond it a book is wrong as a whole; the figure says how many more there are."""

GATEWAY = "gateway"


@dataclass(slots=True)
class Life:
    """A package that does not agree. `said` is 0 while it waits for the lag; `state` is that of the newest event."""

    what: list[What]
    since: int
    said: int = 0
    state: DifferenceState = "open"
    owner: str | None = None
    note: str = ""


Say = Callable[[str, Life, DifferenceState, str], None]
"""Takes what is to be said: UID, its life, the state, by whom."""


class Differences:
    """What does not agree, by UID. `lag` in microseconds. `beyond` are those for which there is no room."""

    def __init__(self, lag: int) -> None:
        self._lag = lag
        self.lives: dict[str, Life] = {}
        self.beyond = 0

    def renew(self, found: Mapping[str, list[What]], t: int, say: Say) -> None:
        """`found` is all that does not agree at `t`."""
        for uid in sorted(self.lives.keys() - found.keys()):
            over = self.lives.pop(uid)
            if over.said:
                say(uid, over, "closed", GATEWAY)
        self.beyond = 0
        for uid, what in found.items():
            life = self.lives.get(uid)
            if life is None:
                if len(self.lives) >= MAX_DIFFERENCES:
                    self.beyond += 1
                    continue
                life = self.lives[uid] = Life(what, t)
            elif life.what != what:
                life.what = what
                if life.said:
                    life.state = "open"  # what was explained is another matter now
                    say(uid, life, "open", GATEWAY)
            if not life.said and t - life.since >= self._lag:
                life.said = t
                say(uid, life, "open", GATEWAY)

    def said(self) -> dict[str, Life]:
        """The differences that have outlived the lag, by UID."""
        return {uid: life for uid, life in self.lives.items() if life.said}

    def by_state(self) -> dict[str, int]:
        """How many there are in each state; those that have not outlived the lag are waiting."""
        states = ("open", "explained", "closed")
        waiting = sum(1 for life in self.lives.values() if not life.said)
        return {"waiting": waiting, **{state: self.number(state) for state in states}}

    def number(self, state: str) -> int:
        """How many differences are in a state and were published."""
        return sum(1 for life in self.lives.values() if life.said and life.state == state)

    def apply(self, data: Mapping[str, Any], since: int, t: int) -> None:
        """Takes over from an event how it stands with a package."""
        if data["state"] == "closed" and data["by"] == GATEWAY:
            self.lives.pop(data["uid"], None)
            return
        self.lives[data["uid"]] = Life(
            list(data["what"]), since, t, data["state"], data["owner"], data["note"]
        )  # fmt: skip

    def redate(self, by: int) -> None:
        """All differences were `by` microseconds later than was thought."""
        for life in self.lives.values():
            life.since += by
            life.said += by if life.said else 0

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {uid: by_name(life) for uid, life in self.lives.items()}

    def load(self, dump: Mapping[str, Any]) -> None:
        """Takes over what `dump` gave."""
        self.lives = {uid: Life(**life) for uid, life in dump.items()}
