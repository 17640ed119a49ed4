"""The page of differences and its download: what they show, what they ask for, and nothing in them is carried out."""

from __future__ import annotations

import csv
import io

import pytest

from gateway.web.difference_views import SHOWN
from tests.support.web_scene import FakeGateway
from tests.unit.test_floor_books import deal, package, said, site, told, uid
from tests.unit.test_web_counts import post
from tests.unit.test_web_site import JSON, Browser

EVIL = "<script>alert(1)</script>\"'&"


@pytest.fixture
def gateway() -> FakeGateway:
    floor = site()
    told([
        said(10, "metrc", package(1), package(2, "Dock", product=EVIL, batch='=HYPERLINK("x")'), package(7, EVIL)),
        said(11, "erp", package(1, quantity=47.0, unit=EVIL), package(2, "Dock", status=EVIL)),
        deal(50, 2, owner="Dana", state="explained", note="moved for the audit"),
    ], 60, floor)  # fmt: skip
    gateway = FakeGateway()
    gateway.book_state = floor.books.state()
    return gateway


async def test_seen_and_books_stand_side_by_side(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get("/differences")).text
        for words in ("metrc", "erp", "Seen in another place", "The books have different quantities", "47", "48",
                      "explained", "moved for the audit", "Dana", "Not seen here", "not in it"):  # fmt: skip
            assert words in page, words
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


async def test_a_book_that_was_never_read_says_nothing_of_a_package(gateway: FakeGateway) -> None:
    floor = site()
    told([said(10, "metrc", package(7))], 60, floor)
    gateway.book_state = floor.books.state()
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get("/differences")).text
    assert "erp: not read yet" in page
    assert 'data-label="erp"><span class="muted">not read yet</span>' in page
    assert "not in it" not in page.replace(EVIL, "").split('data-label="erp"')[1].split("</td>")[0]


async def test_many_are_shown_by_kind_and_page(gateway: FakeGateway) -> None:
    floor = site()
    told([said(10, "metrc", *map(package, range(1, 61))), said(11, "erp")], 60, floor)
    gateway.book_state = floor.books.state()
    async with Browser(gateway, tokens=False) as browser:

        async def shown(query: str) -> tuple[int, str]:
            text = (await browser.get(f"/differences{query}")).text
            return text.count("Deal with it"), text

        first, text = await shown("")
        assert first == SHOWN < 60
        assert ">Later</a>" in text
        assert ">Earlier</a>" not in text
        number = len(gateway.book_state["differences"])
        last, text = await shown(f"?page={-(-number // SHOWN)}")
        assert last == (number % SHOWN or SHOWN)
        assert f"to {number} of {number}" in text
        assert ">Later</a>" not in text
        assert (await shown("?page=99999"))[0] == last
        missing = sum("not seen" in entry["what"] for entry in gateway.book_state["differences"])
        assert (
            f'href="/differences?kind=not-seen" aria-current="true">Not seen here <b>{missing}</b>'
            in (await shown("?kind=not-seen"))[1]
        )
        assert "There is none of this kind" in (await shown("?kind=quantity"))[1]
        for wrong in ("?kind=x", "?kind=all/1", "?page=0", "?page=1x", "?page=" + "9" * 400):
            assert (await browser.get(f"/differences{wrong}")).status_code == 404, wrong


async def test_the_download_has_all_of_it_as_text(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        answer = await browser.get("/differences.csv")
    head, *lines = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert {len(line) for line in lines} == {len(head)}
    assert sorted(line[0] for line in lines) == [uid(1), uid(2), uid(4), uid(7)]
    assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "@", "\t"))]


async def test_a_difference_is_dealt_with_by_name(gateway: FakeGateway) -> None:
    gateway.command = gateway.accept  # type: ignore[method-assign]
    async with Browser(gateway, tokens=False) as browser:
        for state in ("open", "explained"):
            answer = await post(browser, "/differences", {"uid": uid(2), "state": state, "note": "x"})
            assert answer.status_code == 200, answer.text
        assert (await post(browser, "/differences", {"uid": uid(2), "by": "me"})).status_code == 400
        assert (await browser.client.post("/differences", content="{}", headers=JSON)).status_code == 403
    assert [(name, args) for name, args, _ in gateway.asked] == [
        ("difference", {"uid": uid(2), "state": "open", "note": "x", "owner": "local"}),
        ("difference", {"uid": uid(2), "state": "explained", "note": "x"}),
    ]


async def test_strangers_see_none_of_it(gateway: FakeGateway) -> None:
    async with Browser(gateway) as browser:
        assert (await browser.get("/differences")).status_code == 303
        assert (await browser.get("/differences.csv")).status_code == 401
        assert (await browser.client.post("/differences", content="{}", headers=JSON)).status_code == 401


async def test_without_books_the_page_says_so() -> None:
    async with Browser(FakeGateway(), tokens=False) as browser:
        assert "No books are configured" in (await browser.get("/differences")).text
