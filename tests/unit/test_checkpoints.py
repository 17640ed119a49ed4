"""Which checkpoints go to disk, what a start makes of them, and that reads are heard while one is taken."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from drivers.api import Batch, ReaderUp
from gateway.clock import SECOND, rfc3339
from gateway.errors import LedgerError
from gateway.inputs import Command
from gateway.service import pipeline as module
from gateway.service.checkpoints import Checkpoints
from gateway.service.pipeline import Pipeline
from gateway.service.storage import Storage
from tests.support.service_scene import T0, Clock, config, storage

TAG = "1A4060300048D3D0%08X"


class Site:
    """A gateway's storage and pipeline in `directory`, and its clock."""

    def __init__(self, directory: Path, clock: Clock, kept: Storage, pipeline: Pipeline) -> None:
        self.directory, self.clock, self.kept, self.pipeline = directory, clock, kept, pipeline
        self.failures: list[LedgerError] = []
        self.checkpoints = Checkpoints(pipeline, kept.ledger, self.failures.append)

    def read(self, *tags: int) -> None:
        now = self.clock.t
        self.pipeline.take(Batch("r1", now, [(bytes.fromhex(TAG % tag), 1, -60, 0, now, 1) for tag in tags]))

    def live(self, seconds: int, *tags: int) -> None:
        """So many seconds, in each of which these tags are read."""
        for _ in range(seconds):
            self.clock.t += SECOND
            self.read(*tags)
            self.pipeline.tick()


async def positions(site: Site) -> tuple[int, int]:
    """Of the checkpoint on disk, and of the newest."""
    ask = site.kept.ledger._writer.ask
    on_disk = await ask(lambda store: store._connection.execute("SELECT checkpoint_position FROM ledger").fetchone()[0])
    newest = await ask(lambda store: store._standby._open().execute("SELECT position FROM state").fetchone()[0])
    return on_disk, newest


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def site(tmp_path: Path, clock: Clock) -> AsyncIterator[Site]:
    async with storage(config(tmp_path), clock, structlog.testing.CapturingLogger()) as (kept, pipeline):
        pipeline.take(ReaderUp("r1", clock.t))
        yield Site(tmp_path, clock, kept, pipeline)


async def test_most_checkpoints_stay_in_memory(site: Site) -> None:
    await site.kept.ledger.flush()
    first, _ = await positions(site)
    for _ in range(3):
        site.live(11, 1, 2)
        assert site.pipeline.checkpoint_due
        assert await site.checkpoints.take()
    on_disk, newest = await positions(site)
    assert (on_disk, newest) == (first, site.pipeline._position)
    site.live(300, 1, 2)
    assert await site.checkpoints.take()
    assert await positions(site) == (site.pipeline._position,) * 2


@pytest.mark.parametrize("what", ["a command", "a stop", "many facts", "a manifest"])
async def test_some_go_to_disk_before_their_time(site: Site, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site.live(11, 1)
    assert await site.checkpoints.take()
    match what:
        case "a command":
            site.pipeline.take(Command(site.clock.t, "count", {"zone": "vault", "seconds": 5}))
        case "many facts":
            monkeypatch.setattr(module, "_EVENTS", 3)
            site.live(8, *range(10, 20))
        case "a manifest":
            site.pipeline.hurry_checkpoint()
    site.live(1, 1)
    assert await site.checkpoints.take(clean=what == "a stop")
    assert await positions(site) == (site.pipeline._position,) * 2


async def test_reads_are_heard_while_one_is_taken_and_ticks_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLICE", 1)
    site.live(3, *range(3000))
    begun = site.pipeline.begin_checkpoint()
    slices = site.pipeline.slices()
    next(slices)
    before = site.pipeline.last_tick
    site.clock.t += SECOND
    site.read(1)
    site.pipeline.tick()
    assert site.pipeline.last_tick == before
    assert site.pipeline._position == begun + 1
    assert len(list(slices)) > 1
    site.pipeline.tick()
    assert site.pipeline.last_tick == site.clock.t
    await site.kept.ledger.flush()
    assert (await positions(site))[1] == begun


async def test_one_that_is_cut_short_is_whole_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway stops while a checkpoint is being taken."""
    monkeypatch.setattr(module, "_SLICE", 1)
    site.live(3, *range(3000))
    taking = asyncio.create_task(site.checkpoints.take())
    await asyncio.sleep(0)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    site.pipeline.tick()
    assert await site.checkpoints.take(clean=True)


async def test_where_the_memory_is_full_all_go_to_disk_whole(site: Site) -> None:
    site.live(11, 1)
    assert await site.checkpoints.take()
    standby = site.kept.ledger._writer._store._standby
    assert standby is not None
    await site.kept.ledger._writer.ask(lambda store: standby.forget())
    standby._path = site.directory / "missing" / "\0"  # nothing can be opened here
    for _ in range(3):
        site.live(11, 1, 2)
        if not await site.checkpoints.take():
            assert site.pipeline.checkpoint_due
            assert await site.checkpoints.take()
    assert "cannot be kept in memory" in site.kept.ledger.standby_problem
    assert not site.failures


async def events(kept: Storage) -> list[dict[str, Any]]:
    return [orjson.loads(event.payload) for event in await kept.ledger.read(0, 10_000, 1 << 30)]


async def test_a_power_cut_forgets_what_no_event_says_and_says_so(tmp_path: Path) -> None:
    log, clock = structlog.testing.CapturingLogger(), Clock()
    async with storage(config(tmp_path), clock, log) as (kept, pipeline):
        pipeline.take(ReaderUp("r1", clock.t))
        site = Site(tmp_path, clock, kept, pipeline)
        site.live(11, 1, 2)
        assert await site.checkpoints.take()
        site.live(11, 1, 2, 3)
        assert await site.checkpoints.take()
        arrived = {event["data"]["uid"] for event in await events(kept) if event["data"].get("movement") == "arrived"}
    assert len(arrived) == 3
    shutil.rmtree(tmp_path / "journal")
    clock.t += 60 * SECOND
    async with storage(config(tmp_path), clock, log) as (kept, pipeline):
        again = Site(tmp_path, clock, kept, pipeline)
        pipeline.take(ReaderUp("r1", clock.t))
        again.live(20, 1, 2, 3)
        await kept.ledger.flush()
        said = await events(kept)
    (lost,) = [event["data"] for event in said if event["data"].get("cause") == "journal-lost"]
    assert lost["start"] == rfc3339(T0), "it begins with the checkpoint that is on disk"
    again_arrived = [event["data"]["uid"] for event in said if event["data"].get("movement") == "arrived"]
    assert sorted(again_arrived) == sorted(arrived), "what has arrived does not arrive again"


async def test_one_that_was_refused_before_anybody_asked_lets_nothing_go() -> None:
    """The ledger's thread may have looked at it before the last slice gives way."""
    told: list[str] = []

    class QuickLedger:
        refused = 0

        async def flush(self) -> None:
            """Everything is written."""

    class OneSlice:
        def begin_checkpoint(self, *, clean: bool) -> int:
            return 7

        def slices(self) -> Iterator[None]:
            ledger.refused += 1
            yield

        def finish_checkpoint(self) -> None:
            """It is taken."""

        def not_saved(self, *, refused: bool = False) -> None:
            told.append(f"not saved, refused: {refused}")

        def release(self, position: int) -> None:
            told.append(f"released up to {position}")

    ledger: Any = QuickLedger()
    pipeline: Any = OneSlice()
    assert not await Checkpoints(pipeline, ledger, pytest.fail).take()
    assert told == ["not saved, refused: True"]


async def test_who_waits_for_the_disk_waits_for_the_checkpoint_that_goes_there(site: Site) -> None:
    """A reload takes one that goes to disk while another, which rests in memory, waits for its commit."""
    site.live(11, 1)
    assert await site.checkpoints.take()
    site.live(11, 1)
    in_memory = site.pipeline.begin_checkpoint()
    site.pipeline.finish_checkpoint()
    site.live(1, 2)
    on_disk = site.pipeline.checkpoint()
    waiting = asyncio.ensure_future(site.pipeline.safe(in_memory))
    site.pipeline.release(in_memory)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    site.pipeline.release(on_disk)
    await asyncio.wait_for(waiting, 60)


@pytest.fixture
async def dropped_and_killed(tmp_path: Path, clock: Clock) -> Path:
    """What a gateway leaves that is killed when it has journalled that events 1 to 5 are given up, and neither that nor
    the deletion is on disk."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    async with storage(config(before), clock, structlog.testing.CapturingLogger()) as (kept, pipeline):
        pipeline.take(ReaderUp("r1", clock.t))
        site = Site(before, clock, kept, pipeline)
        site.live(20, *range(10))
        assert await site.checkpoints.take()
        assert kept.ledger.stats().sequence >= 10
        pipeline.dropped(1, 5, T0, T0)
        await kept.ledger.flush()
        shutil.copytree(before, after)
    return after


def _checkpoint_of(epoch: str, directory: Path) -> None:
    """The last checkpoint of the ledger in `directory` is of this epoch, and the standby is gone."""
    with sqlite3.connect(next(directory.glob("**/ledger.db"))) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
    db.close()
    for standby in directory.glob("**/standby.db*"):
        standby.unlink()


async def _first_number(kept: Storage) -> int:
    await kept.ledger.flush()
    ((sequence, _),) = await kept.ledger.committed(0, 1, 1 << 20)
    return sequence


async def test_events_whose_loss_was_stated_before_a_crash_are_given_up_behind_it(
    dropped_and_killed: Path, clock: Clock
) -> None:
    async with storage(config(dropped_and_killed), clock, structlog.testing.CapturingLogger()) as (kept, _):
        assert await _first_number(kept) == 6
        lost = [event["data"] for event in await events(kept) if event["data"].get("cause") == "ledger-full"]
        assert len(lost) == 1, "it is stated once"


@pytest.mark.parametrize("epoch", ["", "20260101T000000Z-00000000"])
async def test_numbers_of_another_epoch_give_nothing_up(dropped_and_killed: Path, clock: Clock, epoch: str) -> None:
    _checkpoint_of(epoch, dropped_and_killed)
    async with storage(config(dropped_and_killed), clock, structlog.testing.CapturingLogger()) as (kept, _):
        assert await _first_number(kept) == 1
