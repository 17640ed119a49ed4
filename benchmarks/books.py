"""How long it takes to hold 5,000 packages in two books against what is seen: ``make bench`` has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from drivers.api import Batch
from gateway.clock import rfc3339
from gateway.config import Config
from gateway.floor import Floor
from gateway.inputs import Command, Tick

PACKAGES = 5_000
START = 1_700_000_000_000_000


def measure() -> Iterator[str]:
    """One line, ready to print."""
    books = {"sources": [{"name": "a", "kind": "mqtt"}, {"name": "b", "kind": "mqtt"}], "lag": 0.0}
    site: dict[str, Any] = {
        "site": "bench", "gateway": "books", "zones": [{"id": "vault"}], "books": books,
        "readers": [{"id": "r", "driver": "llrp", "antennas": [{"port": 1, "zone": "vault"}]}],
    }  # fmt: skip
    floor = Floor(Config.model_validate(site))
    epcs = [bytes.fromhex("1A4060300048D3D0") + number.to_bytes(4, "big") for number in range(PACKAGES)]
    for second in range(5):
        t = START + second * 1_000_000
        floor.feed(Batch("r", t, [(epc, 1, -60, 0, t, 1) for epc in epcs]))
        floor.feed(Tick(t + 500_000))
    t = START + 20_000_000
    floor.feed(Tick(t))
    began = time.perf_counter()
    for name in ("a", "b"):
        packages = [
            {"uid": epc.hex().upper(), "location": "vault", "quantity": float(number % 50 == 0 and name == "b")}
            for number, epc in enumerate(epcs)
        ]
        command = Command(t, "book", {"book": name, "as_of": rfc3339(t), "packages": packages})
        floor.admit(command)
        floor.books.carry_out(command)
    read = time.perf_counter()
    facts = floor.books.reconcile(t)
    done = time.perf_counter()
    yield (
        f"books: {PACKAGES:,} packages in two books: read in {read - began:.2f} s, reconciled in {done - read:.3f} s, "
        f"{len(facts)} differences said"
    )


if __name__ == "__main__":
    print(*measure(), sep="\n")
