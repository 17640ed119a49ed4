"""Killed at any moment, the ledger, the journal and the recording together repeat nothing and forget nothing."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from gateway.events.envelope import Event
from gateway.inputs import Input
from gateway.recording.files import recordings
from gateway.recording.read import open_items
from gateway.recording.write import Gap
from tests.support.ledger_victim import SOURCE, MiniFloor, Victim, item_at
from tests.support.ledgers import ROOT

ROUNDS = 8


def run_and_kill(directory: Path) -> None:
    command = [sys.executable, "-m", "tests.support.ledger_victim", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"0\n", "events that did not come again"
        time.sleep(random.uniform(0.0, 0.15))  # not to wait for something, but to be killed anywhere
        process.kill()


def recorded(directory: Path) -> tuple[list[Input], list[int]]:
    """What was recorded, and the position of each input."""
    items: list[Input] = []
    positions: list[int] = []
    for path in recordings(directory):
        with open_items(path) as found:
            for position, item in found:
                assert position is not None
                assert not isinstance(item, Gap)
                items.append(item)
                positions.append(position)
    return items, positions


async def finish(directory: Path) -> tuple[int, list[Event]]:
    """Recovers a last time and ends in order; the last position and every event."""
    victim = Victim(directory)
    victim.recover()
    assert victim.unreproduced == 0
    await victim.checkpoint()
    events = await victim.ledger.read(0, 1_000_000, 1 << 30)
    await victim.ledger.close()
    victim.recorder.close()
    victim.journal.close()
    return victim.journal.position, events


@pytest.mark.slow
async def test_kills_at_random_moments_repeat_and_forget_nothing(tmp_path: Path) -> None:
    for _ in range(ROUNDS):
        run_and_kill(tmp_path)
    last, events = await finish(tmp_path)
    assert last > ROUNDS * 20, "the victims must have had time to do something"

    floor = MiniFloor()
    expected = [fact.id(SOURCE) for position in range(1, last + 1) for fact in floor.feed(item_at(position))]
    assert [event.id for event in events] == expected
    assert [event.sequence for event in events] == list(range(1, len(expected) + 1))
    for before, event in pairwise(events):
        assert orjson.loads(event.payload)["prevhash"] == before.hash()

    items, positions = recorded(tmp_path / "recording")
    assert items == [item_at(position) for position in range(1, last + 1)]
    assert sorted(set(positions)) == list(range(1, last + 1))
    assert positions == sorted(positions)
