"""The dock gate's place in the floor: what it is told, and how its state is saved beside the rest."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.config import Config
from gateway.events.envelope import Fact
from gateway.floor.gate import Gate
from gateway.floor.migrations import Content
from gateway.floor.places import Places
from gateway.floor.reader_windows import Closed
from gateway.floor.readers.antennas import Watch
from gateway.floor.snapshot import seal_json


class Docks:
    """A `Gate` that knows which antennas watch its portals, and where each antenna looks."""

    def __init__(self, config: Config, places: Places, watch: Watch) -> None:
        self._places = places
        self._watch = watch
        self._portals = {portal.id: portal for portal in config.portals}
        self._looks_at = {
            (reader.id, antenna.port): antenna.zone or self._side(antenna.portal, antenna.side)
            for reader, antenna in config.antennas()
        }
        self.gate = Gate(config, self._dark)

    def seen(self, closed: Sequence[Closed], t: int) -> list[Fact]:
        """Tells of watched tags in windows that closed. The usual case, none in sight, is one comparison of sets."""
        watched = self.gate.watched
        facts: list[Fact] = []
        if watched:
            for window in closed:
                place = self._looks_at.get((window.reader, window.port))
                if place is not None:
                    for epc in window.among(watched):
                        facts += self.gate.sighted(epc.hex().upper(), place, t)
        return facts

    def snapshot(self) -> dict[str, bytes]:
        """All parts of the gate's state."""
        return {f"gate/{name}": seal_json(content) for name, content in self.gate.dump().items()}

    def checkpoint(self) -> dict[str, bytes]:
        """The parts of the gate's state that may have changed since the last call."""
        return {f"gate/{name}": seal_json(content) for name, content in self.gate.changed().items()}

    def restore(self, content: Content) -> None:
        """Takes over the section ``gate`` of a checkpoint: nothing where the gateway had no gate."""
        if content:
            self.gate.load(content)

    def _dark(self, portal: str, t: int) -> dict[str, int]:
        """For how many microseconds each antenna of a portal was not watching, up to `t`."""
        return {
            self._places.spots[antenna].name: self._watch.dark(antenna, t)
            for antenna, (name, _) in self._places.portal_of.items()
            if name == portal
        }

    def _side(self, portal: str | None, side: str | None) -> str | None:
        """The zone that an antenna of a portal looks into; the portal itself where that is the world outside."""
        if portal is None:
            return None
        config = self._portals[portal]
        return (config.inside if side == "inside" else config.outside) or portal
