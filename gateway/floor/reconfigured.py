"""What ends with the zones and portals that another configuration does not have, and what is still owed of that.

A floor that goes on under another configuration forgets what was going on in places that are gone: counts of a zone,
and passes of a portal that are not decided yet. So it is ended under the configuration that still has them, and said
first of all.
"""

from __future__ import annotations

from typing import Any

from gateway.clock import NEVER
from gateway.config import Config
from gateway.events.envelope import Fact
from gateway.floor.counts.counts import Counts
from gateway.floor.portals import Portals


def ends(counts: Counts, portals: Portals, config: Config) -> bool:
    """Whether something is going on in a place that `config` does not have."""
    return counts.goes_on_beyond(_zones(config)) or portals.goes_on_beyond(_portals(config))


def end(counts: Counts, portals: Portals, config: Config, t: int) -> list[Fact]:
    """Ends at `t` what goes on in places that `config` does not have, and says what came of it."""
    return portals.end_beyond(_portals(config)) + counts.end_beyond(_zones(config), t)


def _zones(config: Config) -> set[str]:
    return {zone.id for zone in config.zones}


def _portals(config: Config) -> set[str]:
    return {portal.id for portal in config.portals}


class Owed:
    """Facts that are said as soon as time goes on, before all others, in the order in which they came to be."""

    def __init__(self) -> None:
        self._facts: list[Fact] = []
        self.due = NEVER
        """When they are said."""

    def add(self, facts: list[Fact], t: int) -> None:
        """Takes over facts that are owed, to be said at `t`."""
        if facts:
            self._facts += facts
            self.due = min(self.due, t)

    def fire(self, t: int) -> list[Fact]:
        """Says what is owed."""
        facts, self._facts, self.due = self._facts, [], NEVER
        return facts

    def was_said(self, kind: str, place: str, t: int) -> None:
        """An event tells that a fact of this type, place and time was said: it is owed no more."""
        self._facts = [fact for fact in self._facts if (fact.type, fact.place, fact.time) != (kind, place, t)]

    def dump(self) -> list[list[Any]]:
        """The state for a checkpoint, ready for JSON."""
        return [[fact.type, fact.place, fact.time, fact.data] for fact in self._facts]

    def load(self, dump: list[Any], t: int) -> None:
        """Takes over what `dump` gave, to be said at `t`."""
        self.add([Fact(*entry) for entry in dump], t)
