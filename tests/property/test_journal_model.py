"""Against a list that holds everything: appends, releases, restarts and torn ends in any order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drivers.api import Batch
from drivers.records import RecordFormat, Records
from gateway.config import JournalConfig
from gateway.inputs import Input, Tick
from gateway.ledger.journal import Journal

FORMAT = RecordFormat(23, [("epc", 0, "12s"), ("antenna", 12, "H"), ("time", 15, "Q")])


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name)
        self.items: dict[int, Input] = {}
        self.released = 0

    def open(self) -> None:
        self.journal = Journal(JournalConfig(directory=self.path, max_bytes=1 << 20))
        self.state = self.journal.open()

    @initialize()
    def begin(self) -> None:
        self.open()

    @rule(count=st.integers(1, 30), rows=st.integers(0, 40), raw=st.booleans())
    def append(self, count: int, rows: int, raw: bool) -> None:
        for _ in range(count):
            position = self.journal.position + 1
            item: Input = Tick(position)
            if rows:
                item = Batch("a", position, [(b"%d" % row, 1, -60, row, position + row, 1) for row in range(rows)])
            if rows and raw:
                item = Batch("a", position, Records(FORMAT, position.to_bytes(FORMAT.size, "big") * rows))
            assert self.journal.append(item) == position
            self.items[position] = item

    @precondition(lambda self: self.items)
    @rule(share=st.floats(0, 1))
    def release(self, share: float) -> None:
        self.released = max(self.released, int(self.journal.position * share))
        self.journal.release(self.released)

    @rule(tear=st.integers(0, 3000))
    def restart(self, tear: int) -> None:
        """Ends the process, and tears off the end of what it wrote last as a kill would."""
        last, identity = self.journal.position, self.journal.id
        self.journal.close()
        newest = max(self.path.glob("*.journal"))
        size = newest.stat().st_size
        with newest.open("r+b") as file:
            file.truncate(max(0, size - tear))
        self.open()
        assert self.state.lost == ""
        if self.journal.id != identity:
            assert list(self.path.glob("*.journal")) == [self.path / f"{1:020d}.journal"], "torn to nothing"
            self.items, self.released = {}, 0
        assert self.state.last <= last
        self.items = {position: item for position, item in self.items.items() if position <= self.state.last}
        self.released = min(self.released, self.state.last)

    @rule(gap=st.integers(0, 1000))
    def begin_anew(self, gap: int) -> None:
        position = self.journal.position + gap
        self.journal.begin(position)
        self.items, self.released = {}, position

    @invariant()
    def everything_that_was_not_released_is_there(self) -> None:
        expected = sorted((position, item) for position, item in self.items.items() if position > self.released)
        assert list(self.journal.read(self.released)) == expected

    @invariant()
    def pressure_is_what_is_on_disk(self) -> None:
        used = sum(path.stat().st_size for path in self.path.glob("*.journal"))
        assert self.journal.pressure == used / (1 << 20)

    def teardown(self) -> None:
        self.journal.close()
        self.directory.cleanup()


JournalMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
test_journal_against_a_list = JournalMachine.TestCase
