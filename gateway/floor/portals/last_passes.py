"""The zone that each tag's last pass led to, through whatever portal: a tag cannot pass to where it is."""

from __future__ import annotations

from typing import Any

from gateway.floor.bounded import Bounded

MAX_TAGS = 200_000
"""Tags remembered: a day's traffic of the largest site."""


class LastPasses:
    """EPC to the zone that its last pass led to, None for the world beyond the site."""

    def __init__(self) -> None:
        self._places: Bounded[bytes, str | None] = Bounded(MAX_TAGS)

    def there(self, epc: bytes, place: str | None) -> bool:
        """Whether the tag's last pass led to where this one would lead."""
        return epc in self._places and self._places[epc] == place

    def passed(self, epc: bytes, place: str | None) -> None:
        """The tag's last pass led to `place`."""
        self._places.renew(epc, place)

    def lose(self, epc: bytes) -> None:
        """A pass of the tag was undetermined: it may be on either side."""
        self._places.pop(epc, None)

    def dump(self) -> list[list[Any]]:
        """The state for a checkpoint, ready for JSON."""
        return [[epc.hex(), place] for epc, place in self._places.items()]

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        for epc, place in dump:
            self._places.renew(bytes.fromhex(epc), place)
