"""After a kill a start reads what was written last, however large the file; the rest is looked at beside the work."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from gateway.config import LedgerConfig
from gateway.errors import Damaged, LedgerError
from gateway.ledger import inspection, schema
from gateway.ledger.store import Store
from tests.support.ledgers import SOURCE, START, TestLedger, facts, until

PAGE = 4096


async def killed(path: Path, events: int) -> None:
    """Leaves a ledger of so many events, all published and in a checkpoint, that was not closed in order."""
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, events), 1)
    ledger.checkpoint({}, 1, {})
    await ledger.flush()
    ledger.published(events)
    await ledger.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE ledger SET clean = 0")
    db.close()


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()


def tear_a_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // PAGE // 2 * PAGE
    content[middle : middle + PAGE] = b"\xff" * PAGE
    path.write_bytes(content)


async def opened(path: Path, **settings: object) -> TestLedger:
    ledger = TestLedger(path, **settings)
    ledger.start()
    ledger.recognised()
    return ledger


async def test_a_start_reads_no_more_of_a_larger_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    connect = schema.connect

    def counted(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_progress_handler(lambda: steps.append(1), 100)
        return connection

    monkeypatch.setattr(schema, "connect", counted)
    read = []
    for events in (3_000, 12_000):
        await killed(tmp_path / f"{events}.db", events)
        steps.clear()
        store = Store(LedgerConfig(file=tmp_path / f"{events}.db"), SOURCE)
        store.open(START)
        read.append(len(steps))
        assert store.marks.stored == events
        store.close()
    assert read[1] <= read[0] + 2, read


async def test_what_is_sound_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "PACE", 0.0)
    path = tmp_path / "ledger.db"
    await killed(path, 3_000)
    ledger = await opened(path)
    assert ledger._writer._store.inspection is not None
    await until(lambda: ledger._writer._store.inspection.done, 60)
    assert ledger.finding == ""
    await ledger.close()
    again = await opened(path)
    assert again._writer._store.inspection is None
    await again.close()


async def test_a_torn_page_is_found_beside_the_work_and_refuses_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "PACE", 0.0)
    path = tmp_path / "ledger.db"
    await killed(path, 6_000)
    tear_a_page(path)
    ledger = await opened(path)
    await until(lambda: ledger.finding != "", 60)
    assert "cannot be read" in ledger.finding
    ledger.append(facts(6_001, 6_010), 2)
    await ledger.flush()
    assert ledger.stats().sequence == 6_010
    await ledger.close()
    with pytest.raises(Damaged, match="cannot be read"):
        TestLedger(path).start()
    aside = TestLedger(path, on_damage="set-aside")
    assert "10 events of it are published first" in aside.start().damage
    await aside.close()
    assert not path.with_name("ledger.db-damaged").exists()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM event WHERE sequence BETWEEN 900 AND 905", "events 900 to 905 are missing"),
        ("UPDATE event SET payload = CAST(REPLACE(payload, 'number', 'numbed') AS BLOB) WHERE sequence = 700",
         "event 700 or the one behind it is not what was written"),
        ("UPDATE event SET payload = x'00' WHERE sequence = 600", "event 600 is not what was written"),
    ],
)  # fmt: skip
async def test_what_is_not_as_it_was_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, found: str
) -> None:
    monkeypatch.setattr(inspection, "PACE", 0.0)
    path = tmp_path / "ledger.db"
    await killed(path, 3_000)
    change(path, statement)
    ledger = await opened(path)
    await until(lambda: ledger.finding != "", 60)
    assert found in ledger.finding
    await ledger.close()
    again = await opened(path)  # only the structure of the file refuses a start
    await again.close()


async def test_damage_that_only_a_write_meets_refuses_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    await killed(path, 3_000)
    change(path, "DELETE FROM event WHERE sequence < 2000")
    tear_the_list_of_free_pages(path)
    ledger = await opened(path)
    ledger.append(facts(3_001, 9_000), 2)
    await until(lambda: bool(ledger.errors), 60)
    assert isinstance(ledger.errors[0], Damaged)
    with contextlib.suppress(LedgerError):
        await ledger.close()
    with pytest.raises(Damaged, match="malformed"):
        await opened(path)
    again = TestLedger(path, on_damage="set-aside")
    found = again.start()
    assert found.damage is not None
    assert "It is kept as" in found.damage
    await again.close()


def tear_the_list_of_free_pages(path: Path) -> None:
    """The first page of it says that it holds more than a page can (SQLite's file format, section 1.5)."""
    content = bytearray(path.read_bytes())
    trunk = int.from_bytes(content[32:36], "big")
    assert trunk, "no page is free"
    content[(trunk - 1) * PAGE + 4 : (trunk - 1) * PAGE + 8] = b"\xff" * 4
    path.write_bytes(content)
