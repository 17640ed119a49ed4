"""A gateway in miniature that is there to be killed: journal, recorder and ledger around a floor of ten lines.

Run as ``python -m tests.support.ledger_victim DIRECTORY``. What it takes in, and what it makes of that, follow from
the position alone, so that whoever killed it knows what must be on disk.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import structlog

from drivers.api import Batch
from gateway.config import JournalConfig, LedgerConfig, RecordingConfig
from gateway.events.envelope import MOVEMENT, Fact
from gateway.inputs import Input, Tick
from gateway.ledger.journal import Journal
from gateway.ledger.ledger import Ledger
from gateway.recording.recorder import Recorder

SOURCE = "/rfid/test/victim"
START = 1_700_000_000_000_000


def item_at(position: int) -> Input:
    """The input that comes at `position`."""
    t = START + position * 1_000
    if position % 5 == 0:
        return Tick(t)
    rows = [(position.to_bytes(12, "big"), 1 + row, -60 - row, 0, t - row, 1) for row in range(1 + position % 4)]
    return Batch("dock-a", t, rows)


class MiniFloor:
    """States one fact for each tick: how many reads there have been."""

    def __init__(self, reads: int = 0) -> None:
        self.reads = reads

    def feed(self, item: Input) -> list[Fact]:
        if isinstance(item, Batch):
            self.reads += len(item.rows)
            return []
        return [Fact(MOVEMENT, "dock", item.t, {"reads": self.reads})]


class Victim:
    def __init__(self, directory: Path) -> None:
        self.ledger = Ledger(
            LedgerConfig(file=directory / "ledger.db"),
            SOURCE,
            on_commit=lambda sequence: None,
            on_dropped=lambda *range_: False,
            on_error=lambda error: sys.exit(f"unexpected: {error}"),
            now=lambda: START,
            standby=directory / "journal" / "standby.db",
        )
        self.journal = Journal(JournalConfig(directory=directory / "journal", max_bytes=1 << 20))
        recording = RecordingConfig(directory=directory / "recording", max_bytes=64 << 20)
        self.recorder = Recorder(recording, structlog.get_logger())
        self.floor = MiniFloor()
        self.unreproduced = 0
        self._taken = 0

    def recover(self) -> None:
        found = self.ledger.start()
        state = self.journal.open()
        if found.fresh:
            self.journal.begin(0)
        else:
            assert found.meta["journal"] == state.id, state
            assert state.first - 1 <= found.position <= state.last, (state, found.position)
            assert found.parts["floor"] == b"ten lines"
        self.floor = MiniFloor(int(found.parts.get("reads", b"0")))
        for position, item in self.journal.read(after=found.position):
            self.ledger.append(self.floor.feed(item), position)
        self.recorder.resume(self.journal)
        self.unreproduced = len(self.ledger.recognised().missing)

    def take(self) -> None:
        item = item_at(self.journal.position + 1)
        position = self.journal.append(item)
        self.recorder.append(position, item)
        self.ledger.append(self.floor.feed(item), position)

    async def checkpoint(self) -> None:
        """A whole one first, then three in memory for each that goes to disk."""
        position, whole = self.journal.position, not self._taken
        on_disk = self._taken % 4 == 0
        self._taken += 1
        parts = {"reads": b"%d" % self.floor.reads, "floor": b"ten lines"} if whole else {}
        parts |= {"reads": b"%d" % self.floor.reads}
        self.ledger.checkpoint(parts, position, {"journal": self.journal.id}, on_disk=on_disk, whole=whole)
        await self.ledger.flush()
        assert not self.ledger.refused, self.ledger.standby_problem
        self.journal.release(min(position, self.recorder.position))

    async def live(self) -> None:
        self.recover()
        await self.checkpoint()
        print(self.unreproduced, flush=True)
        while True:
            for _ in range(20):
                self.take()
            await asyncio.sleep(0.0005)
            if self.journal.position % 300 < 20:
                await self.checkpoint()


async def main() -> None:
    await Victim(Path(sys.argv[1])).live()


if __name__ == "__main__":
    asyncio.run(main())
