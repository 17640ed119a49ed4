"""The clocks of a machine on which no time passes by itself."""

from __future__ import annotations

from gateway.clock import SECOND
from gateway.service.event_clock import EventClock

START = 1_700_000_000 * SECOND
HOUR = 3_600 * SECOND


class Machine:
    """`pass_time`, `set_wall` and `sleep` are what can happen to its clocks; all in microseconds."""

    def __init__(self, wall: int = START) -> None:
        self.mono = 7 * HOUR
        self.boot = 8 * HOUR
        self.off = wall - self.mono

    def clock(self) -> EventClock:
        """Event time as a process that starts now knows it."""
        return EventClock(lambda: self.wall, lambda: self.mono, lambda: self.boot)

    def pass_time(self, microseconds: int) -> None:
        self.mono += microseconds
        self.boot += microseconds

    def set_wall(self, by: int) -> None:
        self.off += by

    def sleep(self, microseconds: int) -> None:
        self.boot += microseconds
        self.off += microseconds

    @property
    def wall(self) -> int:
        return self.mono + self.off
