"""The daemon itself under load: readers at real sockets, session, journal, floor, checkpoints, MQTT to a mosquitto.

64 readers of 1,000 reads a second each unless a line says otherwise. The processor time is that of the gateway's
process, as a share of one core and for each read; latency is from a read of a tag that nobody has seen before to the
broker's subscriber, with the defaults and `dwell: 0`. `BENCH_AGAINST` names another checkout of this project: every
line is then measured there too, in turn, and the last column says how many times as much it took there for a read.
What checkpoints write is measured by benchmarks/checkpoints: they come in bursts, minutes apart, and a few seconds of
`/proc` say nothing of a day.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

HEAD = (
    "| load | of a core | for a read | read to PUBLISH, median | 99 % | memory | against |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(slots=True, frozen=True)
class Case:
    """One line: what the load is called, what it is, and what the gateway is configured to do."""

    name: str
    load: dict[str, Any]
    recording: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    seconds: float = 8.0


CEILING = {"per_message": 100, "rate": 40_000, "joined": True}
"""What 64 readers of 40,000 reads a second say, in pieces of 100 ms. The readers' process takes a core of its own."""

CASES = (
    Case("100 reads a message", {"per_message": 100}),
    Case("10 reads a message", {"per_message": 10}),
    Case("1 read a message, each in a segment of its own", {"per_message": 1}),
    Case("1 read a message, joined", {"per_message": 1, "joined": True}),
    Case("10 reads a message, 2 % strays from next door", {"per_message": 10, "strays": 0.02}),
    Case("10 reads a message, 10 % strays", {"per_message": 10, "strays": 0.1}),
    Case("10 reads a message, recorded", {"per_message": 10}, recording=True),
    Case("2.5 M reads/s, 100 reads a message", CEILING, extra={"journal": {"max_bytes": 1 << 29}}, seconds=30.0),
    Case("a quiet site: 1 reader, 20 reads/s", {"readers": 1, "rate": 20, "per_message": 1, "fresh": 1.0}),
)


def measure(cases: Sequence[Case] = CASES) -> Iterator[str]:
    """A table: one line for each load."""
    from benchmarks.daemon.readers import Load
    from benchmarks.daemon.trial import Setup, run

    other = os.environ.get("BENCH_AGAINST")
    yield from HEAD
    for case in cases:
        checkouts = [ROOT, *([Path(other)] if other else [])]
        load = Load(port=0, **case.load)
        made = [
            run(Setup(load, checkout, seconds=case.seconds, recording=case.recording, extra=case.extra))
            for checkout in checkouts
        ]
        mine = made[0]
        against = f"{made[1].cost / mine.cost:.1f} x" if len(made) > 1 else "-"
        name = case.name + (f" ({mine.recorded:.0f} bytes a read)" if case.recording else "")
        fewer = mine.was_held_back or mine.reads < 0.97 * load.readers * load.rate
        name += f", {mine.reads / 1e6:.2f} M came" if fewer else ""
        name += f", {mine.late:,} late" if mine.late else ""
        yield (
            f"| {name} | {mine.cpu:.0%} | {mine.cost:.2f} us | {mine.p50:.2f} s | {mine.p99:.2f} s | "
            f"{mine.memory >> 20} MB | {against} |"
        )
