"""The recordings: reads in order of arrival, and what happened, from ``truth.json``."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.clock import SECOND

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT.parent / "shared" / "recordings"
READER: Final = "room-1"


@dataclass(slots=True, frozen=True)
class Read:
    """A read: time in microseconds, antenna, EPC in hex, RSSI in dBm."""

    t: int
    antenna: int
    epc: str
    rssi: float


@dataclass(slots=True, frozen=True)
class Trial:
    """Reads, and since when the tag `epc` is in which zone (microseconds; None: unlabelled), up to `end`."""

    name: str
    epc: str
    reads: list[Read]
    stays: list[tuple[int, str | None]]
    end: int

    @property
    def start(self) -> int:
        """When the first stay begins."""
        return self.stays[0][0]

    def zone(self, t: int) -> str | None:
        """Where the tag is at `t`."""
        return next((zone for since, zone in reversed(self.stays) if since <= t), None)

    def labels(self) -> list[tuple[int, str]]:
        """The true moves: when, and to where. What is unlabelled lies between two of them."""
        known = [(t, zone) for t, zone in self.stays if zone is not None]
        return [(t, zone) for (_, before), (t, zone) in itertools.pairwise(known) if zone != before]


def truth(kind: str) -> list[dict[str, Any]]:
    """What `truth.json` says of one folder."""
    entries: dict[str, list[dict[str, Any]]] = orjson.loads((FOLDER / "truth.json").read_bytes())
    return entries[kind]


def load(name: str) -> list[Read]:
    """The reads of one file."""
    with gzip.open(FOLDER / name, "rb") as lines:
        rows = map(orjson.loads, lines)
        return [Read(round(row["t"] * SECOND), row["antenna"], row["epc"], row["rssi"]) for row in rows if "epc" in row]


def of_tag(reads: Iterable[Read], epc: str) -> list[Read]:
    """The reads of one tag, in order of time."""
    return sorted((read for read in reads if read.epc == epc), key=lambda read: read.t)


def shifted(reads: Iterable[Read], by: int, epc: str) -> list[Read]:
    """The reads as those of `epc`, so much later."""
    return [replace(read, t=read.t + by, epc=epc) for read in reads]
