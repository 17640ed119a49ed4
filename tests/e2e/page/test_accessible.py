"""Every page for everybody: axe-core finds nothing, dark and light, and nothing is wider than a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import axe
from tests.support import history_events as make
from tests.support.history_events import History, uid
from tests.support.web_browser import MANIFEST, PICTURES, TABLET, begin, close, live, url
from tests.support.web_scene import FakeGateway, served
from tests.unit import test_floor_books as books

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PHONE = {"width": 390, "height": 844}
PAGES = {
    "docks": "/",
    "dock": "/docks/dock-1",
    "plan": "/plan",
    "manifests": "/manifests",
    "manifest": f"/manifests/one?manifest={MANIFEST}&delivery=1204477",
    "alarms": "/alarms",
    "zones": "/zones",
    "zone": "/zones/vault",
    "counts": "/counts",
    "count": "/counts/vault",
    "differences": "/differences",
    "readers": "/readers",
    "find": f"/find?what={uid(1)[:10]}",
    "tag": f"/tags/{uid(1)}",
    "message": "/nowhere",
}


@pytest.fixture
def asked(gateway: FakeGateway, tmp_path: Path) -> Any:
    """A gateway in which something has happened on every page."""
    history = History(tmp_path / "history.db")
    history.take(
        make.movement("arrived", 1, 0, target="vault"),
        make.movement("arrived", 2, 1, target="vault"),
        make.gate_item(1, 10),
        make.count("vault", 60, [1, 3], [2], [3]),
        make.alarm("watch-list", "raised", 61, list="quarantine", uid=uid(1), zone="vault", reason="may not leave"),
    )
    gateway.history = history.ask()
    floor = books.site()
    books.told([books.said(10, "metrc", *map(books.package, range(1, 40)))], 60, floor)
    gateway.book_state = floor.books.state()
    gateway.open_alarms = [alarm.model_dump(mode="json") for alarm in gateway.history.alarms().alarms]
    gateway.dark = {"r1/1": 0}
    begin(gateway)
    gateway.pass_out(1, 2, 3, 900)
    gateway.dark = {"r1/1": 7_000_000}
    yield gateway
    history.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_axe_finds_nothing_on_any_page(browser, asked, theme):
    context = await browser.new_context(
        viewport=PHONE, color_scheme=theme, bypass_csp=True, reduced_motion="reduce"
    )  # a colour that is on its way to another one is none
    page = await context.new_page()
    found = {}
    async with served(asked) as server:
        for name in PAGES if theme == "dark" else ("dock", "manifest", "tag"):
            await page.goto(url(server, PAGES[name]))
            if await page.locator("body[data-view]").count():
                await live(page)
            found[name] = await axe.violations(page)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            if wide > PHONE["width"]:
                found[name].append(f"{wide} pixels wide")
        close(asked)
        await page.goto(url(server))
        await live(page)
        found["verdict"] = await axe.violations(page)
        await page.evaluate("document.body.classList.add('stale')")
        found["a verdict that is not live"] = await axe.violations(page)
    await context.close()
    assert {name: problems for name, problems in found.items() if problems} == {}


async def test_close_can_be_pressed_under_two_banners(browser, asked):
    context = await browser.new_context(viewport=TABLET)
    page = await context.new_page()
    async with served(asked) as server:
        await page.goto(url(server))
        await page.wait_for_selector(".strip")
        await page.wait_for_selector(".alert")
        button = await page.locator("#do-close").bounding_box()
        await page.screenshot(path=PICTURES / "two-banners.png")
    await context.close()
    assert button["y"] + button["height"] <= TABLET["height"]


async def test_a_verdict_prints_on_one_page(browser, gateway):
    begin(gateway)
    gateway.pass_out(*range(4, 20))
    close(gateway)
    context = await browser.new_context(viewport=TABLET)
    page = await context.new_page()
    async with served(gateway) as server:
        await page.goto(url(server))
        await page.emulate_media(media="print")
        await page.screenshot(path=PICTURES / "print.png", full_page=True)
        printed = await page.pdf(format="Letter")
        (PICTURES / "print.pdf").write_bytes(printed)
        shown = await page.evaluate("[...document.querySelectorAll('.part-controls, header, .part-state')].map("
                                    "(e) => getComputedStyle(e).display !== 'none')")  # fmt: skip
    await context.close()
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") == 1
    assert shown == [True, True, False]
