"""The store against a model: commits, marks, refusals, limits and crashes in any order."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.config import LedgerConfig
from gateway.ledger.operations import Append, GiveUp, Operation
from gateway.ledger.quarantine import Delivered, SetApart
from gateway.ledger.states import Checkpoint
from gateway.ledger.store import Store
from tests.support.ledgers import SOURCE, START, facts

MAX_EVENTS = 1000


class LedgerMachine(RuleBasedStateMachine):
    on_full: Literal["stop", "drop-oldest"] = "drop-oldest"

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "ledger.db"
        self.sequence = self.published = self.acknowledged = self.checkpoint = 0
        self.refused: set[int] = set()
        self.given_up: set[int] = set()

    @initialize(keep_until=st.sampled_from(["puback", "ack"]))
    def begin(self, keep_until: Literal["puback", "ack"]) -> None:
        self.config = LedgerConfig(file=self.path, max_events=MAX_EVENTS, keep_until=keep_until, on_full=self.on_full)
        self.open()

    def open(self) -> None:
        self.store = Store(self.config, SOURCE)
        found = self.store.open(START)
        assert (found.sequence, found.checkpoint_sequence) == (self.sequence, self.checkpoint)
        assert len(found.newer) == self.sequence - self.checkpoint

    def write(self, *group: Operation) -> None:
        self.store.write(group, self.published, self.acknowledged, START)

    @rule(count=st.sampled_from([1, 30, 400, 1500]))
    def append(self, count: int) -> None:
        self.write(Append(facts(self.sequence + 1, self.sequence + count), 1))
        self.sequence += count

    @rule()
    def take_checkpoint(self) -> None:
        self.write(Checkpoint({}, 1, {}))
        self.checkpoint = self.sequence

    @rule(share=st.floats(0, 1))
    def publish(self, share: float) -> None:
        self.published += int((self.sequence - self.published) * share)
        self.write()

    @rule(share=st.floats(0, 1))
    def acknowledge(self, share: float) -> None:
        self.acknowledged += int((self.sequence - self.acknowledged) * share)
        self.write()

    @precondition(lambda self: self.sequence > self.published)
    @rule(ahead=st.integers(1, 20))
    def refuse(self, ahead: int) -> None:
        sequence = min(self.published + ahead, self.sequence)
        self.write(SetApart(sequence, "refused", START, False))
        if sequence not in self.given_up:
            self.refused.add(sequence)

    @precondition(lambda self: self.refused)
    @rule(which=st.integers(0, 100))
    def deliver_from_quarantine(self, which: int) -> None:
        sequence = sorted(self.refused)[which % len(self.refused)]
        self.write(Delivered(sequence))
        self.write(Delivered(sequence))
        self.refused.discard(sequence)

    @rule()
    def give_up_what_is_too_much(self) -> None:
        excess = self.store.excess()
        if excess is None:
            return
        gone = set(range(excess.first, excess.last + 1))
        delivered = self.delivered()
        assert all(sequence in self.refused or sequence > delivered for sequence in gone), (
            "delivered events are no loss"
        )
        assert not gone & self.given_up
        assert excess.last <= self.checkpoint
        self.write(GiveUp(excess.first, excess.last))
        self.write(GiveUp(excess.first, excess.last))
        self.given_up |= gone
        self.refused -= gone

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        if clean:
            self.store.close()
        else:
            self.store._connection.close()
            os.close(self.store._lock)
        self.open()

    def delivered(self) -> int:
        marks = self.store.marks
        return marks.acknowledged if self.config.keep_until == "ack" else marks.published

    @invariant()
    def everything_undelivered_is_there_and_counted(self) -> None:
        marks = self.store.marks
        stored = [row[0] for row in self.store._connection.execute("SELECT sequence FROM event ORDER BY sequence")]
        assert marks.stored == len(stored)
        assert marks.sequence == self.sequence
        undelivered = {
            sequence
            for sequence in range(1, self.sequence + 1)
            if (sequence > self.delivered() or sequence in self.refused) and sequence not in self.given_up
        }
        assert undelivered <= set(stored)
        assert marks.undelivered == len(undelivered)
        assert {event.sequence for event in self.store.quarantine.look(0, 10_000, None)} == self.refused
        readable = [event.sequence for event in self.store.read(0, 1_000_000, 1 << 40)]
        assert readable == [sequence for sequence in stored if sequence not in self.refused]
        assert not self.sequence or self.sequence in stored, "the newest stays"
        assert set(range(self.checkpoint + 1, self.sequence + 1)) <= set(stored)

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()


LedgerMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
test_store_against_a_model = pytest.mark.slow(LedgerMachine.TestCase)
