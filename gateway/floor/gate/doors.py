"""Dock doors: which input is which door, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.config.gate import DockConfig


class Doors:
    """The doors of the docks. A door is in an unknown state until its input was heard of."""

    def __init__(self, docks: Iterable[DockConfig]) -> None:
        self._docks = [dock for dock in docks if dock.door is not None]
        self._open: dict[str, bool] = {}

    def changed(self, reader: str, port: int, state: bool) -> list[tuple[str, bool]]:
        """The docks whose door has changed with this input, and whether it is open now."""
        changed = []
        for dock in self._docks:
            door = dock.door
            if door is not None and (door.reader, door.port) == (reader, port):
                is_open = state is door.open
                if self._open.get(dock.id) is not is_open:
                    self._open[dock.id] = is_open
                    changed.append((dock.id, is_open))
        return changed

    def at(self, reader: str, port: int) -> bool:
        """Whether a door's contact is at this input."""
        doors = (dock.door for dock in self._docks)
        return any(door is not None and (door.reader, door.port) == (reader, port) for door in doors)

    def word(self, dock: str) -> str:
        """``open``, ``closed`` or ``unknown``."""
        known = self._open.get(dock)
        return "unknown" if known is None else "open" if known else "closed"

    def dump(self) -> dict[str, bool]:
        """The state for a checkpoint, ready for JSON."""
        return dict(self._open)

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        names = {dock.id for dock in self._docks}
        self._open = {dock: bool(state) for dock, state in dump.items() if dock in names}
