"""The largest state that the bounds allow, flooded on and started again within the unit's own memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "rfid-gateway.service"
OTHERS = 440
"""Megabytes of the bounds that are not the tags': docs/reliability.md adds them up."""


def test_the_largest_state_starts_and_is_flooded_in_the_units_memory(tmp_path, say, long):
    tags = 1_000_000 if long else 20_000
    state = tmp_path / "state"
    flooded = run("flood", tags * 2 if long else tags, state)
    started = run("start", tags // 10, state)
    allowed = int(re.findall(r"^MemoryMax=(\d+)G", UNIT.read_text(), re.MULTILINE)[0]) << 10
    assert max(flooded, started) + OTHERS < allowed
    say(
        "the largest state starts again, in the unit's own memory",
        f"{tags * 2:,} tags, each read once, in a floor with room for 1,000,000; then a start, and more of them",
        f"peak {flooded} MB in the flood, {started} MB at the start, {OTHERS} MB for the other bounds: of {allowed} MB",
    )


def run(what: str, tags: int, state: Path) -> int:
    """Peak memory of a process of its own, in MB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.flood", what, str(tags), str(state)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
