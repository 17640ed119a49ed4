"""How fast events are sent: a window and a rate that adapt to what the broker acknowledges (AIMD).

At first only the window limits. When the broker refuses for now, or passes over events without a word, the window is
halved and the rate falls below what was acknowledged (multiplicative decrease); while all is well both grow again
step by step (additive increase), and after a minute the rate has no limit again.

A broker may also end the connection at what is too much for it, and say nothing. Where all events that were awaited
then are taken afterwards, none of them was the cause. Twice so within a minute, and the pace stays below what was
acknowledged before: for half a minute, as the network may have been the cause, and for longer each time that the
broker shows again that it means it. Times are seconds of any one clock.
"""

from __future__ import annotations

import math
from collections import deque

from gateway.mqtt.answers import End
from gateway.mqtt.blame import Blame

DECREASE = 0.7
"""A rate is cut to this share of what was acknowledged: room for what waits to be sent again."""

SLOWEST = 0.5
"""Events per second at the least: a broker that takes nothing is asked every other second."""

SHARE = 0.1
"""Share of refusals in the answers of the last seconds below which they are not about the pace: it would fall without
end where one event in twenty is bad."""

IN_VAIN, ENOUGH = 4.0, 20
"""How many times slower than before, over so many answers, with a share of refusals as before: then it is not the pace,
and a share of up to `USUAL_MORE` above that is taken for usual. Not so above `TOO_MANY`."""

USUAL_MORE, TOO_MANY = 0.2, 0.8

GROWTH = 0.05
"""Share of the rate by which it grows in a second, at least by half an event per second."""

UNKNOWN = 30.0
"""Events per second that are tried where nothing has been acknowledged of late."""

FORGET = 60.0
"""Seconds without trouble after which the rate has no limit."""

HOLD, LONGEST_HOLD = 30.0, 7_200.0
"""Seconds for which the pace stays below what connections ended at. Doubled each time that they end so again once it is
over, and as at first where they have not for the longest."""

CEILING = 0.85
"""Share of what was acknowledged before an end up to which the rate grows again meanwhile."""

LEAST_WINDOW, LEAST_RATE = 4, 1.0
"""A window and a rate (events per second) below which an end does not push them: it may have had another reason."""

_BUCKETS = 10  # seconds of answers that are remembered, a count for each


class Pace:
    """The window and the rate for one broker; they outlive a connection."""

    def __init__(self, widest: int) -> None:
        self._widest = widest
        self._blame = Blame()
        self.window = float(widest)
        self.rate = math.inf
        self._suspects: set[int] = set()  # events that were awaited when the last connection ended, and not taken since
        self._ended_with = 0  # how many they were
        self._ended_at = -math.inf  # when a connection ended at none of them
        self._ends = 0  # how many did so one after the other
        self._hold = HOLD
        self._held_until = -math.inf
        self._highest = (float(widest), math.inf)  # the window and the rate until then
        self._tokens = 1.0
        self._filled_at = 0.0
        self._cut_at = -math.inf
        self._grown_at = 0.0
        self._usual = 0.0  # share of refusals that slowing down has not changed
        self._before: tuple[float, float] | None = None  # window and rate before the first of the last cuts
        self._taken_slow = self._refused_slow = 0  # answers at a rate that is `IN_VAIN` times slower
        self._acknowledged: deque[tuple[int, int]] = deque(maxlen=_BUCKETS)  # (second, count)
        self._refused: deque[tuple[int, int]] = deque(maxlen=_BUCKETS)

    @property
    def slow(self) -> bool:
        """The broker does not take all that could be sent."""
        return self.rate != math.inf

    @property
    def lossy(self) -> bool:
        """Events are passed over whatever the pace."""
        return self._usual > 0

    def allows(self, now: float, outstanding: int) -> bool:
        """Whether one more event may be sent."""
        if outstanding >= int(self.window):
            return False
        if self.rate == math.inf:
            return True
        self._fill(now)
        return self._tokens >= 1.0

    def wait(self, now: float) -> float:
        """Seconds until the rate allows an event."""
        if self.rate == math.inf:
            return 0.0
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate)

    def sent(self) -> None:
        """An event was sent."""
        if self.rate != math.inf:
            self._tokens -= 1.0

    def taken(self, now: float, sequence: int, topic: str) -> None:
        """The broker has acknowledged the event `sequence`."""
        self._blame.taken(sequence, topic)
        if sequence in self._suspects:
            self._suspects.discard(sequence)
            if not self._suspects:
                self._ended_at_none(now)
        _count(self._acknowledged, now)
        self._taken_slow += self._crawls
        if self._usual and self._refused_lately(now) < SHARE / 2:
            self._usual = 0.0
        widest, _ = self._limits(now)
        if self.window < widest:
            self.window = min(widest, self.window + 1.0 / self.window)
        if self.rate != math.inf:
            self._grow(now)

    def trouble(self, now: float, sent_at: float, sequence: int, topic: str) -> bool:
        """The broker did not take an event of `sent_at`; whether that may be about the pace, which what is refused
        again while the others are taken is not. What was sent before the last cut says nothing new."""
        is_telling = self._blame.refused(sequence, topic)
        if is_telling:
            _count(self._refused, now)
            self._refused_slow += self._crawls
            limit = self._usual + USUAL_MORE if self._usual else SHARE
            if sent_at > self._cut_at and self._refused_lately(now) >= limit and not self._in_vain(now):
                self._slow_down(now)
        return is_telling

    @property
    def _crawls(self) -> bool:
        return self._before is not None and self.rate <= self._before[1] / IN_VAIN

    def _in_vain(self, now: float) -> bool:
        """Whether as much is refused as before although the rate is far below that: then it goes back there."""
        count = self._taken_slow + self._refused_slow
        if self._before is None or count < ENOUGH:
            return False
        share = self._refused_slow / count
        self._taken_slow = self._refused_slow = 0
        if not SHARE <= share <= TOO_MANY:
            return False
        self._usual = share
        (self.window, self.rate), self._before = self._before, None
        self._cut_at = self._grown_at = now
        return True

    def _slow_down(self, now: float) -> None:
        if self._before is None or not self.slow:
            measured = self._measured(now)
            self._before = self.window, min(self.rate, float(measured) if measured > 1 else UNKNOWN)
            self._taken_slow = self._refused_slow = 0
        measured = self._measured(now)
        known = float(measured) if measured > 1 else UNKNOWN  # nothing is known of a broker that was silent altogether
        self.rate = max(SLOWEST, min(self.rate, known) * DECREASE)
        self.window = max(1.0, self.window / 2)
        self._cut_at = self._grown_at = self._filled_at = now
        self._tokens = 0.0

    def cut(self, now: float, suspects: set[int], end: End) -> None:
        """The connection has ended while the events `suspects` were awaited."""
        self._suspects = suspects if end.blames_a_message else set()
        self._ended_with = len(suspects)
        if end is End.TOO_FAST:
            self._stay_below(now)

    def _ended_at_none(self, now: float) -> None:
        """All that was awaited when the last connection ended was taken since: it ended at their number, of those
        awaited or of those in a second."""
        self._ends = self._ends + 1 if now - self._ended_at < FORGET else 1
        self._ended_at = now
        if self._ends > 1:
            self._stay_below(now)

    def _stay_below(self, now: float) -> None:
        _, before = self._limits(now)
        if now - self._held_until > LONGEST_HOLD:
            self._hold = HOLD
        elif now >= self._held_until:
            self._hold = min(2 * self._hold, LONGEST_HOLD)
        self._held_until = now + self._hold
        if self._ended_with > 1:
            self.window = max(min(self.window, self._ended_with) / 4, float(min(LEAST_WINDOW, self._widest)))
        window, measured = self.window, self._measured(now)
        known = min(measured, before) if measured > 1 else before
        self._slow_down(now)
        self.rate = max(self.rate, LEAST_RATE)
        self.window = window
        self._highest = (window, max(self.rate, CEILING * known))

    def explained(self) -> None:
        """Takes note that the message at which connections end was found: it is not the pace."""
        self._ends = 0
        self._suspects.clear()

    def _limits(self, now: float) -> tuple[float, float]:
        return self._highest if now < self._held_until else (float(self._widest), math.inf)

    def _grow(self, now: float) -> None:
        _, highest = self._limits(now)
        if now - self._cut_at > FORGET or now >= self._held_until > self._cut_at:
            self.rate = highest
            return
        if self.rate < 2 * self._measured(now):  # a rate that is not made use of has not been tried
            self.rate = min(highest, self.rate + max(0.5, self.rate * GROWTH) * (now - self._grown_at))
        self._grown_at = now

    def _measured(self, now: float) -> int:
        """The most that was acknowledged in one of the last seconds."""
        return max(_lately(self._acknowledged, now), default=0)

    def _refused_lately(self, now: float) -> float:
        """The share of refusals in all answers of the last seconds."""
        refused = sum(_lately(self._refused, now))
        return refused / max(1, refused + sum(_lately(self._acknowledged, now)))

    def _fill(self, now: float) -> None:
        burst = max(1.0, self.rate / 10)
        self._tokens = min(burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now


def _count(seconds: deque[tuple[int, int]], now: float) -> None:
    second = int(now)
    if seconds and seconds[-1][0] == second:
        seconds[-1] = (second, seconds[-1][1] + 1)
    else:
        seconds.append((second, 1))


def _lately(seconds: deque[tuple[int, int]], now: float) -> list[int]:
    return [count for second, count in seconds if second >= int(now) - _BUCKETS]
