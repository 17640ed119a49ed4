"""A history whose file turns out to be damaged while the gateway runs: it is set aside, and made again."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.errors import Refused
from gateway.history.history import History
from tests.support import history_events as make
from tests.support.history_events import EPOCH, sealed, uid

PAGE = 4096


class Site:
    """A history of a list of events."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "history.db"
        self.events: list[tuple[int, bytes]] = []
        self.say(*(make.movement("arrived", number, number, target="vault") for number in range(1, 40)))

    def say(self, *facts: Any) -> None:
        self.events += sealed(list(facts), len(self.events) + 1)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[History]:
        async def read(after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
            return self.events[after : after + limit]

        history = History(self.path, EPOCH, read, structlog.testing.CapturingLogger())
        running = asyncio.create_task(history.run())
        yield history
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await history.close()

    def damage(self, table: str) -> None:
        """Overwrites the root of a table or an index."""
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        content = bytearray(self.path.read_bytes())
        content[(page - 1) * PAGE : page * PAGE] = b"\xff" * PAGE
        self.path.write_bytes(content)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.history.history.GATHER", 0.0)
    monkeypatch.setattr("gateway.history.history.RETRY", 0.01)


@pytest.mark.parametrize("table", ["stay", "stay_zone", "alarm"])
async def test_a_damaged_file_is_made_again(tmp_path: Path, table: str) -> None:
    site = Site(tmp_path)
    async with site.running() as history, asyncio.timeout(60):
        await history.until(len(site.events))
    site.damage(table)
    async with site.running() as history, asyncio.timeout(60):
        site.say(make.movement("arrived", 50, 50, target="vault"))
        site.say(make.alarm("watch-list", "raised", 51, list="q", uid=uid(1), zone="vault", reason="x"))
        history.wake()
        known = 0
        while known < 40:
            with contextlib.suppress(Refused):
                answer = await history.ask(lambda questions: (questions.zone("vault", 1 << 60), questions.alarms()))
                known = answer[0].present
            await asyncio.sleep(0.001)
        await history.until(len(site.events))
        assert answer[1].open == 1
    assert site.path.with_name("history.db.aside").exists()
