"""What the floor asks of its parts."""

from __future__ import annotations

from typing import Protocol

from gateway.events.envelope import Fact


class Agenda(Protocol):
    """Something that falls due at a time of its own."""

    @property
    def due(self) -> int: ...
    def fire(self, t: int) -> list[Fact]: ...


class Memory(Protocol):
    """Something that remembers times."""

    def redate(self, by: int) -> None: ...
