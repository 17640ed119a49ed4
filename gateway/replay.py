"""Recorded reads in, events out: the floor in event time, as fast as it can.

A recording of a live run holds its ticks, so that its replay is that run, fact for fact. Where a file has no ticks
they are supplied on a fixed grid of event time as the newest time in the file passes it, and in the end the open
windows are closed; no silence is made up beyond the last read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

from drivers.api import Batch
from drivers.records import Records
from gateway.clock import LATEST, micros
from gateway.config import Config
from gateway.config.file import load
from gateway.errors import Refused
from gateway.events.envelope import GENESIS, Event, Fact, seal, source_of
from gateway.floor import Floor
from gateway.floor.sighting_columns import newest
from gateway.inputs import Input, Tick
from gateway.recording.read import complaint, open_items
from gateway.recording.write import Gap

EPOCH = "replay"

LOOK_AHEAD = 65_536
"""Inputs looked at for a first tick. A live run ticks ten times a second; no site has so many batches between two."""


OnFault: TypeAlias = Callable[[Input, Exception], None] | None
"""Who hears of inputs from outside that the floor fails on and leaves out, as it does live; None where it may not."""


def replay(
    config: Config, items: Iterable[Input], on_fault: OnFault = None, floor: Floor | None = None
) -> Iterator[Event]:
    """The events of a recording, sealed as epoch ``replay`` from sequence 1. `floor` as in `replay_facts`."""
    source = source_of(config.site, config.gateway)
    prevhash = GENESIS
    for sequence, fact in enumerate(replay_facts(config, items, on_fault, floor), start=1):
        event = seal(fact, source, EPOCH, sequence, prevhash)
        prevhash = event.hash()
        yield event


def replay_facts(
    config: Config, items: Iterable[Input], on_fault: OnFault = None, floor: Floor | None = None
) -> Iterator[Fact]:
    """The facts of a recording, with ticks supplied where it has none. `floor` is a new one of `config`, for whoever
    wants to look at it afterwards."""
    floor = floor or Floor(config)
    floor.on_fault = on_fault
    rest = iter(items)
    head = list(islice(rest, LOOK_AHEAD))
    if any(type(item) is Tick for item in head):
        for item in chain(head, rest):
            yield from floor.feed(item)
        return
    for item in _ticked(chain(head, rest), micros(config.floor.window)):
        yield from floor.feed(item)
        if floor.crowded and type(item) is Batch:
            yield from floor.feed(Tick(item.arrival))
    yield from floor.finish()


def _ticked(items: Iterable[Input], grid: int) -> Iterator[Input]:
    """The items, with a tick whenever the newest time among them has passed a point of the grid."""
    newest = 0
    for item in items:
        newest = max(newest, min(_time(item), LATEST))
        tick = newest // grid * grid
        if tick:
            yield Tick(tick)
        yield item


def _time(item: Input) -> int:
    """The event time that an input tells, in microseconds UTC."""
    if isinstance(item, Batch):
        if type(item.rows) is Records:
            return newest(item.rows) + item.offset if len(item.rows) else 0
        return max((row[4] for row in item.rows), default=-item.offset) + item.offset
    return item.t


def _say_fault(item: Input, error: Exception) -> None:
    print(f"a fault in the gateway: a {type(item).__name__} is left out: {error!r}", file=sys.stderr)


def replay_command(config: Path, reads: str) -> int:
    """``rfid-gateway replay``: prints the events of a file, or of standard input for ``-``, one JSON line each.

    Returns the exit status. Raises ConfigError where the configuration is wrong.
    """
    settings = load(config)
    floor = Floor(settings)
    write = sys.stdout.buffer.write
    try:
        with open_items(reads) as items:
            inputs = (item for _, item in items if not isinstance(item, Gap))
            for event in replay(settings, inputs, _say_fault, floor):
                write(event.payload + b"\n")
    except Refused as refused:
        sys.stdout.buffer.flush()
        print(complaint(reads, refused), file=sys.stderr)
        return 2
    sys.stdout.buffer.flush()
    if unmapped := floor.stats.unmapped:
        words = f"reads of readers or antennas that {config} does not name count for nothing ({unmapped})"
        print(f"{reads}: {words}: replay with the configuration of that time", file=sys.stderr)
    return 0
