"""Checkpoints that rest in memory: what a start finds; what a power cut, a backup or a full memory leaves of them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.ledger.ledger import OpenedLedger
from tests.support.ledgers import TestLedger, facts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def standby(tmp_path: Path) -> Path:
    return tmp_path / "run" / "standby.db"


def opened(path: Path, standby: Path | None) -> TestLedger:
    ledger = TestLedger(path, standby=standby)
    ledger.start()
    return ledger


async def found(path: Path, standby: Path | None) -> OpenedLedger:
    """What a start finds."""
    ledger = TestLedger(path, standby=standby)
    recovery = ledger.start()
    await ledger.close()
    return recovery


async def told(ledger: TestLedger, upto: int, parts: Mapping[str, bytes], **how: bool) -> None:
    """Facts up to a number, and a checkpoint behind them whose position is ten times that."""
    ledger.append(facts(ledger.stats().sequence + 1, upto), upto * 10)
    ledger.checkpoint(parts, upto * 10, {"upto": str(upto)}, **how)
    await ledger.flush()


async def lived(path: Path, standby: Path) -> None:
    """A whole checkpoint, one in memory, and an event behind it."""
    ledger = opened(path, standby)
    await told(ledger, 2, {"a": b"2", "b": b"2"}, whole=True)
    await told(ledger, 4, {"b": b"4"}, on_disk=False)
    ledger.append(facts(5, 5), 50)
    await ledger.close()


def on_disk(path: Path) -> dict[str, int]:
    """The parts in the ledger's file, and how large each is."""
    with sqlite3.connect(path) as db:
        return {key: len(value) for key, value in db.execute("SELECT key, value FROM part")}


async def test_a_start_goes_on_from_the_newest(path: Path, standby: Path) -> None:
    await lived(path, standby)
    recovery = await found(path, standby)
    assert recovery.parts == {"a": b"2", "b": b"4"}
    assert (recovery.position, recovery.checkpoint_sequence, recovery.meta) == (40, 4, {"upto": "4"})
    assert len(recovery.newer) == 1


async def test_a_power_cut_goes_back_to_the_disk_and_the_events(path: Path, standby: Path) -> None:
    await lived(path, standby)
    shutil.rmtree(standby.parent)
    recovery = await found(path, standby)
    assert recovery.parts == {"a": b"2", "b": b"2"}
    assert (recovery.position, recovery.checkpoint_sequence, recovery.meta) == (20, 2, {"upto": "2"})
    assert len(recovery.newer) == 3


async def test_the_disk_is_left_alone_between_and_then_has_all_that_changed(path: Path, standby: Path) -> None:
    ledger = opened(path, standby)
    await told(ledger, 1, {"a": b"1" * 900, "b": b"1", "c": b"1"}, whole=True)
    before = ledger.stats().bytes_on_disk
    for number in range(2, 30):
        ledger.checkpoint({"b": bytes(range(256)) * number}, number, {"upto": str(number)}, on_disk=False)
        await ledger.flush()
    assert ledger.stats().bytes_on_disk == before
    await told(ledger, 30, {"c": b"30"})
    await told(ledger, 31, {"a": b"31"}, on_disk=False)
    await ledger.close()
    recovery = await found(path, None)
    assert recovery.parts == {"a": b"1" * 900, "b": bytes(range(256)) * 29, "c": b"30"}
    assert on_disk(path)["a"] < 100, "parts are packed"


async def test_checkpoints_of_one_commit_count_in_their_order(path: Path, standby: Path) -> None:
    ledger = opened(path, standby)
    ledger.checkpoint({"a": b"1", "b": b"1"}, 1, {}, whole=True)
    ledger.append(facts(1, 1), 2)
    ledger.checkpoint({"a": b"2"}, 2, {}, on_disk=False)
    ledger.checkpoint({"b": b"3"}, 3, {})
    ledger.append(facts(2, 2), 4)
    ledger.checkpoint({"b": b"4"}, 4, {}, on_disk=False)
    await ledger.flush()
    await ledger.close()
    recovery = await found(path, None)
    assert (recovery.parts, recovery.position, recovery.checkpoint_sequence) == ({"a": b"2", "b": b"3"}, 3, 1)
    recovery = await found(path, standby)
    assert (recovery.parts, recovery.position, recovery.checkpoint_sequence) == ({"a": b"2", "b": b"4"}, 4, 2)


async def test_a_ledger_from_a_backup_does_not_believe_the_standby(path: Path, standby: Path) -> None:
    await lived(path, standby)
    backup = path.with_name("backup.db")
    shutil.copy(path, backup)
    ledger = opened(path, standby)
    await told(ledger, 6, {"a": b"6", "b": b"6"}, whole=True)
    await told(ledger, 7, {"a": b"7"}, on_disk=False)
    await ledger.close()
    shutil.move(backup, path)
    recovery = await found(path, standby)
    assert (recovery.parts, recovery.position) == ({"a": b"2", "b": b"2"}, 20)


async def test_a_standby_with_events_that_the_ledger_has_not_is_not_believed(path: Path, standby: Path) -> None:
    ledger = opened(path, standby)
    await told(ledger, 2, {"a": b"2"}, whole=True)
    await ledger.close()
    shutil.copy(path, path.with_name("backup.db"))
    ledger = opened(path, standby)
    await told(ledger, 3, {"a": b"3"}, on_disk=False)
    await ledger.close()
    path.with_name("backup.db").rename(path)
    assert (await found(path, standby)).position == 20


def hurt(file: Path, damage: str) -> None:
    """Damages a database and takes away what is not yet in its file."""
    whole = file.read_bytes()
    content = {
        "cut": whole[: len(whole) // 2],
        "no database": b"nothing of that kind" * 1000,
        "empty": b"",
        "scribbled": whole[:4096] + b"\x5a" * (len(whole) - 4096),
    }
    file.write_bytes(content[damage])
    file.with_name(file.name + "-wal").unlink(missing_ok=True)


@pytest.mark.parametrize("damage", ["cut", "no database", "empty", "scribbled"])
async def test_a_damaged_standby_is_made_anew(path: Path, standby: Path, damage: str) -> None:
    await lived(path, standby)
    hurt(standby, damage)
    ledger = TestLedger(path, standby=standby)
    assert ledger.start().position == 20
    await told(ledger, 6, {"a": b"6", "b": b"6"}, whole=True)
    await told(ledger, 7, {"a": b"7"}, on_disk=False)
    assert ledger.refused == 0
    await ledger.close()
    assert (await found(path, standby)).parts == {"a": b"7", "b": b"6"}


async def test_what_the_memory_does_not_take_is_asked_for_as_a_whole(path: Path, standby: Path) -> None:
    ledger = opened(path, standby)
    await told(ledger, 1, {"a": b"1", "b": b"1"}, whole=True)
    await told(ledger, 2, {"a": b"2"}, on_disk=False)
    standby.parent.rename(standby.parent.with_name("gone"))
    standby.parent.write_bytes(b"in its place")
    ledger.checkpoint({"a": b"3"}, 30, {"bulk": "x" * 100_000}, on_disk=False)
    await ledger.flush()
    # The file that is open may still be written to; the one that is to be begun cannot be made.
    await told(ledger, 4, {"a": b"4", "b": b"4"}, whole=True)
    assert "cannot be kept in memory" in ledger.standby_problem
    refused = ledger.refused
    await told(ledger, 5, {"a": b"5"}, on_disk=False)
    await told(ledger, 6, {"a": b"6"})
    assert ledger.refused == refused + 2, "a part that changed before is nowhere any more"
    await told(ledger, 7, {"a": b"7", "b": b"7"}, whole=True)
    assert ledger.refused == refused + 2
    standby.parent.unlink()
    await told(ledger, 8, {"a": b"8", "b": b"8"}, whole=True)
    assert ledger.standby_problem == ""
    await told(ledger, 9, {"a": b"9"}, on_disk=False)
    await ledger.close()
    assert (await found(path, None)).parts == {"a": b"8", "b": b"8"}
    assert (await found(path, standby)).parts == {"a": b"9", "b": b"8"}
