"""An input on which the floor fails stops nothing: it is left out, kept as a file and stated as a loss, and a start
that is given the journal again goes on without it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from drivers.api import Batch, ClockQuality, DriverError, Item, ReaderClock, ReaderUp
from gateway.clock import SECOND
from gateway.errors import LedgerError, Refused
from gateway.events.envelope import Fact
from gateway.floor import Floor
from gateway.floor.unjudged import CAUSE
from gateway.inputs import Command
from gateway.ledger.recognition import Recognition
from gateway.ledger.segment import Segment
from gateway.ledger.start_note import KILLED, OFTEN, StartNote
from gateway.replay import replay
from gateway.service import leaving_out
from gateway.service.pipeline import Pipeline
from gateway.service.storage import Storage
from tests.support.service_scene import Clock, config, storage

BAD = bytes.fromhex("1A4060300048D3D0BAD0BAD0")
GOOD = bytes.fromhex("1A4060300048D3D000000001")


def reads(clock: Clock, epc: bytes = GOOD, reader: str = "r1") -> Batch:
    return Batch(reader, clock.t, [(epc, 1, -60, 0, clock.t, 1)])


def unreadable(clock: Clock) -> Batch:
    """Rows that no driver makes, so that the floor fails on them as soon as it has them."""
    rows: list[Any] = [(GOOD, 1, -60, 0, clock.t)]
    return Batch("r1", clock.t, rows)


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that shows when a tag has arrived, which is some ticks after that in which its read came."""
    fall_due = Floor._fall_due

    def faulty(floor: Floor, end: int, facts: list[Fact]) -> None:
        fall_due(floor, end, facts)
        if BAD.hex().upper() in floor.inside(["vault"]):
            raise ZeroDivisionError("a fault")

    monkeypatch.setattr(Floor, "_fall_due", faulty)


class Run:
    """Runs of a gateway in one directory, each of which ends as by SIGKILL after its commit."""

    def __init__(self, directory: Path) -> None:
        self.config = config(directory)
        self.clock = Clock()
        self.log = structlog.testing.CapturingLogger()
        self.unjudged = directory / "unjudged"

    def open(self) -> Any:
        return storage(self.config, self.clock, self.log)

    def live(self, pipeline: Pipeline, *items: Item) -> None:
        """A second, in which these come."""
        self.clock.t += SECOND
        for item in items:
            pipeline.hear(item)
        pipeline.tick()

    def fails(self, pipeline: Pipeline, *items: Item) -> None:
        """Some seconds later the floor fails."""
        self.clock.t += SECOND
        for item in items:
            pipeline.hear(item)
        self.clock.t += 9 * SECOND
        with pytest.raises(ZeroDivisionError):
            pipeline.tick()
        with pytest.raises(RuntimeError, match="nothing is judged"):
            pipeline.tick()
        with pytest.raises(RuntimeError, match="nothing is judged"):
            pipeline.begin_checkpoint()

    async def refused(self, words: str) -> None:
        with pytest.raises(LedgerError, match=words):
            async with self.open():
                pass


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


async def events(kept: Storage) -> list[dict[str, Any]]:
    await kept.ledger.flush()
    return [orjson.loads(payload) for _, payload in await kept.ledger.committed(0, 1000, 1 << 24)]


def losses(found: list[dict[str, Any]], cause: str = CAUSE) -> list[dict[str, Any]]:
    return [event["data"] for event in found if event["data"].get("cause") == cause]


async def test_reads_that_meet_a_fault_at_once_are_a_loss_and_the_rest_goes_on(run: Run) -> None:
    async with run.open() as (kept, pipeline):
        run.live(pipeline, ReaderUp("r1", run.clock.t), ReaderUp("r2", run.clock.t))
        with pytest.raises(DriverError, match="cannot be judged"):  # this reader is down, and no other
            run.live(pipeline, unreadable(run.clock))
        for _ in range(5):
            run.live(pipeline, reads(run.clock, reader="r2"))
        before = await events(kept)
        assert "1 inputs could not be judged" in pipeline.faults.unjudged.words()
    (lost,) = losses(before)
    assert (lost["reader"], lost["certain"]) == ("r1", False)
    assert [event["data"]["uid"] for event in before if event["data"].get("movement") == "arrived"] == [
        GOOD.hex().upper()
    ]
    async with run.open() as (kept, _):
        after = await events(kept)
    assert after[: len(before)] == before, "the journal is judged in the same way"
    assert len(losses(after)) == 1
    (path,) = run.unjudged.glob("*.journal")
    ((_, item),) = Segment(path).items()
    assert isinstance(item, Batch)
    assert len(item.rows[0]) == 5
    assert "not enough values" in path.with_suffix(".txt").read_text()


async def test_a_command_that_meets_a_fault_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*args: Any) -> None:
        raise KeyError("a fault")

    async with run.open() as (kept, pipeline):
        monkeypatch.setattr(Floor, "admit", faulty)
        with pytest.raises(Refused, match="a fault in the gateway"):
            pipeline.command(Command(run.clock.t, "count", {"zone": "vault"}))
        monkeypatch.undo()
        (lost,) = losses(await events(kept))
        assert lost["reader"] == "gw"


@pytest.mark.usefixtures("fault")
async def test_reads_that_meet_a_fault_when_they_are_judged_are_found_and_left_out(run: Run) -> None:
    async with run.open() as (kept, pipeline):
        run.live(pipeline, ReaderUp("r1", run.clock.t), ReaderUp("r2", run.clock.t))
        run.live(pipeline, reads(run.clock))
        run.fails(pipeline, reads(run.clock), reads(run.clock, BAD), reads(run.clock, reader="r2"))
    await run.refused("1 inputs that could not be judged are left out")
    for _ in range(3):  # and is not said again
        async with run.open() as (kept, pipeline):
            run.live(pipeline, reads(run.clock))
            found = await events(kept)
            (lost,) = losses(found)
            assert (lost["reader"], lost["certain"]) == ("r1", True)
            assert pipeline.floor.zone_state("vault")["population"] == 1
    assert len({event["id"] for event in found}) == len(found)
    (path,) = run.unjudged.glob("*.journal")
    ((_, item),) = Segment(path).items()
    assert isinstance(item, Batch)
    assert item.rows[0][0] == BAD
    assert "ZeroDivisionError: a fault" in path.with_suffix(".txt").read_text()


@pytest.mark.usefixtures("fault")
async def test_every_one_of_several_is_found(run: Run) -> None:
    async with run.open() as (_, pipeline):
        run.live(pipeline, ReaderUp("r1", run.clock.t))
        batches = [reads(run.clock, epc) for epc in (BAD, GOOD, BAD, GOOD, BAD)]
        run.fails(pipeline, *batches)
    await run.refused("inputs that could not be judged are left out")
    async with run.open() as (kept, _):
        assert len(losses(await events(kept))) == 1, "they were of the same moment"
    assert len(list(run.unjudged.glob("*.journal"))) == 2, "after the second all of that reader are left out"


@pytest.mark.usefixtures("fault")
async def test_a_reader_on_which_start_after_start_fails_is_shut_out(run: Run) -> None:
    """A tag that stands there meets the fault as often as it is read: the other readers are worth more."""
    for _ in range(OFTEN):
        async with run.open() as (_, pipeline):
            run.live(pipeline, ReaderUp("r1", run.clock.t), ReaderUp("r2", run.clock.t))
            run.fails(pipeline, *[reads(run.clock, BAD)] * 20, reads(run.clock, reader="r2"))
        await run.refused("inputs that could not be judged are left out")
    async with run.open() as (kept, pipeline):
        with pytest.raises(DriverError, match="shut out"):
            run.live(pipeline, reads(run.clock, BAD))
        run.live(pipeline, reads(run.clock, reader="r2"))
        assert pipeline.floor.zone_state("dock")["population"] == 1
        assert losses(await events(kept), "journal-lost") == []


@pytest.mark.usefixtures("fault")
async def test_a_journal_with_too_many_is_given_up_and_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving_out, "MOST", 1)
    async with run.open() as (_, pipeline):
        run.live(pipeline, ReaderUp("r1", run.clock.t))
        run.fails(pipeline, *[reads(run.clock, BAD)] * 3)
    await run.refused("the journal is given up")
    async with run.open() as (kept, pipeline):
        run.live(pipeline, reads(run.clock))
        assert len(losses(await events(kept), "journal-lost")) == 1
    assert list((run.unjudged / "journal").glob("*.journal"))


async def test_a_state_that_cannot_be_gone_on_from_is_built_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Floor._advance

    def faulty(floor: Floor, limit: int) -> Any:
        if floor._reader_history.readers["r1"].offset == 13:
            raise ZeroDivisionError("a fault")
        return advance(floor, limit)

    async with run.open() as (_, pipeline):
        run.live(pipeline, ReaderUp("r1", run.clock.t), ReaderClock("r1", run.clock.t, ClockQuality.SYNCED, 13))
        for _ in range(5):
            run.live(pipeline, reads(run.clock))
        pipeline.checkpoint()
        monkeypatch.setattr(Floor, "_advance", faulty)
        run.fails(pipeline)
    await run.refused("the state is built again from the events")
    async with run.open() as (kept, pipeline):
        run.live(pipeline, ReaderUp("r1", run.clock.t), reads(run.clock))
        assert len(losses(await events(kept), "state-rebuilt")) == 1
        assert pipeline.floor.zone_state("vault")["population"] == 1


def test_an_input_that_kills_start_after_start_is_not_met_for_ever(tmp_path: Path) -> None:
    """A hang that the watchdog ends, or memory without end: nobody is told anything."""
    for _ in range(KILLED):
        note = StartNote(tmp_path)
        note.open("ab", 5)
        assert not note.given_up
        for position in (6, 7):
            note.feeds(position)
    note = StartNote(tmp_path)
    note.open("ab", 5)
    assert "the input at 7" in note.given_up
    note.close()
    note = StartNote(tmp_path)
    note.open("ab", 8)
    assert not note.given_up, "a checkpoint behind it has been taken"


def test_starts_that_are_killed_here_and_there_give_nothing_up(tmp_path: Path) -> None:
    for start in range(3 * KILLED):
        note = StartNote(tmp_path)
        note.open("ab", 5)
        note.feeds(6 + start % 2)
    assert not note.given_up


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"journal":"ab","left_out":3}'])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "starts.json").write_bytes(content)
    note = StartNote(tmp_path)
    note.open("ab", 5)
    assert (note.left_out, note.rebuild, note.given_up) == ({}, False, "")


def test_a_replay_leaves_out_what_the_run_did(run: Run) -> None:
    t = run.clock.t
    said: list[str] = []
    items = [ReaderUp("r1", t), unreadable(run.clock), reads(run.clock)]
    found = list(replay(run.config, items, lambda item, error: said.append(type(item).__name__)))
    assert said == ["Batch"]
    assert len([event for event in found if CAUSE.encode() in event.payload]) == 1


@pytest.mark.parametrize("bad", [{"reader": "half \ud800"}, {"number": 1 << 70}, {"thing": object()}, "a time"])
async def test_a_fact_that_cannot_be_written_is_stated_and_holds_up_no_other(run: Run, bad: Any) -> None:
    """Live, and recognised when the journal is judged again."""
    facts = [
        Fact("rfid.loss.v1", "gw", 1 << 62, {}) if bad == "a time" else Fact("rfid.loss.v1", "gw", run.clock.t, bad),
        Fact("rfid.loss.v1", "gw", run.clock.t, {"cause": "good"}),
    ]
    async with run.open() as (kept, pipeline):
        for _ in range(2):  # in the second run these two are there
            kept.ledger.append(facts, pipeline.position)
        found = await events(kept)
        assert len(losses(found, "event-unwritable")) == len(losses(found, "good")) == 2
    recognition = Recognition(enumerate(map(orjson.dumps, found)), kept.ledger._source)
    assert [recognition.knows(fact) for fact in facts] == [True, True]


async def test_an_event_that_cannot_be_understood_keeps_no_start_from_the_others(run: Run, tmp_path: Path) -> None:
    """After a power cut, where the events behind the checkpoint are all that is known."""
    other = bytes.fromhex("1A4060300048D3D000000002")
    async with run.open() as (kept, pipeline):
        run.live(pipeline, ReaderUp("r1", run.clock.t))
        for _ in range(5):
            run.live(pipeline, reads(run.clock), reads(run.clock, other))
        arrived = [event for event in await events(kept) if event["data"].get("movement") == "arrived"]
        assert len(arrived) == 2
    _spoil(tmp_path, arrived[0]["sequence"])
    async with run.open() as (kept, pipeline):
        assert pipeline.floor.inside(["vault"]) == {arrived[1]["data"]["uid"]: "vault"}
        assert len(losses(await events(kept), "journal-lost")) == 1
    assert [call for call in run.log.calls if call.args[0].startswith("an event in the ledger cannot be understood")]


def _spoil(directory: Path, sequence: int) -> None:
    """The event says nothing of which tag it is, and everything that is kept in memory is gone."""
    with sqlite3.connect(directory / "ledger.db") as db:
        db.execute(
            "UPDATE event SET payload = CAST(replace(payload, 'epc', 'xyz') AS BLOB) WHERE sequence = ?", (sequence,)
        )
        assert db.total_changes == 1
    db.close()
    shutil.rmtree(directory / "journal")
