"""Switches the outputs that the gate wants: stack lights, buzzers, interlocks on the readers' general purpose outputs.

A light that could not be switched is tried again for as long as it should be otherwise, and every output of a reader
is set anew when the reader is back: a light must not tell of yesterday. No reader waits for another, which may be slow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from drivers.api import DriverError
from gateway.errors import Refused
from gateway.floor.gate import Gate
from gateway.ops.logs import Logger
from gateway.readers.fleet import Readers

_AGAIN = 1.0
"""Seconds before an output that was not switched is tried again."""


class Lights:
    """Follows the gate. `look` after anything that may have changed it, `renew` when a reader has come up."""

    def __init__(self, gate: Callable[[], Gate], readers: Readers, log: Logger) -> None:
        self._gate = gate
        self._readers = readers
        self._log = log
        self._wanted: dict[tuple[str, int], bool] = {}
        self._unlit = gate().outputs_unlit()
        self._changed = asyncio.Event()
        self._failing: set[tuple[str, int]] = set()

    def look(self) -> None:
        """Switches what ought to be switched otherwise."""
        self._want(self._gate().outputs())

    def restart(self) -> None:
        """The gate may be another: every output is set anew. Those that are no dock's any more are switched off, as far
        as their readers are still there: a green that nobody looks after must not stay."""
        self._wanted.clear()
        self._failing.clear()
        before, self._unlit = self._unlit, self._gate().outputs_unlit()
        readers = {supervisor.reader for supervisor in self._readers}
        gone = [(*at, level) for at, level in before.items() if at not in self._unlit and at[0] in readers]
        self._want([*gone, *self._gate().outputs_of()])

    def renew(self, reader: str) -> None:
        """Switches all outputs of a reader again: it was away."""
        self._want(self._gate().outputs_of(reader))

    async def run(self) -> None:
        """Until cancelled."""
        at_work: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                await self._changed.wait()
                self._changed.clear()
                for reader in {reader for reader, _ in self._wanted}:
                    if reader not in at_work or at_work[reader].done():
                        at_work[reader] = group.create_task(self._switch_all(reader), name=f"outputs of {reader}")

    async def _switch_all(self, reader: str) -> None:
        """Until every output of a reader is as it ought to be."""
        while wanted := [(place, level) for place, level in self._wanted.items() if place[0] == reader]:
            for place, level in wanted:
                await self._switch(place, level)
            if any(place[0] == reader for place in self._wanted):
                await asyncio.sleep(_AGAIN)

    async def _switch(self, place: tuple[str, int], level: bool) -> None:
        reader, port = place
        try:
            await self._readers.get(reader).driver.set_output(port, level)
        except (DriverError, Refused) as error:
            if place not in self._failing:
                self._failing.add(place)
                self._log.warning(
                    "an output was not switched; it is tried again", reader=reader, port=port, reason=str(error)
                )
            return
        self._failing.discard(place)
        if self._wanted.get(place) is level:
            del self._wanted[place]

    def _want(self, switches: list[tuple[str, int, bool]]) -> None:
        for reader, port, level in switches:
            self._wanted[reader, port] = level
        if switches:
            self._changed.set()
