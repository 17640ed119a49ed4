"""Contested tags, a whole window at a time: what sightings.py does one sighting at a time.

A sighting in the tag's own zone weighs every rival, one in another zone is added to that rival and weighs it. The
sums are those of contest.py, in the same order of operations: the same floats, bit for bit. Whatever comes of it that
is more than sums goes the plain way with all its sightings, from where it was before the window: a rival that may have
won, one that was not there or is to be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gateway.clock import SECOND
from gateway.floor.presence.contest import (
    CLEAR,
    FADED,
    GROWTH,
    LASTS,
    LEAST_WINDOWS,
    NEPER,
    OPENING,
    PATIENCE,
    SETTLED,
    Contest,
)
from gateway.floor.presence.rivals import Rivals, spread
from gateway.floor.presence.rows import put_rows

if TYPE_CHECKING:
    import numpy.typing as npt

Ints: TypeAlias = "npt.NDArray[np.int64]"
Floats: TypeAlias = "npt.NDArray[np.float64]"
Seen: TypeAlias = "tuple[Ints, Floats, npt.NDArray[np.bool_]]"
"""Of sightings in tags' own zones: the times, the levels of the zones after them, and which are of a new window."""

_ALMOST = 1 - 1e-9
"""Of a threshold that is compared exactly elsewhere: logarithms may differ in their last digit."""


class ContestedSightings:
    """Takes in sightings of contested tags. `since` is when each tag came into its zone, by slot."""

    def __init__(self, rivals: Rivals, contest: Contest) -> None:
        self._rivals = rivals
        self._contest = contest

    def take(self, window: Window, at: Ints, update: Callable[[Ints], Seen], since: Ints) -> Ints:
        """Takes in the sightings `at` of `window`, all there are of some contested tags; returns those that are taken
        in. `update` does what a sighting in the tag's own zone does to the tag."""
        order = at[np.lexsort((window.keys[at], window.slots[at]))]
        slots = window.slots[order]
        begins = np.flatnonzero(np.concatenate(([True], slots[1:] != slots[:-1])))
        lengths = np.diff(np.append(begins, len(order)))
        tags = slots[begins]
        self._rivals.lend(tags)
        made = _Made(self._rivals.rows, self._rivals.starts[tags], self._rivals.counts[tags], len(tags))
        table, rows = window.table.take(tags), made.rows.take(made.all)
        homes = window.zones[table["antenna"]]
        tag_of = np.repeat(np.arange(len(tags)), lengths)
        turns = np.arange(len(order)) - np.repeat(begins, lengths)
        for turn in range(int(lengths.max())):
            now = np.flatnonzero(turns == turn)
            sightings, of = order[now], tag_of[now]
            own = window.zones[window.antennas[sightings]] == homes[of]
            if own.any():
                self._home(made, of[own], update(sightings[own]), since[tags[of[own]]])
            if not own.all():
                self._away(window, made, sightings[~own], of[~own], since[tags[of[~own]]])
        put_rows(window.table, tags[made.more], table[made.more])
        undone = made.more[made.owner]
        put_rows(made.rows, made.all[undone], rows[undone])
        return np.asarray(order[~made.more[tag_of]])

    def _home(self, made: _Made, of: Ints, seen: Seen, since: Ints) -> None:
        """Tags that were seen in their own zones: all their rivals are weighed."""
        times, levels, new_windows = seen
        pairs, each = spread(made.starts[of], made.counts[of])
        rows = made.rows.take(pairs)
        rows["against"] += new_windows[each]
        rows["came"] = 0
        made.more[of[each[times[each] - rows["last"] > FADED]]] = True
        self._weigh(made, rows, of[each], levels[each], since[each], times[each])
        put_rows(made.rows, pairs, rows)

    def _away(self, window: Window, made: _Made, at: Ints, of: Ints, since: Ints) -> None:
        """Sightings of tags in zones that are not theirs, each of another tag."""
        times = window.times(at)
        later = times >= since
        at, of, since, times = at[later], of[later], since[later], times[later]
        zones = window.zones[window.antennas[at]]
        pairs = np.full(len(at), -1, np.int64)
        for number in range(int(made.counts[of].max()) if len(of) else 0):
            place = made.starts[of] + np.minimum(number, made.counts[of] - 1)
            pairs = np.where(window.zones[made.rows["antenna"][place]] == zones, place, pairs)
        made.more[of[pairs < 0]] = True
        known = pairs >= 0
        if not known.any():
            return
        at, of, since, times, pairs = at[known], of[known], since[known], times[known], pairs[known]
        antennas, strengths = window.antennas[at], window.strengths(at)
        rows = made.rows.take(pairs)
        last = rows["last"]
        made.more[of[times - last > FADED]] = True
        rows["came"] = np.where(rows["came"] != 0, rows["came"], times)
        anew = rows["windows"] == 0
        rows["first"] = np.where(anew, times, rows["first"])
        rows["windows"] += (last < window.start) | anew
        gap = np.maximum(times - last, 0).astype(np.float64)
        with np.errstate(all="ignore"):
            rows["level"] += (strengths - rows["level"]) * gap / (2 * gap + self._contest.smoothing)
        rows["last"] = np.maximum(last, times)
        rows["antenna"] = antennas
        rows["mask"] |= window.bits[antennas]
        rows["reads"] += window.reads[at]
        rows["strongest"] = np.maximum(rows["strongest"], strengths)
        self._weigh(made, rows, of, self._levels(window, window.slots[at], times), since, times)
        put_rows(made.rows, pairs, rows)

    def _levels(self, window: Window, slots: Ints, times: Ints) -> Floats:
        """How strongly the tags' own zones, whose antennas are watching, hold them at these times."""
        table = window.table.take(slots)
        silence = times - table["last"] - (window.totals[table["antenna"]] - table["dark"])
        scale = np.maximum(table["mean"].astype(np.float64), PATIENCE * table["widest"].astype(np.float64))
        return self._faded(table["level"].astype(np.float64), silence, scale)

    def _faded(self, levels: Floats, silence: Ints, scale: Any) -> Floats:
        return np.asarray(levels - NEPER * np.maximum(silence, 0) / np.maximum(scale, self._contest.smoothing))

    def _weigh(self, made: _Made, rows: Any, of: Ints, homes: Floats, since: Ints, times: Ints) -> None:
        """`Contest.won` for each row, as far as it is sums; marks those that may have won."""
        contest = self._contest
        lead_now = self._faded(rows["level"], times - rows["last"], 0.0) - homes
        ahead = np.minimum(np.maximum(lead_now / 100, -CLEAR), CLEAR)
        gap = np.maximum(times - rows["at"], 0) / SECOND
        rows["at"] = np.maximum(rows["at"], times)
        lead = rows["lead"] + (ahead - contest.slack) * np.minimum(gap, LASTS)
        rows["lead"] = np.where(lead <= 0, 0.0, lead)
        again = (lead <= 0) & (ahead < contest.slack)
        for name in ("first", "reads", "windows", "against", "mask"):
            rows[name][again] = 0
        rows["strongest"][again] = -32_768
        needed = OPENING + GROWTH * np.log1p(np.maximum(times - since, 0) / SECOND / SETTLED)
        won = (lead_now >= contest.hysteresis) & (rows["windows"] >= np.maximum(LEAST_WINDOWS, rows["against"] / 2))
        won &= (times - rows["first"] >= contest.dwell) & (rows["lead"] >= needed * _ALMOST)
        made.more[of[won]] = True


@dataclass(slots=True, frozen=True, eq=False)
class Window:
    """The sightings of one window that began at `start`, and what is known of antennas and tags: by row the slot, the
    antenna, the key and the reads; by antenna its zone, its bit and its finished dark time; the table of the tags."""

    start: int
    slots: Ints
    antennas: Ints
    keys: npt.NDArray[np.uint32]
    reads: Ints
    zones: Ints
    bits: npt.NDArray[np.uint32]
    totals: Ints
    table: Any
    times: Callable[[Ints], Ints]
    strengths: Callable[[Ints], Ints]


class _Made:
    """What is made of some tags: the rows of their rivals, and which tags need more than sums."""

    def __init__(self, rows: Any, starts: Ints, counts: Ints, tags: int) -> None:
        self.rows, self.starts, self.counts = rows, starts, counts
        self.all, self.owner = spread(starts, counts)
        self.more = np.zeros(tags, bool)
