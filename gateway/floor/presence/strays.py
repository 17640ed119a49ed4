"""Which tags are given up when there is no room for more: what was seen once and never again, the oldest first."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable

from gateway.floor.presence.states import State
from gateway.floor.presence.table import ROW, Columns

MAX_TAGS = 1_000_000
"""Live tags: the largest stock planned for. A flood of invented EPCs must not take more. Where memory is less than the
bounds add up to (docs/reliability.md), a floor is given room for fewer."""

GIVEN_UP_DIVISOR = 16
"""A sixteenth of the tags is given up at a time: looking for them takes a look at all."""

_LAST, _LOOKS = 0, 3  # columns of a row


def strays(tags: Columns, number: int) -> list[int]:
    """The slots of at most `number` tags that one window saw, those that were seen first in front."""
    once = [slot for slot, windows in enumerate(tags.windows) if windows == 1]
    last, state = tags.last, tags.state
    alone = (State.PRESENT, State.UNSEEN, State.SETTLING)  # what another zone sees too is no stray
    return sorted((slot for slot in once if state[slot] in alone), key=lambda slot: (last[slot], slot))[:number]


def too_many(parts: Iterable[bytes], most: int) -> int:
    """The time of the last sighting up to which the strays of a checkpoint are left out, so that `most` tags
    remain; 0 where there is room for all."""
    total = 0
    seen: array[int] = array("q")
    for part in parts:
        order, count = struct.unpack_from("<cI", part)
        rows = part[5 : 5 + count * ROW.size]
        if order == sys.byteorder[0].encode():
            total += sum(1 for row in ROW.iter_unpack(rows) if row[_LOOKS])
            seen.extend(row[_LAST] for row in ROW.iter_unpack(rows) if row[_LOOKS] == 1)
    excess = total - most
    if excess <= 0 or not seen:
        return 0
    return sorted(seen)[min(excess, len(seen)) - 1]
