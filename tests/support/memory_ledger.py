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
    """Events by `add`; `marks` are the calls of `published`, `refusals` are in quarantine."""

    epoch = "epoch-1"

    def __init__(self, published: int = 0) -> None:
        self.events: list[Event] = []
        self.marks: list[int] = []
        self.refusals: dict[int, str] = {}
        self.final: dict[int, bool] = {}  # of those in `refusals`: only a command sends them again
        self.again: set[int] = set()  # those that a command has released
        self.recovered: list[int] = []  # those that the broker has taken from quarantine
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

    def set_apart(self, event: Event, reason: str, final: bool) -> None:
        self.refusals[event.sequence] = reason
        self.final[event.sequence] = final
        self.again.discard(event.sequence)

    def delivered(self, event: Event) -> None:
        self.refusals.pop(event.sequence, None)
        self.again.discard(event.sequence)
        self.recovered.append(event.sequence)

    @property
    def opened_at(self) -> int:
        return 0

    @property
    def begun(self) -> bool:
        return True

    @property
    def run(self) -> str:
        return "this"

    async def quarantined_topics(self) -> list[str]:
        return sorted({self.events[sequence - 1].topic for sequence in self.refusals if not self.final[sequence]})

    async def quarantined_on(self, topic: str, after: int, limit: int) -> list[Event]:
        return [
            self.events[sequence - 1]
            for sequence in sorted(self.refusals)
            if sequence > after and not self.final[sequence] and self.events[sequence - 1].topic == topic
        ][:limit]

    async def released(self, limit: int) -> list[Event]:
        return [self.events[sequence - 1] for sequence in sorted(self.again)][:limit]
