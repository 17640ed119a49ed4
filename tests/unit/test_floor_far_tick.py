"""A tick that is decades ahead, as of a clock that was set before a start, costs no more than one of next week."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.api import Batch, ReaderAlive, ReaderUp
from gateway.clock import SECOND
from gateway.config.file import load
from gateway.events.envelope import Fact
from gateway.floor import Floor
from gateway.floor.books.books import Books
from gateway.floor.counts.counts import Counts
from gateway.floor.gate.gate import Gate
from gateway.floor.portals.portals import Portals
from gateway.floor.readers.history import ReaderHistory
from gateway.inputs import Command, Tick
from tests.support.ledgers import ROOT

T0 = 1_750_000_000 * SECOND
YEAR = 365 * 86_400 * SECOND


def test_what_falls_due_in_56_years_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every feature of the example at work."""
    fired: list[str] = []
    for part in (ReaderHistory, Portals, Gate, Counts, Books):
        monkeypatch.setattr(part, "fire", _counting(part.fire, part.__name__, fired))
    config = load(ROOT / "config" / "example.yaml")
    floor = Floor(config)
    floor.feed(Tick(T0))
    for reader in config.readers:
        floor.feed(ReaderUp(reader.id, T0))
    t = T0
    for _ in range(60):
        t += SECOND
        for reader in config.readers:
            ports = [antenna.port for antenna in reader.antennas]
            rows = [(bytes.fromhex(f"1A40603000{number:014X}"), number, -6000, None, t, 1) for number in ports]
            floor.feed(Batch(reader.id, t, rows))
            floor.feed(ReaderAlive(reader.id, t))
        floor.feed(Tick(t))
    for zone in config.zones:
        floor.feed(Command(t, "count", {"zone": zone.id}))
    fired.clear()
    assert floor.feed(Tick(t + 56 * YEAR)), "what was there is not seen any more"
    assert len(fired) < 2_000, {part: fired.count(part) for part in set(fired)}


def _counting(fire: Callable[[Any, int], list[Fact]], name: str, fired: list[str]) -> Callable[[Any, int], list[Fact]]:
    def counted(part: Any, t: int) -> list[Fact]:
        fired.append(name)
        return fire(part, t)

    return counted
