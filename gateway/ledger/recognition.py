"""Which facts of a replayed journal the ledger holds already.

The floor is deterministic: given the same inputs again it states the same facts, with the same ids. A newer release
may put the same statement differently (another configuration digest, algorithm or confidence), and such a fact is no
news either: it is recognised by what it says.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from gateway.clock import EARLIEST, LATEST
from gateway.events.envelope import UNWRITABLE, Fact, writable
from gateway.events.former import in_todays_words

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
    """The events behind the last checkpoint that have not been stated again. Each is recognised once.

    There may be a million of them, where a kill met a flood: of each only two hashes and a number are kept in memory.
    `events` gives sequence numbers and payloads in order. One that cannot be read is not recognised: it is stated
    again, and the broker never sees the damaged one.
    """

    def __init__(self, events: Iterable[tuple[int, bytes]], source: str) -> None:
        self._source = source
        self._sequences = array("q")
        self._said = array("Q")  # the hash of what each says
        self._waiting: dict[int, int] = {}  # hash of the id to place in the two
        self._twice: defaultdict[int, list[int]] = defaultdict(list)  # further places of the same id
        self._alike: defaultdict[int, list[tuple[int, int]]] | None = None  # what is said to (place, hash of the id)
        for sequence, payload in events:
            try:
                event = orjson.loads(payload)
                said = _said(event["type"], event["subject"], in_todays_words(event["data"]))
                identity = int(event["id"][:16], 16)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            place = len(self._sequences)
            self._sequences.append(sequence)
            self._said.append(_hash(said))
            if self._waiting.setdefault(identity, place) != place:
                self._twice[identity].append(place)
        self.restated = 0
        """Facts that were recognised by what they say, and not by their ids."""

    def __len__(self) -> int:
        """How many have not been stated again."""
        return len(self._waiting) + sum(map(len, self._twice.values()))

    def knows(self, fact: Fact) -> bool:
        """Whether the fact is one of the events; that one is not recognised again."""
        if not self._waiting:
            return False
        try:
            identity = self._identity(fact)
        except UNWRITABLE:
            fact = writable(fact, self._source)
            identity = self._identity(fact)
        if identity in self._waiting:
            self._take(identity)
            return True
        for _, other in self._by_said()[_hash(_said(fact.type, fact.place, fact.data))]:
            if other in self._waiting:
                self._take(other)
                self.restated += 1
                return True
        return False

    def _identity(self, fact: Fact) -> int:
        if not EARLIEST <= fact.time <= LATEST:
            raise ValueError("its time cannot be written")
        return int(fact.id(self._source)[:16], 16)

    def _take(self, identity: int) -> None:
        """An event with this id was stated again: the first that waits."""
        if more := self._twice.get(identity):
            self._waiting[identity] = more.pop(0)
        else:
            del self._waiting[identity]

    def _by_said(self) -> defaultdict[int, list[tuple[int, int]]]:
        """What waits by what it says: only needed where a newer release puts it differently."""
        if self._alike is None:
            self._alike = defaultdict(list)
            for identity, place in self._waiting.items():
                self._alike[self._said[place]].append((place, identity))
            for alike in self._alike.values():
                alike.sort()
        return self._alike

    @property
    def missing(self) -> list[int]:
        """The sequence numbers of the events that were not stated again, oldest first."""
        twice = (place for places in self._twice.values() for place in places)
        return [self._sequences[place] for place in sorted([*self._waiting.values(), *twice])]


def _said(kind: str, place: str, data: Mapping[str, Any]) -> bytes:
    said = {key: value for key, value in data.items() if key in _SAID}
    return orjson.dumps([kind, place, said], option=orjson.OPT_SORT_KEYS)


def _hash(said: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest())
