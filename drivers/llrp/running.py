"""Whether our ROSpec still runs: a reader whose ROSpec has ended without an event answers everything and reads nothing.

A reader without tags before it and one that reads no more look the same. So a reader that has been quiet for a while is
asked for its ROSpecs, where it is known to tell the state of ours as it is: it was asked while that had to be active.
"""

from __future__ import annotations

import math

from drivers.api import DriverError
from drivers.llrp.protocol.element import Element
from drivers.llrp.specs import Specs

QUIET = 60.0
"""Seconds without reads after which the reader is asked."""

FIRST = 10.0
"""Seconds after the setup when it is asked for the first time."""


class Running:
    """Whether our ROSpec runs, on one connection. Times in monotonic seconds."""

    def __init__(self, peer: str, specs: Specs) -> None:
        self._peer = peer
        self._specs = specs
        self._tells: bool | None = None  # None: it was not asked yet
        self._began: float | None = None
        self._last = 0.0  # when it read, or was asked

    def read(self, at: float) -> None:
        """Reads came."""
        self._last = at

    def is_due(self, at: float) -> bool:
        """Whether the reader is to be asked now, as a sign of life has come; it is then taken as asked."""
        if self._began is None:
            self._began = at
        is_first = self._began != math.inf
        due = at - self._began >= FIRST if is_first else bool(self._tells) and at - self._last >= QUIET
        if due:
            self._began, self._last = math.inf, at
        return due

    def asked(self, answer: Element) -> None:
        """The reader was asked after a while. The first answer shows whether it tells the state of a ROSpec."""
        if self._tells is None:
            self._tells = self._specs.runs(answer)
        elif self._tells:
            self.check(answer)

    def check(self, answer: Element) -> None:
        """The reader lists its ROSpecs. Raises DriverError where ours is not active."""
        if not self._specs.runs(answer):
            raise DriverError(f"{self._peer}: the reader stopped reading by itself; it will be set up again")
