"""What named people answer for, on the page: a package of which something is not known, and one that was destroyed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import history_events as make
from tests.support.history_events import History
from tests.support.web_browser import MANIFEST, PICTURES, begin, expect, live, url
from tests.support.web_scene import FakeGateway, load, served, uid

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PHONE = {"width": 390, "height": 844}


async def fits(page: Any) -> bool:
    """Whether nothing of the open question is wider than the screen, and its buttons can be reached."""
    inside = "(e) => e.scrollWidth <= e.clientWidth && e.getBoundingClientRect().bottom <= innerHeight"
    return bool(await page.locator("#ask").evaluate(inside))


async def test_somebody_answers_for_a_package_of_which_nothing_is_known(page, gateway):
    gateway.manifest(load(24, p3={"record": None}), name=MANIFEST, delivery="1204477", version=2)
    begin(gateway)
    gateway.pass_out(3)
    async with served(gateway) as server:
        await page.goto(url(server))
        await live(page)
        await page.set_viewport_size(PHONE)
        await page.get_by_role("button", name="Answer for it").click()
        question = page.get_by_role("dialog")
        await expect(question).to_contain_text("Answer for Gummies Sour Watermelon 100mg?")
        await expect(question).to_contain_text(uid(3))
        assert await fits(page)
        await page.screenshot(path=PICTURES / "override.png")
        await question.get_by_label("Why it may leave all the same").fill("Metrc is down; label and COA seen")
        await question.get_by_role("button", name="I answer for it").click()
        await expect(page.locator("#ask-error")).to_have_text(
            "Write your name: this needs a person who answers for it."
        )
        page.errors.clear()  # the browser notes that it was refused
        await question.get_by_label("Your name").fill("Dana")
        await question.get_by_role("button", name="I answer for it").click()
        await expect(page.locator(".set.blocked")).to_contain_text("Dana answers for it")
        await expect(page.get_by_role("button", name="Answer for it")).to_have_count(0)
    said = {"dock": "dock-1", "uid": uid(3), "reason": "Metrc is down; label and COA seen"}
    assert gateway.asked == [("gate.override", said, "Dana")]


async def test_packages_that_lack_the_same_are_answered_for_one_by_one(page, gateway):
    lacking = {f"p{number}": {"record": None} for number in range(1, 6)}
    gateway.manifest(load(24, **lacking), name=MANIFEST, delivery="1204477", version=2)
    begin(gateway)
    gateway.pass_out(1, 2, 3, 4, 5)
    async with served(gateway) as server:
        await page.goto(url(server))
        await live(page)
        await expect(page.locator(".set.blocked .reason")).to_have_count(1)
        await page.get_by_text("One by one").click()
        await expect(page.get_by_role("button", name="Answer for it")).to_have_count(5)
        gateway.pass_out(6)  # the parts change beneath it
        await expect(page.locator(".figure b")).to_have_text("1")
        await page.get_by_role("button", name="Answer for it").nth(1).click()
        await expect(page.get_by_role("dialog")).to_contain_text(uid(2))


async def test_a_destruction_takes_a_witness(page, gateway: FakeGateway, tmp_path: Path):
    history = History(tmp_path / "history.db")
    history.take(make.movement("arrived", 1, 0, target="vault"))
    gateway.history = history.ask()
    async with served(gateway) as server:
        await page.set_viewport_size(PHONE)
        await page.goto(url(server, f"/tags/{make.uid(1)}"))
        await page.get_by_role("button", name="It was destroyed").click()
        question = page.get_by_role("dialog")
        for label, words in (
            ("Destroyed by", "Dana"),
            ("Witness, another person", "dana"),
            ("Weight", "12,5"),
            ("How", "compost"),
            ("Where the picture is kept", "IMG 17"),
        ):
            await question.get_by_label(label, exact=True).fill(words)
        assert await fits(page)
        await page.screenshot(path=PICTURES / "destroy.png")
        for label, words, refused in (
            ("Weight", "12.5", "The weight is not a number: write it like 28.5."),
            ("Witness, another person", "Ben", "name another person"),
        ):
            await question.get_by_role("button", name="It was destroyed").click()
            await expect(page.locator("#ask-error")).to_contain_text(refused)
            page.errors.clear()
            await question.get_by_label(label, exact=True).fill(words)
        await question.get_by_role("button", name="It was destroyed").click()
        await expect(question).to_be_hidden()
    history.close()
    name, args, who = gateway.asked[-1]
    assert (name, who, args["witness"], args["weight"], args["unit"]) == ("destroy", "Dana", "Ben", 12.5, "Grams")
