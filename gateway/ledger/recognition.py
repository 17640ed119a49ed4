"""Which facts of a replayed journal the ledger holds already.

The floor is deterministic: given the same inputs again it states the same facts, with the same ids. A newer release
may put the same statement differently (another configuration digest, algorithm or confidence), and such a fact is no
news either: it is recognised by what it says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from gateway.events.envelope import Fact

_SAID = frozenset(
    {
        "movement", "uid", "from", "to", "portal", "direction", "members",
        "zone", "trigger", "started",
        "gate", "dock", "status", "manifest", "delivery", "version", "command", "outcome", "why", "by",
        "alarm", "state", "reader", "antenna", "input", "list", "source", "name",
        "cause", "start", "first_sequence", "last_sequence",
    }
)  # fmt: skip
"""What a fact says of the world; the rest of its data is how that is known, how surely, and when exactly."""


class Recognition:
    """The events behind the last checkpoint that have not been stated again. Each is recognised once."""

    def __init__(self, payloads: Iterable[bytes], source: str) -> None:
        self._source = source
        self._waiting = dict(enumerate(payloads))
        self._numbers: defaultdict[bytes, dict[int, str]] = defaultdict(dict)  # what is said: number to id of the event
        for number, payload in self._waiting.items():
            event = orjson.loads(payload)
            self._numbers[_said(event["type"], event["subject"], event["data"])][number] = event["id"]
        self.restated = 0
        """Facts that were recognised by what they say, and not by their ids."""

    def knows(self, fact: Fact) -> bool:
        """Whether the fact is one of the events; that one is not recognised again."""
        alike = self._numbers.get(_said(fact.type, fact.place, fact.data))
        if not alike:
            return False
        identity = fact.id(self._source)
        number = next((number for number, other in alike.items() if other == identity), None)
        if number is None:
            number = next(iter(alike))
            self.restated += 1
        del alike[number], self._waiting[number]
        return True

    @property
    def missing(self) -> list[bytes]:
        """The payloads of the events that were not stated again, oldest first."""
        return list(self._waiting.values())


def _said(kind: str, place: str, data: Mapping[str, Any]) -> bytes:
    said = {key: value for key, value in data.items() if key in _SAID}
    return orjson.dumps([kind, place, said], option=orjson.OPT_SORT_KEYS)
