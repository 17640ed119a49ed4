"""News and commands that wait until event time has come to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from heapq import heapify, heappop, heappush
from typing import Any

from drivers.api import (
    AntennaStatus,
    ClockQuality,
    InputChange,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderDown,
    ReaderUp,
)
from gateway.inputs import Command, Restart

_KINDS = {
    kind.__name__: kind
    for kind in (
        AntennaStatus,
        Command,
        InputChange,
        ReaderAlive,
        ReaderClock,
        ReaderCondition,
        ReaderDown,
        ReaderUp,
        Restart,
    )
}


class Pending:
    """A queue in the order of event time; what has the same time keeps the order in which it came."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Any]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, t: int, item: Any) -> None:
        """`item` waits for event time `t`, microseconds."""
        self._number += 1
        heappush(self._heap, (t, self._number, item))

    def before(self, t: int) -> bool:
        """Whether something waits for a time before `t`."""
        return bool(self._heap) and self._heap[0][0] < t

    @property
    def first(self) -> int:
        """The time for which the first item waits, in microseconds UTC. There must be one."""
        return self._heap[0][0]

    def pop(self) -> Any:
        """Takes out the first."""
        return heappop(self._heap)[2]

    def commands(self) -> list[Command]:
        """The commands that wait, in the order in which they will be carried out."""
        return [item for _, _, item in sorted(self._heap) if isinstance(item, Command)]

    def forget(self, is_done: Callable[[Command], bool]) -> None:
        """Commands that were carried out already wait no more."""
        self._heap = [entry for entry in self._heap if not (isinstance(entry[2], Command) and is_done(entry[2]))]
        heapify(self._heap)

    def redate(self, by: int) -> None:
        """Everything waits for a time `by` microseconds later."""
        self._heap = [(t + by, number, _redated(item, by)) for t, number, item in self._heap]

    def dump(self) -> list[list[Any]]:
        """Ready for JSON: time, number, and the item as the name of its class and the values of its fields."""
        return [
            [t, number, [type(item).__name__, *(getattr(item, field.name) for field in fields(item) if field.init)]]
            for t, number, item in sorted(self._heap)
        ]

    def load(self, dump: Any, number: int) -> None:
        """Takes over a dump and the number of the newest. Raises `KeyError`, `TypeError` or `ValueError` where it is
        none."""
        self._heap = [(t, n, _loaded(kind, values)) for t, n, (kind, *values) in dump]
        self._number = number

    @property
    def number(self) -> int:
        """The number of the newest item that was added, for `load`."""
        return self._number


def _loaded(kind: str, values: list[Any]) -> Any:
    """The item of which a dump holds the class's name and the values: what was an enumeration is one again."""
    item = _KINDS[kind](*values)
    return replace(item, quality=ClockQuality(item.quality)) if isinstance(item, ReaderClock) else item


def _redated(item: Any, by: int) -> Any:
    if isinstance(item, Restart):
        kept = item.kept + by if item.kept else 0
        return replace(item, t=item.t + by, since=item.since + by, kept=kept)
    return replace(item, t=item.t + by)
