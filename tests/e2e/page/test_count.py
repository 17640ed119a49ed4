"""A count and the differences in a real Chromium, on a phone: a scanner types while packages come in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.web_browser import PICTURES, expect, live, tablet, url
from tests.support.web_scene import FakeGateway, served
from tests.unit.test_floor_books import package, said, site, told
from tests.unit.test_floor_counts_by_hand import expected, opened, swept, uid
from tests.unit.test_web_counts import live as counted

PHONE = {"width": 390, "height": 844}

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def test_a_shelf_is_counted_on_a_phone_with_a_scanner(browser):
    gateway = FakeGateway()
    gateway.known[uid(3)] = ("THC Seltzer 12oz Grapefruit 10mg 4pk", "SLT-2602-07")
    asked: list[tuple[str, dict[str, Any]]] = []
    sets = [expected("vault", 1, 2, 3, 5, 6), expected("dock", 8), opened(20, "vault")]

    async def command(name: str, args: dict[str, Any], who: str) -> dict[str, Any]:
        asked.append((name, dict(args)))
        gateway.counts["vault"] = counted(*sets, swept(30, 8, 9, *([3] if name == "reads" else [])))
        gateway.changed()
        return {"accepted": "now"}

    gateway.command = command  # type: ignore[method-assign,assignment]
    async with tablet(browser) as page, served(gateway) as server:
        await page.set_viewport_size(PHONE)
        await page.goto(url(server, "/counts/vault"))
        await live(page)
        await page.get_by_role("button", name="Start a count").click()
        await page.get_by_role("dialog").get_by_role("button", name="Start").click()
        await expect(page.locator(".tile.missing .count")).to_have_text("3")
        await page.locator("#code").click()
        await page.keyboard.type(uid(3)[:10])
        gateway.known[uid(5)] = ("Live Resin 1g", "LR-1")
        gateway.changed()  # the lists are made anew while the scanner types
        await expect(page.locator(".set.missing")).to_contain_text("Live Resin 1g")
        await page.keyboard.type(uid(3)[10:])
        await page.keyboard.press("Enter")
        await expect(page.locator("#scanned")).to_contain_text("is counted")
        await expect(page.locator(".tile.missing .count")).to_have_text("2")
        assert await page.locator("#code").input_value() == ""
        assert asked[-1] == ("reads", {"zone": "vault", "reader": "page", "codes": [uid(3)]})
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        await page.screenshot(path=PICTURES / "count-phone.png", full_page=True)
        await page.get_by_role("button", name="Finish the count").click()
        await page.get_by_role("dialog").locator("input[type=text]").fill("top shelf wet")
        await page.get_by_role("dialog").get_by_role("button", name="Finish").click()
        await expect(page.get_by_role("dialog")).to_be_hidden()
    assert asked[-1] == ("count.close", {"zone": "vault", "note": "top shelf wet"})


async def test_a_stream_that_begins_again_takes_no_half_typed_code_away(browser):
    gateway = FakeGateway()
    asked: list[tuple[str, dict[str, Any]]] = []

    async def command(name: str, args: dict[str, Any], who: str) -> dict[str, Any]:
        asked.append((name, dict(args)))
        return {"accepted": "now"}

    gateway.command = command  # type: ignore[method-assign,assignment]
    gateway.counts["vault"] = counted(expected("vault", 1, 2, 3), opened(20, "vault"))
    async with tablet(browser) as page, served(gateway) as server:
        await page.goto(url(server, "/counts/vault"))
        await live(page)
        for part in (uid(3)[:10], uid(3)[10:]):
            await page.locator("#code").press_sequentially(part)
            await page.evaluate("stream.close(); byId('live-words').textContent = ''; connect()")
            await live(page)
        await page.keyboard.press("Enter")
        await expect(page.locator("#scanned")).to_contain_text("is counted")
    assert asked == [("reads", {"zone": "vault", "reader": "page", "codes": [uid(3)]})]


async def test_differences_are_dealt_with_on_a_phone(browser):
    gateway = FakeGateway()
    asked: list[tuple[str, dict[str, Any]]] = []
    floor = site()
    told([said(10, "metrc", package(1), package(2, "Dock"), package(7)), said(11, "erp", package(1, quantity=1.0))],
         60, floor)  # fmt: skip
    gateway.book_state = floor.books.state()

    async def command(name: str, args: dict[str, Any], who: str) -> dict[str, Any]:
        asked.append((name, dict(args)))
        return {"accepted": "now"}

    gateway.command = command  # type: ignore[method-assign,assignment]
    async with tablet(browser) as page, served(gateway) as server:
        await page.set_viewport_size(PHONE)
        await page.goto(url(server, "/differences"))
        await live(page)
        await expect(page.locator("main")).to_contain_text("Seen in another place")
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        await page.screenshot(path=PICTURES / "differences-phone.png", full_page=True)
        await page.locator(f"#do-difference-{uid(2)}").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_text("It is explained by").click()
        await dialog.locator("input[type=text]").fill("moved for the audit")
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog).to_be_hidden()
    assert asked == [("difference", {"uid": uid(2), "state": "explained", "note": "moved for the audit"})]
