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
MARKS = {
    "long": ("<!-- written by make torture -->", "<!-- end of what make torture wrote -->"),
    "hour": ("<!-- written by make torture-hour -->", "<!-- end of what make torture-hour wrote -->"),
}
"""Between which lines of the document the table of which length stands."""
TRIALS = sorted(Path(__file__).parent.glob("test_*.py"))

LENGTH = os.environ.get("TORTURE", "short")
"""How long the trials are: `short` in the tests, `long` in `make torture`, `hour` in `make torture-hour`."""

Say = Callable[[str, str, str], None]
"""Adds a line to the table: the promise, how it was tried, the figure."""

_TABLE = pytest.StashKey[list[tuple[str, str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = []


@pytest.fixture
def long() -> bool:
    """Whether the trial has its full length."""
    return LENGTH == "long"


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    table = request.config.stash[_TABLE]
    return lambda promise, how, figure: table.append((promise, how, figure))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the table, and writes it into the document where a long run of all trials has passed, or the hour."""
    table = config.stash[_TABLE]
    if LENGTH == "short" or not table:
        return
    lines = ["| " + " | ".join(line) + " |" for line in table]
    terminalreporter.section("for docs/reliability.md")
    for line in lines:
        terminalreporter.write_line(line)
    passed = {report.fspath.rpartition("/")[2] for report in terminalreporter.getreports("passed")}
    whole = LENGTH == "hour" or {path.name for path in TRIALS} <= passed
    if whole and not terminalreporter.getreports("failed") and not terminalreporter.getreports("error"):
        begin, end = MARKS[LENGTH]
        before, _, rest = DOCUMENT.read_text().partition(begin)
        _, _, after = rest.partition(end)
        head = ["| promise | how it was tried | figure |", "|---|---|---|"]
        DOCUMENT.write_text(before + "\n".join([begin, "", *head, *lines, "", end]) + after)
