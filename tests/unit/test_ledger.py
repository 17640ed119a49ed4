"""What the ledger guarantees: numbering, order, recovery, what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sqlite3
from pathlib import Path

import orjson
import pytest

from gateway.errors import LedgerError, Refused
from gateway.events.envelope import GENESIS, Event
from gateway.ledger import ledger as ledger_module
from gateway.ledger.schema import APPLICATION_ID, MIGRATIONS
from tests.support.ledgers import SOURCE, START, TestLedger, content_of, fact, facts, run_module, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


async def test_facts_become_events_numbered_and_chained_in_order(path: Path) -> None:
    ledger = TestLedger(path)
    recovery = ledger.start()
    assert (recovery.fresh, recovery.sequence, recovery.published, len(recovery.newer)) == (True, 0, 0, 0)
    ledger.append(facts(1, 3), 10)
    ledger.append([], 11)
    ledger.append(facts(4, 4), 12)
    await ledger.flush()
    events = await ledger.read(0, 10, 1 << 20)
    assert ledger.commits[-1] == 4
    await ledger.close()

    assert [event.id for event in events] == [fact(number).id(SOURCE) for number in range(1, 5)]
    previous = GENESIS
    for number, event in enumerate(events, start=1):
        payload = orjson.loads(event.payload)
        assert event.sequence == payload["sequence"] == number
        assert event.topic == "events/movement/dock"
        assert payload["epoch"] == recovery.epoch
        assert payload["prevhash"] == previous
        previous = hashlib.sha256(event.payload).hexdigest()


async def test_numbering_and_chain_go_on_after_a_restart(path: Path) -> None:
    first = TestLedger(path)
    epoch = first.start().epoch
    first.append(facts(1, 2), 1)
    await first.close()
    second = TestLedger(path)
    recovery = second.start()
    assert (recovery.epoch, recovery.sequence, recovery.clean) == (epoch, 2, True)
    second.recognised()
    second.append(facts(3, 3), 2)
    await second.flush()
    events = await second.read(0, 10, 1 << 20)
    await second.close()
    assert [event.sequence for event in events] == [1, 2, 3]
    assert orjson.loads(events[2].payload)["prevhash"] == events[1].hash()


async def test_a_checkpoint_merges_parts_and_replaces_meta(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 2), 5)
    ledger.checkpoint({"a": b"1", "b": b"1"}, 5, {"x": "1", "y": "1"})
    ledger.append(facts(3, 3), 6)
    ledger.checkpoint({"b": b"2"}, 7, {"x": "2"})
    ledger.append(facts(4, 4), 8)
    await ledger.close()

    again = TestLedger(path)
    recovery = again.start()
    await again.close()
    assert recovery.parts == {"a": b"1", "b": b"2"}
    assert recovery.meta == {"x": "2"}
    assert (recovery.position, recovery.checkpoint_sequence, recovery.fresh) == (7, 3, False)
    assert recovery.newer.missing == [4]


async def test_facts_stated_again_are_recognised_until_the_journal_has_been_read(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 2), 1)
    ledger.checkpoint({}, 1, {})
    ledger.append(facts(3, 5), 2)
    await ledger.close()

    again = TestLedger(path)
    again.start()
    again.append(facts(3, 4), 2)
    again.append(facts(5, 7), 3)  # the last two were never committed
    assert not again.recognised().missing
    again.append([fact(5)], 4)  # a new fact, even if it says the same
    await again.flush()
    events = await again.read(0, 100, 1 << 20)
    await again.close()
    assert [orjson.loads(event.payload)["data"]["number"] for event in events] == [1, 2, 3, 4, 5, 6, 7, 5]


async def test_committed_events_that_are_not_stated_again_are_counted(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append([*facts(1, 3), fact(3)], 1)
    await ledger.close()
    again = TestLedger(path)
    again.start()
    again.append(facts(2, 3), 1)
    assert len(again.recognised().missing) == 2, "fact 1, and the second time of fact 3"
    await again.close()


async def test_read_has_bounds_and_gives_one_event_at_least(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 10), 1)
    await ledger.flush()
    size = len((await ledger.read(0, 1, 1 << 20))[0].payload)

    async def numbers(after: int, limit: int, max_bytes: int) -> list[int]:
        return [event.sequence for event in await ledger.read(after, limit, max_bytes)]

    assert await numbers(0, 3, 1 << 20) == [1, 2, 3]
    assert await numbers(4, 100, 1 << 20) == [5, 6, 7, 8, 9, 10]
    assert await numbers(0, 100, size * 2 + 10) == [1, 2]
    assert await numbers(0, 100, 1) == [1]
    assert await numbers(10, 100, 1 << 20) == []
    await ledger.close()


async def test_marks_are_kept_and_never_go_back(path: Path) -> None:
    ledger = TestLedger(path)
    epoch = ledger.start().epoch
    ledger.append(facts(1, 9), 1)
    await ledger.flush()
    ledger.published(7)
    ledger.published(4)
    ledger.acknowledge(5, epoch)
    ledger.acknowledge(2, epoch)
    with pytest.raises(ValueError, match="ends at 9"):
        ledger.published(10)
    await ledger.close()

    again = TestLedger(path)
    assert again.start().published == 7
    assert (again.stats().published, again.stats().acknowledged, again.stats().pending) == (7, 5, 2)
    await again.close()


@pytest.mark.slow
async def test_published_is_written_within_a_second_or_so_without_other_commits(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 5), 1)
    await ledger.flush()
    ledger.published(5)
    async with asyncio.timeout(5):
        while True:
            marks = await ledger._writer.ask(lambda store: store.marks)
            if marks.published == 5:
                break
            await asyncio.sleep(0.01)
    await ledger.close()


@pytest.mark.parametrize(
    ("sequence", "epoch", "message"),
    [
        (3, "20200101T000000Z-00000000", "not the present one"),
        (4, None, "ends at 3"),
        (-1, None, "does not exist"),
    ],
)
async def test_an_acknowledgement_that_cannot_be_is_refused(
    path: Path, sequence: int, epoch: str | None, message: str
) -> None:
    ledger = TestLedger(path)
    own = ledger.start().epoch
    ledger.append(facts(1, 3), 1)
    await ledger.flush()
    with pytest.raises(Refused, match=message):
        ledger.acknowledge(sequence, own if epoch is None else epoch)
    assert ledger.stats().acknowledged == 0
    await ledger.close()


async def test_refused_events_go_to_quarantine_and_publishing_goes_on_behind_them(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 5), 1)
    await ledger.flush()
    ledger.published(1)
    for number, final in ((2, False), (3, True), (77, False)):  # the last one is not there
        ledger.set_apart(Event(number, "", "", b""), "not authorised (0x87)", final)
    await ledger.flush()
    assert await ledger.numbers() == [1, 4, 5]
    await until(lambda: ledger.stats().quarantined == 2)
    assert (ledger.stats().published, ledger.stats().pending) == (3, 2)
    kept = await ledger.quarantined(10)
    assert [(event.sequence, event.reason, event.time, event.final) for event in kept] == [
        (2, "not authorised (0x87)", START, False),
        (3, "not authorised (0x87)", START, True),
    ]
    assert [event.sequence for event in await ledger.quarantined(10, after=2)] == [3]
    assert [event.sequence for event in await ledger.quarantined_on(kept[0].topic, 0, 10)] == [2]
    await ledger.close()

    again = TestLedger(path)
    assert again.start().published == 3
    assert await again.numbers() == [1, 4, 5]
    await again.close()


async def test_what_is_released_from_quarantine_leaves_it_when_it_is_delivered(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 5), 1)
    await ledger.flush()
    for event in await ledger.read(0, 3, 1 << 20):
        ledger.set_apart(event, "packet too large (0x95)", True)
    ledger.published(5)
    assert await ledger.quarantined_topics() == []
    assert await ledger.released(10) == []
    assert await ledger.release([2, 3, 4]) == 2
    first, second = await ledger.released(10)
    ledger.delivered(first)
    ledger.set_apart(second, "packet too large (0x95)", True)
    await ledger.flush()
    assert [(event.sequence, event.released) for event in await ledger.quarantined(10)] == [(1, False), (3, False)]
    await until(lambda: ledger.stats().quarantined == 2)
    assert await ledger.release(topic="events/alarm/nowhere") == 0
    assert await ledger.release() == 2
    await ledger.close()


async def test_room_ends_when_too_much_waits_for_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_QUEUED_FACTS", 100)
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 99), 1)
    assert ledger.room
    ledger.append(facts(100, 500), 2)
    assert not ledger.room
    await ledger.flush()
    assert ledger.room
    assert len(await ledger.numbers()) == 500
    await ledger.close()


async def test_a_second_process_is_refused_by_name(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    other = run_module("second_ledger", path)
    assert other.returncode == 1
    assert "InUse" in other.stderr
    assert f"{path} is in use by another process (pid " in other.stderr
    ledger.append(facts(1, 1), 1)
    await ledger.close()


async def test_the_same_file_can_be_opened_again_after_close(path: Path) -> None:
    for _ in range(2):
        ledger = TestLedger(path)
        ledger.start()
        with pytest.raises(LedgerError, match="in use"):
            TestLedger(path).start()
        await ledger.close()


async def test_another_gateways_ledger_is_refused(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    await ledger.close()
    with pytest.raises(LedgerError, match=r"is the ledger of /rfid/test/gateway and this gateway is /rfid/test/other"):
        TestLedger(path, source="/rfid/test/other").start()


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def other_database(path: Path) -> None:
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()


def newer_version(path: Path) -> None:
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: write(path, b"not a database at all" * 100), "is damaged .*move ledger.db and ledger.db-wal"),
        (other_database, "not a ledger: give ledger.file another path"),
        (newer_version, "written by a newer gateway"),
        (lambda path: path.mkdir(parents=True), "cannot be written"),
        (lambda path: write(path.parent, b""), "cannot be opened"),
    ],
)
async def test_a_file_that_is_no_ledger_of_ours_is_refused_and_left_alone(path: Path, prepare, message: str) -> None:
    prepare(path)
    before = content_of(path)
    with pytest.raises(LedgerError, match=message):
        TestLedger(path).start()
    assert content_of(path) == before


def damage_as_in_a_crash(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE ledger SET clean = 0")
    connection.commit()
    connection.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 8192 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)


async def test_damage_inside_is_found_after_an_unclean_end(path: Path) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 2000), 1)
    await ledger.close()
    damage_as_in_a_crash(path)
    with pytest.raises(LedgerError, match="is damaged"):
        TestLedger(path).start()


async def test_stats_say_where_it_stands(path: Path) -> None:
    ledger = TestLedger(path)
    epoch = ledger.start().epoch
    ledger.append(facts(1, 10), 1)
    assert ledger.stats().queued == 10
    await ledger.flush()
    ledger.published(4)
    stats = ledger.stats()
    assert (stats.epoch, stats.sequence, stats.stored, stats.queued, stats.pending) == (epoch, 10, 10, 0, 6)
    assert stats.bytes_on_disk > 4096
    assert stats.commit_seconds > 0
    assert stats.sqlite_version == sqlite3.sqlite_version
    await ledger.close()


def test_released_migrations_are_never_edited() -> None:
    """An older file has been through exactly these; add a new one behind them and its hash here."""
    hashes = [hashlib.sha256("".join(script.split()).encode()).hexdigest()[:16] for script in MIGRATIONS]
    assert hashes == ["1b81f8c1e219aa73", "6b66b9887f84e28d", "766b1050175187c0"]


async def test_a_file_of_each_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    for version in range(len(MIGRATIONS)):
        path = tmp_path / f"version-{version}.db"
        connection = sqlite3.connect(path)
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        connection.execute(f"PRAGMA user_version = {version}")
        if version:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.close()
        ledger = TestLedger(path)
        ledger.start()
        ledger.append(facts(1, 1), 1)
        await ledger.close()
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        connection.close()


def take_away(path: Path, how: str) -> None:
    path.rename(path.with_name("elsewhere"))
    if how == "replaced":
        path.write_bytes(b"")


def put_back(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name("elsewhere").rename(path)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_file_that_goes_while_it_is_open_is_noticed(path: Path, how: str) -> None:
    ledger = TestLedger(path)
    ledger.start()
    ledger.append(facts(1, 5), 1)
    await ledger.flush()
    take_away(path, how)
    ledger.append(facts(6, 6), 2)
    with pytest.raises(LedgerError, match="was deleted or replaced while the gateway had it open"):
        await ledger.flush()
    assert not ledger.room
    put_back(path)
    with contextlib.suppress(LedgerError):  # of an attempt that was under way
        await ledger.flush()
    await ledger.flush()
    assert ledger.stats().sequence == 6
    await ledger.close()
