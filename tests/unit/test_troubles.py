"""What could not start or does not work is known to health and to the Readers page."""

from __future__ import annotations

import asyncio

from gateway.config.web import WebConfig
from gateway.ops.troubles import Troubles
from gateway.web.server import WebServer
from gateway.web.site_views import readers_parts
from tests.support.web_scene import FakeGateway, quiet, served
from tests.unit.test_web_site import Browser


def test_a_part_takes_its_own_words_back():
    troubles = Troubles()
    troubles.say("manifest folder", "cannot be read")
    troubles.say("pages", "are not served")
    troubles.say("pages", "")
    assert troubles.words() == ["manifest folder: cannot be read"]


async def test_the_readers_page_says_it_as_text():
    gateway = FakeGateway()
    gateway.broken = ["manifest folder: <b> cannot be read"]
    async with Browser(gateway, tokens=False) as browser:
        page = (await browser.get("/readers")).text
    assert "Manifest folder: &lt;b&gt; cannot be read" in page
    assert "status bad" not in readers_parts([])["readers"]


async def test_a_page_that_cannot_be_served_says_why():
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with served(FakeGateway()) as server:
        second = WebServer(FakeGateway(), WebConfig.model_validate({"port": server.port}), quiet())
        second.troubled = heard.put_nowait
        serving = asyncio.create_task(second.run())
        assert "the address or the certificate cannot be used" in await asyncio.wait_for(heard.get(), 60)
        serving.cancel()  # it tries again for as long as the gateway runs
        await asyncio.wait([serving])
