"""Readers as they are now: what an operator wants to know, and what was lost.

Losses are said at once. What follows from a reader's news for the tags waits for event time (history.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
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
from gateway.floor.reader_windows import WindowMode
from gateway.floor.windows import Windows
from gateway.inputs import Dropped, Restart

MAX_NAMES = 64
"""Antennas or conditions remembered for one reader: more than any reader has."""


class ReaderStatus(StrEnum):
    """A reader as the gateway sees it now; published in ``state/reader/{reader}``."""

    UNKNOWN = "unknown"
    UP = "up"
    CATCHING_UP = "catching-up"  # up, and still delivering what it read while it was not connected
    DOWN = "down"


CONNECTED = frozenset({ReaderStatus.UP, ReaderStatus.CATCHING_UP})

_MODES = {
    ReaderStatus.UNKNOWN: WindowMode.DOWN,
    ReaderStatus.UP: WindowMode.LIVE,
    ReaderStatus.CATCHING_UP: WindowMode.HELD,
    ReaderStatus.DOWN: WindowMode.DOWN,
}


@dataclass(slots=True)
class ReaderNow:
    """One reader. `since` is when it came up or went down, microseconds UTC. Every read made before `delivered` has
    come or is stated as lost; `lost_from` is where a loss would begin that is not said yet. `cut`: its link
    died, and what was on the way is for its driver to tell once it is back; `untold`: a restart came between."""

    status: ReaderStatus = ReaderStatus.UNKNOWN
    since: int = 0
    reason: str = ""
    delivered: int = 0
    lost_from: int | None = None
    cut: bool = False
    untold: bool = False
    model: str = ""
    firmware: str = ""
    antennas_down: dict[int, str] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    quality: str = "unknown"
    offset: int = 0


class Readers:
    """Takes the news in as they come, sets how each reader's windows close, and states losses."""

    def __init__(self, config: Config, windows: Windows) -> None:
        self.readers = {reader.id: ReaderNow() for reader in config.readers}
        self._gateway = config.gateway
        self._straggling = micros(config.floor.lateness)  # reads come out of time order, but no later than that
        self._windows = windows

    def begin(self, t: int) -> None:
        """The gateway watches from `t` on. What a reader holds that was never up may be as old as that."""
        for now in self.readers.values():
            now.delivered = now.delivered or t

    def take(self, item: Any) -> list[Fact]:
        """Takes an item in. Items of readers that the configuration does not name are left out."""
        match item:
            case Restart():
                return self._restart(item)
            case Dropped():
                return [self._dropped(item)]
            case ReaderLoss() if item.reader in self.readers or item.reader == self._gateway:
                return [_loss(item.reader, item.t, item.cause, item.start, item.end, item.certain)]
        now = self.readers.get(item.reader)
        if now is None:
            return []
        match item:
            case ReaderUp():
                return self._up(item, now)
            case ReaderDown():
                self._confirm(item.reader, now, item.t)
                now.cut = now.cut or now.status in CONNECTED
                self._down(item.reader, now, item.t, item.reason, now.delivered - self._straggling)
            case ReaderAlive():
                now.delivered = item.t
                if now.status is ReaderStatus.CATCHING_UP:
                    now.status = ReaderStatus.UP
                self._set_mode(item.reader, now)
            case ReaderClock():
                now.quality, now.offset = str(item.quality), item.offset
            case AntennaStatus():
                _note(now.antennas_down, item.antenna, item.reason, not item.up)
            case ReaderCondition():
                _note(now.conditions, item.condition, item.detail, item.active)
        return []

    def reads_again(self, reader: str, port: int) -> None:
        """An antenna reads, whatever was said of it before."""
        self.readers[reader].antennas_down.pop(port, None)

    def _up(self, item: ReaderUp, now: ReaderNow) -> list[Fact]:
        facts = []
        if now.lost_from is not None and (now.untold or not item.held):
            facts.append(_loss(item.reader, item.t, "reader-unreachable", now.lost_from, item.t, False))
            if not item.held:
                now.delivered = item.t
        now.delivered = now.delivered or item.t
        now.status = ReaderStatus.CATCHING_UP if item.held else ReaderStatus.UP
        now.since, now.reason, now.lost_from = item.t, "", None
        now.cut = now.untold = False
        now.model, now.firmware = item.model, item.firmware
        self._set_mode(item.reader, now)
        return facts

    def _down(self, reader: str, now: ReaderNow, t: int, reason: str, lost_from: int) -> None:
        """Down at `t`; a reader that was down already stays so since then."""
        if now.status in CONNECTED:
            now.lost_from = lost_from
        if now.status is not ReaderStatus.DOWN:
            now.status, now.since = ReaderStatus.DOWN, t
        now.reason = reason
        self._set_mode(reader, now)

    def _confirm(self, reader: str, now: ReaderNow, t: int) -> None:
        """A reader that delivers what it reads has delivered what it read before its newest reads arrived. One that
        still delivers what it held may have anything left of the time when it was not connected."""
        if now.status is ReaderStatus.UP:
            now.delivered = min(t, max(now.delivered, self._windows.readers[reader].heard))

    def _set_mode(self, reader: str, now: ReaderNow) -> None:
        self._windows.readers[reader].mode = _MODES[now.status]

    def _restart(self, item: Restart) -> list[Fact]:
        """After a crash, what was lost up to now is said now, and what is lost from now on when the reader is back."""
        facts = []
        for reader, now in sorted(self.readers.items()):
            self._confirm(reader, now, item.since)
            now.untold = now.cut
            if now.status in CONNECTED and not item.clean:
                start = now.delivered - self._straggling
                facts.append(_loss(reader, item.t, "gateway-crash", start, item.t, False))
                now.delivered = item.since
            if now.status is not ReaderStatus.UNKNOWN:
                lost_from = item.since if item.clean else item.t
                self._down(reader, now, item.since, "the gateway was not running", lost_from)
        if item.journal_lost:
            facts.append(_loss(self._gateway, item.t, "journal-lost", item.unknown_from, item.t, False))
        if item.rebuilt:
            lost = _lost(self._gateway, "state-rebuilt", item.since, item.t, False)
            facts.append(loss(self._gateway, item.t, {**lost, "rebuilt": list(item.rebuilt)}))
        return facts

    def redate(self, by: int) -> None:
        """What is yet to come of what was delivered happened `by` microseconds later than was thought."""
        for now in self.readers.values():
            if now.since:
                now.since += by
            if now.delivered:
                now.delivered += by
            if now.lost_from is not None:
                now.lost_from += by

    def _dropped(self, item: Dropped) -> Fact:
        lost = _lost(self._gateway, "ledger-full", item.start, item.end, True)
        return loss(self._gateway, item.t, {**lost, "first_sequence": item.first, "last_sequence": item.last})

    def state(self, reader: str) -> dict[str, Any]:
        """The retained state of a reader, ready for JSON."""
        now, windows = self.readers[reader], self._windows.readers[reader]
        return {
            "reader": reader,
            "status": now.status.value,
            "since": rfc3339(now.since) if now.since else None,
            "reason": now.reason,
            "model": now.model,
            "firmware": now.firmware,
            "antennas_down": {str(port): reason for port, reason in sorted(now.antennas_down.items())},
            "conditions": dict(sorted(now.conditions.items())),
            "clock": {"quality": now.quality, "offset_us": now.offset},
            "reads": windows.reads,
            "late_reads": windows.late,
        }

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        dump = {}
        for reader, now in self.readers.items():
            dump[reader] = asdict(now)
            dump[reader]["antennas_down"] = list(now.antennas_down.items())
        return dump

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        for reader, entry in dump.items():
            if reader in self.readers:
                now = self.readers[reader] = ReaderNow(**(entry | {"status": ReaderStatus(entry["status"])}))
                now.antennas_down = {int(port): str(reason) for port, reason in entry["antennas_down"]}


def _note(notes: dict[Any, str], name: Any, text: str, active: bool) -> None:
    if not active:
        notes.pop(name, None)
    elif name in notes or len(notes) < MAX_NAMES:
        notes[name] = text


def _loss(place: str, t: int, cause: str, start: int, end: int, certain: bool) -> Fact:
    return loss(place, t, _lost(place, cause, start, end, certain))


def _lost(place: str, cause: str, start: int, end: int, certain: bool) -> Loss:
    return {"reader": place, "cause": cause, "start": rfc3339(start), "end": rfc3339(end), "certain": certain}
