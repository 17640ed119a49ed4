"""The floor's state: its rooms as the parts of a checkpoint, back again, and built from events where there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from gateway.clock import parse_rfc3339
from gateway.errors import LedgerError
from gateway.events.envelope import (
    BOOK,
    CLOCK_STEP,
    COUNT,
    COUNT_SESSION,
    DIFFERENCE,
    EXPECTED,
    GATE,
    HANDHELD,
    MOVEMENT,
)
from gateway.events.former import in_todays_words
from gateway.floor.books.books import Books
from gateway.floor.counts.counts import Counts
from gateway.floor.counts.handhelds import GATHER
from gateway.floor.evidence import proof_from
from gateway.floor.gate.docks import Docks
from gateway.floor.migrations import STEPS, Content
from gateway.floor.parts import Memory
from gateway.floor.pending import Pending
from gateway.floor.places import Places
from gateway.floor.portals import Portals
from gateway.floor.presence.presence import Presence
from gateway.floor.readers.history import ReaderHistory
from gateway.floor.readers.status import Readers
from gateway.floor.reconfigured import Owed
from gateway.floor.snapshot import Checkpoint, rivals_part, seal, seal_json, versions
from gateway.floor.tags import Foreign
from gateway.floor.windows import Windows
from gateway.inputs import Command

_IN_EVENT_TIME = frozenset({MOVEMENT, COUNT, COUNT_SESSION, HANDHELD, EXPECTED, BOOK})
_GATE_IN_EVENT_TIME = frozenset({"opened", "attached", "item", "verdict", "confirmed", "overridden", "came-back"})
"""Types of events, and kinds of those of the gate, that are said when event time has come to them."""


OnOdd: TypeAlias = Callable[[bytes, Exception], None] | None
"""Who hears of an event of the ledger that cannot be understood, and why."""


@dataclass(slots=True)
class State:
    """The rooms of one floor. `position` is the event time to which it has come, microseconds."""

    places: Places
    windows: Windows
    readers: Readers
    reader_history: ReaderHistory
    presence: Presence
    portals: Portals
    foreign: Foreign
    counts: Counts
    docks: Docks
    books: Books
    pending: Pending
    owed: Owed
    position: int = 0
    _reached: int = 0  # the newest time of an event that comes in event time, by those that were taken over
    _counted: set[tuple[str, int]] = field(default_factory=set)  # zone and beginning of the counts among them

    def checkpoint(self) -> dict[str, bytes]:
        """The parts that changed since the last call; all of them on the first."""
        parts, chunks = self.begin()
        return parts | dict(chunks)

    def snapshot(self) -> dict[str, bytes]:
        """All parts; the next `checkpoint` is none the shorter."""
        parts, chunks = self.begin(whole=True)
        return parts | dict(chunks)

    def begin(self, *, whole: bool = False) -> tuple[dict[str, bytes], Iterator[tuple[str, bytes]]]:
        """The parts that changed, or all, for whoever has no time to take them at once: those that are to be taken now,
        and those that are to be taken before the next tick."""
        tags, expected = self.presence.tags, self.counts.expected
        parts = {"expected": seal_json(expected.dump())} if whole or expected.changed() else {}
        parts |= self.docks.snapshot() if whole else self.docks.checkpoint()
        parts |= {name: seal_json(content) for name, content in self.books.checkpoint(whole=whole).items()}
        return parts | self._always(), self._later(tags.chunks() if whole else tags.changed())

    def _later(self, chunks: Iterator[tuple[int, bytes]]) -> Iterator[tuple[str, bytes]]:
        """What only a tick changes: the table of the tags, their timers and their rivals."""
        for number, body in chunks:
            yield _chunk(number), seal(body)
        yield "waiting", seal(self.presence.dump_waiting())
        for number, body in enumerate(self.presence.rivals.dump()):
            yield rivals_part(number), seal(body)

    def _always(self) -> dict[str, bytes]:
        """The parts that change with every tick."""
        floor = {
            "chunks": len(self.presence.tags.dirty),
            "rivals": self.presence.rivals.pieces,
            "antennas": self.places.describe(),
            "zones": [zone.id for zone in self.places.zones],
            "windows": self.windows.dump(),
            "readers": self.readers.dump(),
            "reader_history": self.reader_history.dump(),
            "presence": self.presence.dump(),
            "foreign": self.foreign.dump(),
            "portals": self.portals.dump(),
            "counts": self.counts.dump(),
            "pending": self.pending.dump(),
            "owed": self.owed.dump(),
            "number": self.pending.number,
            "position": self.position,
        }
        return {"windows": seal(self.windows.dump_columns()), "floor": seal_json(versions() | floor)}

    def restore(self, parts: Mapping[str, bytes], without: Collection[str]) -> None:
        """Loads the sections of a checkpoint but for those in `without`. Raises `Unreadable` or `Newer`."""
        saved = Checkpoint(parts)
        numbers: list[int] = []  # of the antennas in the checkpoint
        zones: list[int] = []

        def time(content: Content) -> None:
            numbers.extend(self.places.adopt(*antenna) for antenna in content["antennas"])
            zones.extend(self.places.zone_number(zone) for zone in content["zones"])
            self.windows.load(content["windows"], content["columns"])
            self.readers.load(content["readers"])
            self.reader_history.load(content["reader_history"], numbers, self.windows.now)
            self.pending.load(content["pending"], content["number"])
            self.position = content["position"]
            self.owed.load(content.get("owed", []), self.position)

        def presence(content: Content) -> None:
            parts = (content["waiting"], content["rivals"], content["tags"])
            self.presence.load(content["presence"], *parts, numbers)
            self.foreign.load(content["foreign"], zones)

        loaders: Mapping[str, Callable[[Content], None]] = {
            "time": time,
            "presence": presence,
            "portals": lambda content: self.portals.load(content["portals"], numbers),
            "counts": lambda content: self.counts.load(content["counts"], content["expected"], self.position),
            "gate": lambda content: self.docks.restore(content, self.position),
            "books": self.books.load,
        }
        for section, load in loaders.items():
            if section not in without:
                with saved.reading(section) as content:
                    load(content)

    def redate(self, by: int, sections: Collection[str]) -> None:
        """What the rooms of these sections keep was `by` microseconds, whole windows, later than was thought."""
        rooms: Mapping[str, tuple[Memory, ...]] = {
            "time": (self.windows, self.readers, self.reader_history, self.pending),
            "presence": (self.presence, self.foreign),
            "portals": (self.portals,),
            "counts": (self.counts,),
            "gate": (self.docks.gate,),
            "books": (self.books,),
        }
        for section in sections:
            for room in rooms[section]:
                room.redate(by)

    def apply(self, payloads: Sequence[bytes], on_odd: OnOdd = None) -> int:
        """Takes over from events, oldest first, what they say; what may be part of that already, reads in open windows
        and commands that were carried out, is given up. Returns by how many microseconds all was dated anew. Raises
        `LedgerError`."""
        if payloads:
            self.windows.clear()
            self.reader_history.lose(self.windows.now)
        by = self.rebuild(payloads, STEPS, on_odd)
        self.pending.forget(self._was_carried_out)
        return by

    def rebuild(self, payloads: Iterable[bytes], sections: Collection[str], on_odd: OnOdd = None) -> int:
        """Takes over from events, oldest first, what they say about `sections`: what was said before a clock step is
        dated anew with the rest. Returns by how many microseconds. One that cannot be understood is passed over, where
        somebody hears of it by `on_odd`; otherwise `LedgerError` is raised."""
        self.presence.begin(self.position)
        takers: Mapping[str, tuple[str, Callable[[Mapping[str, Any], int], None]]] = {
            MOVEMENT: ("presence", self._moved),
            COUNT: ("counts", lambda data, t: self.counts.apply(data)),
            COUNT_SESSION: ("counts", self.counts.apply_session),
            HANDHELD: ("counts", self.counts.by_hand.apply_reads),
            DIFFERENCE: ("books", self.books.apply),
            GATE: ("gate", self.docks.gate.apply),
        }
        redated = 0
        for payload in payloads:
            try:
                event = orjson.loads(payload)
                if event["type"] == CLOCK_STEP and (by := self._dates_anew(event["data"])):
                    self.redate(by, sections)
                    self._reached += by if self._reached else 0
                    self._counted = {(zone, started + by) for zone, started in self._counted}
                    redated += by
                t = parse_rfc3339(event["time"])
                section, take = takers.get(event["type"], ("", None))
                if take is not None and section in sections:
                    take(in_todays_words(event["data"]), t)
                self._heard(event, t)
            except (LedgerError, ValueError, LookupError, TypeError, AttributeError) as error:
                if on_odd is not None:
                    on_odd(payload, error)
                elif isinstance(error, LedgerError):
                    raise
                else:
                    raise LedgerError(f"an event in the ledger cannot be understood ({error!r})") from error
        return redated

    def _heard(self, event: Mapping[str, Any], t: int) -> None:
        """How far event time had come, by an event: what is said at once, whatever event time is, says nothing."""
        data = event["data"]
        self.owed.was_said(event["type"], event["subject"], t)
        if event["type"] in _IN_EVENT_TIME or (event["type"] == GATE and data["gate"] in _GATE_IN_EVENT_TIME):
            self._reached = max(self._reached, t)
        if event["type"] == COUNT:
            self._counted.add((data["zone"], parse_rfc3339(data["started"])))

    def _was_carried_out(self, command: Command) -> bool:
        """Whether a command that was waiting for event time was carried out before the newest of the events that were
        taken over: all that comes of it is in them. What a set or a book holds is in none."""
        match command.name:
            case "count":
                return (command.args["zone"], command.t) in self._counted
            case "reads":
                return command.t + GATHER < self._reached
            case "expected" | "book":
                return False
        return command.t < self._reached

    def _dates_anew(self, step: Mapping[str, Any]) -> int:
        """By how many microseconds, whole windows, a clock step dates anew what is kept. A machine that was asleep
        dates nothing anew: nobody watched meanwhile."""
        jump = 0 if step["cause"] == "suspended" else int(step["jump_us"])
        return jump // self.windows.width * self.windows.width

    def _moved(self, data: Mapping[str, Any], t: int) -> None:
        if data["movement"] in ("passed", "revised", "group_passed"):
            return  # what it meant for where the tag is was said beside it
        epc = bytes.fromhex(data["epc"])
        if data["movement"] == "departed":
            self.presence.remove(epc)
            return
        zone = self.places.zone_numbers.get(data["to"] or data["from"])
        proof = None if zone is None else proof_from(data, zone, self.places)
        if proof is not None:
            self.presence.place(epc, proof, seen=data["movement"] != "not_seen")


def _chunk(number: int) -> str:
    """The part that holds a chunk of the tags' table."""
    return f"tags/{number:06d}"
