"""The length of the trials, and the table of what they found."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import make_daemon

__all__ = ["make_daemon"]

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- written by make torture -->", "<!-- end of what make torture wrote -->"
TRIALS = sorted(Path(__file__).parent.glob("test_*.py"))

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
    """Prints the table, and writes it into the document where a long run of all trials has passed."""
    table = config.stash[_TABLE]
    if not LONG or not table:
        return
    lines = ["| " + " | ".join(line) + " |" for line in table]
    terminalreporter.section("for docs/reliability.md")
    for line in lines:
        terminalreporter.write_line(line)
    whole = {path.name for path in TRIALS} <= {
        report.fspath.rpartition("/")[2] for report in terminalreporter.getreports("passed")
    }
    if whole and not terminalreporter.getreports("failed") and not terminalreporter.getreports("error"):
        before, _, rest = DOCUMENT.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        head = ["| promise | how it was tried | figure |", "|---|---|---|"]
        DOCUMENT.write_text(before + "\n".join([BEGIN, "", *head, *lines, "", END]) + after)
