"""Rows of the history's tables as parts of answers."""

from __future__ import annotations

import sqlite3

import orjson

from gateway.history.answers import (
    Access,
    Alarm,
    Count,
    Counted,
    Evidence,
    GateDecision,
    HandRead,
    Item,
    Notice,
    Pass,
    Source,
    Stay,
    Unwatched,
)
from gateway.history.schema import EPOCH_SPAN


class Parts:
    """Makes parts of answers. `epochs` are the names of the epochs by their numbers."""

    def __init__(self, epochs: dict[int, str]) -> None:
        self._epochs = epochs

    def source(self, event: int) -> Source:
        """The event numbered `event`."""
        return Source(epoch=self._epochs[event // EPOCH_SPAN], sequence=event % EPOCH_SPAN)

    def stay(self, row: sqlite3.Row) -> Stay:
        """A row of ``stay`` joined with its ``origin``."""
        until = row["until"]
        keys = ("zone", "state", "since", "movement", "before", "portal", "confidence")
        return Stay(
            **{key: row[key] for key in keys},
            overtaken=until is not None and until < row["since"],
            until=until,
            evidence=_evidence(row),
            event=self.source(row["event"]),
        )

    def passage(self, row: sqlite3.Row) -> Pass:
        """A row of ``pass`` joined with its ``origin``."""
        keys = ("portal", "direction", "before", "after", "first", "last", "confidence", "group", "reason")
        return Pass(**{key: row[key] for key in keys}, evidence=_evidence(row), event=self.source(row["event"]))

    def decision(self, row: sqlite3.Row) -> GateDecision:
        """A row of ``gate_item``."""
        keys = ("kind", "time", "dock", "session", "manifest", "delivery", "status", "previous", "verdict", "reasons")
        return GateDecision(**{key: row[key] for key in keys}, event=self.source(row["event"]))

    def counted(self, row: sqlite3.Row) -> Counted:
        """A row of ``count_line`` joined with its ``count``."""
        keys = ("zone", "said", "detail")
        return Counted(**{key: row[key] for key in keys}, time=row["ended"], event=self.source(row["event"]))

    def hand_read(self, row: sqlite3.Row) -> HandRead:
        """A row of ``hand_read``."""
        keys = ("time", "reader", "how", "by", "session", "reads")
        return HandRead(
            **{key: row[key] for key in keys}, zones=orjson.loads(row["zones"]), event=self.source(row["event"])
        )

    def count(self, row: sqlite3.Row) -> Count:
        """A row of ``count``."""
        keys = [key for key in Count.model_fields if key not in ("event", "trigger")]
        return Count(**{key: row[key] for key in keys}, trigger=row["cause"], event=self.source(row["event"]))

    def alarm(self, row: sqlite3.Row) -> Alarm:
        """A row of ``alarm``."""
        cleared, acknowledged = row["cleared"], row["acknowledged"]
        keys = (
            "kind", "subject", "place", "uid", "since", "raised", "repeats", "reason", "acknowledged",
            "acknowledged_by", "note", "cleared", "cleared_reason",
        )  # fmt: skip
        return Alarm(
            **{key: row[key] for key in keys},
            state="cleared" if cleared is not None else "acknowledged" if acknowledged is not None else "raised",
            last_said=row["said"],
            event=self.source(row["raised_event"]),
        )

    def notice(self, row: sqlite3.Row) -> Notice:
        """A row of ``notice``."""
        keys = [key for key in Notice.model_fields if key != "event"]
        return Notice(**{key: row[key] for key in keys}, event=self.source(row["event"]))

    def unwatched(self, row: sqlite3.Row) -> Unwatched:
        """A row of ``alarm`` that says what did not see."""
        return Unwatched(
            since=row["since"],
            until=row["cleared"],
            what=f"{row['kind']} {row['subject']}",
            reason=row["reason"],
            certain=True,
            event=self.source(row["raised_event"]),
        )

    def loss(self, row: sqlite3.Row) -> Unwatched:
        """A row of ``loss``."""
        return Unwatched(
            since=row["started"],
            until=row["ended"],
            what=f"reads of {row['reader']} lost",
            reason=row["cause"],
            certain=bool(row["certain"]),
            event=self.source(row["event"]),
        )

    def access(self, row: sqlite3.Row) -> Access:
        """A row of ``access``."""
        keys = ("time", "door", "person", "action", "source")
        return Access(**{key: row[key] for key in keys}, event=self.source(row["event"]))


def item(row: sqlite3.Row | None) -> Item | None:
    """A row of ``item``."""
    if row is None:
        return None
    return Item(**{key: row[key] for key in Item.model_fields})


def _evidence(row: sqlite3.Row) -> Evidence:
    return Evidence(
        reads=row["reads"],
        strongest_rssi=row["rssi"],
        rssi_unit=row["rssi_unit"],
        antennas=row["antennas"].split(),
        first=row["first"],
        last=row["last"],
        clock=row["clock"],
        algorithm=row["algorithm"],
        config=row["config"],
    )
