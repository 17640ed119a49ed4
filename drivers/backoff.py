"""How long to wait before a reader is tried again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random

FIRST = 0.5
CAP = 30.0


def delays(rng: Random, *, first: float = FIRST, cap: float = CAP) -> Iterator[float]:
    """Seconds to wait before each next attempt, for ever: exponential with full jitter.

    The n-th delay is uniform between 0 and ``min(cap, first * 2**n)``, so that readers that lost their link
    together, such as those behind one switch, do not come back together. Make a new one after each success.
    """
    if not 0 < first <= cap:
        raise ValueError(f"first must be above 0 and not above cap, got first={first} cap={cap}")
    ceiling = first
    for _ in itertools.count():
        yield rng.uniform(0.0, ceiling)
        ceiling = min(cap, ceiling * 2)
