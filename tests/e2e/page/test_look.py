"""How the dock page looks: every state legible from afar, on every screen; pictures in ``artefacts/dock-page``."""

from __future__ import annotations

import pytest

from tests.support.web_browser import MANIFEST, PICTURES, TABLET, begin, close, expect, live, tablet, url
from tests.support.web_scene import load, served

SCREENS = [
    TABLET,
    {"width": 1024, "height": 768},
    {"width": 1920, "height": 1080},
    {"width": 800, "height": 1280},
    {"width": 390, "height": 844},
]

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


def loading(gateway):
    begin(gateway)
    gateway.pass_out(*range(4, 17))


def red(gateway):
    loading(gateway)
    gateway.pass_out(3, 900)
    gateway.pass_out(20, direction="undetermined")


def not_complete(gateway):
    loading(gateway)
    close(gateway)


def ready(gateway):
    lines = {number: changes for number, changes in load(24).items() if number != "3"}
    gateway.manifest(lines, name=MANIFEST, delivery="1204477", version=2)
    begin(gateway)
    gateway.pass_out(*(number for number in range(1, 25) if number != 3))


def green(gateway):
    ready(gateway)
    close(gateway)


STATES = {"idle": lambda gateway: None, "loading": loading, "ready": ready, "red": red}
STATES |= {"not-complete": not_complete, "green": green}

LOOK = """() => {
  const seen = (selector) => document.querySelector(selector)?.getBoundingClientRect();
  const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const light = (colour) => { const [r, g, b] = channels(colour); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const panel = document.querySelector('.state');
  const [a, b] = [light(getComputedStyle(panel).backgroundColor), light(getComputedStyle(panel).color)];
  const word = document.querySelector('.state .word');
  const range = document.createRange();
  range.selectNodeContents(word);
  const box = panel.getBoundingClientRect();
  return {
    contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
    wordSize: parseFloat(getComputedStyle(word).fontSize),
    wordInside: range.getBoundingClientRect().right <= box.right && range.getBoundingClientRect().bottom <= box.bottom,
    scrollsAside: document.documentElement.scrollWidth > innerWidth,
    button: seen('.part-controls')?.bottom ?? 0,
    cut: [...document.querySelectorAll('.tile .label, .figure')].filter((e) => e.scrollWidth > e.clientWidth + 1
      || e.getBoundingClientRect().right > e.closest('.tile, .load').getBoundingClientRect().right)
      .map((e) => e.textContent),
  };
}"""


@pytest.mark.parametrize("state", STATES)
async def test_every_state_can_be_read_from_afar(page, gateway, state):
    STATES[state](gateway)
    async with served(gateway) as server:
        await page.goto(url(server))
        await live(page)
        for screen in SCREENS:
            await page.set_viewport_size(screen)
            look = await page.evaluate(LOOK)
            assert look["wordInside"], (screen, look)
            assert not look["scrollsAside"], (screen, look)
            assert look["cut"] == [], (screen, look)
            if screen["width"] > screen["height"]:
                assert look["button"] <= screen["height"], (screen, look)  # nothing to scroll for on a wall
                assert look["wordSize"] >= 50, (screen, look)
        await page.set_viewport_size(TABLET)
        for scheme in ("dark", "light"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert (await page.evaluate(LOOK))["contrast"] >= 4.5
            await page.screenshot(path=PICTURES / f"{state}-{scheme}.png")


async def test_pictures_of_the_rest(browser, gateway):
    STATES["red"](gateway)
    async with tablet(browser) as page:
        async with served(gateway) as server:
            for name in ("zones", "readers", ""):
                await page.goto(url(server, f"/{name}"))
                await live(page)
                await page.screenshot(path=PICTURES / f"{name or 'docks'}.png")
            await page.goto(url(server))
            await live(page)
            await page.locator("#do-close").click()
            await page.screenshot(path=PICTURES / "question.png")
            await page.keyboard.press("Escape")
        await expect(page.locator("#offline")).to_be_visible()
        await page.screenshot(path=PICTURES / "not-live.png")
