"""What a newcomer runs first."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


BEGIN, END = "<!-- made by tests/e2e/test_demo.py: README=write -->\n", "<!-- to here -->"
STORY = (
    r"arrived .* shelf-a", r"--  a manifest of", r"3 lines before loading", r"moved .* shelf-a -> dock", r"opened",
    r"passed .* out", r"departed", r"is matched", r"is blocked: hold", r"is extra", r"--  both are brought back",
    r"passed .* in ", r"verdict complete", r"--  \w+ walks out", r"watch-list raised", r"watch-list acknowledged",
    r"watch-list cleared", r"--  \w+ was destroyed", r"destroyed by ana",
)  # fmt: skip
"""What the demo shows, in the order in which it happens; the README's excerpt is a line for each."""


async def told(process: asyncio.subprocess.Process) -> str:
    """The output of the demo, which is ended as soon as its story is told."""
    shown = b""
    assert process.stdout is not None
    async with asyncio.timeout(150):
        while line := await process.stdout.readline():
            shown += line
            if b"count " in line and b"destroyed by ana" in shown:
                process.send_signal(signal.SIGINT)
                break
        rest, _ = await process.communicate()
    return (shown + rest).decode()


def excerpt(shown: str) -> list[str]:
    """The first line for each step of the story, in order, and the reckoning; fails where one is missing."""
    lines, at, found = shown.splitlines(), 0, []
    for step in STORY:
        here = next((n for n, line in enumerate(lines[at:], at) if re.search(step, line)), None)
        assert here is not None, f"no {step!r} after line {at}:\n{shown}"
        found.append(lines[here].rstrip())
        at = here + 1
    reckoning = next(n for n, line in enumerate(lines) if line.startswith("Every read that"))
    return [*found, "", *(line.rstrip() for line in lines[reckoning:] if not line.startswith("make"))]


def in_readme() -> str:
    return (ROOT / "README.md").read_text().split(BEGIN)[1].split(END)[0]


@pytest.mark.slow
async def test_the_demo_shows_the_pipeline_and_loses_nothing():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo"),
        cwd=ROOT,
        env=os.environ | {"DEMO_SECONDS": "120"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        shown = await told(process)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, shown
    times = re.findall(r"^(\d\d:\d\d:\d\d\.\d+)  ", shown, re.MULTILINE)
    out_of_order = sum(one > other for one, other in pairwise(times))
    assert out_of_order <= len(times) // 10 + 1, "lines are in the order in which it happened"
    lines = excerpt(shown)
    if os.environ.get("README") == "write":
        text = (ROOT / "README.md").read_text()
        fresh = "```\n" + "\n".join(lines) + "\n```\n"
        (ROOT / "README.md").write_text(text.replace(in_readme(), fresh))
    said = in_readme().strip().strip("`").strip()
    assert len(said.splitlines()) == len(lines), "make it anew: README=write pytest tests/e2e/test_demo.py"
    assert excerpt(said)[: len(STORY)] == said.splitlines()[: len(STORY)], "the README shows what is shown, in order"
    for kind in ("arrived", "moved", "departed", "count"):
        assert re.search(rf"^\d\d:\d\d:\d\d\.\d+  {kind} ", shown, re.MULTILINE), f"no {kind}:\n{shown}"
    made, received, waiting = map(int, re.search(r"made (\d+), received (\d+), waiting .* (\d+)", shown).groups())
    assert made > 3_000
    assert received == made - waiting
    assert "lost 0, invented 0" in shown
    assert re.search(r"^  missing 0$", shown, re.MULTILINE)
