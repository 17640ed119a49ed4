"""A start that waits for its configuration hears what is asked of it while it reads the file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.service import unconfigured as module
from gateway.service.unconfigured import configured
from tests.support.service_scene import config


async def started(folder: Path, monkeypatch: pytest.MonkeyPatch, ask: asyncio.Event, stopping: asyncio.Event) -> Any:
    """What a start comes to where `ask` is set while the file is being read; `stopping` may be the same event."""
    loop = asyncio.get_running_loop()

    def load(path: Path, starting: bool) -> Any:
        loop.call_soon_threadsafe(ask.set)
        return config(folder)

    monkeypatch.setattr(module, "load", load)
    logs = type("Logs", (), {"logger": structlog.testing.CapturingLogger()})()
    wanted = ask if ask is not stopping else asyncio.Event()
    return await configured(folder / "gateway.yaml", logs, stopping, wanted)


async def test_a_stop_while_the_file_is_read_is_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = asyncio.Event()
    assert await started(tmp_path, monkeypatch, stopping, stopping) is None


async def test_a_reload_while_the_file_is_read_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = asyncio.Event()
    assert await started(tmp_path, monkeypatch, wanted, asyncio.Event()) == config(tmp_path)
    assert wanted.is_set()
