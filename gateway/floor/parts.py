"""What the floor asks of its parts."""

from __future__ import annotations

from typing import Protocol

from gateway.events.envelope import Fact


class Agenda(Protocol):
    """Something that falls due at a time of its own."""

    @property
    def due(self) -> int:
        """When something is to be said although nothing happened, microseconds UTC."""
        ...

    def fire(self, t: int) -> list[Fact]:
        """The facts that are due at `t`."""
        ...


class Memory(Protocol):
    """Something that remembers times."""

    def redate(self, by: int) -> None:
        """Everything was `by` microseconds later than was thought."""
        ...
