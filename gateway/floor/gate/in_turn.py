"""Deliveries that are to be looked at, a portion at a time: no tick grows with how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from gateway.clock import MILLISECOND, NEVER
from gateway.floor.gate.manifest import DeliveryKey

LINES = 500
"""Lines of a portion: some 20 ms. A delivery is looked at whole."""

PAUSE = 250 * MILLISECOND
"""Event time from one portion to the next."""

Why = TypeVar("Why")


class InTurn(Generic[Why]):
    """The deliveries that wait, in order, and why each is looked at. `due` is when the next portion is."""

    def __init__(self) -> None:
        self.due = NEVER
        self._waiting: dict[DeliveryKey, Why] = {}

    def add(self, keys: Iterable[DeliveryKey], why: Why) -> None:
        """Lets deliveries wait; those that do already keep their place."""
        for key in keys:
            self._waiting.setdefault(key, why)

    def portion(self, lines: Callable[[DeliveryKey], int], t: int) -> list[tuple[DeliveryKey, Why]]:
        """Takes out those that are looked at at `t`; `lines` says how many each has."""
        taken: list[tuple[DeliveryKey, Why]] = []
        looked = 0
        while self._waiting and looked < LINES:
            key = next(iter(self._waiting))
            taken.append((key, self._waiting.pop(key)))
            looked += lines(key)
        self.due = t + PAUSE if self._waiting else NEVER
        return taken

    def remove(self, keys: Iterable[DeliveryKey]) -> None:
        """Takes out deliveries that were looked at otherwise."""
        for key in keys:
            self._waiting.pop(key, None)

    def redate(self, by: int) -> None:
        """The next portion is due `by` microseconds later."""
        self.due += by if self.due != NEVER else 0

    def dump(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {"due": self.due, "waiting": [[*key, why] for key, why in self._waiting.items()]}

    def load(self, dump: Any) -> None:
        """Takes over what `dump` gave."""
        self.due = dump["due"]
        self._waiting = {(manifest, delivery): why for manifest, delivery, why in dump["waiting"]}
