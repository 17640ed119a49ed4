"""The floor by example: every folder of ``tests/cases`` is a site, what was read there, and what is to be said of it.

``config.yaml`` and ``reads.jsonl`` are what `rfid-gateway replay` takes; ``events.jsonl`` holds the expected events,
one a line, each with only those keys that the case is about. Read as documentation; the first line of `reads.jsonl`
may be a comment in a ``"about"`` key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.config.file import load
from gateway.recording.read import read_items
from gateway.replay import replay

CASES = Path(__file__).parent.parent / "cases"


def differences(expected: Any, found: Any, path: str = "event") -> list[str]:
    """Where `found` lacks something of `expected`; more keys than expected are fine."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [line for key in expected for line in differences(expected[key], found.get(key), f"{path}.{key}")]
    return [] if expected == found else [f"{path}: expected {expected!r}, found {found!r}"]


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_case(case):
    folder = CASES / case
    config = load(folder / "config.yaml")
    lines = (folder / "reads.jsonl").read_bytes().splitlines()
    found = [orjson.loads(event.payload) for event in replay(config, read_items(lines))]
    expected = [orjson.loads(line) for line in (folder / "events.jsonl").read_bytes().splitlines() if line.strip()]
    shown = "\n".join(f"  {event['type']} {event['subject']} {event['time']} {event['data']}" for event in found)
    assert len(found) == len(expected), f"{len(expected)} events expected, {len(found)} found:\n{shown}"
    problems = [
        f"{number}: {problem}"
        for number, (want, got) in enumerate(zip(expected, found, strict=True), 1)
        for problem in differences(want, got)
    ]
    assert not problems, "\n".join(problems)


def test_a_difference_is_seen():
    assert differences({"a": {"b": 1}}, {"a": {"b": 2}, "c": 3}) == ["event.a.b: expected 1, found 2"]
    assert differences({"a": 1}, {}) == ["event.a: expected 1, found None"]


def test_there_are_cases():
    assert len(list(CASES.iterdir())) >= 5
