"""Readers as they are now: what an operator wants to know, and what was lost.

Losses are said at once. What follows from a reader's news for the tags waits for event time (history.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from drivers.api import (
    AntennaStatus,
    ReaderAlive,
    ReaderClock,
    ReaderCondition,
    ReaderDown,
    ReaderLoss,
    ReaderUp,
)
from gateway.clock import micros, rfc3339
from gateway.config import Config
from gateway.events.envelope import Fact, loss
from gateway.events.models import Loss
from gateway.floor.reader_windows import Mode
from gateway.floor.windows import Windows
from gateway.inputs import Dropped, Restart

MAX_NAMES = 64
"""Antennas or conditions remembered for one reader: more than any reader has."""


@dataclass(slots=True)
class Status:
    """One reader. `since` is when it came up or went down. Every read made before `delivered` has come or is stated as
    lost; `lost_from` is where a loss would begin that is not said yet."""

    up: bool | None = None
    since: int = 0
    reason: str = ""
    held: bool = False
    delivered: int = 0
    lost_from: int | None = None
    model: str = ""
    firmware: str = ""
    antennas_down: dict[int, str] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    quality: str = "unknown"
    offset: int = 0


class Readers:
    """Takes the news in as they come, sets how each reader's windows close, and states losses."""

    def __init__(self, config: Config, windows: Windows) -> None:
        self.status = {reader.id: Status() for reader in config.readers}
        self._gateway = config.gateway
        self._straggling = micros(config.floor.lateness)  # reads come out of time order, but no later than that
        self._windows = windows

    def take(self, item: Any) -> list[Fact]:
        """Takes an item in. Items of readers that the configuration does not name are left out."""
        match item:
            case Restart():
                return self._restart(item)
            case Dropped():
                return [self._dropped(item)]
        status = self.status.get(item.reader)
        if status is None:
            return []
        match item:
            case ReaderUp():
                return self._up(item, status)
            case ReaderDown():
                self._confirm(item.reader, status, item.t)
                self._down(item.reader, status, item.t, item.reason, status.delivered - self._straggling)
            case ReaderAlive():
                status.held, status.delivered = False, item.t
                self._set_mode(item.reader, status)
            case ReaderClock():
                status.quality, status.offset = str(item.quality), item.offset
            case AntennaStatus():
                _note(status.antennas_down, item.antenna, item.reason, not item.up)
            case ReaderCondition():
                _note(status.conditions, item.condition, item.detail, item.active)
            case ReaderLoss():
                return [_loss(item.reader, item.t, item.cause, item.start, item.end, item.certain)]
        return []

    def _up(self, item: ReaderUp, status: Status) -> list[Fact]:
        facts = []
        if status.lost_from is not None and not item.held:
            facts.append(_loss(item.reader, item.t, "reader-unreachable", status.lost_from, item.t, False))
        if not item.held or not status.delivered:
            status.delivered = item.t
        status.up, status.since, status.reason = True, item.t, ""
        status.held, status.lost_from = item.held, None
        status.model, status.firmware = item.model, item.firmware
        self._set_mode(item.reader, status)
        return facts

    def _down(self, reader: str, status: Status, t: int, reason: str, lost_from: int) -> None:
        """Down at `t`; a reader that was down already stays so since then."""
        if status.up:
            status.lost_from = lost_from
        if status.up is not False:
            status.up, status.since = False, t
        status.held = False
        status.reason = reason
        self._set_mode(reader, status)

    def _confirm(self, reader: str, status: Status, t: int) -> None:
        """A reader that delivers what it reads has delivered what it read before its newest reads arrived. One that
        still delivers what it held may have anything left of the time when it was not connected."""
        if status.up and not status.held:
            status.delivered = min(t, max(status.delivered, self._windows.readers[reader].heard))

    def _set_mode(self, reader: str, status: Status) -> None:
        mode = Mode.LIVE if status.up else Mode.DOWN
        self._windows.readers[reader].mode = Mode.HELD if status.held else mode

    def _restart(self, item: Restart) -> list[Fact]:
        """After a crash, what was lost up to now is said now, and what is lost from now on when the reader is back."""
        facts = []
        for reader, status in sorted(self.status.items()):
            self._confirm(reader, status, item.since)
            if status.up and not item.clean:
                start = status.delivered - self._straggling
                facts.append(_loss(reader, item.t, "gateway-crash", start, item.t, False))
                status.delivered = item.since
            if status.up is not None:
                lost_from = item.since if item.clean else item.t
                self._down(reader, status, item.since, "the gateway was not running", lost_from)
        if item.journal_lost:
            facts.append(_loss(self._gateway, item.t, "journal-lost", item.kept or item.since, item.t, False))
        if item.rebuilt:
            lost = _lost(self._gateway, "state-rebuilt", item.since, item.t, False)
            facts.append(loss(self._gateway, item.t, {**lost, "rebuilt": list(item.rebuilt)}))
        return facts

    def redate(self, by: int) -> None:
        """What is yet to come of what was delivered happened `by` microseconds later than was thought."""
        for status in self.status.values():
            if status.delivered:
                status.delivered += by
            if status.lost_from is not None:
                status.lost_from += by

    def _dropped(self, item: Dropped) -> Fact:
        lost = _lost(self._gateway, "ledger-full", item.start, item.end, True)
        return loss(self._gateway, item.t, {**lost, "first_sequence": item.first, "last_sequence": item.last})

    def state(self, reader: str) -> dict[str, Any]:
        """The retained state of a reader, ready for JSON."""
        status, windows = self.status[reader], self._windows.readers[reader]
        words = {None: "unknown", True: "up", False: "down"}
        return {
            "reader": reader,
            "status": "catching-up" if status.held else words[status.up],
            "since": rfc3339(status.since) if status.since else None,
            "reason": status.reason,
            "model": status.model,
            "firmware": status.firmware,
            "antennas_down": {str(port): reason for port, reason in sorted(status.antennas_down.items())},
            "conditions": dict(sorted(status.conditions.items())),
            "clock": {"quality": status.quality, "offset_us": status.offset},
            "reads": windows.reads,
            "late_reads": windows.late,
        }

    def dump(self) -> dict[str, Any]:
        dump = {}
        for reader, status in self.status.items():
            dump[reader] = asdict(status)
            dump[reader]["antennas_down"] = list(status.antennas_down.items())
        return dump

    def load(self, dump: Any) -> None:
        for reader, entry in dump.items():
            if reader in self.status:
                status = self.status[reader] = Status(**entry)
                status.antennas_down = {int(port): str(reason) for port, reason in entry["antennas_down"]}


def _note(notes: dict[Any, str], name: Any, text: str, active: bool) -> None:
    if not active:
        notes.pop(name, None)
    elif name in notes or len(notes) < MAX_NAMES:
        notes[name] = text


def _loss(place: str, t: int, cause: str, start: int, end: int, certain: bool) -> Fact:
    return loss(place, t, _lost(place, cause, start, end, certain))


def _lost(place: str, cause: str, start: int, end: int, certain: bool) -> Loss:
    return {"reader": place, "cause": cause, "start": rfc3339(start), "end": rfc3339(end), "certain": certain}
