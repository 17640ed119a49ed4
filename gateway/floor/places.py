"""Readers, antennas and zones by number. The columns of the tags and the clocks of the antennas use the numbers.

An antenna of a portal looks at no zone. A zone that only portals lead to has an antenna number, too, of an antenna
that is not there (`unwatched`): tags that passed into it are held by that.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config import Config, ZoneConfig


@dataclass(slots=True, frozen=True)
class Spot:
    """An antenna. `name` is how evidence calls it; `bit` marks it among the antennas of its zone.

    `zone` is NO_ZONE for an antenna of a portal."""

    reader: str
    port: int
    zone: int
    name: str
    bit: int


NO_ZONE = -1

MASK_BITS = 32
"""Antennas of one zone that can be told apart in a tag's evidence (a column of 32 bits); the others share the last."""


class Places:
    """The antennas and zones of a configuration, and those that a checkpoint still speaks of (`adopt`)."""

    def __init__(self, config: Config) -> None:
        self.zones: list[ZoneConfig] = list(config.zones)
        self.spots: list[Spot] = []
        self.zone_of: list[int] = []  # antenna number to zone number
        self.ports: dict[str, dict[int, int]] = {reader.id: {} for reader in config.readers}
        self.in_zone: list[list[int]] = [[] for _ in self.zones]  # zone number to antenna numbers
        self.zone_numbers = {zone.id: number for number, zone in enumerate(self.zones)}
        self.portal_of: dict[int, tuple[str, str]] = {}  # antenna number to portal and side
        self.unwatched: dict[int, int] = {}  # zone number to the number of the antenna that is not there
        for reader, antenna in config.antennas():
            if antenna.zone is not None:
                number = self._add(reader.id, antenna.port, self.zone_numbers[antenna.zone])
            else:
                number = self._add_to_portal(reader.id, antenna.port)
                self.portal_of[number] = (str(antenna.portal), str(antenna.side))
            self.ports[reader.id][antenna.port] = number
        for portal in config.portals:
            for zone in (portal.inside, portal.outside):
                if zone is not None:
                    self.holder(self.zone_numbers[zone])

    def _add_to_portal(self, reader: str, port: int) -> int:
        self.spots.append(Spot(reader, port, NO_ZONE, f"{reader}/{port}", 0))
        self.zone_of.append(NO_ZONE)
        return len(self.spots) - 1

    def looks_at(self, antenna: int) -> str:
        """The id of the zone, or of the portal, that an antenna watches."""
        portal = self.portal_of.get(antenna)
        return portal[0] if portal is not None else self.zones[self.zone_of[antenna]].id

    def holder(self, zone: int) -> int:
        """The antenna number that holds a tag which passed into a zone and was not seen there yet."""
        if self.in_zone[zone]:
            return self.in_zone[zone][0]
        if zone not in self.unwatched:
            self.unwatched[zone] = len(self.spots)
            self.spots.append(Spot("", 0, zone, self.zones[zone].id, 0))
            self.zone_of.append(zone)
        return self.unwatched[zone]

    def _add(self, reader: str, port: int, zone: int) -> int:
        number = len(self.spots)
        bit = 1 << min(len(self.in_zone[zone]), MASK_BITS - 1)
        self.spots.append(Spot(reader, port, zone, f"{reader}/{port}", bit))
        self.zone_of.append(zone)
        self.in_zone[zone].append(number)
        return number

    def adopt(self, reader: str, port: int, zone: str | None) -> int:
        """The number of an antenna as an older configuration had it.

        Where that antenna is gone it is added without being readable, and so is its zone: tags that it saw last stay
        where they were until they are seen elsewhere. Where it looks at another zone now, its tags go with it.
        """
        known = self.ports.get(reader, {}).get(port)
        if zone is None:
            return self._add_to_portal(reader, port) if known is None else known
        if not reader:
            return self.holder(self.zone_number(zone))
        if known is not None and known not in self.portal_of:
            return known
        return self._add(reader, port, self.zone_number(zone))

    def zone_number(self, zone: str) -> int:
        """The number of a zone; one that is not configured any more is added."""
        if zone not in self.zone_numbers:
            self.zone_numbers[zone] = len(self.zones)
            self.zones.append(ZoneConfig(id=zone))
            self.in_zone.append([])
        return self.zone_numbers[zone]

    def names(self, zone: int, mask: int) -> list[str]:
        """The antennas of a zone that a mask of their bits names, sorted."""
        return sorted(self.spots[number].name for number in self.in_zone[zone] if self.spots[number].bit & mask)

    def describe(self) -> list[list[str | int | None]]:
        """Every antenna as ``[reader, port, zone]``, by number: what `adopt` takes."""
        return [
            [spot.reader, spot.port, None if spot.zone == NO_ZONE else self.zones[spot.zone].id] for spot in self.spots
        ]
