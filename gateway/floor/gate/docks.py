"""The dock gate's place in the floor: what it is told, and how its state is saved beside the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.config import Config
from gateway.events.envelope import MOVEMENT, Fact
from gateway.floor.gate import Gate
from gateway.floor.migrations import Content
from gateway.floor.places import Places
from gateway.floor.presence.register import Whereabouts
from gateway.floor.reader_windows import ClosedWindow
from gateway.floor.readers.antennas import AntennaClock
from gateway.floor.snapshot import seal_json
from gateway.floor.tags import TagFilter
from gateway.floor.windows import Windows


class Docks:
    """A `Gate` that knows which antennas watch its portals, and where each antenna looks. `presence` says
    where tags are."""

    def __init__(self, config: Config, places: Places, antenna_clock: AntennaClock, presence: Whereabouts) -> None:
        self._places = places
        self._antenna_clock = antenna_clock
        self._zone_of = presence.zone_of
        self._portals = {portal.id: portal for portal in config.portals}
        self._looks_at = {
            (reader.id, antenna.port): antenna.zone or self._side(antenna.portal, antenna.side)
            for reader, antenna in config.antennas()
        }
        self._tags = TagFilter(config.tags)
        self._portal_of = {dock.id: dock.portal for dock in config.docks}
        self._inside = {
            dock.id: [
                (reader.id, antenna.port)
                for reader, antenna in config.antennas()
                if antenna.portal == dock.portal and antenna.side == "inside"
            ]
            for dock in config.docks
        }
        self.gate = Gate(config, self._dark, presence)

    def seen(self, closed: Sequence[ClosedWindow], t: int) -> list[Fact]:
        """Tells of watched tags in windows that closed: where presence has them, or, where it does not know them, where
        they are seen. The usual case, none in sight, is one comparison of sets."""
        watched = self.gate.watched
        facts: list[Fact] = []
        if watched:
            for window in closed:
                place = self._looks_at.get((window.reader, window.port))
                if place is not None:
                    for epc in window.among(watched):
                        if self._zone_of(epc) in (None, place):
                            facts += self.gate.sighted(epc.hex().upper(), place, t)
        return facts

    def moved(self, said: Sequence[Fact]) -> list[Fact]:
        """Tells of watched tags that have come to another zone, or have left through a portal."""
        watched, staging = self.gate.watched, self.gate.staging
        facts: list[Fact] = []
        for fact in said:
            facts += self.gate.closed_hours.moved(fact)
            if fact.type == MOVEMENT and staging.zones and "from" in fact.data:
                staging.moved((fact.data["from"], fact.data["to"]), fact.time)
            if fact.type == MOVEMENT and bytes.fromhex(fact.data.get("epc", "")) in watched:
                facts += self._moved(fact)
        return facts

    def _moved(self, fact: Fact) -> list[Fact]:
        data = fact.data
        match data["movement"]:
            case "arrived" | "moved":
                return self.gate.sighted(data["uid"], data["to"], fact.time)
            case "departed" if data.get("portal") is not None:
                return self.gate.sighted(data["uid"], data["portal"], fact.time)
        return []

    def near(self, windows: Windows, is_standing: Callable[[str, bytes, int], bool], t: int) -> None:
        """Shows which packages at the inside antennas of docks must not leave, from reads that may still be put right.
        `is_standing` tells of a portal and a tag whether it is known to stand there."""
        for dock, antennas in self._inside.items():
            heard = windows.heard(antennas)
            portal = self._portal_of[dock]
            stock = {epc for epc in heard if not self._tags.foreign_class(epc) and not is_standing(portal, epc, t)}
            self.gate.warnings.hear(dock, stock, t)

    def snapshot(self) -> dict[str, bytes]:
        """All parts of the gate's state."""
        return {f"gate/{name}": seal_json(content) for name, content in self.gate.dump().items()}

    def checkpoint(self) -> dict[str, bytes]:
        """The parts of the gate's state that may have changed since the last call."""
        return {f"gate/{name}": seal_json(content) for name, content in self.gate.changed().items()}

    def restore(self, content: Content, t: int) -> None:
        """Takes over at `t` the section ``gate`` of a checkpoint: nothing where the gateway had no gate."""
        if content:
            self.gate.load(content, t)

    def _dark(self, portal: str, t: int) -> dict[str, int]:
        """The microseconds up to `t` for which each antenna of a portal was not watching, by the antenna's name."""
        return {
            self._places.spots[antenna].name: self._antenna_clock.dark(antenna, t)
            for antenna, (name, _) in self._places.portal_of.items()
            if name == portal
        }

    def _side(self, portal: str | None, side: str | None) -> str | None:
        """The zone that an antenna of a portal looks into; the portal itself where that is the world outside."""
        if portal is None:
            return None
        config = self._portals[portal]
        return (config.inside if side == "inside" else config.outside) or portal
