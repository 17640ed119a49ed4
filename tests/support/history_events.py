"""Events for a history to take in, whole as the ledger would hold them: valid by the models of what is published."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.clock import rfc3339
from gateway.events.envelope import ALARM, COUNT, GATE, LOSS, MOVEMENT, Fact, seal
from gateway.history import schema
from gateway.history.questions import Questions
from gateway.history.store import Store

SOURCE = "/rfid/test/gateway"
EPOCH = "20260214T090000Z-0a1b2c3d"
START = 1_771_059_600_000_000  # 2026-02-14T09:00:00Z
SECOND = 1_000_000
HOUR = 3600 * SECOND


def uid(number: int) -> str:
    return f"1A4060300048D3D0{number:08d}"


def movement(
    kind: str, tag: int, second: float, *, source: str | None = None, target: str | None = None, antenna: str = "r/1"
) -> Fact:
    t = START + round(second * SECOND)
    data = {
        "movement": kind,
        "uid": uid(tag),
        "epc": uid(tag),
        "from": source,
        "to": target,
        "since": rfc3339(t),
        "confidence": 0.98,
        "evidence": evidence(t, antenna),
        "portal": None,
    }
    return Fact(MOVEMENT, target or source or "nowhere", t, data)


def evidence(t: int, antenna: str = "r/1") -> dict[str, Any]:
    return {
        "reads": 12,
        "antennas": [antenna],
        "strongest_rssi": -58.5,
        "rssi_unit": "dBm",
        "first": rfc3339(t - SECOND),
        "last": rfc3339(t),
        "late_reads": 0,
        "clock": {"quality": "synced", "offset_us": 0},
        "config": "0123456789abcdef",
        "algorithm": "presence/1",
    }


def passage(tag: int, second: float, direction: str = "out", portal: str = "door") -> Fact:
    t = START + round(second * SECOND)
    data = {
        "movement": "passed",
        "uid": uid(tag),
        "epc": uid(tag),
        "portal": portal,
        "direction": direction,
        "from": "dock",
        "to": None,
        "confidence": 0.99,
        "group": None,
        "first": rfc3339(t - SECOND),
        "last": rfc3339(t),
        "evidence": pass_evidence(t),
    }
    return Fact(MOVEMENT, portal, t, data)


def pass_evidence(t: int) -> Any:
    """The reads behind a pass, as a portal says them."""
    side = {"reads": 6, "windows": 3, "strongest_rssi": -58.5, "centroid": rfc3339(t), "spread_s": 0.4}
    return evidence(t, "door-reader/1") | {
        "reason": "clear",
        "leaning": None,
        "sides": {"inside": side, "outside": side},
        "likelihood": {"in": 0.0, "out": 1.0, "turned_back": 0.0, "standing": 0.0},
        "companions": 0,
        "photo_eyes": None,
        "antennas_down": [],
        "photo_eyes_stuck": [],
    }


def alarm(kind: str, state: str, second: float, **detail: Any) -> Fact:
    t = START + round(second * SECOND)
    place = str(detail.get("zone") or detail.get("reader") or "dock")
    data = {"alarm": kind, "state": state, "since": rfc3339(t), "reason": f"{kind} {state}", **detail}
    return Fact(ALARM, place, t, data)


def loss(reader: str, first: float, last: float) -> Fact:
    start, end = START + round(first * SECOND), START + round(last * SECOND)
    data = {"reader": reader, "cause": "reader-unreachable", "start": rfc3339(start), "end": rfc3339(end)}
    return Fact(LOSS, reader, end, data | {"certain": False})


def item(tag: int, product: str = "Blue Dream 3.5 g", batch: str = "BD-0117") -> dict[str, Any]:
    return {
        "uid": uid(tag),
        "identifier": None,
        "product": product,
        "quantity": 48.0,
        "unit": "Each",
        "batch": batch,
        "verdict": "blocked",
        "rules": [{"rule": "hold", "reason": "since this morning"}],
        "unknown": [],
        "passes": 1,
        "loads": 1,
        "returns": 0,
        "proof": None,
    }


def gate_item(tag: int, second: float, **what: Any) -> Fact:
    t = START + round(second * SECOND)
    data = {
        "gate": "item",
        "dock": "dock-1",
        "session": "dock-1/2026-02-14T09:00:00.000000Z",
        "direction": "out",
        "manifest": "M-1",
        "delivery": "D-1",
        "version": 1,
        "source": "metrc",
        "recipient": "Ohio Retail",
        "uid": uid(tag),
        "status": "blocked",
        "previous": None,
        "item": item(tag, **what),
        "counts": {},
        "ready": False,
        "evidence": {"config": "0123456789abcdef", "algorithm": "gate/1"},
    }
    return Fact(GATE, "door", t, data)


def count(zone: str, second: float, seen: list[int], missing: list[int], extra: list[int]) -> Fact:
    t = START + round(second * SECOND)
    nothing = {"sha256": "0" * 64, "beyond": 0}
    gone = [{"uid": uid(tag), "status": "never seen", "last": None} for tag in missing]
    data = {
        "zone": zone,
        "trigger": "command",
        "request": "shelf-3",
        "scheduled": None,
        "started": rfc3339(t - 10 * SECOND),
        "ended": rfc3339(t),
        "rounds": {"looked": 5, "blind": 0, "ended_by": "no new tags"},
        "population": len(seen),
        "seen": len(seen),
        "unconfirmed": 0,
        "settling": 0,
        "not_seen": 0,
        "foreign": 0,
        "estimate": None,
        "uids": [uid(tag) for tag in seen],
        "not_seen_uids": [],
        "expected": {
            "number": len(seen) + len(missing) - len(extra),
            "sha256": "0" * 64,
            "as_of": rfc3339(t),
            "source": "erp",
            "found": len(seen) - len(extra),
            "missing": {"number": len(missing), "tags": gone, **nothing},
            "extra": {"number": len(extra), "tags": [uid(tag) for tag in extra], **nothing},
            "elsewhere": {"number": 0, "tags": [], **nothing},
        },
        "quality": {"duty": 1.0, "antennas": {}, "antennas_down": [], "conditions": {}},
        "confidence": 0.97,
        "evidence": {"config": "0123456789abcdef", "algorithm": "count/1"},
    }
    return Fact(COUNT, zone, t, data)


def sealed(facts: list[Fact], first: int = 1, epoch: str = EPOCH) -> list[tuple[int, bytes]]:
    """The facts as consecutive events, with their sequence numbers."""
    return [
        (number, seal(fact, SOURCE, epoch, number, "0" * 64).payload) for number, fact in enumerate(facts, start=first)
    ]


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of a history, in order."""
    with closing(schema.open_reader(path)) as connection:
        connection.row_factory = None
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in schema.DATA}


class History:
    """A history to fill and to ask."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._store = Store(path)
        self._next = 1

    def take(self, *facts: Fact, portion: int = 1_000) -> None:
        events = sealed(list(facts), self._next)
        self._next += len(events)
        for start in range(0, len(events), portion):
            self._store.take(EPOCH, events[start : start + portion])

    def take_raw(self, events: list[tuple[int, bytes]], epoch: str = EPOCH) -> None:
        self._store.take(epoch, events)
        self._next = events[-1][0] + 1

    def trim(self, before: int, after: str) -> str | None:
        return self._store.trim(before, after)

    def ask(self, zones: Mapping[str, bool] | None = None) -> Questions:
        self._reader: sqlite3.Connection = schema.open_reader(self.path)
        return Questions(self._reader, zones)

    def close(self) -> None:
        if hasattr(self, "_reader"):
            self._reader.close()
        self._store.close()


def copy(path: Path, target: Path) -> None:
    """The file as a killed process leaves it, with its write-ahead log."""
    for suffix in ("", "-wal"):
        if (part := path.with_name(path.name + suffix)).exists():
            shutil.copyfile(part, target.with_name(target.name + suffix))
