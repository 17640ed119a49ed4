"""The pages before the van: what may not leave, what is staged, one sentence where a sheet has no facts, no markup."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from gateway.web.plan_view import DOTS, plan_parts
from gateway.web.wording import common_unknown, reasons
from tests.support.gate_scene import command, uid
from tests.support.web_scene import HOLD, FakeGateway, load, product
from tests.unit.test_web_site import Browser

ONE = "/manifests/one?manifest=M1&delivery=D1"
EVIL = "=HYPERLINK(1)'\"&{{7*7}}"
NO_FACTS: dict[str, Any] = {"record": None, "lab": None, "lab_state": None}


@pytest.fixture
def gateway() -> FakeGateway:
    gateway = FakeGateway()
    gateway.manifest(load(6, p3=HOLD, p4={"lab": None}, p5={"product": EVIL}))
    return gateway


async def test_every_manifest_says_how_many_may_not_leave(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get("/manifests")).text
    assert "1 must not leave" in page
    assert "1 not known yet" in page
    assert "green" not in page, "it is no verdict"


async def test_one_manifest_line_by_line_the_worst_first(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get(ONE)).text
    assert page.index("On hold") < page.index("Unknown: lab results") < page.index("Nothing against it")
    assert "It is no verdict" in page


async def test_a_delivery_that_is_done_is_not_looked_at_ahead() -> None:
    gateway = FakeGateway()
    gateway.manifest(load(2))
    gateway.feed(command(gateway.step(), "gate.open", dock="dock-1", manifest="M1", by="ana"))
    gateway.pass_out(1, 2)
    gateway.wait(2)
    gateway.feed(command(gateway.step(), "gate.close", dock="dock-1", by="ana"))
    gateway.wait(5)
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get(ONE)).text
        table = (await browser.get("/manifests.csv?manifest=M1&delivery=D1")).text
    assert "the verdict was complete" in page
    assert "Has left already" not in page
    assert "look ahead" not in page
    assert [row["verdict"] for row in csv.DictReader(io.StringIO(table))] == ["done", "done"]


def test_a_time_within_a_reason_is_for_people() -> None:
    rule = {"rule": "shipped_once", "reason": "left with delivery D1 of manifest M1 at 2026-02-14T09:00:01.500000Z"}
    said = reasons({"rules": [rule], "unknown": []}, "blocked")
    assert said == ["Has left already: left with delivery D1 of manifest M1 at 09:00 UTC, 2026-02-14"]


async def test_text_from_outside_is_text_and_cells_are_no_formulas(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get(ONE)).text
        table = (await browser.get("/manifests.csv?manifest=M1&delivery=D1")).content.decode("utf-8-sig")
        known = (await browser.get("/manifests.csv")).content.decode("utf-8-sig")
    assert "{{7*7}}" in page
    assert "&#39;&#34;&amp;" in page
    assert [(row["manifest"], row["delivery"]) for row in csv.DictReader(io.StringIO(known))] == [("M1", "D1")]
    (evil,) = [row for row in csv.DictReader(io.StringIO(table)) if row["uid"] == uid(5)]
    assert evil["product"] == f"'{EVIL}"


@pytest.mark.parametrize("path", ["/manifests", ONE, "/manifests.csv", "/manifests.csv?manifest=M1&delivery=D1"])
async def test_strangers_see_none_of_it(gateway: FakeGateway, path: str) -> None:
    async with Browser(gateway) as browser:
        answer = await browser.client.get(path)
    assert answer.status_code in (303, 401)
    assert "M1" not in answer.text


@pytest.mark.parametrize("query", ["", "?manifest=M1", "?manifest=M1&delivery=nope", "?manifest=%3Cb%3E&delivery=D1"])
async def test_there_are_no_other_manifests(gateway: FakeGateway, query: str) -> None:
    async with Browser(gateway, tokens=False) as browser:
        answer = await browser.client.get(f"/manifests/one{query}")
    assert answer.status_code == 404
    assert "<b>" not in answer.text


async def test_a_sheet_without_facts_is_one_sentence_for_the_load() -> None:
    gateway = FakeGateway()
    gateway.manifest({str(n): product(n, NO_FACTS) for n in range(1, 41)})
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get(ONE)).text
    assert page.count("Not known: lab state, lab results, on hold") == 1
    assert "Unknown:" not in page


def test_what_differs_is_said_of_each() -> None:
    def item(number: int, *missing: str, rules: tuple[Any, ...] = ()) -> dict[str, Any]:
        return {"uid": uid(number), "unknown": [{"rule": "x", "missing": m} for m in missing], "rules": list(rules)}

    items = [item(1, "a"), item(2, "a"), item(3, "a", rules=({"rule": "hold", "reason": ""},)), item(4, "b"), item(5)]
    common, rest = common_unknown(items)
    assert common == {"words": "Not known: a.", "count": 3, "all": False}
    assert [entry["uid"] for entry in rest] == [uid(3), uid(4), uid(5)]
    assert common_unknown(items[:2]) == (None, items[:2])


async def test_the_dock_says_what_the_look_ahead_has_found(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get("/docks/dock-1")).text
    assert "1 must not leave, 1 not known yet" in page


def test_the_floor_has_a_dot_for_each_package_and_says_what_it_has_no_room_for() -> None:
    zones = [
        {"zone": "vault", "name": "<b>", "population": 300, "watched": True, "watch_listed": [uid(1)],
         "uids": [uid(n) for n in range(300)]},
        {"zone": "cage", "name": "", "population": 0, "watched": False, "watch_listed": [], "uids": []},
    ]  # fmt: skip
    gateway = FakeGateway()
    drawing = plan_parts(zones, [gateway.dock_state("dock-1")])["plan"]
    assert drawing.count("<circle") == DOTS
    assert f"and {300 - DOTS} more" in drawing
    assert drawing.count('class="dot listed"') == 1
    assert "&lt;b&gt;" in drawing
    assert "cage: 0 packages, not watched" in drawing
    assert plan_parts([], [])["plan"], "of a site without zones and docks too"
