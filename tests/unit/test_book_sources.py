"""Where books come from: files, and the lists of Metrc; and that half a book is none."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.config.books import CsvBook, MetrcBook
from gateway.errors import Refused
from gateway.floor import Floor
from gateway.inputs import Command
from gateway.sources.book_folder import book_folder
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.metrc.access import Paces, connector
from gateway.sources.metrc.book import MetrcPackages
from gateway.sources.metrc.http import MetrcError
from tests.support.fake_metrc import LICENCE, USER, VENDOR, FakeMetrc
from tests.support.floor_scene import T0, config
from tests.unit.test_expected_folder import Log

A, B = "1A4060300048D3D000000001", "1A4060300048D3D000000002"
NOTHING: dict[str, Any] = {"transfer": {"Id": 1, "LastModified": ""}, "deliveries": []}


class Bench:
    """Where commands go: to a floor with these books."""

    def __init__(self, *names: str) -> None:
        books = {"sources": [{"name": name, "kind": "mqtt"} for name in names]}
        self.floor = Floor(config(books=books))
        self.taken: list[dict[str, Any]] = []
        self.log = Log()

    async def submit(self, name: str, args: dict[str, Any]) -> None:
        command = Command(T0 * 2, name, args)
        self.floor.admit(command)
        self.floor.books.carry_out(command)
        self.taken.append(args)


def put(path: Path, content: str) -> None:
    path.write_text(content)
    os.utime(path, (T0 // 10**6, T0 // 10**6))


async def test_a_file_is_the_whole_book(tmp_path: Path) -> None:
    bench, now = Bench("erp"), iter(range(1000))
    settings = {"name": "erp", "kind": "csv", "directory": tmp_path, "settle": 0.05,
                "columns": {"uid": "Tag", "location": "Site", "quantity": "Qty", "product": "Item"}}  # fmt: skip
    known = IdentifierMap({"PAG1.PL1": B})
    folder = book_folder(CsvBook.model_validate(settings), bench.submit, known, bench.log, lambda: next(now))

    async def look() -> None:
        for _ in range(3):
            await folder.look()

    put(tmp_path / "stock.csv", f'Tag;Site;Qty;Item\n="{A}";Vault;1,204.5;=1+1\nPAG1.PL1;Dock;;\n')
    await look()
    [book] = bench.taken
    assert book["packages"] == [
        {"uid": A, "location": "Vault", "product": "=1+1", "quantity": 1204.5},
        {"uid": B, "location": "Dock"},
    ]
    for number, bad in enumerate((f"Tag;Qty\n{A};many\n", "Tag\nxyz\n", "EPC\nA\n", "Tag\n", f"Tag\n{A}\n{A}\n",
                                  f"Tag;Qty\n{A};nan\n")):  # fmt: skip
        put(tmp_path / f"bad-{number}.csv", bad)
        await look()
        assert (tmp_path / f"bad-{number}.csv.refused.txt").exists(), bad
    assert len(bench.taken) == 1


def record(label: str, location: str = "Vault", **more: Any) -> dict[str, Any]:
    number = int(label[-6:])
    return {"Id": number, "Label": label, "LocationName": location, "SublocationName": "Shelf 1", "Quantity": 48,
            "UnitOfMeasureName": "Each", "Item": {"Name": "Blue Dream"}, "ProductionBatchNumber": "BD-0117",
            "ExpirationDate": "2026-08-01", "LastModified": "2026-02-14T00:00:00+00:00"} | more  # fmt: skip


def poller(bench: Bench, fake: FakeMetrc, tmp_path: Path, now: Any, **more: Any) -> MetrcPackages:
    for name, key in (("vendor", VENDOR), ("user", USER)):
        (tmp_path / name).write_text(key)
    settings = {"name": "metrc", "kind": "metrc", "url": fake.url, "license": LICENCE, "rate": 50.0,
                "vendor_key_file": tmp_path / "vendor", "user_key_file": tmp_path / "user", "timeout": 5.0}  # fmt: skip
    book = MetrcBook.model_validate(settings | more)
    return MetrcPackages(book, bench.submit, IdentifierMap(), bench.log, now)


async def test_metrc_lists_are_a_book_and_what_changed_is_asked_for_by_windows(tmp_path: Path) -> None:
    labels = [f"1A4060300048D3D000{number:06d}" for number in range(1, 46)]
    document = NOTHING | {"packages": {
        "active": [record(label) for label in labels], "onhold": [record(labels[0]), {"Id": 9, "Label": "PAG1"}],
        "intransit": [record(labels[1], LastModified=None)],
    }}  # fmt: skip
    bench, clock = Bench("metrc"), [T0]
    async with FakeMetrc(document) as fake:
        source = poller(bench, fake, tmp_path, lambda: clock[0])
        await source.poll()
        [book] = bench.taken
        assert (book["mode"], len(book["packages"])) == ("set", 45)
        assert fake.gets["/packages/v2/active"] == 3  # of 20 each
        first, second = book["packages"][:2]
        assert (first["status"], second["status"]) == ("on hold", "in transit")
        assert first["location"] == "Vault"
        assert (first["sublocation"], first["quantity"], first["product"]) == ("Shelf 1", 48.0, "Blue Dream")
        assert "no label" in str(bench.log.lines)

        document["packages"] = {"active": [record(labels[4], "Dock")], "onhold": [], "intransit": []}
        clock[0] += 30 * 3600 * 10**6  # more than a day: two windows
        source._whole = clock[0]
        await source.poll()
        assert bench.taken[1]["mode"] == "change"
        windows = [
            query for path, query in fake.queries if path == "/packages/v2/active" and "lastModifiedStart" in query
        ]
        assert len(windows) == 2


@pytest.mark.parametrize("trouble", [[200, "close"], ["broken", ...], [500, ...], [403]])
async def test_a_pull_that_is_interrupted_half_way_changes_nothing(
    tmp_path: Path, trouble: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sources.metrc.http.ATTEMPTS", 1)
    document = NOTHING | {"packages": {"active": [record(A)], "onhold": [], "intransit": [record(B)]}}
    bench = Bench("metrc")
    async with FakeMetrc(document) as fake:
        source = poller(bench, fake, tmp_path, lambda: T0)
        fake.trouble["/packages/v2/intransit"] = trouble[-1:] if ... not in trouble else trouble
        with pytest.raises(MetrcError):
            await source.poll()
        assert bench.taken == []
        fake.trouble.clear()
        await source.poll()
        assert len(bench.taken) == 1


@pytest.mark.slow
async def test_it_goes_on_for_ever_and_says_what_is_wrong_once(tmp_path: Path) -> None:
    bench = Bench("metrc")
    async with FakeMetrc(NOTHING | {"packages": {"active": [record(A)], "onhold": [], "intransit": []}}) as fake:
        source = poller(bench, fake, tmp_path, lambda: T0, poll=1.0)
        (tmp_path / "user").write_text("")
        running = asyncio.create_task(source.run())
        async with asyncio.timeout(60):
            while not bench.log.lines:  # noqa: ASYNC110 - no event says so
                await asyncio.sleep(0.01)
            (tmp_path / "user").write_text(USER)
            while not bench.taken:  # noqa: ASYNC110 - no event says so
                await asyncio.sleep(0.01)
        running.cancel()
    assert [level for level, _, _ in bench.log.lines] == ["error"]


async def test_a_book_that_the_floor_does_not_take_is_fetched_whole_again(tmp_path: Path) -> None:
    bench = Bench("other")
    async with FakeMetrc(NOTHING | {"packages": {"active": [record(A)], "onhold": [], "intransit": []}}) as fake:
        source = poller(bench, fake, tmp_path, lambda: T0)
        with pytest.raises(Refused):
            await source.poll()
        bench.floor = Floor(config(books={"sources": [{"name": "metrc", "kind": "mqtt"}]}))
        await source.poll()
        assert bench.taken[0]["mode"] == "set"


async def test_all_that_ask_for_one_licence_keep_to_its_slowest_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    access = {"name": "metrc", "kind": "metrc", "url": "http://localhost", "vendor_key_file": "v", "user_key_file": "u"}
    paces: Paces = {}
    for licence, rate in (("L-1", 50.0), ("L-1", 2.0), ("L-2", 50.0)):
        connector(MetrcBook.model_validate(access | {"license": licence, "rate": rate}), paces)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    assert sorted(licence for _, licence in paces) == ["L-1", "L-2"]
    for pace in paces.values():
        monkeypatch.setattr(pace, "_now", lambda: 100.0)
        monkeypatch.setattr(pace, "_sleep", sleep)
        await pace.turn()
        await pace.turn()
    assert slept == pytest.approx([0.5, 0.02])
