"""Each fuzz target for a moment, with the same inputs every time; `make fuzz` runs them for longer."""

from __future__ import annotations

import pytest

from tests.fuzz import Target
from tests.fuzz.engine import Finding, fuzz, targets

RUNS = 1500


@pytest.mark.parametrize("name", sorted(targets()))
def test_nothing_is_found_in_a_moment(name: str) -> None:
    assert fuzz(name, targets()[name], runs=RUNS) == RUNS


def test_a_finding_shows_the_input() -> None:
    def fragile(data: bytes) -> None:
        assert data[:1] != b"\xff"

    with pytest.raises(Finding, match=r"example fails on bytes.fromhex\('ff"):
        fuzz("example", Target(fragile, lambda: [b"\x00\x01"]), runs=10_000)
