"""What was lost lately is said in words, from the history, and no longer than it is of use."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.clock import SECOND, rfc3339
from gateway.errors import Refused
from gateway.service import alarms as service
from gateway.service.alarms import Alarms
from tests.support import history_events as make
from tests.support.history_events import START, History
from tests.support.web_scene import quiet


async def followed(history: History, monkeypatch: pytest.MonkeyPatch) -> Alarms:
    """Alarms that have looked at all of the history once."""
    questions = history.ask()
    looked = asyncio.Event()

    async def ask(question: Any) -> Any:
        return question(questions)

    async def until(sequence: int) -> None:
        assert sequence == 0

    async def until_noticed(noticed: int) -> None:
        looked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(service, "wall", lambda: START + 100 * SECOND)
    given = SimpleNamespace(ask=ask, until=until, until_noticed=until_noticed, noticed=1, problem="")
    follower = Alarms(given, lambda: None, quiet())  # type: ignore[arg-type]
    running = asyncio.create_task(follower.run())
    await asyncio.wait_for(looked.wait(), 60)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    history.close()
    return follower


async def test_a_loss_is_said_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(tmp_path / "history.db")
    history.take(make.loss("r1", 10, 70))
    follower = await followed(history, monkeypatch)
    (words,) = follower.losses(START + 100 * SECOND)
    assert "reads of r1 lost from" in words
    assert follower.losses(START + 7200 * SECOND, 3600 * SECOND) == []


async def test_what_is_lost_again_and_again_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(tmp_path / "history.db")
    history.take(make.loss("r1", 10, 20), make.loss("r2", 11, 21), make.loss("r1", 30, 40), make.loss("r1", 50, 60))
    follower = await followed(history, monkeypatch)
    often, once = follower.losses(START + 100 * SECOND)
    first, last = (rfc3339(START + seconds * SECOND)[11:19] for seconds in (10, 60))
    assert "reads of r1 lost 3 times from" in often
    assert f" {first} to {last} UTC" in often
    assert "reads of r2 lost from" in once


@pytest.mark.parametrize("error", [Refused("the history took more than 10 s"), ValueError("a row that is odd")])
async def test_alarms_that_cannot_be_asked_for_are_said_and_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    history = History(tmp_path / "history.db")
    monkeypatch.setattr(service, "RETRY", 0.0)
    problems: list[str] = []

    async def failing(self: Alarms) -> None:
        if not problems:
            problems.append("")
            raise error
        problems.append(self.problem())

    monkeypatch.setattr(Alarms, "_look", failing)
    follower = await followed(history, monkeypatch)
    assert problems[1] == (str(error) if isinstance(error, Refused) else repr(error))
    assert follower.problem() == ""
