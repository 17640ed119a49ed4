"""Passes on recordings of real readers, where they are at hand: what the floor says of each, beside the simple rules.

The recordings lie beside the project and are no part of it (``../shared/recordings``). Nothing of the floor is fitted
to them; the figures are shown by speed, axis, orientation and kind, so that what holds for one part only is seen.
"""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import orjson

from benchmarks.accuracy.rules import RULES
from benchmarks.recordings.files import FOLDER
from drivers.api import Batch, Row, RssiUnit
from drivers.emulators.scene import Seen
from gateway.clock import SECOND, parse_rfc3339
from gateway.config import Config
from gateway.events.envelope import MOVEMENT
from gateway.floor.floor import Floor
from gateway.inputs import Tick

_GRID = SECOND // 10
_AFTER = 40 * SECOND
"""Microseconds for which event time goes on after the last read."""

PIECES = 6
"""Pieces that are cut from the recording of a tag that stands: it is read for some seconds and then no more."""


@dataclass(slots=True, frozen=True)
class Recording:
    """One tag at a portal. `reads` in the order in which they arrived; `truth` is in, out or none; `kind` is walk,
    diagonal, circle, standing or piece, and `parts` what it is left out by in the tables. Antennas of neither side are
    left out of the configuration."""

    name: str
    kind: str
    parts: Mapping[str, str]
    uid: str
    truth: str
    sides: Mapping[int, str]
    reads: Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class Answer:
    """What the floor said of a recording: directions, confidences, when the last read was (seconds) and how many
    seconds after that each was said."""

    directions: list[str] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    lasts: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    evidence: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def way(self) -> str:
        """The direction in which the published passes lead together: in, out, or none."""
        ways = Counter(direction for direction in self.directions if direction in ("in", "out"))
        return "none" if ways["in"] == ways["out"] else "in" if ways["in"] > ways["out"] else "out"


def recordings(folder: Path = FOLDER) -> Iterator[Recording]:
    """Every recording of a tag at a portal. Nothing where there are none."""
    truth = orjson.loads((folder / "truth.json").read_bytes())
    for entry in truth["walks"]:
        groupings = [entry] if entry["kind"] == "line" else [entry, entry["also"]]
        for number, grouping in enumerate(groupings):
            line = entry["kind"] == "line"
            diagonal = line and entry["grouping"].startswith("diagonal")
            axis = entry["grouping"] if line else "xy"[number]
            yield Recording(
                name=entry["reads"],
                kind="diagonal" if diagonal else "walk" if line else "circle",
                parts={"speed": entry["speed"], "axis": axis, "orientation": str(entry["orientation"])},
                uid=entry["uid"],
                truth=entry["truth"] if line else "none",
                sides=_sides(grouping),
                reads=_reads(folder / entry["reads"]),
            )
    for entry in truth["standing"]:
        for axis, grouping in entry["sides"].items():
            parts = {"speed": "turning" if entry["turning"] else "still", "axis": axis, "orientation": "-"}
            reads = _reads(folder / entry["reads"])
            whole = Recording(entry["reads"], "standing", parts, entry["uid"], "none", _sides(grouping), reads)
            yield whole
            yield from _pieces(whole)


def answer(recording: Recording) -> Answer:
    """What the floor says of it, live: with event time going on in tenths of a second."""
    reader = str(recording.reads[0]["reader"])
    floor = Floor(_config(recording, reader))
    found = Answer()
    now = last = 0
    for read in recording.reads:
        t = round(read["t"] * SECOND)
        last = max(last, t)
        if last // _GRID * _GRID > now:
            now = last // _GRID * _GRID
            _take(found, recording.uid, floor.feed(Tick(now)), now, last)
        floor.feed(Batch(reader, last, [_row(read, t)], 0, RssiUnit.CENTI_DBM, "phase" in read))
    while now < last + _AFTER:
        now += _GRID
        _take(found, recording.uid, floor.feed(Tick(now)), now, last)
    return found


def by_rules(recording: Recording) -> dict[str, str | None]:
    """What each simple rule says of the same reads."""
    reads = [
        Seen(bytes.fromhex(read["epc"]), read["antenna"], round(read["rssi"] * 100), 0, round(read["t"] * SECOND), 0, 0)
        for read in sorted(recording.reads, key=lambda read: read["t"])
        if read["epc"] == recording.uid and read["antenna"] in recording.sides
    ]
    return {name: rule(reads, recording.sides) for name, rule in RULES.items()}


@dataclass(slots=True)
class Score:
    """Recordings of one kind, by what was said: right, wrong, undecided."""

    said: Counter[str] = field(default_factory=Counter)
    rules: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    confidences: list[tuple[float, bool]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def add(self, recording: Recording, found: Answer, rules: Mapping[str, str | None]) -> None:
        """One more recording."""
        self.said[_result(recording.truth, found.way)] += 1
        for name, way in rules.items():
            self.rules[name][_result(recording.truth, way if way in ("in", "out") else "none")] += 1
        for direction, confidence, delay in zip(found.directions, found.confidences, found.delays, strict=True):
            if direction in ("in", "out"):
                self.confidences.append((confidence, direction == recording.truth))
                self.delays.append(delay)


def _result(truth: str, way: str) -> str:
    if way == truth:
        return "right"
    return "undecided" if way == "none" else "wrong"


def scores(found: Sequence[tuple[Recording, Answer]]) -> dict[tuple[str, str], Score]:
    """The scores by kind, and by kind and part: the key of the whole kind has an empty part."""
    table: dict[tuple[str, str], Score] = {}
    for recording, said in found:
        rules = by_rules(recording)
        parts = ["", *(f"{name} {value}" for name, value in recording.parts.items())]
        for part in parts:
            table.setdefault((recording.kind, part), Score()).add(recording, said, rules)
    return table


def lines(table: Mapping[tuple[str, str], Score]) -> Iterator[str]:
    """The tables, ready to print."""
    yield ""
    yield "Recordings of real readers (nothing was fitted to them)"
    names = list(RULES)
    yield f"  {'':34}{'right':>7}{'wrong':>7}{'of':>6}   " + "  ".join(f"{name:>13}" for name in names)
    for (kind, part), score in table.items():
        of = sum(score.said.values())
        rules = "  ".join(f"{_short(score.rules[name]):>13}" for name in names)
        label = f"  {kind}, {part}" if part else kind
        yield f"  {label:34}{score.said['right']:>7}{score.said['wrong']:>7}{of:>6}   {rules}"
    delays = sorted(delay for (kind, part), score in table.items() if not part for delay in score.delays)
    if delays:
        yield f"  from the last read to the statement: median {delays[len(delays) // 2]:.1f} s, most {delays[-1]:.1f} s"


def claims(table: Mapping[tuple[str, str], Score]) -> list[tuple[float, bool]]:
    """The confidence of every direction that was said, and whether it held."""
    return [claim for (_, part), score in table.items() if not part for claim in score.confidences]


def _short(said: Counter[str]) -> str:
    return f"{said['right']} / {said['wrong']}"


def _sides(grouping: Mapping[str, Any]) -> dict[int, str]:
    return {antenna: side for side in ("outside", "inside") for antenna in grouping[side]}


def _reads(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path) as file:
        return [orjson.loads(line) for line in file]


def _pieces(whole: Recording) -> Iterator[Recording]:
    random = Random(f"{whole.name}/{whole.parts['axis']}")
    first, last = min(read["t"] for read in whole.reads), max(read["t"] for read in whole.reads)
    for number in range(PIECES):
        length = random.uniform(2.0, 14.0)
        start = random.uniform(first, max(first, last - length))
        reads = [read for read in whole.reads if start <= read["t"] <= start + length]
        if reads:
            yield replace(whole, name=f"{whole.name} {number}", kind="piece", reads=reads)


def _config(recording: Recording, reader: str) -> Config:
    antennas = [{"port": port, "portal": "door", "side": side} for port, side in sorted(recording.sides.items())]
    return Config.model_validate(
        {
            "site": "bench",
            "gateway": "bench",
            "tags": {"include": ["1A40"]},
            "zones": [{"id": "vault"}, {"id": "dock"}],
            "portals": [{"id": "door", "inside": "vault", "outside": "dock"}],
            "readers": [{"id": reader, "driver": "llrp", "host": "localhost", "antennas": antennas}],
        }
    )


def _row(read: Mapping[str, Any], t: int) -> Row:
    turns = read.get("phase", 0.0) / 6.283185307179586
    row = (bytes.fromhex(read["epc"]), read["antenna"], round(read["rssi"] * 100), read.get("channel", 0), t, 1)
    return (*row, round(turns * 4096) % 4096, round(16 * read.get("doppler", 0.0))) if "phase" in read else row


def _take(found: Answer, uid: str, facts: Sequence[Any], now: int, last: int) -> None:
    for fact in facts:
        data = fact.data
        if fact.type == MOVEMENT and data["movement"] == "passed" and data["uid"] == uid:
            found.directions.append(data["direction"])
            found.confidences.append(data["confidence"])
            read = parse_rfc3339(data["last"])
            found.lasts.append(read / SECOND)
            found.delays.append((now - read) / SECOND)
            found.evidence.append(data["evidence"])
