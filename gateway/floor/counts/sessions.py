"""Count sessions: somebody counts zones, with the fixed antennas there and with what they carry.

::

    count.open ──▶ open ──count.close, or LONGEST later──▶ closing ──the counts of its zones are stated──▶ gone
                    ▲
                  reads

What a handheld read is remembered here by tag; the rounds of each zone are a count like any other (run.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.clock import NEVER, SECOND, rfc3339
from gateway.errors import Refused
from gateway.events.count_models import CountSession, Device, How, SessionData
from gateway.events.envelope import Fact, count_session
from gateway.floor.by_name import by_name
from gateway.floor.counts.commands import CloseCount, HandReads, OpenCount
from gateway.inputs import Command

MAX_OPEN = 16
"""Sessions at a time: people who count."""

MAX_READ = 20_000
"""Tags of one session: what fits into an event with all else that is said of them."""

LONGEST = 8 * 3600 * SECOND
"""A session that nobody has closed for a shift is closed, and says so."""

LEEWAY = 60 * SECOND
"""By so much the clock of a handheld may be behind ours, so that its first reads are not older than the session."""


@dataclass(slots=True)
class Read:
    """What handhelds read of one tag. `zone` is that of the session's zones to which it is counted."""

    zone: str
    how: How
    reads: int
    first: int
    last: int
    readers: list[str]


@dataclass(slots=True)
class Session:
    """A session. `used` has for each handheld how many reads it gave; `fresh` the tags read in the present round;
    `beyond` counts reads of tags for which there is no room: of those the count cannot say that they are missing."""

    id: str
    zones: list[str]
    by: str
    opened: int
    request: str | None = None
    devices: list[str] = field(default_factory=list)
    reads: dict[str, Read] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    fresh: dict[str, None] = field(default_factory=dict)
    closed: int = 0
    closed_by: str = ""
    note: str = ""
    beyond: int = 0

    def take(self, uid: str, zone: str, reads: HandReads, number: int, t: int) -> None:
        """A handheld read a tag, `number` times."""
        self.used[reads.reader] = self.used.get(reads.reader, 0) + number
        read = self.reads.get(uid)
        if read is None:
            if len(self.reads) >= MAX_READ:
                self.beyond += number
                return
            read = self.reads[uid] = Read(zone, reads.how, 0, t, t, [])
        read.reads += number
        read.last = max(read.last, t)
        if reads.how == "barcode":
            read.how = "barcode"
        if reads.reader in read.readers:
            read.readers.remove(reads.reader)
        read.readers.append(reads.reader)
        self.fresh[uid] = None

    def of(self, zone: str) -> list[str]:
        """The tags that are counted to a zone, sorted."""
        return sorted(uid for uid, read in self.reads.items() if read.zone == zone)

    def used_devices(self) -> list[Device]:
        """The handhelds, and what each gave."""
        return [
            {
                "reader": reader,
                "reads": reads,
                "tags": sum(1 for read in self.reads.values() if reader in read.readers),
            }
            for reader, reads in sorted(self.used.items())
        ]

    def described(self, hand: Iterable[str], through: int, t: int, coverage: float | None) -> SessionData:
        """The session ready for JSON, with the tags `hand` of one zone that handhelds read."""
        listed = list(hand)
        described: SessionData = {
            "id": self.id,
            "by": self.by,
            "zones": self.zones,
            "opened": rfc3339(self.opened),
            "closed": rfc3339(self.closed or t),
            "closed_by": self.closed_by,
            "note": self.note,
            "duration_s": round(((self.closed or t) - self.opened) / SECOND, 3),
            "devices": self.used_devices(),
            "hand": [
                {
                    "uid": uid,
                    "how": read.how,
                    "reads": read.reads,
                    "first": rfc3339(read.first),
                    "last": rfc3339(read.last),
                    "reader": read.readers[-1],
                }
                for uid, read in ((uid, self.reads[uid]) for uid in listed)
            ],
            "confirmed_by_barcode": sum(1 for uid in listed if self.reads[uid].how == "barcode"),
            "through": through,
            "coverage": coverage,
        }
        return described | {"beyond": self.beyond} if self.beyond else described

    def redate(self, by: int) -> None:
        """Dates all sessions `by` microseconds later: the clock was set."""
        self.opened += by
        self.closed += by if self.closed else 0
        for read in self.reads.values():
            read.first, read.last = read.first + by, read.last + by

    def dump(self) -> dict[str, Any]:
        """The fields by name, ready for JSON."""
        return by_name(self) | {
            "reads": {uid: by_name(read) for uid, read in self.reads.items()},
            "fresh": list(self.fresh),
        }

    @classmethod
    def load(cls, dump: Mapping[str, Any]) -> Session:
        """Takes over what `dump` gave."""
        reads = {uid: Read(**{**read, "readers": list(read["readers"])}) for uid, read in dump["reads"].items()}
        return cls(**{**dump, "reads": reads, "used": dict(dump["used"]), "fresh": dict.fromkeys(dump["fresh"])})


class Sessions:
    """The sessions of a floor with these zones, by id."""

    def __init__(self, zones: set[str]) -> None:
        self._zones = zones
        self._open: dict[str, Session] = {}

    def open_ones(self) -> list[Session]:
        """The sessions, in the order in which they were opened."""
        return list(self._open.values())

    def get(self, name: str) -> Session | None:
        """The open session of a name."""
        return self._open.get(name)

    def at(self, zone: str) -> Session | None:
        """The session that counts a zone and is not closed."""
        return next((one for one in self._open.values() if zone in one.zones and not one.closed), None)

    def admit_open(self, wanted: OpenCount, waiting: Sequence[Command]) -> None:
        """Raises Refused where the zones are not there or are counted already; `waiting` are commands that were
        accepted and not carried out yet."""
        for zone in wanted.zones:
            if zone not in self._zones:
                raise Refused(f"count.open: no zone {zone!r}: zones are {', '.join(sorted(self._zones))}")
            if self._counted(zone, waiting):
                session = self.at(zone)
                who = session.by if session is not None else "somebody"
                raise Refused(f"count.open: {zone} is being counted by {who}: close that count first")
        if len(self._open) + sum(1 for command in waiting if command.name == "count.open") >= MAX_OPEN:
            raise Refused(f"count.open: {MAX_OPEN} counts are open: close one first")

    def admit_close(self, wanted: CloseCount, waiting: Sequence[Command]) -> None:
        """Raises Refused where the zone is not being counted."""
        self._known("count.close", wanted.zone, waiting)

    def admit_reads(self, wanted: HandReads, waiting: Sequence[Command]) -> None:
        """Raises Refused where the reads are for a zone that is not being counted."""
        if wanted.zone is not None:
            self._known("reads", wanted.zone, waiting)

    def _known(self, command: str, zone: str, waiting: Sequence[Command]) -> None:
        if zone not in self._zones:
            raise Refused(f"{command}: no zone {zone!r}: zones are {', '.join(sorted(self._zones))}")
        if not self._counted(zone, waiting):
            raise Refused(f"{command}: nobody is counting {zone}: begin with count.open")

    def _counted(self, zone: str, waiting: Sequence[Command]) -> bool:
        """Whether a zone will be counted once what waits was carried out."""
        session = self.at(zone)
        counted = {zone} if session is not None else set()
        for command in waiting:
            if command.name == "count.open" and zone in command.args.get("zones", ()):
                session, counted = None, {zone}
            elif command.name == "count.close":
                closing = command.args.get("zone")
                if closing == zone or (session is not None and closing in session.zones):
                    counted = set()
        return bool(counted)

    def open(self, wanted: OpenCount, t: int) -> Fact:
        """Begins a session that was admitted."""
        session = Session(
            f"{wanted.zones[0]}/{rfc3339(t)}", list(wanted.zones), wanted.by, t, wanted.request, list(wanted.devices)
        )
        self._open[session.id] = session
        return _fact(session, t, "opened", session.by, "")

    def for_reads(self, wanted: HandReads, when: int) -> Session | None:
        """The session that reads at the time `when` are for: that of the zone that they name, else that which is for
        their handheld, else the newest that is for any."""
        if wanted.zone is not None:
            fitting = [self.at(wanted.zone)]
        else:
            unclosed = [one for one in self._open.values() if not one.closed]
            own = [one for one in unclosed if wanted.reader in one.devices]
            fitting = [*(own or [one for one in unclosed if not one.devices])]
        able = [one for one in fitting if one is not None and one.opened - LEEWAY <= when]
        return max(able, key=lambda one: (one.opened, one.id), default=None)

    @property
    def due(self) -> int:
        """When a session has lasted too long."""
        return min((one.opened + LONGEST for one in self._open.values() if not one.closed), default=NEVER)

    def close(self, session: Session, by: str, note: str, t: int) -> Fact:
        """Ends a session: its counts are stated next."""
        session.closed, session.closed_by, session.note = t, by, note
        return _fact(session, t, "closed", by, note)

    def forget(self, running: set[str]) -> None:
        """Forgets sessions that are closed and of which no count is running."""
        self._open = {name: one for name, one in self._open.items() if not one.closed or name in running}

    def leave(self, zones: Collection[str]) -> None:
        """Only these zones are counted from here on: what was read for others is said, and counted to none of them."""
        for session in self._open.values():
            session.zones = [zone for zone in session.zones if zone in zones] or session.zones
            session.reads = {uid: read for uid, read in session.reads.items() if read.zone in session.zones}
            session.fresh = {uid: None for uid in session.fresh if uid in session.reads}

    def apply(self, data: Mapping[str, Any], opened: int, t: int) -> None:
        """Takes over from an event of the time `t` that a session was opened or closed."""
        zones = [zone for zone in data["zones"] if zone in self._zones]
        session = self._open.get(data["id"])
        if data["state"] == "closed" and session is not None:
            session.closed, session.closed_by, session.note = t, data["by"], data["note"]
        elif data["state"] == "opened" and zones and data["id"] not in self._open:
            self._open[data["id"]] = Session(
                data["id"], zones, data["by"], opened, data["request"], list(data["devices"])
            )

    def redate(self, by: int) -> None:
        """All sessions were `by` microseconds later than was thought."""
        for session in self._open.values():
            session.redate(by)

    def dump(self) -> list[dict[str, Any]]:
        """The state for a checkpoint, ready for JSON."""
        return [session.dump() for session in self._open.values()]

    def load(self, dump: Iterable[Mapping[str, Any]], running: set[str]) -> None:
        """Takes over the sessions of which a count is still running, and of their zones those that are still there."""
        sessions = [Session.load(entry) for entry in dump]
        self._open = {session.id: session for session in sessions if session.id in running}
        self.leave(self._zones)


def _fact(session: Session, t: int, state: Literal["opened", "closed"], by: str, note: str) -> Fact:
    data: CountSession = {
        "state": state,
        "id": session.id,
        "zones": session.zones,
        "by": by,
        "started": rfc3339(session.opened),
        "request": session.request,
        "devices": session.devices,
        "note": note,
    }
    return count_session(session.zones[0], t, data)
