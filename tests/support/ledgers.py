"""A ledger to test with: what it told its callbacks, and facts to fill it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.config import LedgerConfig
from gateway.errors import LedgerError
from gateway.events.envelope import LOSS, MOVEMENT, Fact
from gateway.ledger.ledger import Ledger

SOURCE = "/rfid/test/gateway"
START = 1_700_000_000_000_000
SECOND = 1_000_000

ROOT = Path(__file__).resolve().parents[2]


def fact(number: int, place: str = "dock") -> Fact:
    """The fact with this number, a second after the one before."""
    return Fact(MOVEMENT, place, START + number * SECOND, {"number": number, "uid": f"{number:024X}"})


def facts(first: int, last: int) -> list[Fact]:
    return [fact(number) for number in range(first, last + 1)]


class TestLedger(Ledger):
    """Keeps what its callbacks were told. `time` is what it takes for now."""

    __test__ = False

    def __init__(self, path: Path, source: str = SOURCE, standby: Path | None = None, **settings: Any) -> None:
        self.commits: list[int] = []
        self.dropped: list[tuple[int, int, int, int]] = []
        self.errors: list[LedgerError] = []
        self.time = START
        super().__init__(
            LedgerConfig(file=path, **settings),
            source,
            on_commit=self.commits.append,
            on_dropped=self._state_loss,
            on_error=self.errors.append,
            now=lambda: self.time,
            standby=standby,
        )

    def _state_loss(self, first: int, last: int, start: int, end: int) -> bool:
        """As the floor does."""
        self.dropped.append((first, last, start, end))
        self.append([Fact(LOSS, "ledger", end, {"first": first, "last": last})], 0)
        return True

    async def numbers(self) -> list[int]:
        """The sequence numbers of every event that can be read."""
        return [event.sequence for event in await self.read(0, 1_000_000, 1 << 40)]


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits until `condition` holds; fails when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - whatever the condition is, nobody sets an event for it
            await asyncio.sleep(0.002)


def run_module(name: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m tests.support.NAME ARGS`` to its end."""
    command = [sys.executable, "-m", f"tests.support.{name}", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def content_of(path: Path) -> bytes | None:
    """The bytes of a file, None where there is no file."""
    return path.read_bytes() if path.is_file() else None
