"""What a ledger does with odd contents of its file, and with a disk that fails in ways that nobody foresees."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.config import LedgerConfig
from gateway.errors import LedgerError
from gateway.ledger import store as store_module
from gateway.ledger.inspection import note
from gateway.ledger.store import Store
from tests.support.ledgers import SECOND, SOURCE, START, TestLedger, facts, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def change(path: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("payload", [b"", b"\0", b"[]", b"{}", b'{"id": 7}', b"\xff{"])
async def test_an_event_that_cannot_be_read_keeps_no_gateway_from_starting(path: Path, payload: bytes) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 5), 5)
    ledger.checkpoint({}, 5, {})
    ledger.append(facts(6, 10), 10)
    await ledger.close()
    change(path, "UPDATE event SET payload = ? WHERE sequence = 8", payload)
    again = TestLedger(path)
    again.start()
    again.append(facts(6, 10), 10)
    recognition = again.recognised()
    assert recognition.missing == []
    await again.flush()
    stated = [orjson.loads(event.payload)["data"]["number"] for event in await again.read(8, 100, 1 << 20)]
    assert stated == [9, 10, 8], "what cannot be read is stated again, and nothing else"
    await again.close()


async def test_a_part_of_the_state_that_cannot_be_unpacked_is_left_to_be_built_again(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.checkpoint({"a": b"1", "b": b"2"}, 1, {})
    await ledger.close()
    change(path, "UPDATE part SET value = x'00112233' WHERE key = 'a'")
    again = TestLedger(path)
    assert again.start().parts == {"a": b"", "b": b"2"}
    await again.close()


async def test_an_epoch_begins_with_all_that_was_saved_or_not_at_all(path: Path) -> None:
    class Cut(list[Any]):
        def __iter__(self) -> Iterator[Any]:
            yield from super().__iter__()
            raise KeyboardInterrupt  # the process is killed

    store = Store(LedgerConfig(file=path), SOURCE)
    saved = Cut([(b"\0" * 32, "topic", START, b"{}")] * 3)
    with pytest.raises(KeyboardInterrupt):
        store._make_successor(START, saved)
    connection = sqlite3.connect(path.with_name("ledger.db.next"))
    assert connection.execute("SELECT COUNT(*) FROM ledger").fetchone()[0] == 0
    connection.close()


async def test_a_folder_in_whose_place_is_something_else_ends_no_thread(tmp_path: Path) -> None:
    folder, away = tmp_path / "state", tmp_path / "away"
    folder.mkdir()
    ledger = TestLedger(folder / "ledger.db")
    ledger.start()
    ledger.append(facts(1, 1), 1)
    await ledger.flush()
    folder.rename(away)
    folder.write_bytes(b"")
    ledger.append(facts(2, 2), 2)
    async with asyncio.timeout(60):
        with pytest.raises(LedgerError, match="was deleted or replaced"):
            await ledger.flush()
    folder.unlink()
    away.rename(folder)
    async with asyncio.timeout(60):
        while True:  # a commit that began before fails once more
            with suppress(LedgerError):
                await ledger.flush()
                break
            await asyncio.sleep(0.01)
    assert await ledger.numbers() == [1, 2]
    await ledger.close()


async def test_whatever_fails_behind_a_commit_the_next_one_is_tried(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = TestLedger(path)
    ledger.start()
    store = ledger._writer._store
    monkeypatch.setattr(store, "excess", lambda: 1 / 0)
    ledger.append(facts(1, 1), 1)
    await until(lambda: bool(ledger.errors), 60)
    assert "ZeroDivisionError" in ledger.problem
    monkeypatch.undo()
    ledger.append(facts(2, 2), 2)
    async with asyncio.timeout(60):
        await ledger.flush()
    assert await ledger.numbers() == [1, 2]
    assert ledger.problem == ""
    await ledger.close()


async def test_the_standby_is_given_back_where_the_file_cannot_be_read_on(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails for a moment costs no checkpoint: the next attempt finds the newest."""
    standby = tmp_path / "standby.db"
    ledger = TestLedger(path, standby=standby)
    ledger.start()
    ledger.checkpoint({"a": b"1"}, 1, {}, whole=True)
    await ledger.flush()
    ledger.checkpoint({"a": b"2"}, 2, {}, on_disk=False)
    await ledger.close()
    with monkeypatch.context() as patch:
        patch.setattr("gateway.ledger.store.Recognition", lambda *_: 1 / 0)
        failed = Store(LedgerConfig(file=path), SOURCE, standby)
        with pytest.raises(ZeroDivisionError):
            failed.open(START)
    again = TestLedger(path, standby=standby)
    assert again.start().parts == {"a": b"2"}
    await again.close()


async def test_a_loss_that_could_not_be_stated_is_stated_with_the_next_commit(path: Path) -> None:
    ledger = TestLedger(path, max_events=1000, on_full="drop-oldest")
    ledger.start()
    state, ledger._on_dropped = ledger._on_dropped, lambda *_: False
    ledger.append(facts(1, 1100), 1100)
    ledger.checkpoint({}, 1100, {})
    await ledger.flush()
    await asyncio.sleep(0.05)
    assert not ledger.dropped
    ledger._on_dropped = state
    ledger.checkpoint({}, 1100, {})
    await until(lambda: bool(ledger.dropped), 60)
    await ledger.close()


def spoil(path: Path) -> None:
    """The next start finds the file damaged."""
    change(path, "UPDATE ledger SET clean = 0")
    note(path, "for this test")


async def test_what_is_set_aside_twice_is_published_all_the_same(path: Path) -> None:
    """With what is in quarantine, which the broker does not have either."""
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 5), 5)
    await ledger.flush()
    refused = (await ledger.read(1, 1, 1 << 20))[0]
    ledger.set_apart(refused, "too large", final=True)
    await ledger.flush()
    ledger.published(4)
    await ledger.close()
    for _ in range(2):
        spoil(path)
        ledger = TestLedger(path, on_damage="set-aside")
        assert "2 events of it" in ledger.start().damage
        events = await ledger.read(ledger.stats().published, 100, 1 << 20)
        assert [orjson.loads(event.payload)["data"]["number"] for event in events] == [2, 5]
        await ledger.close()


async def test_what_was_saved_leaves_as_all_events_do(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 5), 5)
    await ledger.close()
    spoil(path)
    ledger = TestLedger(path, on_damage="set-aside", max_age=7 * 86_400.0)
    ledger.start()
    assert ledger.stats().stored == 5
    ledger.append(facts(6, 7), 7)
    ledger.checkpoint({}, 7, {})
    await ledger.flush()
    ledger.published(2)
    ledger.time = START + 8 * 86_400 * SECOND
    ledger.checkpoint({}, 7, {})
    await ledger.flush()
    await until(lambda: ledger.stats().stored == 1, 60)
    assert [sequence for sequence, _ in await ledger.committed(-100, 100, 1 << 20)] == [2]
    await ledger.close()


@pytest.mark.parametrize("step", ["_make_successor", "set_aside", "take_place", "_open"])
async def test_what_was_saved_is_there_wherever_the_setting_aside_was_broken_off(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """By a kill, or a disk that is full."""
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 5), 5)
    await ledger.close()
    spoil(path)
    with monkeypatch.context() as patch:
        calls = iter([False, True] if step == "take_place" else [True])

        def fails(*args: Any) -> None:
            if next(calls):
                raise OSError(28, "No space left on device")

        patch.setattr(Store if step.startswith("_") else store_module, step, fails)
        with pytest.raises(OSError, match="No space left"):
            Store(LedgerConfig(file=path, on_damage="set-aside"), SOURCE).open(START)
    ledger = TestLedger(path, on_damage="set-aside")
    ledger.start()
    events = await ledger.read(ledger.stats().published, 100, 1 << 20)
    assert [orjson.loads(event.payload)["data"]["number"] for event in events] == [1, 2, 3, 4, 5]
    await ledger.close()
    assert not path.with_name("ledger.db.next").exists()
