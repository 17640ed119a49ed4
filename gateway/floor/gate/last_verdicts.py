"""The last verdict of each dock, for whoever looks at the dock after the session has ended."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

_OUTLINE = (
    "session", "manifest", "delivery", "version", "direction", "recipient", "outcome", "complete", "closed", "counts",
)  # fmt: skip
"""What is kept of a verdict; the ledger has it whole."""


class LastVerdicts:
    """By dock. The outlines are kept over restarts; the sets are only for show, and are not."""

    def __init__(self) -> None:
        self._outlines: dict[str, dict[str, Any]] = {}
        self._lines: dict[str, dict[str, list[Any]]] = {}

    def given(self, dock: str, data: Mapping[str, Any], sets: Mapping[str, list[Any]]) -> None:
        """A verdict was given: the data of its event, and the sets of packages as they are in it."""
        self._outlines[dock] = {key: data[key] for key in _OUTLINE}
        self._lines[dock] = {name: [_without_proof(item) for item in items] for name, items in sets.items()}

    def outline(self, dock: str) -> dict[str, Any] | None:
        return self._outlines.get(dock)

    def lines(self, dock: str) -> dict[str, list[Any]]:
        """The sets without evidence; empty after a restart."""
        return self._lines.get(dock, {})

    def dump(self) -> dict[str, Any]:
        return self._outlines

    def load(self, dump: Mapping[str, Any], docks: Container[str]) -> None:
        """Takes over the outlines of docks that are still there."""
        self._outlines = {dock: outline for dock, outline in dump.items() if dock in docks}


def _without_proof(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "proof"}
