"""Counting by hand: the sessions of those who count, and what their handhelds read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.clock import CLOCK_AHEAD, parse_rfc3339
from gateway.config import Config
from gateway.errors import Refused
from gateway.events.envelope import Fact
from gateway.floor.counts.commands import CloseCount, HandReads, OpenCount
from gateway.floor.counts.expected import ExpectedSets
from gateway.floor.counts.handhelds import Handhelds
from gateway.floor.counts.report import Comparison
from gateway.floor.counts.sessions import LONGEST, Session, Sessions
from gateway.floor.gate.commands import read
from gateway.floor.tags import TagFilter
from gateway.inputs import Command

GATEWAY = "gateway"
"""Who closes a session that nobody has closed."""


class ByHand:
    """The sessions and handhelds of a configuration. `sets` say what is expected where, `comparison` where fixed
    antennas see a tag."""

    def __init__(self, config: Config, sets: ExpectedSets, comparison: Comparison) -> None:
        self.sessions = Sessions({zone.id for zone in config.zones})
        self._handhelds = Handhelds()
        self._readers = {reader.id for reader in config.readers}
        self._tags = TagFilter(config.tags)
        self._sets = sets
        self._comparison = comparison

    def admit(self, command: Command, waiting: Sequence[Command]) -> None:
        """Raises Refused where the command cannot be carried out once those that are `waiting` are."""
        match command.name:
            case "count.open":
                self.sessions.admit_open(read(OpenCount, command), waiting)
            case "count.close":
                self.sessions.admit_close(read(CloseCount, command), waiting)
            case "reads":
                self._admit_reads(read(HandReads, command), command.t, waiting)

    def _admit_reads(self, wanted: HandReads, t: int, waiting: Sequence[Command]) -> None:
        if wanted.reader in self._readers:
            raise Refused(f"reads: {wanted.reader} is a reader of the gateway: a handheld has an id of its own")
        if wanted.time is not None and wanted.time > t + CLOCK_AHEAD:
            raise Refused("reads: the time is in the future: set the handheld's clock")
        self.sessions.admit_reads(wanted, waiting)

    def carry_out(self, command: Command) -> list[Fact]:
        """Carries out a command that was admitted; one that cannot be carried out any more changes nothing."""
        try:
            self.admit(command, ())
        except Refused:
            return []
        match command.name:
            case "count.open":
                return [self.sessions.open(read(OpenCount, command), command.t)]
            case "count.close":
                closing = read(CloseCount, command)
                found = self.sessions.at(closing.zone)
                return [] if found is None else [self.sessions.close(found, closing.by, closing.note, command.t)]
        return self._take(read(HandReads, command), command.t)

    def _take(self, reads: HandReads, t: int) -> list[Fact]:
        """Takes what a handheld has read."""
        when = min(t if reads.time is None else reads.time, t)
        session = self.sessions.for_reads(reads, when)
        numbers = Counter(reads.uids)
        stock = {
            name: number for name, number in numbers.items() if self._tags.foreign_class(bytes.fromhex(name)) is None
        }
        if session is not None:
            for name, number in stock.items():
                session.take(name, self._zone_for(session, reads, name), reads, number, when)
        meant = None if session is None else (session.id, session.zones)
        return self._handhelds.take(reads, stock, len(numbers) - len(stock), meant, when, t)

    def _zone_for(self, session: Session, reads: HandReads, name: str) -> str:
        """The zone of a session to which a tag is counted that a handheld read: where it is expected, else where fixed
        antennas see it, else that which the reads name, else the first."""
        for zone in (self._sets.zone_of(name), self._comparison.held_in(name), reads.zone):
            if zone in session.zones:
                return str(zone)
        return session.zones[0]

    def fresh(self, name: str, zone: str) -> set[bytes]:
        """The tags of a zone that handhelds read in the round that ends, in the session `name`."""
        session = self.sessions.get(name)
        if session is None:
            return set()
        mine = {tag for tag in session.fresh if session.reads[tag].zone == zone}
        session.fresh = {tag: None for tag in session.fresh if tag not in mine}
        return {bytes.fromhex(tag) for tag in mine if self._comparison.held_in(tag) in (None, zone)}

    @property
    def due(self) -> int:
        """When something is to be said next."""
        return min(self.sessions.due, self._handhelds.due)

    def fire(self, t: int) -> list[Fact]:
        """What handhelds have read up to `t`; and sessions that nobody has closed are closed."""
        return self._handhelds.fire(t) + [
            self.sessions.close(session, GATEWAY, "nobody has closed it", t)
            for session in self.sessions.open_ones()
            if not session.closed and session.opened + LONGEST <= t
        ]

    def apply_reads(self, data: Mapping[str, Any], t: int) -> None:
        """Takes over from an event what a handheld read for a session that is open."""
        session = self.sessions.get(data["session"] or "")
        when = parse_rfc3339(data["end"])
        more = self._handhelds.applied(data, when)
        if session is not None and more:
            reads = HandReads(reader=data["reader"], uids=list(more), how=data["how"])
            for name, number in more.items():
                session.take(name, self._zone_for(session, reads, name), reads, number, when)

    def redate(self, by: int) -> None:
        """All that was read was read `by` microseconds later than was thought."""
        self.sessions.redate(by)
        self._handhelds.redate(by)

    def dump(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"sessions": self.sessions.dump(), "handhelds": self._handhelds.dump()}

    def load(self, dump: Mapping[str, Any], running: set[str]) -> None:
        """Takes over a dump. `running` are the sessions of which a count is still running."""
        self.sessions.load(dump["sessions"], running)
        self._handhelds.load(dump["handhelds"])
