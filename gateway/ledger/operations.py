"""What is queued for the ledger's file, in order: each operation is committed as a whole, with others of its group."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.events.envelope import Fact
from gateway.ledger.quarantine import Delivered, SetApart
from gateway.ledger.states import Checkpoint


@dataclass(slots=True, frozen=True)
class Append:
    """Facts that the floor stated about the input at `position`."""

    facts: Sequence[Fact]
    position: int


@dataclass(slots=True, frozen=True)
class PackedAppend:
    """An `Append` of `number` facts, packed into a fraction of the memory: for facts that must wait."""

    content: bytes
    number: int
    position: int

    @staticmethod
    def pack(append: Append) -> PackedAppend:
        """Packs an `Append`, some ten times smaller."""
        rows = [(fact.type, fact.place, fact.time, fact.data) for fact in append.facts]
        return PackedAppend(zlib.compress(pickle.dumps(rows, 5), 1), len(rows), append.position)

    def unpack(self) -> Append:
        """The `Append` as it was."""
        return Append([Fact(*row) for row in pickle.loads(zlib.decompress(self.content))], self.position)


@dataclass(slots=True, frozen=True)
class GiveUp:
    """Events that go to make room; the loss has been stated by the operations before."""

    first: int
    last: int


Operation: TypeAlias = Append | PackedAppend | Checkpoint | GiveUp | SetApart | Delivered
