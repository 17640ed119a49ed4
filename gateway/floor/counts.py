"""Counts: how many tags are in a zone, and how well it was being read meanwhile.

A periodic count covers the time since the one before, on a grid of event time; one on command covers `duration` from
the moment of the command. What is remembered is only when a count began and how long each antenna had been dark by
then: the rest is in the columns of the tags when it ends.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateway.clock import micros, rfc3339
from gateway.config import Config
from gateway.errors import Refused
from gateway.events import COUNT, Fact
from gateway.floor.columns import State
from gateway.floor.evidence import MOST, Evidence
from gateway.floor.places import Places
from gateway.floor.presence import Presence
from gateway.floor.tags import Foreign, uid
from gateway.floor.timeline import NEVER, Timeline
from gateway.inputs import Command

ALGORITHM = "count/1"

DURATION = 5.0
"""Seconds of a count on command that does not say: two rounds of a reader that takes its antennas in turn."""

LONGEST = 3600.0
"""Seconds. A count that takes longer is not a count but a day of presence."""

MAX_RUNNING = 64
"""Counts on command that may run at a time: a count each for every zone of a large site."""

MAX_UIDS = 10_000
"""UIDs that are listed in one event (270 kB); beyond it there is their number and their digest."""


@dataclass(slots=True)
class Running:
    """A count that is being taken. `dark` is the dark time of each antenna of the zone when it began, by name."""

    zone: str
    start: int
    end: int
    trigger: str
    request: str | None
    dark: dict[str, int]


class Counts:
    """The counts that are being taken."""

    def __init__(
        self,
        config: Config,
        places: Places,
        timeline: Timeline,
        presence: Presence,
        foreign: Foreign,
        evidence: Evidence,
    ) -> None:
        self._running: list[Running] = []
        self._every = {zone.id: micros(zone.count_every) for zone in config.zones if zone.count_every}
        self._zones = {zone.id for zone in config.zones}
        self._places = places
        self._timeline = timeline
        self._presence = presence
        self._foreign = foreign
        self._evidence = evidence
        self.newest: dict[str, dict[str, Any]] = {}  # zone to the outline of its newest count

    def admit(self, command: Command, waiting: int) -> None:
        """Raises Refused where the command cannot be carried out; `waiting` others are admitted and not begun."""
        args = command.args
        unknown = sorted(set(args) - {"zone", "duration", "request"})
        if unknown:
            raise Refused(f"count: unknown argument {unknown[0]!r}: it takes zone, duration and request")
        if not isinstance(args.get("zone"), str) or args["zone"] not in self._zones:
            raise Refused(f"count: no zone {args.get('zone')!r}: zones are {', '.join(sorted(self._zones))}")
        duration = args.get("duration", DURATION)
        if isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 < duration <= LONGEST:
            raise Refused(f"count: duration {duration!r} is not a number of seconds up to {LONGEST:g}")
        request = args.get("request", "")
        if not isinstance(request, str) or len(request) > 128:
            raise Refused("count: request is not a text of at most 128 characters")
        if waiting + sum(1 for count in self._running if count.trigger == "command") >= MAX_RUNNING:
            raise Refused(f"count: {MAX_RUNNING} counts are running already: wait until one has ended")

    def begin(self, command: Command) -> None:
        """Begins a count on a command that was admitted."""
        args = command.args
        end = command.t + micros(args.get("duration", DURATION))
        self._start(args["zone"], command.t, end, "command", args.get("request"))

    def begin_periodic(self, t: int) -> None:
        """Begins the periodic counts that are not running, up to the next point of their grid."""
        running = {count.zone for count in self._running if count.trigger == "periodic"}
        for zone, every in self._every.items():
            if zone not in running:
                self._start(zone, t, (t // every + 1) * every, "periodic", None)

    def skip(self, t: int) -> None:
        """Nobody was counting up to `t`: the periodic counts begin again."""
        self._running = [count for count in self._running if count.trigger != "periodic" or count.end > t]
        self.begin_periodic(t)

    def _start(self, zone: str, start: int, end: int, trigger: str, request: str | None) -> None:
        self._running.append(Running(zone, start, end, trigger, request, self._dark(zone, start)))

    def _dark(self, zone: str, t: int) -> dict[str, int]:
        antennas = self._places.in_zone[self._places.zone_numbers[zone]]
        return {self._places.spots[antenna].name: self._timeline.watch.dark(antenna, t) for antenna in antennas}

    @property
    def due(self) -> int:
        """When the next count ends."""
        return min((count.end for count in self._running), default=NEVER)

    def fire(self, t: int) -> list[Fact]:
        """The counts that end at `t`."""
        ended = [count for count in self._running if count.end <= t]
        self._running = [count for count in self._running if count.end > t]
        ended.sort(key=lambda count: (count.end, count.zone, count.start, count.request or ""))
        facts = [self._state(count) for count in ended]
        for count in ended:
            if count.trigger == "periodic":
                self._start(count.zone, count.end, count.end + self._every[count.zone], "periodic", None)
        return facts

    def _state(self, count: Running) -> Fact:
        zone = self._places.zone_numbers[count.zone]
        present, unseen = self._members(zone)
        last = self._presence.tags.last
        seen = sum(1 for slot in present if last[slot] >= count.start)
        quality = self._quality(count, zone)
        duty = quality["duty"]
        recaptured = seen / len(present) if present else 1.0
        data: dict[str, Any] = {
            "zone": count.zone,
            "trigger": count.trigger,
            "request": count.request,
            "started": rfc3339(count.start),
            "ended": rfc3339(count.end),
            "population": len(present),
            "seen": seen,
            "unconfirmed": len(present) - seen,
            "not_seen": len(unseen),
            "foreign": self._foreign.count(zone, count.start),
            "uids": self._listed(present),
            "not_seen_uids": self._listed(unseen),
            "quality": quality,
            "confidence": round(min(duty * recaptured, MOST), 3),
            "evidence": {"config": self._evidence.digest, "algorithm": ALGORITHM},
        }
        keep = ("started", "ended", "population", "seen", "not_seen", "confidence")
        self.newest[count.zone] = {key: data[key] for key in keep}
        return Fact(COUNT, count.zone, count.end, data)

    def _members(self, zone: int) -> tuple[list[int], list[int]]:
        """Slots of the tags in a zone: those that are present, and those that are not seen any more."""
        tags, zone_of = self._presence.tags, self._places.zone_of
        present: list[int] = []
        unseen: list[int] = []
        for slot, state in enumerate(tags.state):
            if state > State.SETTLING and zone_of[tags.antenna[slot]] == zone:
                (unseen if state == State.UNSEEN else present).append(slot)
        return present, unseen

    def _listed(self, slots: list[int]) -> dict[str, Any] | list[str]:
        """The UIDs in order; beyond MAX_UIDS their number and the SHA-256 of the list, one a line."""
        uids = sorted(uid(self._presence.tags.epcs[slot]) for slot in slots)
        if len(uids) <= MAX_UIDS:
            return uids
        return {"number": len(uids), "sha256": hashlib.sha256("\n".join(uids).encode()).hexdigest()}

    def _quality(self, count: Running, zone: int) -> dict[str, Any]:
        """The share of the time for which each antenna was watching, and what was wrong meanwhile."""
        length = max(count.end - count.start, 1)
        dark = self._dark(count.zone, count.end)
        duties = {
            name: round(1 - min(max(total - count.dark.get(name, 0), 0) / length, 1), 3)
            for name, total in sorted(dark.items())
        }
        antennas = [self._places.spots[antenna] for antenna in self._places.in_zone[zone]]
        readers = sorted({spot.reader for spot in antennas} & self._timeline.courses.keys())
        return {
            "duty": round(math.fsum(duties.values()) / len(duties), 3) if duties else 0.0,
            "antennas": duties,
            "antennas_down": [name for name, duty in duties.items() if duty < 1],
            "conditions": {
                reader: conditions
                for reader in readers
                if (conditions := self._timeline.conditions(reader, count.start))
            },
        }

    def dump(self) -> dict[str, Any]:
        return {"running": [asdict(count) for count in self._running], "newest": self.newest}

    def load(self, dump: Mapping[str, Any]) -> None:
        """Takes over what was running in zones that are still there, and as often as it is still wanted."""
        for entry in dump["running"]:
            count = Running(**entry)
            every = self._every.get(count.zone)
            if count.zone in self._zones and (count.trigger == "command" or (every and count.end % every == 0)):
                self._running.append(count)
        self.newest = {zone: outline for zone, outline in dump["newest"].items() if zone in self._zones}
