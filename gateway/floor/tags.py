"""Which tags are stock and which are foreign, and what has been seen of the foreign ones.

A foreign tag (clothing, a pallet, someone's badge) is classified and counted, never published as stock.
"""

from __future__ import annotations

from typing import Any

from gateway.config import TagsConfig
from gateway.floor.bounded import Bounded

MAX_FOREIGN = 65_536
"""Foreign tags remembered at a time. A dock sees thousands a day; beyond this the oldest is forgotten, which costs
no more than classifying it again and leaving them out of a count that is running."""

_GS1 = {
    0x2C: "gdti",
    0x2D: "gsrn",
    0x2E: "gsrnp",
    0x2F: "usdod",
    0x30: "sgtin",
    0x31: "sscc",
    0x32: "sgln",
    0x33: "grai",
    0x34: "giai",
    0x35: "gid",
    0x36: "sgtin",
    0x37: "grai",
    0x38: "giai",
    0x39: "sgln",
    0x3A: "gdti",
    0x3B: "adi",
    0x3C: "cpi",
    0x3D: "cpi",
    0x3E: "gdti",
    0x3F: "sgcn",
}
"""First byte of an EPC to its scheme (GS1 Tag Data Standard, table of EPC headers)."""

_HEX_DIGITS = frozenset(b"0123456789ABCDEFabcdef")


def uid(epc: bytes) -> str:
    """The identifier that the state system knows: the EPC in hex, upper case."""
    return epc.hex().upper()


def encoded_twice(epc: bytes) -> bool:
    """Whether an EPC looks like the hex text of another one: a reader or library that encodes once too often."""
    return len(epc) >= 16 and _HEX_DIGITS.issuperset(epc)


class TagFilter:
    """The prefixes of the configuration. Without any `include`, everything that is not excluded is stock."""

    def __init__(self, config: TagsConfig) -> None:
        self._include = tuple(config.include)
        self._exclude = tuple(config.exclude)

    def foreign_class(self, epc: bytes) -> str | None:
        """None for stock, else the class of foreign tag, such as ``sgtin``, ``blank`` or ``other``."""
        if not epc:
            return "blank"
        text = uid(epc)
        if not text.startswith(self._exclude) and (not self._include or text.startswith(self._include)):
            return None
        return _GS1.get(epc[0], "other")


class Foreign:
    """Where and when each foreign tag was seen last."""

    def __init__(self) -> None:
        self._seen: Bounded[bytes, tuple[str, int, int]] = Bounded(MAX_FOREIGN)  # EPC to class, zone number, time

    def known(self, epc: bytes) -> str | None:
        """The class of a foreign tag that is remembered."""
        entry = self._seen.get(epc)
        return entry[0] if entry else None

    def see(self, epc: bytes, kind: str, zone: int, t: int) -> None:
        """Remembers that a tag of the class `kind` was seen in `zone` at `t`."""
        self._seen.renew(epc, (kind, zone, t))

    def redate(self, by: int) -> None:
        """Dates all remembered sightings `by` microseconds later: the clock was set."""
        for epc, (kind, zone, t) in self._seen.items():
            self._seen[epc] = (kind, zone, t + by)

    def count(self, zone: int, since: int) -> int:
        """How many different foreign tags were seen last in `zone`, and not before `since`."""
        return sum(1 for _, at, t in self._seen.values() if at == zone and t >= since)

    def dump(self) -> list[list[Any]]:
        """The state for a checkpoint, ready for JSON."""
        return [[epc.hex(), *entry] for epc, entry in self._seen.items()]

    def load(self, dump: Any, zones: list[int]) -> None:
        """Takes over what `dump` gave."""
        for epc, kind, zone, t in dump:
            self._seen.renew(bytes.fromhex(epc), (str(kind), zones[zone] if zone >= 0 else zone, int(t)))
