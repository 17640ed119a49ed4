"""For how long a portal was not watched while a session ran: what passed then, nobody has seen.

The floor knows for how long each antenna has been dark altogether; a session remembers what that was when it began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from gateway.clock import SECOND
from gateway.floor.gate.session import Session

Dark: TypeAlias = Callable[[str, int], Mapping[str, int]]
"""Portal and time to the microseconds for which each of its antennas has been dark up to then, by name."""


def always_watching(portal: str, t: int) -> Mapping[str, int]:
    """Of a floor that does not say."""
    return {}


def unwatched(session: Session, dark: Mapping[str, int]) -> dict[str, int]:
    """Microseconds for which each antenna was dark since the session began or was last confirmed, where any."""
    total = dict(session.before)
    for antenna, now in dark.items():
        total[antenna] = total.get(antenna, 0) + max(0, now - session.dark.get(antenna, now))
    return {antenna: length for antenna, length in sorted(total.items()) if length}


def in_seconds(lengths: Mapping[str, int]) -> dict[str, float]:
    return {antenna: round(length / SECOND, 3) for antenna, length in lengths.items()}
