"""What is true now, for the retained topics: zones, readers, docks, open alarms. Published on change and after
reconnects.

Those that are of nothing in the configuration any more are cleared, see `retained_names`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.clock import SECOND
from gateway.config import Config
from gateway.ledger.ledger import Ledger
from gateway.mqtt.remembered import TOPIC as LEDGER
from gateway.mqtt.remembered import mark
from gateway.mqtt.retained import Board
from gateway.readers.fleet import Readers
from gateway.service.alarms import Alarms
from gateway.service.pipeline import Pipeline

COUNTS_EVERY = 10 * SECOND
"""A reader of which nothing but its counts has changed is published no more often: every change is a message."""

_COUNTS = ("reads", "late_reads")


def topics(config: Config) -> list[str]:
    """The retained topics of a configuration, without that of the gateway itself."""
    return [
        *(f"state/zone/{zone.id}" for zone in config.zones),
        *(f"state/reader/{reader.id}" for reader in config.readers),
        *(f"state/dock/{dock.id}" for dock in config.docks),
    ]


@dataclass(slots=True, frozen=True)
class _Said:
    """The state of a reader that was put on the board at `at`, and the counts in it."""

    at: int
    counts: dict[str, int]
    state: dict[str, Any]
    payload: bytes


class StateTopics:
    """Puts the floor's and the readers' present state on the board, which publishes what has changed."""

    def __init__(self, board: Board, pipeline: Pipeline, ledger: Ledger, readers: Readers, alarms: Alarms) -> None:
        self._board = board
        self._pipeline = pipeline
        self._ledger = ledger
        self._readers = readers
        self._alarms = alarms
        self._said: dict[str, _Said] = {}  # of each reader
        pipeline.retained.at(board.base)
        board.clear(pipeline.retained.former)
        self._held = set(pipeline.retained.names)
        """What the broker may hold: of this run and, until it is said anew or cleared, of those before."""
        self._warned: dict[str, set[str]] = {}

    def update(self, config: Config) -> None:
        """Puts on the board what is true under `config`, and takes off what is of nothing any more."""
        for topic, state in self._states(config):
            self._board.set(topic, state)
        wanted = topics(config)
        for topic in self._held.difference(wanted):
            self._board.remove(topic)
        self._held = set(wanted)
        self._pipeline.retained.names = [*wanted, *self._board.leaving()]
        self._pipeline.retained.former = self._board.elsewhere()

    def update_warnings(self) -> None:
        """Puts on the board the docks at which other packages must not leave than a moment ago."""
        gate = self._pipeline.floor.gate
        for dock in gate.docks():
            shown = gate.warnings.at(dock).keys()
            if shown != self._warned.get(dock, set()):
                self._warned[dock] = set(shown)
                self._board.set(f"state/dock/{dock}", self._dock_state(dock))

    def _dock_state(self, dock: str) -> bytes:
        return orjson.dumps(self._pipeline.floor.gate.state(dock, self._pipeline.last_tick))

    def _states(self, config: Config) -> Iterator[tuple[str, bytes]]:
        floor = self._pipeline.floor
        yield LEDGER, mark(self._ledger)
        for zone in config.zones:
            yield f"state/zone/{zone.id}", orjson.dumps(floor.zone_state(zone.id))
        for supervisor in self._readers:
            state = floor.reader_state(supervisor.reader) | {"error": supervisor.last_error}
            yield f"state/reader/{supervisor.reader}", self._reader(supervisor.reader, state)
        if self._alarms.known:
            yield "state/alarms", self._alarms.state()
        for dock in floor.gate.docks():
            yield f"state/dock/{dock}", self._dock_state(dock)

    def _reader(self, reader: str, state: dict[str, Any]) -> bytes:
        """The state of a reader, with the counts that were said last unless more is new or they are old."""
        last = self._said.get(reader)
        now = self._pipeline.last_tick
        if last is not None and now - last.at < COUNTS_EVERY and state | last.counts == last.state:
            return last.payload
        counts = {name: state[name] for name in _COUNTS}
        self._said[reader] = _Said(now, counts, state, orjson.dumps(state))
        return self._said[reader].payload
