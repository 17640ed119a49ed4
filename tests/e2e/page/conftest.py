"""Fixtures of the dock page's tests: one Chromium for each module, a page for each test, a gateway with a manifest."""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.support.web_browser import MANIFEST, launched, tablet
from tests.support.web_scene import HOLD, FakeGateway, load


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser):
    async with tablet(browser) as page:
        yield page


@pytest.fixture
def gateway():
    gateway = FakeGateway()
    gateway.manifest(load(24, p3=HOLD), name=MANIFEST, delivery="1204477")
    return gateway
