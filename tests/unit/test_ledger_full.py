"""A ledger that is full, or whose disk is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import orjson
import pytest

from gateway.errors import LedgerError
from gateway.events.envelope import LOSS, Event
from gateway.ledger.lock import lock
from tests.support.ledgers import SECOND, START, TestLedger, facts, run_module, until

DAY = 86_400 * SECOND


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


async def commit(ledger: TestLedger, first: int, last: int) -> None:
    """These facts and a checkpoint, on disk."""
    ledger.append(facts(first, last), last)
    ledger.checkpoint({}, last, {})
    await ledger.flush()


async def tidy(ledger: TestLedger) -> None:
    """A commit without events, in which old ones may go."""
    ledger.checkpoint({}, 0, {})
    await ledger.flush()


async def test_delivered_events_stay_until_there_are_too_many(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000)
    ledger.start()
    await commit(ledger, 1, 1000)
    ledger.published(1000)
    await commit(ledger, 1001, 1250)
    await tidy(ledger)
    assert await ledger.numbers() == list(range(251, 1251))
    assert ledger.room
    await ledger.close()


async def test_delivered_events_go_when_they_are_too_old_but_the_newest_stays(path: Path) -> None:
    ledger = TestLedger(path, max_age=7 * 86_400.0)
    ledger.start()
    await commit(ledger, 1, 2500)
    ledger.published(2000)
    ledger.time = START + 8 * DAY
    await tidy(ledger)
    await until(lambda: ledger.stats().stored == 500)
    assert await ledger.numbers() == list(range(2001, 2501)), "what is not published has no age"
    ledger.published(2500)
    await tidy(ledger)
    assert await ledger.numbers() == [2500]
    await ledger.close()

    again = TestLedger(path)
    assert again.start().sequence == 2500
    again.append(facts(2501, 2501), 1)
    await again.flush()
    event = (await again.read(2500, 1, 1 << 20))[0]
    assert orjson.loads(event.payload)["prevhash"] == (await again.read(2499, 1, 1 << 20))[0].hash()
    await again.close()


async def test_events_newer_than_the_checkpoint_stay_for_recognition(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000)
    ledger.start()
    await commit(ledger, 1, 100)
    ledger.append(facts(101, 2000), 2)
    await ledger.flush()
    ledger.published(2000)
    ledger.append(facts(2001, 2001), 3)
    await ledger.flush()
    assert await ledger.numbers() == list(range(101, 2002))
    await tidy(ledger)
    await until(lambda: ledger.stats().stored == 1000)
    await ledger.close()


async def test_with_keep_until_ack_published_events_wait_for_the_backend(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000, keep_until="ack")
    epoch = ledger.start().epoch
    await commit(ledger, 1, 1200)
    ledger.published(1200)
    await tidy(ledger)
    assert len(await ledger.numbers()) == 1200
    assert not ledger.room
    ledger.acknowledge(700, epoch)
    await tidy(ledger)
    assert await ledger.numbers() == list(range(201, 1201))
    assert ledger.room
    await ledger.close()


async def test_stop_holds_readers_back_until_the_broker_has_taken_some(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000)
    ledger.start()
    await commit(ledger, 1, 999)
    assert ledger.room
    await commit(ledger, 1000, 1100)
    assert not ledger.room
    ledger.published(105)
    await tidy(ledger)
    assert not ledger.room, "a little room is not enough, so that readers do not stop at every event"
    ledger.published(110)
    await tidy(ledger)
    assert ledger.room
    assert len(await ledger.numbers()) == 1000
    assert ledger.dropped == []
    await ledger.close()


async def test_a_full_ledger_is_full_after_a_restart(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000)
    ledger.start()
    await commit(ledger, 1, 1000)
    await ledger.close()
    again = TestLedger(path, max_events=1000)
    again.start()
    await until(lambda: not again.room)
    await again.close()


async def test_drop_oldest_states_the_exact_range_in_the_commit_that_deletes_it(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000, on_full="drop-oldest")
    ledger.start()
    await commit(ledger, 1, 1005)
    await until(lambda: ledger.stats().stored == 991)
    # Five too many and 1 % more, so that losses come in ranges; the loss is an event too.
    assert ledger.dropped == [(1, 15, START + 1 * SECOND, START + 15 * SECOND)]
    events = await ledger.read(0, 10_000, 1 << 30)
    assert [event.sequence for event in events] == list(range(16, 1007))
    loss = orjson.loads(events[-1].payload)
    assert (loss["type"], loss["data"]) == (LOSS, {"first": 1, "last": 15})
    assert ledger.room
    assert ledger.stats().pending == 991
    await ledger.close()

    again = TestLedger(path, max_events=1000, on_full="drop-oldest")
    again.start()
    assert again.stats().pending == 991
    assert again.dropped == []
    await again.close()


async def test_drop_oldest_waits_for_the_checkpoint(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000, on_full="drop-oldest")
    ledger.start()
    await commit(ledger, 1, 5)
    ledger.append(facts(6, 1200), 2)
    await ledger.flush()
    await until(lambda: ledger.stats().stored == 1196)
    assert [(first, last) for first, last, _, _ in ledger.dropped] == [(1, 5)]
    await tidy(ledger)
    await until(lambda: ledger.stats().stored < 1000)
    assert [(first, last) for first, last, _, _ in ledger.dropped] == [(1, 5), (6, 211)]
    await ledger.close()


async def test_drop_oldest_goes_on_while_events_come(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000, on_full="drop-oldest")
    ledger.start()
    for first in range(1, 5000, 100):
        await commit(ledger, first, first + 99)
    await until(lambda: ledger.stats().stored <= 1000 and ledger.stats().queued == 0)
    numbers = await ledger.numbers()
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    given_up = [number for first, last, _, _ in ledger.dropped for number in range(first, last + 1)]
    assert given_up == list(range(1, numbers[0])), "every event that is gone is in exactly one range"
    assert numbers[-1] == 5000 + len(ledger.dropped)
    await ledger.close()


async def test_drop_oldest_gives_up_quarantined_events_first(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000, on_full="drop-oldest")
    ledger.start()
    await commit(ledger, 1, 900)
    for sequence in (2, 3, 7):
        ledger.set_apart(Event(sequence, "", "", b""), "refused", True)
    await ledger.flush()
    ledger.published(10)
    await commit(ledger, 901, 1020)
    await until(lambda: len(ledger.dropped) >= 3 and ledger.stats().queued == 0)
    assert [(first, last) for first, last, _, _ in ledger.dropped][:3] == [(2, 3), (7, 7), (11, 32)]
    assert await ledger.quarantined(10) == []
    await until(lambda: ledger.stats().quarantined == 0)
    await ledger.close()


async def test_quarantined_events_outlive_delivered_ones(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000)
    ledger.start()
    await commit(ledger, 1, 1000)
    ledger.set_apart(Event(5, "", "", b""), "refused", True)
    ledger.published(1000)
    await commit(ledger, 1001, 1500)
    await tidy(ledger)
    assert [event.sequence for event in await ledger.quarantined(10)] == [5]
    assert (await ledger.numbers())[0] == 502
    await until(lambda: ledger.stats().stored == 1000)
    ledger.delivered(Event(5, "", "", b""))  # it was only kept for its delivery
    await until(lambda: ledger.stats().stored == 999)
    await ledger.close()


@pytest.mark.slow
async def test_nothing_is_lost_while_the_disk_takes_nothing(path: Path) -> None:
    """The child lowers the limit on file sizes under its own ledger, and lifts it again."""
    other = run_module("full_disk", path)
    assert other.returncode == 0, other.stderr
    assert "the disk fails or is full" in other.stdout
    ledger = TestLedger(path)
    ledger.start()
    assert await ledger.numbers() == list(range(1, 5001))
    await ledger.close()


async def test_a_failing_disk_ends_room_and_is_tried_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ledger.writer._FIRST_RETRY", 0.02)
    ledger = TestLedger(path)
    ledger.start()
    write = ledger._writer._store.write
    broken = True

    def failing(*args: object) -> bool:
        if broken:
            raise OSError(5, "Input/output error")
        return write(*args)

    monkeypatch.setattr(ledger._writer._store, "write", failing)
    ledger.append(facts(1, 5), 1)
    with pytest.raises(LedgerError, match="Input/output error"):
        await ledger.flush()
    assert not ledger.room
    assert ledger.stats().failing
    assert await ledger.numbers() == [], "reading goes on"
    await until(lambda: len(ledger.errors) >= 3)
    broken = False
    await until(lambda: ledger.stats().sequence == 5)
    assert ledger.room
    assert await ledger.numbers() == [1, 2, 3, 4, 5]
    await ledger.close()


async def test_close_says_when_the_last_commit_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = TestLedger(path)
    ledger.start()

    def failing(*args: object) -> bool:
        raise OSError(28, "No space left on device")

    await until(lambda: ledger._last is not None)
    monkeypatch.setattr(ledger._writer._store, "write", failing)
    ledger.append(facts(1, 5), 1)
    with pytest.raises(LedgerError, match="No space left"):
        await ledger.close()
    again = TestLedger(path)
    assert again.start().sequence == 0
    await again.close()


def test_a_lock_on_a_full_disk_is_taken_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    os.close(lock(tmp_path / "lock", "the ledger"))
    os.close(lock(tmp_path / "lock", "the ledger"))
