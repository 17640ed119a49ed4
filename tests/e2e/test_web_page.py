"""The dock page in a real Chromium: live, red in time, honest when it is not live, and used with a keyboard alone.

Pictures of every state are left in ``artefacts/dock-page``.
"""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import pytest
import pytest_asyncio

playwright = pytest.importorskip("playwright.async_api", reason="playwright is missing: pip install playwright")

from gateway.web.assets import Assets  # noqa: E402
from tests.support import chromium  # noqa: E402
from tests.support.gate_scene import command  # noqa: E402
from tests.support.web_scene import HOLD, FakeGateway, load, served  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PICTURES = Path(__file__).resolve().parents[2] / "artefacts" / "dock-page"
TABLET = {"width": 1280, "height": 800}
SCREENS = [
    TABLET,
    {"width": 1024, "height": 768},
    {"width": 1920, "height": 1080},
    {"width": 800, "height": 1280},
    {"width": 390, "height": 844},
]
ANA = "a" * 32
HOSTILE = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script></template><h1>\"&amp;"
expect = playwright.expect


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    program = chromium.find()
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(program), args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser):
    """A tablet that must not log an error, nor open a dialog of the browser."""
    async with tablet(browser) as page:
        yield page


@contextlib.asynccontextmanager
async def tablet(browser, scheme="dark", viewport=TABLET):
    context = await browser.new_context(viewport=viewport, color_scheme=scheme, locale="en-US")
    page = await context.new_page()
    page.set_default_timeout(5000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda line: page.errors.append(line.text) if line.type == "error" else None)
    page.on("dialog", lambda dialog: page.errors.append(f"dialog {dialog.message}"))
    yield page
    away = "Failed to load resource: net::ERR_"  # the server was away, as some tests want it
    assert [error for error in page.errors if not error.startswith(away)] == []
    await context.close()


@pytest.fixture
def gateway():
    gateway = FakeGateway()
    gateway.manifest(load(24, p3=HOLD), name="0003456789", delivery="1204477")
    return gateway


def url(server, path="/docks/dock-1"):
    return f"http://127.0.0.1:{server.port}{path}"


def begin(gateway, manifest="0003456789"):
    gateway.feed(command(gateway.step(), "gate.open", dock="dock-1", manifest=manifest, by="ana"))


def close(gateway):
    gateway.feed(command(gateway.step(), "gate.close", dock="dock-1", by="ana"))
    gateway.wait(5)


async def tone(page, name):
    await expect(page.locator(f".state.tone-{name}")).to_be_visible()


async def live(page):
    await expect(page.locator("#live-words")).to_have_text("Live")


# ---- what it shows


async def test_a_full_loading_is_shown_live(page):
    gateway = FakeGateway()
    gateway.manifest(load(8))
    async with served(gateway) as server:
        await page.goto(url(server))
        await tone(page, "idle")
        await page.get_by_role("button", name="Open session").click()
        await page.get_by_role("dialog").get_by_role("button", name="Open session").click()
        await tone(page, "amber")
        await expect(page.locator(".state .word")).to_have_text("Loading")
        for package in range(1, 9):
            gateway.pass_out(package)
            await expect(page.locator(".figure b")).to_have_text(f"{package}")
            await expect(page.locator(".tile.missing .count")).to_have_text(f"{8 - package}")
        await expect(page.locator(".sentence")).to_have_text("Everything is loaded. Close the session for the verdict.")
        await tone(page, "amber")  # green is for verdicts
        await page.get_by_role("button", name="Close session").click()
        await expect(page.get_by_role("dialog")).to_contain_text("All 8 packages are there")
        await page.get_by_role("dialog").get_by_role("button", name="Close session").click()
        await expect(page.locator(".state .word")).to_have_text("Closing")
        gateway.wait(5)
        await tone(page, "green")
        await expect(page.locator(".state .word")).to_have_text("Complete")
    assert [(name, who) for name, _, who in gateway.asked] == [("gate.open", "local"), ("gate.close", "local")]


@pytest.mark.parametrize(("package", "name"), [(900, "extra"), (3, "blocked")])
async def test_what_must_not_leave_turns_it_red_within_a_second(page, gateway, package, name):
    begin(gateway)
    async with served(gateway) as server:
        await page.goto(url(server))
        await tone(page, "amber")
        await live(page)
        began = time.monotonic()
        gateway.pass_out(package)
        await page.wait_for_selector(".state.tone-red")
        took = time.monotonic() - began
        await expect(page.locator(".state .word")).to_have_text("Stop")
        await expect(page.locator(f".set.{name} .uid")).to_have_text(re.compile("^1A4060300048D3D0"))
        await expect(page.locator("#announce")).to_have_text("Stop. 1 package must not leave.")
    print(f"red {1000 * took:.0f} ms after the pass")
    assert took < 1


async def test_a_second_tablet_sees_the_same(browser, page, gateway):
    begin(gateway)
    async with served(gateway) as server, tablet(browser) as other:
        await page.goto(url(server))
        await other.goto(url(server, "/"))
        gateway.pass_out(1, 2)
        await expect(page.locator(".figure b")).to_have_text("2")
        await expect(other.locator("#dock-dock-1 .figure b")).to_have_text("2")
        await expect(other.locator("#dock-dock-1")).to_contain_text("Loading")
        await expect(other.locator("#dock-dock-2")).to_contain_text("No session")


async def test_zones_and_readers_are_live(page, gateway):
    async with served(gateway) as server:
        await page.goto(url(server, "/readers"))
        await expect(page.locator("tbody tr").first).to_contain_text("up")
        gateway.reader_changes["r1"] = {"status": "down", "error": "no route to host"}
        gateway.changed()
        await expect(page.locator("tbody tr").first).to_contain_text("no route to host")
        await page.get_by_role("link", name="Zones").click()
        await expect(page.locator("tbody tr").first).to_contain_text("Vault A")


async def test_html_in_names_is_shown_as_text(page, gateway):
    begin(gateway)
    gateway.pass_out(3, 900)
    lines = gateway.dock_state("dock-1")["lines"]
    for items in lines.values():
        for item in items:
            item |= {"product": HOSTILE, "batch": HOSTILE, "unit": HOSTILE}
    session = gateway.gate.state("dock-1")["session"] | {"recipient": HOSTILE, "manifest": HOSTILE}
    async with served(gateway) as server:
        await page.goto(url(server))
        await live(page)
        gateway.override = {"lines": lines, "session": session, "name": HOSTILE}  # by the stream
        gateway.changed()
        await expect(page.locator(".set.blocked .product")).to_have_text(HOSTILE)
        await page.reload()  # and in the first view
        await expect(page.locator(".set.blocked .product")).to_have_text(HOSTILE)
        await expect(page.locator("header h1")).to_have_text(HOSTILE)
        await live(page)
        assert await page.evaluate(
            "[window.pwned, document.images.length, document.querySelectorAll('h1').length]"
        ) == [None, 0, 1]


async def test_the_policy_stops_what_should_ever_get_through(page, gateway):
    async with served(gateway) as server:
        await page.goto(url(server))
        inline = '<img src=x onerror="window.pwned=1"><b style="color:red">x</b>'
        await page.evaluate("markup => document.body.insertAdjacentHTML('beforeend', markup)", inline)
        await page.wait_for_timeout(200)
        assert await page.evaluate("window.pwned") is None
        assert len(page.errors) >= 1
        assert all("Content Security Policy" in error or "404" in error for error in page.errors)
        page.errors.clear()


# ---- when it is not live


async def test_it_says_when_it_is_not_live_and_comes_back_after_a_restart(page, gateway):
    begin(gateway)
    gateway.pass_out(1)
    async with served(gateway) as server:
        port = server.port
        await page.goto(url(server))
        await live(page)
        await page.evaluate("window.same = true")
    await expect(page.locator("#offline")).to_be_visible()
    await expect(page.locator("#offline")).to_contain_text("What you see is from")
    await expect(page.locator("#announce")).to_have_text("Not live. What you see may be out of date.")
    colour = "getComputedStyle(document.querySelector('.state')).backgroundImage"
    assert "repeating-linear-gradient" in await page.evaluate(colour)  # what is not live does not look like a state
    gateway.pass_out(2, 900)
    async with served(gateway, port=port):
        await tone(page, "red")
        await expect(page.locator("#offline")).to_be_hidden()
        await expect(page.locator(".figure b")).to_have_text("2")
        assert await page.evaluate(colour) == "none"
        assert await page.evaluate("window.same")


async def test_another_build_loads_the_page_anew(page, gateway, monkeypatch):
    async with served(gateway) as server:
        port = server.port
        await page.goto(url(server))
        await live(page)
        await page.evaluate("window.same = true")
    whole = Assets.__init__

    def newer(self):
        whole(self)
        self.build = "0123456789abcdef"

    monkeypatch.setattr(Assets, "__init__", newer)
    async with served(gateway, port=port):
        await expect(page.locator("body")).to_have_attribute("data-build", "0123456789abcdef")
        assert await page.evaluate("window.same") is None
        await live(page)


async def test_a_server_that_is_silent_is_noticed(page, gateway):
    await page.clock.install()
    async with served(gateway) as server:
        await page.goto(url(server))
        await live(page)
        await page.evaluate("stream.close()")  # as a connection that died without a word
        await page.clock.fast_forward(9500)
        await expect(page.locator("#offline")).to_be_visible()


# ---- who acts


async def test_no_action_without_the_token(page, gateway, tmp_path):
    (tmp_path / "tokens").write_text(f"ana: {ANA}\n")
    async with served(gateway, token_file=str(tmp_path / "tokens")) as server:
        await page.goto(url(server))
        await expect(page).to_have_url(re.compile(r"/login\?next=/docks/dock-1$"))
        await page.get_by_label("Token").fill("wrong" * 8)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("This token is not known.")
        await page.get_by_label("Token").fill(ANA)
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(url(server))
        await page.get_by_role("button", name="Open session").click()
        cookies = await page.context.cookies()
        await page.context.clear_cookies()
        await page.get_by_role("dialog").get_by_role("button", name="Open session").click()
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("Log in first.")
        assert gateway.asked == []
        await page.context.add_cookies(cookies)
        await page.get_by_role("dialog").get_by_role("button", name="Open session").click()
        await tone(page, "amber")
        assert gateway.asked[0][2] == "ana"
        assert await page.evaluate("document.cookie") == ""
        await page.get_by_role("button", name="Log out").click()
        await expect(page).to_have_url(re.compile("/login$"))
        page.errors[:] = [error for error in page.errors if "401" not in error]


async def test_who_is_logged_out_meanwhile_is_led_to_the_login(page, gateway, tmp_path):
    (tmp_path / "tokens").write_text(f"ana: {ANA}\n")
    async with served(gateway, token_file=str(tmp_path / "tokens")) as server:
        port = server.port
        await page.goto(url(server, "/login?next=/docks/dock-1"))
        await page.get_by_label("Token").fill(ANA)
        await page.keyboard.press("Enter")
        await live(page)
    (tmp_path / "tokens").write_text(f"ben: {'b' * 32}\n")
    async with served(gateway, token_file=str(tmp_path / "tokens"), port=port):
        await expect(page).to_have_url(re.compile(r"/login\?next=/docks/dock-1$"), timeout=10_000)
        page.errors[:] = [error for error in page.errors if "401" not in error]


async def test_a_refusal_stays_in_the_question(page, gateway):
    async with served(gateway) as server:
        await page.goto(url(server))
        await page.get_by_role("button", name="Open session").click()
        gateway.override = {"pending": gateway.gate.state("dock-1")["pending"], "session": None}
        begin(gateway)  # somebody else was faster
        await page.get_by_role("dialog").get_by_role("button", name="Open session").click()
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("close it first")
        page.errors[:] = [error for error in page.errors if "409" not in error]


async def test_a_look_into_the_van_is_confirmed(page, gateway):
    gateway.dark["r1/1"] = 0
    begin(gateway)
    async with served(gateway) as server:
        await page.goto(url(server))
        await live(page)
        gateway.dark["r1/1"] = 7_000_000
        gateway.changed()
        await expect(page.locator(".alert")).to_contain_text("Not watched: antenna r1/1 for 7 s.")
        await page.get_by_role("button", name="Confirm").click()
        await page.screenshot(path=PICTURES / "confirm.png")
        await page.keyboard.type("24 of 24, counted by hand")
        await page.keyboard.press("Enter")
        await expect(page.locator(".alert")).to_have_count(0)
    assert gateway.asked == [("gate.confirm", {"dock": "dock-1", "reason": "24 of 24, counted by hand"}, "local")]


# ---- with a keyboard


async def test_everything_can_be_done_with_a_keyboard(page, gateway):
    gateway.manifest(load(0) | {"101": {}}, name="M2", dock="dock-1")
    async with served(gateway) as server:
        await page.goto(url(server))
        await live(page)
        order = []
        for _ in range(6):
            await page.keyboard.press("Tab")
            order.append(await page.evaluate("document.activeElement.textContent"))
            assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert order == ["To the content", "Docks", "Zones", "Readers", "Theme: auto", "Open session"]
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await expect(page.locator("#do-open")).to_be_focused()
        assert gateway.asked == []
        await page.keyboard.press("Enter")
        await page.keyboard.press("ArrowDown")  # the second delivery
        await page.keyboard.press("Enter")
        await tone(page, "amber")
        assert gateway.asked == [("gate.open", {"dock": "dock-1", "manifest": "M2", "delivery": "D1"}, "local")]
        await page.locator("#do-close").focus()
        gateway.pass_out(101)  # the parts change beneath it
        await expect(page.locator(".figure b")).to_have_text("1")
        await expect(page.locator("#do-close")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_contain_text("All 1 packages are there")
        gateway.pass_out(900)  # and what the question says stays true
        await expect(page.get_by_role("dialog")).to_contain_text("Not complete: 1 extra")
        await page.keyboard.press("Enter")
        await expect(page.locator(".part-controls")).to_contain_text("Closing…")
    assert gateway.asked[-1] == ("gate.close", {"dock": "dock-1"}, "local")


async def test_the_theme_is_chosen_and_stays(page, gateway):
    async with served(gateway) as server:
        await page.goto(url(server))
        ground = "getComputedStyle(document.body).backgroundColor"
        dark = await page.evaluate(ground)
        await page.get_by_role("button", name="Theme: auto").click()
        await page.get_by_role("button", name="Theme: dark").click()
        assert await page.evaluate(ground) != dark
        await page.reload()
        await expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
        assert await page.evaluate(ground) != dark


# ---- how it looks


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
    gateway.manifest(lines, name="0003456789", delivery="1204477", version=2)
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
    PICTURES.mkdir(parents=True, exist_ok=True)
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
    PICTURES.mkdir(parents=True, exist_ok=True)
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
