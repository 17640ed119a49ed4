"""A damaged ledger: left alone, or set aside with what can be read of it published first."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import orjson
import pytest

from gateway.errors import Damaged
from gateway.events.envelope import GENESIS
from tests.support.ledgers import TestLedger, facts

PAGE = 4096


async def damaged(path: Path, *, published: int) -> str:
    """A ledger of 3,000 events in whose middle a page is overwritten. Returns its epoch."""
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 3_000), 1)
    await ledger.flush()
    ledger.published(published)
    epoch = ledger.epoch
    await ledger.close()
    _overwrite_a_page(path)
    return epoch


def _overwrite_a_page(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE ledger SET clean = 0")
    connection.commit()
    connection.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // PAGE // 2 * PAGE
    content[middle : middle + PAGE] = b"\xff" * PAGE
    path.write_bytes(content)


async def test_by_itself_nothing_is_moved(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    await damaged(path, published=10)
    with pytest.raises(Damaged, match="on_damage: set-aside"):
        TestLedger(path).start()
    assert "ledger.db" in _names(tmp_path)


async def test_set_aside_what_can_be_read_is_published_first(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    before = await damaged(path, published=1_000)
    ledger = TestLedger(path, on_damage="set-aside")
    found = ledger.start()
    assert found.fresh
    assert "ledger.db.damaged-" in found.damage
    assert found.damage.split("kept as ")[1].split(";")[0] in _names(tmp_path)
    assert ledger.epoch != before
    assert ledger._writer._store.inspection is None, "the inspection is of a file that was set aside"
    pending = ledger.stats().pending
    assert 1_800 < pending < 2_000, "all but what stood on the page, and what was published"

    ledger.append(facts(1, 2), 1)
    await ledger.flush()
    events = [orjson.loads(event.payload) for event in await ledger.read(ledger.stats().published, 5_000, 1 << 30)]
    old, new = events[:pending], events[pending:]
    assert {event["epoch"] for event in old} == {before}
    assert [event["sequence"] for event in old] == sorted({event["sequence"] for event in old})
    assert min(event["sequence"] for event in old) > 1_000
    assert [(event["epoch"], event["sequence"]) for event in new] == [(ledger.epoch, 1), (ledger.epoch, 2)]
    assert new[0]["prevhash"] == GENESIS

    ledger.published(2)
    assert ledger.stats().pending == 0
    await ledger.close()
    again = TestLedger(path)
    assert again.start().sequence == 2
    assert again.stats().pending == 0
    await again.close()


async def test_a_file_that_is_no_database_gives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    _write(path, b"no database at all" * 1_000)
    ledger = TestLedger(path, on_damage="set-aside")
    assert "0 events of it" in ledger.start().damage
    assert ledger.stats().pending == 0
    await ledger.close()


def _names(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
