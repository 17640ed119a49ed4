"""What was lost lately is said in words, from the history, and no longer than it is of use."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.clock import SECOND
from gateway.service import alarms as service
from gateway.service.alarms import Alarms
from tests.support import history_events as make
from tests.support.history_events import START, History
from tests.support.web_scene import quiet


async def test_a_loss_is_said_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(tmp_path / "history.db")
    history.take(make.loss("r1", 10, 70))
    questions = history.ask()
    looked = asyncio.Event()

    async def ask(question: Any) -> Any:
        return question(questions)

    async def until(sequence: int) -> None:
        if sequence > 1:
            looked.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(service, "wall", lambda: START + 100 * SECOND)
    follower = Alarms(SimpleNamespace(ask=ask, until=until, sequence=1, problem=""), lambda: None, quiet())  # type: ignore[arg-type]
    running = asyncio.create_task(follower.run())
    await asyncio.wait_for(looked.wait(), 60)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    history.close()
    (words,) = follower.losses(START + 100 * SECOND)
    assert "reads of r1 lost from" in words
    assert follower.losses(START + 7200 * SECOND, 3600 * SECOND) == []
