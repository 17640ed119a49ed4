"""What is true now, for the retained topics: zones, readers, docks, open alarms. Published on change and after
reconnects."""

from __future__ import annotations

import orjson

from gateway.config import Config
from gateway.mqtt.retained import Board
from gateway.readers.fleet import Readers
from gateway.service.alarms import Alarms
from gateway.service.pipeline import Pipeline


class StateTopics:
    """Puts the floor's and the readers' present state on the board, which publishes what has changed."""

    def __init__(self, board: Board, pipeline: Pipeline, readers: Readers, alarms: Alarms) -> None:
        self._board = board
        self._pipeline = pipeline
        self._readers = readers
        self._alarms = alarms

    def update(self, config: Config) -> None:
        for zone in config.zones:
            self._board.set(f"state/zone/{zone.id}", orjson.dumps(self._pipeline.floor.zone_state(zone.id)))
        for supervisor in self._readers:
            state = self._pipeline.floor.reader_state(supervisor.reader)
            state |= {"phase": supervisor.phase, "error": supervisor.last_error}
            self._board.set(f"state/reader/{supervisor.reader}", orjson.dumps(state))
        if self._alarms.known:
            self._board.set("state/alarms", self._alarms.state())
        gate = self._pipeline.floor.gate
        for dock in gate.docks():
            self._board.set(f"state/dock/{dock}", orjson.dumps(gate.state(dock, self._pipeline.last_tick)))
