"""The length of the trials, and the table of what they found."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.e2e.conftest import make_daemon

__all__ = ["make_daemon"]

LONG = os.environ.get("TORTURE") == "long"

Say = Callable[[str, str, str], None]
"""Adds a line to the table: the promise, how it was tried, the figure."""

_TABLE = pytest.StashKey[list[tuple[str, str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = []


@pytest.fixture
def long() -> bool:
    """Whether the trial has its full length."""
    return LONG


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    table = request.config.stash[_TABLE]
    return lambda promise, how, figure: table.append((promise, how, figure))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if LONG and config.stash[_TABLE]:
        terminalreporter.section("for docs/reliability.md")
        for line in config.stash[_TABLE]:
            terminalreporter.write_line("| " + " | ".join(line) + " |")
