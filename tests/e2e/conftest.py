"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon

MakeDaemon = Callable[[Path, dict[str, Any]], Daemon]


@pytest.fixture
async def make_daemon() -> AsyncIterator[MakeDaemon]:
    """Builds gateways; what still runs when the test ends, because it failed, is killed."""
    made: list[Daemon] = []

    def make(directory: Path, config: dict[str, Any]) -> Daemon:
        made.append(Daemon(directory, config))
        return made[-1]

    yield make
    for daemon in made:
        await daemon.end()
