"""A ledger in memory: what the publisher needs of the real one, and a record of what it was told."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.events.envelope import Event


@dataclass(frozen=True)
class Standing:
    sequence: int
    published: int
    pending: int


class MemoryLedger:
    """Events by `add`; `marks` are the calls of `published`, `refusals` those of `refuse`."""

    epoch = "epoch-1"

    def __init__(self, published: int = 0) -> None:
        self.events: list[Event] = []
        self.marks: list[int] = []
        self.refusals: dict[int, str] = {}
        self.reads: list[tuple[int, int]] = []
        self._published = published

    def add(self, count: int, size: int = 200, topic: str = "events/movement/vault") -> None:
        for _ in range(count):
            sequence = len(self.events) + 1
            payload = f'{{"sequence": {sequence}}}'.ljust(size).encode()
            self.events.append(Event(sequence, f"id-{sequence}", topic, payload))

    def stats(self) -> Standing:
        return Standing(len(self.events), self._published, len(self.events) - self._published)

    async def read(self, after: int, limit: int, max_bytes: int) -> list[Event]:
        self.reads.append((after, limit))
        found: list[Event] = []
        size = 0
        for event in self.events[after : after + limit]:
            size += len(event.payload)
            if found and size > max_bytes:
                break
            found.append(event)
        return found

    def published(self, sequence: int) -> None:
        assert sequence > self._published, "the mark only moves forward"
        self.marks.append(sequence)
        self._published = sequence

    def refuse(self, sequence: int, reason: str) -> None:
        assert sequence == self._published + 1, "refused before what came before it was settled"
        self.refusals[sequence] = reason
