"""A tablet for the tests of the dock page: a real Chromium in which nothing may go wrong unseen."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.web.server import WebServer
from tests.support import chromium
from tests.support.gate_scene import command
from tests.support.web_scene import FakeGateway

playwright = pytest.importorskip("playwright.async_api", reason="playwright is missing: pip install playwright")
expect = playwright.expect
expect.set_options(timeout=60_000)  # as long as other conditions are waited for

PICTURES = Path(__file__).resolve().parents[2] / "artefacts" / "dock-page"
TABLET = {"width": 1280, "height": 800}
MANIFEST = "0003456789"


@contextlib.asynccontextmanager
async def launched() -> AsyncIterator[Any]:
    """The browser. Skips, saying so, where there is none."""
    program = chromium.find()
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(program), args=["--no-sandbox"])
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def tablet(browser: Any) -> AsyncIterator[Any]:
    """A page that must not log an error, nor open a dialog of the browser; tests take what they expect off `errors`."""
    context = await browser.new_context(viewport=TABLET, color_scheme="dark", locale="en-US")
    page = await context.new_page()
    page.set_default_timeout(60_000)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda line: page.errors.append(line.text) if line.type == "error" else None)
    page.on("dialog", lambda dialog: page.errors.append(f"dialog {dialog.message}"))
    yield page
    away = "Failed to load resource: net::ERR_"  # the server was away, as some tests want it
    assert [error for error in page.errors if not error.startswith(away)] == []
    await context.close()


def url(server: WebServer, path: str = "/docks/dock-1") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def begin(gateway: FakeGateway) -> None:
    gateway.feed(command(gateway.step(), "gate.open", dock="dock-1", manifest=MANIFEST, by="ana"))


def close(gateway: FakeGateway) -> None:
    gateway.feed(command(gateway.step(), "gate.close", dock="dock-1", by="ana"))
    gateway.wait(5)


async def live(page: Any) -> None:
    await expect(page.locator("#live-words")).to_have_text("Live")
