"""What the times of a reader mean: how far its clock is from ours, and how well we know that.

LLRP has no request for the time. What there is are stamps on things that arrive: the greeting and other events, which
are sent at once, and reports, which may wait in the reader first. Arrival less stamp is the offset plus a delay that
is never negative, so the smallest of many is the best guess (the minimum filter of NTP, RFC 5905, section 10).

Reports are late by a delay of their own even at best. That `lag` is learnt in the first window after the greeting gave
a good offset; later windows then show how the clocks drift apart, and a clock that was set back. A stamp from the
future shows at once that the clock was set forward, one from far ahead where the next agrees.

A stamp that is late by less than a second shows no clock that is off: a gateway that was busy, or a slow network, does
as much. Only where nothing came sooner for some seconds is the clock taken to be off by that.

All times are microseconds. There is no wall clock here: arrival times are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from drivers.api import ClockQuality

SYNCED_WITHIN = 100_000  # closer than this counts as one clock
RESYNCED_WITHIN = 50_000  # and must come this close to count as one again, so that it does not flap
WORTH_TELLING = 50_000  # smaller changes are the network's jitter
WINDOW = 10_000_000  # long enough that some report of it was quick
UNSURE = 3_000_000  # from the first stamp on: what is late by less than LONGEST_LAG may have been slow to come
LONGEST_LAG = 1_000_000  # if every report of a window is later than this, all along by as much, the clock was set back

LEAP = 60_000_000  # a stamp further ahead needs a second one that agrees: it may be damaged

LATEST = 1 << 62
"""No clock shows so many microseconds: whatever has such a stamp has none."""

ClockMode = Literal["auto", "trust", "arrival"]


class Stamps(StrEnum):
    """What kind of time a reader puts on things."""

    UTC = "utc"
    UPTIME = "uptime"
    NONE = "none"


@dataclass(slots=True, frozen=True)
class Reading:
    """How the reader's times are to be understood: add `offset` to get UTC."""

    quality: ClockQuality
    offset: int


class ReaderTime:
    """Follows the clock of one reader over one connection.

    `reading` is what holds now; `event` and `report` take in a stamp and say whether that changed it.
    """

    def __init__(self, mode: ClockMode = "auto") -> None:
        self._mode = mode
        self._stamps = Stamps.NONE
        self._on_reports: Stamps | None = None
        self._of_events: dict[Stamps, int] = {}  # offsets as the last event of each kind showed them
        self._measured = 0
        self._lag: int | None = None
        self._window_end = 0
        self._lows: dict[bool, int] = {}  # of the two halves of the window
        self._unsure_until = 0
        self._leap: int | None = None  # what the last stamp would make the offset, where that was far ahead
        self.reading = Reading(ClockQuality.ARRIVAL, 0)

    def offset(self, stamps: Stamps, newest: int, arrival: int) -> int:
        """What to add to the times of rows that arrived at `arrival`; `newest` is the last of them.

        Rows without a time have 0 there. A kind of time that reports have not is as events showed it, and what it most
        likely is where they have it neither.
        """
        if stamps is Stamps.NONE or self._mode == "arrival":
            return arrival
        if stamps is self._stamps:
            return self.reading.offset
        known = self._of_events.get(stamps)
        if known is None:
            return 0 if stamps is Stamps.UTC else arrival - newest
        return 0 if stamps is Stamps.UTC and (self._mode == "trust" or abs(known) < SYNCED_WITHIN) else known

    def event(self, stamps: Stamps, stamp: int, arrival: int) -> bool:
        """An event (the greeting is one) stamped `stamp` arrived at `arrival`."""
        if self._mode == "arrival" or stamps is Stamps.NONE:
            return False
        self._of_events[stamps] = arrival - stamp
        if self._on_reports not in (None, stamps):
            return False
        return self._sample(stamps, stamp, arrival)

    def report(self, stamps: Stamps, stamp: int, arrival: int) -> bool:
        """A report whose newest row is stamped `stamp` arrived at `arrival`, not held back by the reader."""
        if self._mode == "arrival":
            return False
        self._on_reports = stamps
        if stamps is not Stamps.NONE:
            return self._sample(stamps, stamp, arrival)
        changed = self.reading.quality is not ClockQuality.ARRIVAL
        self._stamps = Stamps.NONE
        self.reading = Reading(ClockQuality.ARRIVAL, 0)
        return changed

    def _sample(self, stamps: Stamps, stamp: int, arrival: int) -> bool:
        seen = arrival - stamp
        if stamps is not self._stamps:
            self._stamps = stamps
            self._lag = None
            self._unsure_until = arrival + UNSURE
            return self._set(seen, arrival)
        late = seen - self._measured
        leap, self._leap = self._leap, seen if late < -LEAP else None
        if self._leap is not None and (leap is None or abs(seen - leap) > LONGEST_LAG):
            return False
        if late < -WORTH_TELLING:
            return self._set(seen - (self._lag or 0), arrival)
        if self._lag is not None and late < self._lag:
            self._lag = max(late, 0)
        changed = False
        if arrival >= self._window_end:
            changed = self._close_window(arrival)
        is_second = arrival >= self._window_end - WINDOW // 2
        self._lows[is_second] = min(seen, self._lows.get(is_second, seen))
        if self._unsure_until and arrival >= self._unsure_until:
            self._unsure_until = 0
            self._measured = min(self._measured, *self._lows.values())
            return self._tell() or changed
        return changed

    def _close_window(self, arrival: int) -> bool:
        lows, self._lows, self._window_end = self._lows.values(), {}, arrival + WINDOW
        if not lows:
            return False
        low = min(lows)
        late = low - self._measured
        if late - (self._lag or 0) > LONGEST_LAG and max(lows) - low > LONGEST_LAG:
            return False  # what the reader kept: it catches up, or comes at its own pace, which no clock does
        if self._lag is None:
            if late > LONGEST_LAG:
                return self._set(low, arrival)
            self._lag = max(late, 0)
        elif late - self._lag > WORTH_TELLING:
            return self._set(low - self._lag, arrival)
        return False

    def _set(self, offset: int, arrival: int) -> bool:
        self._measured = offset
        self._lows, self._window_end = {}, arrival + WINDOW
        return self._tell()

    def _tell(self) -> bool:
        new, old = self._judge(self._measured), self.reading
        if new.quality is old.quality and abs(new.offset - old.offset) <= WORTH_TELLING:
            return False
        self.reading = new
        return True

    def _judge(self, offset: int) -> Reading:
        if self._stamps is Stamps.UPTIME:
            return Reading(ClockQuality.UPTIME, offset)
        limit = RESYNCED_WITHIN if self.reading.quality is ClockQuality.CORRECTED else SYNCED_WITHIN
        is_slow = self._unsure_until > 0 and 0 <= offset < LONGEST_LAG
        if self._mode == "trust" or abs(offset) < limit or is_slow:
            return Reading(ClockQuality.SYNCED, 0)
        return Reading(ClockQuality.CORRECTED, offset)
