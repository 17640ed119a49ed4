"""Tags that have left a portal: they wait for those that were there with them, then for their turn to be judged, and
are remembered for those that are judged later.

::

    left ──▶ waiting ──nothing open may belong to it, or HOLD silences──▶ in turn ──▶ judged ──▶ remembered
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.clock import NEVER
from gateway.floor.portals.companions import Companions, Trace, TraceTable
from gateway.floor.portals.finding import Finding, Scales

TRACES_KEPT = 2
"""Times the longest pass for which what was said of a tag is remembered for those that are judged later."""

MAX_TRACES = 2_048
"""Of so many tags at most: ten pallets."""


class Departures:
    """The tags that have left one portal. `hold` is the longest that one waits for those beside it, `longest` the
    longest pass, in microseconds."""

    def __init__(self, hold: int, longest: int) -> None:
        self._hold = hold
        self._longest = longest
        self._waiting: list[Finding] = []  # in the order in which they left
        self._in_turn: list[Finding] = []
        self._remembered: list[Trace] = []  # of those whose turn has come, and of those that were judged lately
        self._of: dict[bytes, list[Trace]] | None = None  # by EPC, while nothing changes

    def add(self, finding: Finding) -> None:
        """The tag has left."""
        self._waiting.append(finding)
        self._of = None

    @property
    def due(self) -> int:
        """When the next is to be judged, if nothing else happens; 0 where one is."""
        if self._in_turn:
            return 0
        return self._waiting[0].closed + self._hold if self._waiting else NEVER

    @property
    def first(self) -> int:
        """From when on those were read that are not judged yet."""
        return min((finding.trace.start for finding in (*self._waiting, *self._in_turn)), default=NEVER)

    def release(self, young: int, t: int) -> None:
        """Gives the tags their turn that nothing which is still open can belong to (it was read from `young` on), or
        that have waited long enough, and those that were there with them."""
        ready = [f.trace for f in self._waiting if young > f.trace.end or t >= f.closed + self._hold]
        if not ready:
            return
        start, end = min(trace.start for trace in ready), max(trace.end for trace in ready)
        due = [finding for finding in self._waiting if finding.trace.overlaps(start, end)]
        self._waiting = [finding for finding in self._waiting if not finding.trace.overlaps(start, end)]
        recent = end - TRACES_KEPT * self._longest
        remembered = [trace for trace in (*self._remembered, *(f.trace for f in due)) if trace.end >= recent]
        self._remembered = remembered[-MAX_TRACES:]
        self._in_turn += sorted(due, key=lambda finding: (finding.trace.end, finding.trace.epc))
        self._of = None

    def take(self, number: int) -> Iterator[tuple[Finding, Companions]]:
        """Takes out so many of those whose turn it is, each with its companions."""
        due, self._in_turn = self._in_turn[:number], self._in_turn[number:]
        table = TraceTable(list(self._traces())) if due else TraceTable([])
        for finding in due:
            yield finding, table.beside(finding.trace)

    @property
    def pending(self) -> int:
        """The number of departures whose turn it is."""
        return len(self._in_turn)

    def _traces(self) -> Iterator[Trace]:
        """The traces of the tags that have left, lately or just now."""
        yield from self._remembered
        yield from (finding.trace for finding in self._waiting)

    def any_between(self, start: int, end: int) -> bool:
        """Whether any tag that has left was there at some time between the two."""
        return any(trace.overlaps(start, end) for trace in self._traces())

    def not_judged(self, start: int, end: int) -> Iterator[bytes]:
        """EPCs of the tags that are not judged yet and were there at some time between the two."""
        return (f.trace.epc for f in (*self._waiting, *self._in_turn) if f.trace.overlaps(start, end))

    def heard(self, trace: Trace) -> int:
        """The power with which a tag that was in another portal was heard in this one meanwhile."""
        if self._of is None:
            self._of = {}
            for one in self._traces():
                self._of.setdefault(one.epc, []).append(one)
        those = self._of.get(trace.epc, ())
        return max((one.power for one in those if one.overlaps(trace.start, trace.end)), default=0)

    def redate(self, scales: Scales, by: int) -> None:
        """All left `by` microseconds later than was thought."""
        self._waiting = [scales.redated(finding, by) for finding in self._waiting]
        self._in_turn = [scales.redated(finding, by) for finding in self._in_turn]
        self._remembered = [trace.redated(by) for trace in self._remembered]
        self._of = None

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {
            "waiting": [finding.dump() for finding in self._waiting],
            "in_turn": [finding.dump() for finding in self._in_turn],
            "traced": [trace.dump() for trace in self._remembered],
        }

    def load(self, dump: Any, scales: Scales, numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        self._waiting = [scales.load(entry, numbers) for entry in dump["waiting"]]
        self._in_turn = [scales.load(entry, numbers) for entry in dump["in_turn"]]
        self._remembered = [Trace.load(entry) for entry in dump["traced"]]
        self._of = None
