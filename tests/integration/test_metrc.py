"""The Metrc client against a small fake over real sockets: it ends right or says what is wrong, and never turns half
an answer into a good one."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog

from gateway.clock import SECOND
from gateway.config.sources import MetrcConfig
from gateway.errors import Refused
from gateway.floor.gate import Gate
from gateway.floor.passes import Direction, Pass
from gateway.inputs import Command
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.metrc import http as metrc_http
from gateway.sources.metrc.http import MetrcClient, MetrcError, Pace
from gateway.sources.metrc.poller import Metrc
from gateway.sources.metrc.polling import pause_after
from tests.support.fake_metrc import LICENCE, USER, VENDOR, FakeMetrc
from tests.support.gate_scene import config, elapse, verdicts
from tests.support.history_events import pass_evidence

DOCUMENT = json.loads((Path(__file__).parents[1] / "vectors" / "metrc" / "manifest.json").read_text())
NOW = 1_772_440_000 * SECOND  # 2026-03-02T08:26:40Z, an hour after the transfer was changed
DELIVERY = "/transfers/v2/deliveries/810001/packages"
NOT_NOW = (429, {"Retry-After": "0.01"})


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(metrc_http, "delays", lambda rng, first, cap: iter([0.01] * 50))


@pytest.fixture
async def metrc():
    async with FakeMetrc(copy.deepcopy(DOCUMENT)) as fake:
        yield fake


def client(fake: FakeMetrc, keys=(VENDOR, USER), timeout: float = 5.0) -> MetrcClient:
    return MetrcClient(fake.url, LICENCE, keys, pace=Pace(10_000), timeout=timeout, rng=Random(1))


class Site:
    """A gate, the client that feeds it, and what was said."""

    def __init__(self, fake: FakeMetrc, tmp_path: Path, *, user: str = USER, timeout: float = 5.0, **changes: Any):
        (tmp_path / "vendor").write_text(VENDOR + "\n")
        (tmp_path / "user").write_text(user)
        settings = {"license": LICENCE, "rate": 50.0} | changes
        metrc_config = MetrcConfig(
            url=fake.url, vendor_key_file=tmp_path / "vendor", user_key_file=tmp_path / "user", **settings
        )
        self.now = NOW
        self.gate = Gate(config())
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.source = Metrc(
            metrc_config,
            self.submit,
            IdentifierMap(),
            structlog.get_logger(),
            lambda: self.now,
            lambda keys: client(fake, keys, timeout),
        )

    async def submit(self, name: str, args: dict[str, Any]) -> None:
        self.commands.append((name, args))
        command = Command(self.now, name, json.loads(json.dumps(args)))
        self.gate.admit(command)
        self.gate.command(command)

    def said(self) -> list[str]:
        return [args["reason"] for name, args in self.commands if name == "manifest.refused"]

    def manifests(self) -> list[dict[str, Any]]:
        return [args for name, args in self.commands if name == "manifest"]

    def verdict(self, *packages: int):
        """Loads these packages of the first delivery at dock 1."""
        t = self.now + SECOND
        self.gate.command(Command(t, "gate.open", {"dock": "dock-1", "manifest": "0009000017", "delivery": "810001"}))
        rows = DOCUMENT["deliveries"][0]["_packages"]["Data"]
        for package in packages:
            t += SECOND
            label = rows[package - 1]["PackageLabel"]
            self.gate.passed(Pass(label, "portal-1", Direction.OUT, t - SECOND, t, 0.9, None, pass_evidence(t)))
        facts = self.gate.command(Command(t, "gate.close", {"dock": "dock-1"})) + elapse(self.gate, t + 5 * SECOND)
        (verdict,) = verdicts(facts)
        return verdict


def only(fake: FakeMetrc, *packages: int) -> None:
    """Leaves these packages in the first delivery and drops the second."""
    transfer, stops = fake.document["transfer"], fake.document["deliveries"]
    del stops[1]
    rows = stops[0]["_packages"]["Data"]
    stops[0]["_packages"]["Data"] = [rows[package - 1] for package in packages]
    stops[0]["DeliveryPackageCount"] = len(packages)
    transfer["DeliveryCount"] = 1


async def test_a_transfer_becomes_a_manifest_with_all_its_facts(metrc, tmp_path):
    site = Site(metrc, tmp_path)
    await site.source.poll()
    assert site.said() == []
    verdict = site.verdict(1, 2, 3, 4, 5, 6, 7)
    wanted = DOCUMENT["_expectedGateVerdicts"]
    got = {item["uid"]: item["verdict"] for name in ("matched", "blocked") for item in verdict[name]}
    assert got == {uid: text for uid, text in wanted.items() if uid in got}
    assert len(got) == 7


async def test_a_good_delivery_ends_green(metrc, tmp_path):
    only(metrc, 1, 2)
    site = Site(metrc, tmp_path)
    await site.source.poll()
    assert site.verdict(1, 2)["outcome"] == "complete"
    assert site.gate.state("dock-1")["lamp"] == "green"


def reshaped(value: Any, change: Any) -> Any:
    if isinstance(value, list):
        return [reshaped(item, change) for item in value]
    return change({key: reshaped(item, change) for key, item in value.items()}) if isinstance(value, dict) else value


def quoted(item: dict[str, Any]) -> dict[str, Any]:
    numbers = ("Id", "PackageId", "DeliveryCount", "Total", "TotalRecords", "TotalPages")
    return item | {key: str(item[key]) for key in numbers if type(item.get(key)) is int}


def unwrapped(item: dict[str, Any]) -> Any:
    return item.get("Data", item)


SHAPES = {
    "camelCase": lambda item: {key[:1].lower() + key[1:]: value for key, value in item.items()},
    "words": lambda item: {"".join(f" {c}" if c.isupper() else c for c in key).strip(): v for key, v in item.items()},
    "numbers in quotes": quoted,
    "numbers with a fraction": lambda item: {k: float(v) if type(v) is int else v for k, v in item.items()},
    "no totals": lambda item: {key: value for key, value in item.items() if not key.startswith("Total")},
    "no wrapper": unwrapped,
    "null for an empty list": lambda item: item | ({"Data": None} if item.get("Data") == [] else {}),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_answers_of_another_shape_are_the_same_manifest(metrc, tmp_path, shape):
    site = Site(metrc, tmp_path)
    await site.source.poll()
    find = metrc._find
    metrc._find = lambda path, query: reshaped(json.loads(json.dumps(find(path, query))), SHAPES[shape])
    other = Site(metrc, tmp_path)
    await other.source.poll()
    assert other.said() == []
    assert other.manifests() == site.manifests()


def test_a_number_that_is_none_is_null():
    assert metrc_http._json(b'{"ShippedQuantity": NaN, "Id": 1}') == {"ShippedQuantity": None, "Id": 1}


async def test_lists_without_totals_end_with_a_page_that_is_not_full(metrc):
    rows = [{"Id": number} for number in range(45)]
    metrc._find = lambda path, query: {"Data": metrc._page(rows, query)["Data"]}
    async with client(metrc) as api:
        assert len(await api.fetch_all("/transfers/v2/outgoing")) == 45
        metrc._find = lambda path, query: rows  # whatever page is asked for
        assert len(await api.fetch_all("/transfers/v2/outgoing")) == 45


@pytest.mark.parametrize("most", [1, 10, 19, 1000])
@pytest.mark.parametrize("says", [{"Total", "PageSize"}, {"TotalRecords"}, {"PageSize"}])
async def test_a_server_may_give_fewer_at_a_time_than_it_is_asked_for_or_all(metrc, most, says):
    rows = [{"Id": number} for number in range(45)]

    def page(path: str, query: dict[str, str]) -> dict[str, Any]:
        first = (int(query["pageNumber"]) - 1) * most
        whole = {"Data": rows[first : first + most], "Total": 45, "TotalRecords": 45, "TotalPages": -(-45 // most)}
        return {key: value for key, value in (whole | {"PageSize": most}).items() if key in {*says, "Data"}}

    metrc._find = page
    async with client(metrc) as api:
        assert [row["Id"] for row in await api.fetch_all("/transfers/v2/outgoing")] == list(range(45))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "latin-1"])
def test_an_answer_in_another_encoding_costs_at_most_its_letters(encoding):
    said = metrc_http._json('{"Label": "1A40", "Name": "Café"}'.encode(encoding))
    assert said == {"Label": "1A40", "Name": "Café" if encoding != "latin-1" else "Caf\N{REPLACEMENT CHARACTER}"}


async def test_lists_are_fetched_page_by_page(metrc):
    rows = [{"Id": number} for number in range(101)]
    metrc._find = lambda path, query: metrc._page(rows, query)
    async with client(metrc) as api:
        assert [row["Id"] for row in await api.fetch_all("/transfers/v2/outgoing")] == list(range(101))
    assert metrc.gets["/transfers/v2/outgoing"] == 6
    assert {query["pageSize"] for _, query in metrc.queries} == {"20"}
    assert [query["pageNumber"] for _, query in metrc.queries] == ["1", "2", "3", "4", "5", "6"]


async def test_windows_are_of_24_hours_and_touch(metrc, tmp_path):
    site = Site(metrc, tmp_path, days=3)
    await site.source.poll()
    windows = [
        (query["lastModifiedStart"], query["lastModifiedEnd"])
        for path, query in metrc.queries
        if path == "/transfers/v2/outgoing"
    ]
    assert windows == [
        ("2026-03-01T08:26:40.000000Z", "2026-03-02T08:26:40.000000Z"),
        ("2026-02-28T08:26:40.000000Z", "2026-03-01T08:26:40.000000Z"),
        ("2026-02-27T08:26:40.000000Z", "2026-02-28T08:26:40.000000Z"),
    ]


async def test_a_list_that_changes_between_pages_is_read_again(metrc):
    rows = [{"Id": number} for number in range(45)]
    metrc._find = lambda path, query: metrc._page(rows, query)
    turns = iter([True])

    def once():
        if next(turns, False):
            rows.insert(0, {"Id": 999})

    metrc.between_pages = once
    async with client(metrc) as api:
        assert [row["Id"] for row in await api.fetch_all("/x")] == [row["Id"] for row in rows]


async def test_a_list_that_never_stands_still_is_an_error(metrc):
    rows = [{"Id": number} for number in range(45)]
    metrc._find = lambda path, query: metrc._page(rows, query)
    metrc.between_pages = lambda: rows.append({"Id": len(rows)})
    async with client(metrc) as api:
        with pytest.raises(MetrcError, match="changes faster than it can be read"):
            await api.fetch_all("/x")


async def test_a_repeated_row_is_not_a_whole_list(metrc):
    rows = [{"Id": number} for number in range(25)] + [{"Id": 0}]
    metrc._find = lambda path, query: metrc._page(rows, query)
    async with client(metrc) as api:
        with pytest.raises(MetrcError, match="changes faster"):
            await api.fetch_all("/x")


@pytest.mark.parametrize(
    "trouble",
    [[NOT_NOW], [NOT_NOW] * 9, [500, 503], ["broken"], ["close"], [502, "broken", NOT_NOW, 500]],
    ids=str,
)
async def test_passing_trouble_is_overcome(metrc, tmp_path, trouble):
    only(metrc, 1, 2)
    metrc.trouble[DELIVERY] = list(trouble)
    metrc.trouble["/packages/v2/1A406FFFFFFFFFF000000701"] = list(trouble)
    site = Site(metrc, tmp_path)
    await site.source.poll()
    assert site.said() == []
    assert site.verdict(1, 2)["outcome"] == "complete"


async def test_retry_after_is_obeyed_by_everyone(metrc, monkeypatch):
    metrc._find = lambda path, query: {"ok": path}
    metrc.trouble["/a"] = [(429, {"Retry-After": "0.4"})]
    async with client(metrc) as api:
        began = asyncio.get_running_loop().time()
        first = asyncio.create_task(api.get("/a"))
        await asyncio.wait_for(metrc.asked.wait(), 60)
        await asyncio.sleep(0.05)  # the answer has come; the pause it asks for has not
        await api.get("/b")
        assert asyncio.get_running_loop().time() - began >= 0.4
        await first


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, 1.0), ("7", 7.0), ("9999", 60.0), ("-3", 0.0), ("soon", 1.0), ("nan", 1.0)],
)
def test_retry_after(value, seconds):
    assert metrc_http._retry_after(value) == seconds


def test_retry_after_as_a_date():
    assert metrc_http._retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert metrc_http._retry_after("Wed, 21 Oct 2099 07:28:00 GMT") == 60.0


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ([500, ...], "HTTP 500; given up after 5 attempts"),
        ([NOT_NOW, ...], "429, too many requests; given up after 12 attempts"),
        (["broken", ...], "not JSON"),
        (["close", ...], "given up after 5 attempts"),
        ([403], "may not read this for licence TEST-SHIP-1"),
        ([(302, {"Location": "https://elsewhere.example/"})], "redirects are not followed"),
        ([404], "HTTP 404"),
    ],
    ids=str,
)
async def test_lasting_trouble_with_the_lines_hands_no_manifest_on_and_says_so(metrc, tmp_path, trouble, words):
    metrc.trouble[DELIVERY] = list(trouble)
    site = Site(metrc, tmp_path)
    await site.source.poll()
    assert site.manifests() == []
    (said,) = site.said()
    assert words in said
    assert DELIVERY in said


async def test_an_answer_that_trickles_or_never_comes_is_given_up(metrc, tmp_path):
    for trouble in ("slow", "hang"):
        metrc.trouble[DELIVERY] = [trouble, ...]
        site = Site(metrc, tmp_path, timeout=0.1)
        await site.source.poll()
        assert site.manifests() == []
        assert "no answer in time; given up after 5 attempts" in site.said()[0]


async def test_keys_that_are_not_accepted_are_a_permanent_error_that_names_the_files(metrc, tmp_path):
    site = Site(metrc, tmp_path, user="wrong-key")
    with pytest.raises(MetrcError, match="check vendor_key_file and user_key_file") as caught:
        await site.source.poll()
    assert caught.value.permanent
    assert metrc.gets.total() == 1


async def test_keys_that_are_withdrawn_in_the_middle_stop_the_round(metrc, tmp_path):
    metrc.trouble["/packages/v2/1A406FFFFFFFFFF000000701"] = [401, ...]
    site = Site(metrc, tmp_path)
    with pytest.raises(MetrcError, match="401"):
        await site.source.poll()
    assert site.manifests() == []


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_what_else_is_refused_is_said_once_and_keeps_no_manifest_from_coming(metrc, tmp_path, status):
    metrc.trouble["/transfers/v2/incoming"] = [status, ...]
    metrc.trouble["/packages/v2/onhold"] = [status, ...]
    site = Site(metrc, tmp_path, incoming=True, stock=True)
    for _ in range(2):
        await site.source.poll()
    assert len(site.manifests()) == 1
    assert ["incoming" in reason for reason in site.said()] == [True, False]


def test_rounds_that_are_refused_come_ever_more_rarely():
    assert [pause_after(60.0, refused) for refused in (0, 1, 2, 3, 4, 99)] == [60, 120, 240, 480, 600, 600]
    assert pause_after(3600.0, 5) == 3600, "never more often than configured"


@pytest.mark.parametrize("content", ["", "  \n", "two\nlines", "x" * 300, "kéy"])
async def test_a_file_without_a_key_is_named(metrc, tmp_path, content):
    site = Site(metrc, tmp_path)
    (tmp_path / "user").write_text(content)
    with pytest.raises(Refused, match=r"key file .*user"):
        await site.source.poll()


PARTS = {
    "record": "/packages/v2/1A406FFFFFFFFFF000000701",
    "batches": "/transfers/v2/deliveries/package/9001/requiredlabtestbatches",
    "results": "/labtests/v2/results",
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("trouble", [500, "broken", 403, 404])
async def test_a_session_never_turns_green_on_partial_facts(metrc, tmp_path, part, trouble):
    only(metrc, 1, 2)
    metrc.trouble[PARTS[part]] = [trouble, ...]
    site = Site(metrc, tmp_path)
    await site.source.poll()
    assert "facts are missing" in site.said()[0]
    verdict = site.verdict(1, 2)
    assert verdict["outcome"] == "mismatch"
    assert site.gate.state("dock-1")["lamp"] == "red"
    by_uid = {item["uid"]: item["verdict"] for item in verdict["blocked"]}
    assert by_uid["1A406FFFFFFFFFF000000701"].startswith("blocked: unknown (")


async def test_missing_facts_are_fetched_again_at_the_next_look(metrc, tmp_path):
    only(metrc, 1, 2)
    metrc.trouble[PARTS["record"]] = [404]
    site = Site(metrc, tmp_path)
    await site.source.poll()
    site.now += 60 * SECOND
    await site.source.poll()
    assert [args["version"] for args in site.manifests()] == [NOW // 1000, NOW // 1000 + 60_000]
    assert site.verdict(1, 2)["outcome"] == "complete"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document["transfer"].update(DeliveryCount=3),
        lambda document: document["deliveries"][0].update(DeliveryPackageCount=8),
        lambda document: document["deliveries"][0].update(Id="810001"),
        lambda document: document["transfer"].update(ManifestNumber=None),
    ],
)
async def test_a_transfer_that_does_not_add_up_is_not_handed_on(metrc, tmp_path, spoil):
    spoil(metrc.document)
    site = Site(metrc, tmp_path)
    await site.source.poll()
    assert site.gate.state("dock-1")["pending"] == []
    assert len(site.said()) == 1


@pytest.mark.parametrize("label", [None, "ZZZ", 17])
async def test_a_package_without_a_label_blocks_its_line_and_nothing_else(metrc, tmp_path, label):
    only(metrc, 1, 2)
    metrc.document["deliveries"][0]["_packages"]["Data"][0]["PackageLabel"] = label
    site = Site(metrc, tmp_path)
    await site.source.poll()
    (manifest,) = site.manifests()
    lines = [line for delivery in manifest["deliveries"] for line in delivery["lines"]]
    assert len(lines) == 2
    assert [line["record"] is None for line in lines] == [True, False]


@pytest.mark.parametrize("value", [None, "no", 0])
async def test_a_transfer_that_may_be_voided_is_neither_taken_nor_withdrawn(metrc, tmp_path, value):
    metrc.document["transfer"]["IsVoided"] = value
    site = Site(metrc, tmp_path)
    await site.source.poll()
    await site.source.poll()
    assert site.manifests() == []
    assert len(site.said()) == 1


async def test_a_record_that_is_missing_leaves_the_lab_results_known(metrc, tmp_path):
    only(metrc, 1)
    metrc.trouble[PARTS["record"]] = [404]
    site = Site(metrc, tmp_path)
    await site.source.poll()
    (manifest,) = site.manifests()
    (line,) = manifest["deliveries"][0]["lines"]
    assert line["record"] is None
    assert line["lab"] is not None


async def test_a_record_of_another_package_is_no_fact(metrc, tmp_path):
    only(metrc, 1)
    records = metrc.document["packageRecords"]["items"]
    find = metrc._find
    metrc._find = lambda path, query: records[7] if path == PARTS["record"] else find(path, query)
    site = Site(metrc, tmp_path)
    await site.source.poll()
    assert "is of another package" in site.said()[0]
    assert site.verdict(1)["outcome"] == "mismatch"


async def test_what_did_not_change_is_fetched_again_only_when_its_facts_are_due(metrc, tmp_path):
    only(metrc, 1)
    site = Site(metrc, tmp_path, refresh=900.0)
    for seconds, manifests in ((0, 1), (60, 1), (899, 1), (900, 2)):
        site.now = NOW + seconds * SECOND
        await site.source.poll()
        assert len(site.manifests()) == manifests
    metrc.document["transfer"]["LastModified"] = "2026-03-02T08:40:00+00:00"
    site.now = NOW + 960 * SECOND
    await site.source.poll()
    assert len(site.manifests()) == 3


async def test_a_voided_transfer_is_withdrawn_once_and_a_received_one_left_alone(metrc, tmp_path):
    site = Site(metrc, tmp_path)
    await site.source.poll()
    metrc.document["transfer"] |= {"IsVoided": True, "LastModified": "2026-03-02T08:00:00+00:00"}
    await site.source.poll()
    await site.source.poll()
    assert [name for name, _ in site.commands] == ["manifest", "manifest.withdraw"]
    assert site.gate.state("dock-1")["pending"] == []
    metrc.document["transfer"] |= {"IsVoided": False, "ReceivedDeliveryCount": 2}
    other = Site(metrc, tmp_path)
    await other.source.poll()
    assert other.commands == []


async def test_what_comes_as_it_was_before_is_not_taken(metrc, tmp_path):
    """A server that is behind, or a cache, gives the transfer without the last change."""
    only(metrc, 1)
    site = Site(metrc, tmp_path)
    await site.source.poll()
    transfer, older = metrc.document["transfer"], "2026-03-02T05:20:40+00:00"
    newest = transfer["LastModified"]
    transfer["LastModified"] = older
    for _ in range(2):
        site.now += 3_600 * SECOND
        await site.source.poll()
    assert len(site.manifests()) == 1
    assert [f"as of {older}, older than it was" in reason for reason in site.said()] == [True]
    transfer |= {"LastModified": newest, "IsVoided": True}
    site.source._known.clear()
    await site.source.poll()
    transfer |= {"LastModified": older, "IsVoided": False}
    await site.source.poll()
    assert [name for name, _ in site.commands if name != "manifest.refused"] == ["manifest", "manifest.withdraw"]


@pytest.mark.parametrize(
    ("known", "modified", "older"),
    [
        ("2026-03-02T08:20:40+00:00", "2026-03-02T08:20:39+00:00", True),
        ("2026-03-02T08:20:40+00:00", "2026-03-02T00:20:40-08:00", False),
        ("2026-11-01T01:50:00", "2026-11-01T01:10:00", False),  # the clocks were set back in between
        ("2026-11-01T02:50:00", "2026-11-01T01:10:00", True),
        ("2026-03-02T08:20:40Z", "None", False),
        ("None", "2026-03-02T08:20:40Z", False),
        ("2026-03-02T08:20:40Z", "soon", False),
        ("2026-03-02T08:20:40Z", "0001-01-01T00:00:00", False),
    ],
)
def test_what_is_older_is_so_beyond_doubt(tmp_path, known, modified, older):
    config = MetrcConfig(url="http://127.0.0.1", license=LICENCE, vendor_key_file=tmp_path, user_key_file=tmp_path)
    source = Metrc(config, lambda name, args: asyncio.sleep(0), IdentifierMap(), structlog.get_logger(), lambda: NOW)
    assert source._is_older(modified, known) is older


async def test_the_keys_are_never_logged(metrc, tmp_path, caplog):
    only(metrc, 1)
    metrc.trouble[DELIVERY] = [500, "broken", (302, {"Location": "/"})]
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as logged:
        site = Site(metrc, tmp_path)
        await site.source.poll()
    text = caplog.text + str(logged) + str(site.commands)
    assert "/transfers/v2" in text
    assert USER not in text
    assert VENDOR not in text


async def test_the_rate_is_kept():
    waits: list[float] = []
    now = [0.0]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    pace = Pace(50, lambda: now[0], sleep)
    for _ in range(101):
        await pace.turn()
    assert now[0] == pytest.approx(2.0)


# ---- all packages: what is on hold with its family, and the stock

A, B, C, D, E, F = (f"1A406FFFFFFFFFF0000008{number:02d}" for number in range(6))


def package(label: str, **more: Any) -> dict[str, Any]:
    return {"Label": label, "Item": {"Name": "Seltzer"}, "ExpirationDate": "2026-12-01", "SellByDate": None} | more


async def test_what_is_on_hold_comes_with_its_batch_its_sources_and_what_was_made_from_it(metrc, tmp_path):
    metrc.document["packages"] = {"onhold": [], "active": []}
    lists = metrc.document["packages"]
    lists["onhold"] = [package(A, ProductionBatchNumber="B-1", SourcePackageLabels=f"{F}")]
    lists["active"] = [
        package(B, ProductionBatchNumber="B-1"),
        package(C, SourcePackageLabels=f"{A}, 1A4000000000000000000000"),
        package(D, SourcePackageLabels=C),
        package(E, ProductionBatchNumber="B-2"),
        *(package(f"1A406FFFFFFFFFF00000{number:04d}") for number in range(9000, 9030)),  # more than a page
    ]
    site = Site(metrc, tmp_path, hold_list="hold", stock=True)
    await site.source.poll()
    (watch,) = [args for name, args in site.commands if name == "watch"]
    assert (watch["list"], watch["uids"]) == ("hold", sorted([A, B, C, D, F]))
    (stock,) = [args for name, args in site.commands if name == "stock"]
    assert len(stock["items"]) == 35
    assert stock["items"][0] == {"uid": A, "product": "Seltzer", "expires": "2026-12-01T00:00:00.000000Z"}
    lists["onhold"] = []
    site.now += 60 * SECOND
    await site.source.poll()
    assert len([name for name, _ in site.commands if name == "stock"]) == 1, "not before its time"
    site.now += 900 * SECOND
    await site.source.poll()
    assert [args["uids"] for name, args in site.commands if name == "watch"][1:] == [[]]


async def test_half_a_list_changes_nothing_and_odd_packages_are_left_out(metrc, tmp_path):
    metrc.document["packages"] = {"onhold": [], "active": []}
    lists = metrc.document["packages"]
    lists["onhold"] = [package(A), package("no EPC"), {"Label": 7}, package("<b>")]
    metrc.trouble["/packages/v2/active"] = [500, ...]
    site = Site(metrc, tmp_path, hold_list="hold", stock=True)
    await site.source.poll()
    assert len(site.manifests()) == 1, "the manifest does not wait for the packages"
    assert "given up after" in site.said()[0]
    assert [name for name, _ in site.commands if name in ("watch", "stock")] == []
    metrc.trouble.clear()
    lists["active"] = [package(B, ExpirationDate="soon", Item={"Name": 7})]
    await site.source.poll()
    assert [args["uids"] for name, args in site.commands if name == "watch"] == [[A]]
    assert [item["uid"] for args in (a for n, a in site.commands if n == "stock") for item in args["items"]] == [A]
    assert "3 packages are on hold in Metrc under labels that no tag can have" in site.said()[-1]
