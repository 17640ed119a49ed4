"""What a newcomer runs first."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
async def test_the_demo_shows_the_pipeline_and_loses_nothing():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo"),
        cwd=ROOT,
        env=os.environ | {"DEMO_SECONDS": "20"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 90)
    shown = output.decode()
    assert process.returncode == 0, shown
    for kind in ("arrived", "moved", "departed", "count"):
        assert re.search(rf"^\d\d:\d\d:\d\d\.\d+  {kind} ", shown, re.MULTILINE), f"no {kind}:\n{shown}"
    made, received, waiting = map(int, re.search(r"made (\d+), received (\d+), waiting .* (\d+)", shown).groups())
    assert made > 3_000
    assert received == made - waiting
    assert "lost 0, invented 0" in shown
    assert re.search(r"^  missing 0$", shown, re.MULTILINE)
