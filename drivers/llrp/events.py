"""A reader's event notifications as the items that the gateway understands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.api import AntennaStatus, ClockQuality, InputChange, Item, ReaderCondition, ReaderLoss
from drivers.llrp.clock import LATEST, ReaderTime, Stamps
from drivers.llrp.commands import text
from drivers.llrp.protocol.element import Element

STRAGGLING = 1_000_000
"""Microseconds. Readers report out of time order: what had not come yet may be so much older than what had."""

SOMEBODY_ELSE = 4
"""Status of a ConnectionAttemptEvent: another client tried to connect, and could not."""

STARTED = 0
"""EventType of a ROSpecEvent: it has started."""

SIGNS_UNTIL_OVER = 2
"""LLRP says when a warning begins, never when it ends: it counts as over after so many signs of life without it."""


def stamp_of(data: Element) -> tuple[Stamps, int]:
    """When the reader says that the event happened: the kind of time, and the time in microseconds."""
    for name, stamps in (("UTCTimestamp", Stamps.UTC), ("Uptime", Stamps.UPTIME)):
        stamp = data.find(name)
        if stamp is not None and stamp["Microseconds"] < LATEST:
            return stamps, stamp["Microseconds"]
    return Stamps.NONE, 0


@dataclass(slots=True, frozen=True)
class When:
    """The times of an event: when it happened by our clock, when it arrived, and the time of the newest read before
    it."""

    t: int
    arrival: int
    last_read: int | None


def attempt_refused(status: int) -> str:
    """Why a ConnectionAttemptEvent means no connection, empty where it means one (LLRP 1.1, section 15.2.4.6.9)."""
    if status in (0, SOMEBODY_ELSE):
        return ""
    if status in (1, 2):
        return "another client is connected to this reader, which serves one at a time: stop that one"
    return f"the reader refuses the connection (connection attempt status {status})"


def when_of(stamps: Stamps, stamp: int, time: ReaderTime, arrival: int, last_read: int | None) -> When:
    """The time of an event that the reader stamped `stamp` and that arrived at `arrival`."""
    is_timed = stamps is not Stamps.NONE and time.reading.quality is not ClockQuality.ARRIVAL
    return When(stamp + time.offset(stamps, stamp, arrival) if is_timed else arrival, arrival, last_read)


def translate(reader: str, data: Element, when: When) -> list[Item]:
    """The items for a ReaderEventNotificationData, without inputs, which may have to settle first."""
    return [make(reader, event, when) for event in data.children if (make := _MAKERS.get(event.name))]


def _antenna(reader: str, event: Element, when: When) -> Item:
    up = event["EventType"] == 1
    return AntennaStatus(reader, when.t, event["AntennaID"], up, "" if up else "the reader reports it disconnected")


def _warning(reader: str, event: Element, when: When) -> Item:
    full = event["ReportBufferPercentageFull"]
    return ReaderCondition(reader, when.t, "buffer-warning", True, f"the reader's report buffer is {full} % full")


def _overflow(reader: str, _event: Element, when: When) -> Item:
    start = (when.t if when.last_read is None else min(when.last_read, when.arrival)) - STRAGGLING
    return ReaderLoss(reader, when.arrival, start, when.arrival, "reader-buffer-overflow")


def _exception(reader: str, event: Element, when: When) -> Item:
    return ReaderCondition(reader, when.t, "exception", True, text(event["Message"]))


_MAKERS: dict[str, Callable[[str, Element, When], Item]] = {
    "AntennaEvent": _antenna,
    "ReportBufferLevelWarningEvent": _warning,
    "ReportBufferOverflowErrorEvent": _overflow,
    "ReaderExceptionEvent": _exception,
}


@dataclass(slots=True)
class Conditions:
    """Conditions that have begun and are over when nothing has been heard of them for a while."""

    _left: dict[str, int] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)

    def began(self, condition: ReaderCondition) -> bool:
        """The condition was heard of. Whether that is news: the reader repeats some for as long as they last."""
        known = self._said.get(condition.condition) == condition.detail and condition.condition in self._left
        self._said[condition.condition] = condition.detail
        self._left[condition.condition] = SIGNS_UNTIL_OVER
        return not known

    def alive(self, reader: str, t: int) -> list[Item]:
        """A sign of life came: the conditions that are over now."""
        over = [name for name, left in self._left.items() if left == 1]
        self._left = {name: left - 1 for name, left in self._left.items() if left > 1}
        return [ReaderCondition(reader, t, name, False) for name in over]


@dataclass(slots=True)
class _Pending:
    state: bool
    t: int
    due: float


@dataclass(slots=True)
class Inputs:
    """General purpose inputs: a change counts once the level has held for the port's settle time.

    `settle` is in seconds for each port in use; other ports are ignored. `known` outlives the connection, so that a
    reconnect tells only what has changed. `at` is monotonic seconds.
    """

    settle: dict[int, float]
    known: dict[int, bool] = field(default_factory=dict)
    _pending: dict[int, _Pending] = field(default_factory=dict)

    def change(self, reader: str, port: int, state: bool, t: int, at: float) -> list[Item]:
        """The reader says that `port` took this level at `t` (microseconds UTC). Returns what counts now."""
        if port not in self.settle:
            return []
        settle = self.settle[port]
        before = self._pending.pop(port, None)
        items: list[Item] = []
        if before and t - before.t >= settle * 1_000_000:  # it had held long enough; the reader told us late
            items.append(self._count(reader, port, before))
        if self.known.get(port) is not state:
            pending = _Pending(state, t, at + settle)
            if settle:
                self._pending[port] = pending
            else:
                items.append(self._count(reader, port, pending))
        return items

    @property
    def due(self) -> float | None:
        """When the next change has settled."""
        return min((pending.due for pending in self._pending.values()), default=None)

    def settled(self, reader: str, at: float) -> list[Item]:
        """The changes that count now, in the order of their ports."""
        ready = sorted(port for port, pending in self._pending.items() if pending.due <= at)
        return [self._count(reader, port, self._pending.pop(port)) for port in ready]

    def _count(self, reader: str, port: int, pending: _Pending) -> Item:
        self.known[port] = pending.state
        return InputChange(reader, pending.t, port, pending.state)
