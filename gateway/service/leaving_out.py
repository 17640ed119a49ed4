"""The search for the inputs of a journal on which the floor fails, so that a start can go on without them.

A fault shows when time comes to what was read, and the reads that led to it may be seconds older. So copies of the
floor are given the journal's tail anew, on trial, nobody hearing what they say: the shortest beginning of what came
from outside that makes them fail ends with an input without which they do not. What the gateway itself said, such as
the time, is given each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from time import monotonic

from drivers.api import Batch
from gateway.floor import Floor
from gateway.floor.unjudged import OUTSIDE
from gateway.ledger.journal import Journal

MOST = 8
"""Searches in one start. What needs more is no few inputs."""

LONGEST = 30.0
"""Seconds for all of them, which a full journal on a slow machine would exceed."""


@dataclass(slots=True, frozen=True)
class Found:
    """Positions of inputs that are `left_out`, and of those among them that were found to be at `fault`. Where one
    reader had several, as from a tag that stands there, everything that it read from the first on is left out."""

    left_out: set[int]
    fault: dict[int, str]  # with the reader, empty where it is a command


class NothingFound(Exception):
    """No few inputs can be left out. `state`: the floor fails without any, so it is the state that it began with."""

    def __init__(self, words: str, *, state: bool = False) -> None:
        super().__init__(words)
        self.state = state


class Search:
    """Looks through `journal` behind `after`. `make` makes a floor in the state of the checkpoint there."""

    def __init__(self, make: Callable[[], Awaitable[tuple[Floor, list[str]]]], journal: Journal, after: int) -> None:
        self._make = make
        self._journal = journal
        self._after = after

    async def look(self, left_out: Collection[int]) -> Found:
        """What is to be left out beside the positions that are; nothing where the floor does not fail.

        Raises `NothingFound`.
        """
        without, fault = set(left_out), dict[int, str]()
        until = monotonic() + LONGEST
        while (failed := await self._fails(without)) is not None:
            if len(fault) >= MOST:
                raise NothingFound(f"the floor fails on more than {MOST} inputs")
            position, reader = await self._first_fault(without, failed, until)
            without.add(position)
            if reader and reader in fault.values():
                first = min(position, *(at for at, other in fault.items() if other == reader))
                without |= self._reads(reader, first)
            fault[position] = reader
        return Found(without - set(left_out), fault)

    async def _first_fault(self, without: set[int], failed: int, until: float) -> tuple[int, str]:
        """The last of the shortest beginning of all inputs from outside with which the floor fails up to `failed`, and
        its reader."""
        outside = [
            (position, getattr(item, "reader", ""))
            for position, item in self._journal.read(after=self._after)
            if position <= failed and position not in without and isinstance(item, OUTSIDE)
        ]
        positions = [position for position, _ in outside]
        if await self._fails(without.union(positions), failed) is not None:
            raise NothingFound("the floor fails without any of its inputs", state=True)
        passes, fails = 0, len(outside)  # so many of them, the oldest, are given
        while fails - passes > 1:
            if monotonic() > until:
                raise NothingFound(f"the search took more than {LONGEST:.0f} s")
            middle = (passes + fails) // 2
            if await self._fails(without.union(positions[middle:]), failed) is None:
                passes = middle
            else:
                fails = middle
        return outside[fails - 1]

    def _reads(self, reader: str, first: int) -> set[int]:
        """The positions of everything that a reader read from the position `first` on."""
        return {
            position
            for position, item in self._journal.read(after=first - 1)
            if isinstance(item, Batch) and item.reader == reader
        }

    async def _fails(self, without: Collection[int], upto: int | None = None) -> int | None:
        """On which position up to `upto` a new floor fails; None where on none."""
        await asyncio.sleep(0)  # the process is alive, whoever asks
        floor, _ = await self._make()
        floor.on_fault = lambda item, error: None
        for position, item in self._journal.read(after=self._after):
            if upto is not None and position > upto:
                break
            if position in without:
                continue
            try:
                floor.feed(item, lambda facts: None)
            except MemoryError:
                raise
            except Exception:  # whatever it is, it is the one that is looked for
                return position
        return None
