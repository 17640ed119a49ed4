"""Whether the gateway does its work: what feeds the watchdog, and what ``/healthz`` answers.

Healthy means that things move. For each thing that must move while there is work for it there is a deadline: from then
on the gateway is *failing*, with the reason. Where it also hangs, so that only a restart helps, the watchdog is not
fed any more: a disk that refuses each attempt, or a broker that closes each connection, moves too, and no restart
mends it. A reader without power or a broker without network is no reason to restart, but somebody should know.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

TURN_LIMIT = 10.0
"""Seconds without a tick, which comes several times a second. Pauses of a loaded small computer stay well below."""

LOOK_EVERY = 0.5
"""Seconds from one look at where everything stands to the next: a tenth of the shortest deadline."""

EVENT_TIME_LIMIT = 5.0
"""Seconds, and the longest window, for which event time may stand: reads that come meanwhile are judged by nobody."""

COMMIT_LIMIT = 30.0
"""Seconds that a commit may take: an SD card that collects its garbage has been seen to hold a sync for several."""

CHECKPOINT_LIMIT = 40.0
"""Seconds from when a checkpoint is due until it is on disk. It is a commit like any other, and larger."""

PUBLISH_LIMIT = 45.0
"""Seconds for which a broker that is connected may take none of the events that wait. It is less than what the link
gives it until it connects anew: somebody should know before that helps."""

HISTORY_LIMIT = 60.0
"""Seconds for which the history may take in none of the events that wait for it: alarms and pages are as old."""

HANG = 3.0
"""Limits after which a part that does not even try is taken to hang. Event time and ticks do nothing but move."""


@dataclass(slots=True, frozen=True)
class ReaderState:
    """`detail` says why the reader is not up."""

    reader: str
    up: bool
    detail: str = ""


@dataclass(slots=True, frozen=True)
class Standing:
    """Where everything stands that must move.

    `event_time`: up to where the floor has judged. `queued` facts wait for their
    commit, of which there were `commits` attempts. `pending` events wait for the broker, `published` is up to where it
    has them, `connected` whether it is there, `connects` how often it was, and `answers` counts all that became of
    events and connections. `checkpoint_due`: one is not on disk, of which there are `checkpoints`, after so many
    `checkpoint_attempts`. `remembered`: the newest event that the history holds.
    """

    event_time: int
    queued: int
    committed: int
    commits: int
    pending: int
    published: int
    connected: bool
    connects: int
    answers: int
    checkpoint_due: bool
    checkpoints: int
    checkpoint_attempts: int
    remembered: int


@dataclass(slots=True)
class Deadline:
    """Something that must move within `limit` seconds while there is work for it; `why` says what stands still.

    `tries` is what moves while it at least tries, and it hangs where that stands for `hang` seconds.
    """

    limit: float
    hang: float
    why: str
    _mark: Any = None
    _tries: Any = None
    _moved: float = 0.0
    _tried: float = 0.0

    def look(self, busy: bool, mark: Any, tries: Any, now: float) -> None:
        """Notes where it stands at `now`."""
        if not busy or mark != self._mark:
            self._mark, self._moved = mark, now
        if not busy or (mark, tries) != self._tries:
            self._tries, self._tried = (mark, tries), now

    def late(self, now: float) -> list[str]:
        """Why the part is late at `now`, in words; empty where it is not."""
        stood = now - self._moved
        return [self.why.format(seconds=f"{stood:.0f} s")] if stood > self.limit else []

    def hangs(self, now: float) -> bool:
        """Whether at `now` it has not even tried for too long."""
        return now - self._tried > self.hang


@dataclass(slots=True)
class Deadlines:
    """The deadlines of everything that must move. `window` is the width of a window in seconds: event time moves from
    one to the next."""

    window: float
    event_time: Deadline = field(init=False)
    commit: Deadline = field(init=False)
    checkpoint: Deadline = field(init=False)
    publishing: Deadline = field(init=False)
    history: Deadline = field(init=False)
    _published: int = -1
    _connects: int = 0  # when the broker took an event last

    def __post_init__(self) -> None:
        limit = EVENT_TIME_LIMIT + self.window
        self.event_time = Deadline(
            limit, HANG * limit, "event time has been standing for {seconds}: reads are not judged"
        )
        self.commit = Deadline(
            COMMIT_LIMIT, COMMIT_LIMIT, "the ledger has not committed for {seconds} what it was given"
        )
        self.checkpoint = Deadline(
            CHECKPOINT_LIMIT, HANG * CHECKPOINT_LIMIT, "a checkpoint has been due for {seconds} and is not on disk"
        )
        self.publishing = Deadline(
            PUBLISH_LIMIT, HANG * PUBLISH_LIMIT, "events wait, and the broker has taken none for {seconds}"
        )
        never = math.inf  # no restart is worth reads, and it can be made again at any time
        self.history = Deadline(
            HISTORY_LIMIT, never, "the history has taken in nothing for {seconds}: alarms and pages are as old"
        )

    def look(self, at: Standing, now: float) -> None:
        """Notes where everything stands at `now`."""
        self.event_time.look(True, at.event_time, at.event_time, now)
        self.commit.look(at.queued > 0, at.committed, at.commits, now)
        self.checkpoint.look(at.checkpoint_due, at.checkpoints, at.checkpoint_attempts, now)
        if at.published != self._published:
            self._published, self._connects = at.published, at.connects
        there = at.connected or at.connects > self._connects  # one that comes and goes and takes nothing, too
        self.publishing.look(at.pending > 0 and there, at.published, at.answers, now)
        self.history.look(at.remembered < at.committed, at.remembered, at.remembered, now)

    def late(self, now: float) -> list[str]:
        """Why anything is late."""
        every = (self.event_time, self.commit, self.checkpoint, self.publishing, self.history)
        return [why for deadline in every for why in deadline.late(now)]

    def hang(self, now: float) -> bool:
        """Whether anything hangs at `now`."""
        every = (self.event_time, self.commit, self.checkpoint, self.publishing)
        return any(deadline.hangs(now) for deadline in every)


class Health:
    """Asks its callables only when it is asked itself, apart from `standing`, at which turns look now and then.

    `broker` says why the broker is not connected, or nothing; `held_back` why readers are not being read, or nothing;
    `worries` what else a person should look at.
    """

    def __init__(
        self,
        *,
        standing: Callable[[], Standing],
        window: float,
        readers: Callable[[], Iterable[ReaderState]],
        broker: Callable[[], str],
        held_back: Callable[[], str],
        worries: Callable[[], Iterable[str]] = tuple,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._standing = standing
        self._deadlines = Deadlines(window)
        self._readers = readers
        self._broker = broker
        self._held_back = held_back
        self._worries = worries
        self._monotonic = monotonic
        self._turned = self._looked = monotonic()
        self._deadlines.look(standing(), self._turned)

    def turned(self) -> None:
        """The pipeline has done a turn. Called at every tick."""
        self._turned = self._monotonic()
        if self._turned - self._looked >= LOOK_EVERY:
            self._looked = self._turned
            self._deadlines.look(self._standing(), self._turned)

    def progress(self) -> bool:
        """Nothing hangs: the watchdog may be fed."""
        now = self._monotonic()
        return now - self._turned <= TURN_LIMIT and not self._deadlines.hang(now)

    def report(self) -> tuple[int, dict[str, Any]]:
        """HTTP status and body of ``/healthz``: 200 ``ok``, 200 ``degraded`` (something needs a person, nothing is
        lost), 503 ``failing`` (the gateway does not see, does not keep what it sees, or does not pass it on)."""
        readers = list(self._readers())
        down = [state for state in readers if not state.up]
        failing = self._late()
        if why := self._held_back():
            failing.append(f"readers are held back: {why}")
        if readers and len(down) == len(readers):
            failing.append("no reader is up")
        degraded = [f"reader {state.reader} is down: {state.detail or 'not connected yet'}" for state in down]
        if why := self._broker():
            degraded.append(f"the broker is away, events are kept: {why}")
        degraded += self._worries()
        status = "failing" if failing else "degraded" if degraded else "ok"
        body = {
            "status": status,
            "reasons": failing + degraded,
            "readers": {state.reader: "up" if state.up else "down" for state in readers},
        }
        return (503 if failing else 200), body

    def _late(self) -> list[str]:
        now = self._monotonic()
        stood = now - self._turned
        if stood > TURN_LIMIT:
            return [f"the pipeline has not moved for {stood:.0f} s"]
        return self._deadlines.late(now)
