"""Reads taken in as columns lead to what they lead to one at a time: the same facts, state and figures, to the bit.

``python -m tests.property.test_columns 0 1000`` plays more scenes than the suite has time for.
"""

from __future__ import annotations

import sys

import pytest

from gateway.floor import columns
from tests.support.column_scene import play, scene

THRESHOLDS = (1, 40, columns.FEW_READS)
"""From how many reads between two ticks columns are used: always, now and then, and as in the product."""


def differ(seed: int) -> int:
    """Plays a scene both ways; returns how many facts it led to."""
    made = scene(seed)
    plain, bulk = play(made, raw=False), play(made, raw=True)
    for at, (one, other) in enumerate(zip(plain.facts, bulk.facts, strict=False)):
        assert one == other, f"seed {seed}: fact {at}"
    assert len(plain.facts) == len(bulk.facts), f"seed {seed}"
    assert plain.crowded == bulk.crowded, f"seed {seed}"
    for at, (before, after) in enumerate(zip(plain.states, bulk.states, strict=True)):
        assert before.keys() == after.keys()
        wrong = [name for name in before if before[name] != after[name]]
        assert not wrong, f"seed {seed}: state {at} differs in {wrong}"
    assert plain.figures == bulk.figures, f"seed {seed}"
    return len(plain.facts)


@pytest.mark.parametrize("seed", range(12))
def test_columns_are_the_plain_way(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "FEW_READS", THRESHOLDS[seed % 3])
    differ(seed)


@pytest.mark.parametrize("seed", [21, 23])
def test_a_checkpoint_holds_what_is_in_columns(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A floor that is restored from checkpoints on the way says what one says that lived through it all."""
    monkeypatch.setattr(columns, "FEW_READS", 1)
    made = scene(seed)
    facts = play(made, raw=True).facts
    assert play(made, raw=True, restored=301).facts == facts
    assert len(facts) > 10


if __name__ == "__main__":
    total = 0
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        columns.FEW_READS = THRESHOLDS[number % 3]
        total += differ(number)
    print(f"{total} facts, the same in every scene")
