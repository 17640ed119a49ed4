"""All portals of a site, as one item on the floor's agenda."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from drivers.api import InputChange, ReaderDown, ReaderUp
from gateway.clock import NEVER
from gateway.config import Config
from gateway.events.envelope import Fact
from gateway.floor.evidence import Evidence
from gateway.floor.places import Places
from gateway.floor.portals.last_passes import LastPasses
from gateway.floor.portals.learned import learned
from gateway.floor.portals.phases import Phases
from gateway.floor.portals.portal import Portal
from gateway.floor.portals.reports import OnPass, OnUnread, Reports
from gateway.floor.portals.walk_model import prepare
from gateway.floor.presence.presence import Presence
from gateway.floor.readers.antennas import AntennaClock
from gateway.inputs import Restart


class Portals:
    """Takes sightings of the portals' antennas and the changes of their photo-eyes; says who passed, and which way."""

    def __init__(
        self,
        config: Config,
        places: Places,
        antenna_clock: AntennaClock,
        evidence: Evidence,
        presence: Presence,
        width: int,
    ) -> None:
        self._reports = Reports(places, evidence, presence)
        self._last_passes = LastPasses()
        self._portals = {
            portal.id: Portal(portal, places, antenna_clock, self._reports, self._last_passes, width)
            for portal in config.portals
        }
        if self._portals:
            prepare()
            learned()
        for portal in self._portals.values():
            portal.others = [other for other in self._portals.values() if other is not portal]
        self.of_antenna = {
            antenna: portal for portal in self._portals.values() for antenna in portal.antennas
        }  # antenna number to its portal
        self._dues: dict[Portal, int] = {}  # when they were asked last
        self.phases = Phases((reader for portal in self._portals.values() for reader in portal.readers), width)

    def on_pass(self, take: OnPass) -> None:
        """Every pass that is said is given to `take`; the facts that it returns follow that of the pass."""
        self._reports.on_pass = take

    def on_unread(self, take: OnUnread) -> None:
        """Every crossing of photo-eyes without a tag is given to `take`, whose facts are said."""
        self._reports.on_unread = take

    def is_standing(self, portal: str, epc: bytes, t: int) -> bool:
        """Whether a tag is known to stand at a portal."""
        return self._portals[portal].standing.is_standing(epc, t)

    def has_photo_eye(self, reader: str, port: int) -> bool:
        """Whether a photo-eye of a portal is at this input."""
        return any(portal.photo_eyes.has(reader, port) for portal in self._portals.values())

    def news(self, item: Any) -> list[Fact]:
        """Takes in, when event time has come to them, changes of photo-eyes and what becomes of the readers."""
        facts: list[Fact] = []
        for portal in self._portals.values():
            match item:
                case InputChange():
                    if portal.photo_eyes.has(item.reader, item.port):
                        facts += portal.photo_eyes.take(item)
                case ReaderDown():
                    portal.photo_eyes.lose(item.reader)
                    if item.reader in portal.readers:
                        portal.outages.down(item.t)
                case ReaderUp():
                    if item.reader in portal.readers:
                        portal.outages.up(item.t, held=item.held)
                case Restart():
                    for reader in sorted(portal.readers):
                        portal.photo_eyes.lose(reader)
                    if item.kept:  # what is lost comes from no reader again, also not from one that holds its reads
                        portal.outages.gap(item.kept, item.since)
                    portal.outages.down(item.since)
        return facts

    @property
    def due(self) -> int:
        """When something is to be said although nothing happened, as known when asked and of what fired since."""
        return min(self._dues.values(), default=NEVER)

    def ask(self) -> None:
        """Asks every portal what it waits for: after sightings, news, or whatever else may have changed that. Many
        portals have much to say one after the other, and between that only the one that fired has changed."""
        self._dues = {portal: portal.due for portal in self._portals.values()}

    def fire(self, t: int) -> list[Fact]:
        """Says what is due at `t`."""
        facts: list[Fact] = []
        for portal in [portal for portal, due in self._dues.items() if due <= t]:
            facts += portal.fire(t)
            self._dues[portal] = portal.due
        return facts

    def redate(self, by: int) -> None:
        """All that is known was `by` microseconds later than was thought."""
        self.phases.redate(by)
        for portal in self._portals.values():
            portal.redate(by)

    def gap(self, start: int, end: int) -> None:
        """Nobody was reading from `start` to `end`."""
        for portal in self._portals.values():
            portal.outages.gap(start, end)

    def goes_on_beyond(self, portals: Collection[str]) -> bool:
        """Whether a portal that is none of these has passes that are not decided, or groups that are not complete."""
        return any(portal.is_busy for name, portal in self._portals.items() if name not in portals)

    def end_beyond(self, portals: Collection[str]) -> list[Fact]:
        """Nothing more will be read by portals that are none of these: says what is decided by that."""
        return [fact for name, portal in self._portals.items() if name not in portals for fact in portal.settle()]

    def settle(self) -> list[Fact]:
        """The end of a recording: says what is decided by that."""
        return [fact for portal in self._portals.values() for fact in portal.settle()]

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {
            "portals": {name: portal.dump() for name, portal in self._portals.items()},
            "last_passes": self._last_passes.dump(),
            "phases": self.phases.dump(),
        }

    def load(self, dump: Any, numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        for name, entry in dump["portals"].items():
            if name in self._portals:
                self._portals[name].load(entry, numbers)
        self._last_passes.load(dump["last_passes"])
        self.phases.load(dump["phases"])
