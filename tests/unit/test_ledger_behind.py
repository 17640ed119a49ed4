"""A ledger that is not what it was: put back from an older copy, cut off, or damaged while nobody looked."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import orjson
import pytest

from gateway.events.envelope import GENESIS
from tests.support.claims import some
from tests.support.ledgers import TestLedger, facts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def standby(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    return tmp_path / "journal" / "standby.db"


async def older(path: Path, standby: Path) -> str:
    """Leaves a ledger of ten events, two of them published, whose copy of thirty was lost; returns its epoch."""
    ledger = TestLedger(path, standby=standby)
    epoch = ledger.start().epoch
    ledger.append(facts(1, 10), 1)
    await ledger.flush()
    ledger.published(2)
    await ledger.close()
    shutil.copy(path, path.with_name("copy"))
    ledger = TestLedger(path, standby=standby)
    assert ledger.start().epoch == epoch
    ledger.recognised()
    ledger.append(facts(11, 30), 2)
    await ledger.close()
    for file in path.parent.glob("ledger.db*"):
        file.unlink()
    shutil.copy(path.with_name("copy"), path)
    return epoch


async def test_an_older_copy_begins_a_new_epoch_with_what_was_not_delivered(path: Path, standby: Path) -> None:
    before = await older(path, standby)
    ledger = TestLedger(path, standby=standby)
    found = ledger.start()
    assert found.epoch != before
    assert "ends at event 10, and 30 had been committed" in found.damage
    assert (found.sequence, found.published) == (8, 0)
    ledger.append(facts(3, 12), 1)  # as the journal has it: ten of them, of which the ledger still has eight
    assert not ledger.recognised().missing
    await ledger.flush()
    events = await ledger.read(0, 100, 1 << 20)
    await ledger.close()
    said = [orjson.loads(event.payload) for event in events]
    assert [event["sequence"] for event in said] == list(range(1, 11))
    assert {event["epoch"] for event in said} == {found.epoch}
    assert [event["data"]["number"] for event in said] == list(range(3, 13))
    assert [event["prevhash"] for event in said] == [GENESIS, *(event.hash() for event in events[:-1])]
    assert not any(event.damage for event in some(events))


async def test_the_new_epoch_is_begun_once(path: Path, standby: Path) -> None:
    await older(path, standby)
    ledger = TestLedger(path, standby=standby)
    epoch = ledger.start().epoch
    await ledger.close()
    again = TestLedger(path, standby=standby)
    found = again.start()
    await again.close()
    assert (found.epoch, found.sequence, found.damage) == (epoch, 8, "")


async def test_what_was_damaged_is_found_before_it_is_published(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 4), 1)
    await ledger.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE event SET payload = CAST(REPLACE(payload, '\"number\":2', '\"number\":7') AS BLOB)")
        db.execute("UPDATE event SET topic = 'events/count/dock' WHERE sequence = 3")
    db.close()
    ledger = TestLedger(path)
    ledger.start()
    events = await ledger.read(0, 100, 1 << 20)
    await ledger.close()
    assert [bool(event.damage) for event in events] == [False, True, True, False]
