"""The page of a count: what it shows, what to do next, what it asks for, and that nothing in it is carried out."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.floor import Floor
from gateway.floor.counts.estimate import stay
from gateway.web import table_pages
from gateway.web.count_views import calendar, count_parts, instruction, uids_of
from tests.support.floor_scene import config
from tests.support.web_scene import FakeGateway
from tests.unit.test_floor_counts_by_hand import SHELF, closed, expected, opened, scene, swept, told, uid
from tests.unit.test_web_site import JSON, Browser

EVIL = "<script>alert(1)</script>\"'&"


def live(*items: Any, until: float = 40) -> dict[str, Any]:
    floor = Floor(config(zones=SHELF))
    told([*scene(), *items], until, floor)
    found = floor.counts.live("vault")
    assert found is not None
    return found


@pytest.fixture
def gateway() -> FakeGateway:
    gateway = FakeGateway()
    count = live(expected("vault", 1, 2, 3), expected("dock", 8), opened(20, "vault"), swept(30, 8, 9))
    gateway.counts["vault"] = count
    gateway.known[uid(3)] = ("Blue Dream 3.5 g", "BD-0117")
    gateway.known[uid(9)] = (EVIL, EVIL)
    return gateway


async def post(browser: Browser, path: str, content: Any) -> Any:
    headers = JSON | {"origin": browser.origin, "x-csrf-token": await browser.secret("/counts/vault")}
    return await browser.client.post(path, json=content, headers=headers)


async def test_the_page_shows_what_was_found_and_what_was_not(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get("/counts/vault")).text
        for words in ("Found", "Missing", "Extra", "Belongs elsewhere", "expected in dock", "Blue Dream 3.5 g",
                      "Batch BD-0117", "never seen", "read by sled-1", "Dana is counting", "Finish"):  # fmt: skip
            assert words in page, words
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
        idle = (await browser.get("/counts/cage")).text
        assert "Nobody is counting" in idle
        assert "Start a count" in idle
        assert (await browser.get("/counts/nowhere")).status_code == 404


async def test_a_count_is_begun_scanned_into_and_finished(gateway: FakeGateway) -> None:
    gateway.command = gateway.accept  # type: ignore[method-assign]
    async with Browser(gateway, tokens=False) as browser:
        for action, content in (("open", {}), ("scan", {"code": uid(3)}), ("close", {"note": "wet"})):
            answer = await post(browser, f"/counts/vault/{action}", content)
            assert answer.status_code == 200, answer.text
        assert [(name, args) for name, args, _ in gateway.asked] == [
            ("count.open", {"zones": ["vault"]}),
            ("reads", {"zone": "vault", "reader": "page", "codes": [uid(3)]}),
            ("count.close", {"zone": "vault", "note": "wet"}),
        ]
        assert (await post(browser, "/counts/vault/burn", {})).status_code == 404
        assert (await post(browser, "/counts/nowhere/open", {})).status_code == 404
        assert (await post(browser, "/counts/vault/open", {"by": "somebody"})).status_code == 400
        assert (await browser.client.post("/counts/vault/open", content="{}", headers=JSON)).status_code == 403
        assert len(gateway.asked) == 3


async def test_a_stranger_neither_sees_nor_counts(gateway: FakeGateway) -> None:
    async with Browser(gateway) as browser:
        assert (await browser.get("/counts/vault")).status_code == 303
        assert (await browser.client.post("/counts/vault/open", content="{}", headers=JSON)).status_code == 401


@pytest.mark.parametrize(
    ("guess", "stay_s", "missing", "words"),
    [
        (None, None, 3, "walk along"),
        ({"covered": False, "missed": 9.0}, 20.0, 3, "Go on until they stop"),
        (
            {"covered": True, "missed": 4.2},
            20.0,
            3,
            "can still be heard. Stay 20 s more, or sweep Shelf 3",
        ),
        ({"covered": True, "missed": 4.2}, 600.0, 3, "Sweep Shelf 3 by hand"),
        ({"covered": True, "missed": 2.0}, 0.0, 3, "Sweep Shelf 3 by hand"),
        ({"covered": True, "missed": 0.1}, 0.0, 3, "scan the label of each"),
        ({"covered": True, "missed": 0.1}, 0.0, 0, "Finish the count"),
    ],
)
def test_the_estimate_is_an_instruction(guess: Any, stay_s: Any, missing: int, words: str) -> None:
    data = {"estimate": guess, "expected": {"missing": {"number": missing}}}
    assert words in instruction(data, stay_s, "Shelf 3")


@pytest.mark.parametrize(
    ("rounds", "once", "twice", "expect"),
    [(1, 5, 0, None), (10, 0, 0, 0.0), (10, 1, 5, 0.0), (10, 8, 4, 52.0), (10, 6, 0, 182.0)],
)
def test_how_long_to_stay(rounds: int, once: int, twice: int, expect: float | None) -> None:
    guess: Any = {"rounds": rounds, "seen_once": once, "seen_twice": twice}
    assert stay(guess, 2.0) == expect


def test_a_set_that_is_not_known_is_counted_and_not_compared() -> None:
    count = live(opened(20, "vault"), swept(30, 3))
    parts = count_parts({"zone": "vault", "name": "", "last_count": None}, count, {})
    assert "not compared" in parts["state"]
    assert uid(3)[-5:] in parts["lists"]
    assert set(uids_of(count["data"])) == {uid(1), uid(2), uid(3)}


def test_the_calendar_says_what_is_overdue_and_who_counts() -> None:
    plan = {"every": "1d", "at": "06:00", "due": "2026-02-14T06:00:00Z", "last_done": None, "overdue": True}
    zones = [
        {"zone": "vault", "name": "Vault A", "count_plan": plan | {"why": "the antenna is down"}},
        {"zone": "cage", "name": EVIL, "count_plan": None},
    ]
    shown = calendar(zones, {"cage": EVIL})
    assert "1 count overdue" in shown
    assert "overdue: the antenna is down" in shown
    assert "<script" not in shown
    columns, lines = table_pages.calendar(zones)
    assert [dict(zip(columns, line, strict=True)) for line in lines] == [
        {"zone": "vault", "name": "Vault A"} | plan | {"overdue": "yes", "why": "the antenna is down"}
    ]


def test_a_count_that_is_closed_is_not_on_the_page() -> None:
    floor = Floor(config(zones=SHELF))
    told([*scene(), opened(20, "vault"), closed(30, "vault")], 40, floor)
    assert floor.counts.live("vault") is None
