"""Events that a broker refuses for good leave quarantine from the page of the readers, on the real daemon."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population
from tests.e2e.conftest import MakeDaemon
from tests.e2e.site import config
from tests.support.mosquitto import free_port
from tests.support.odd_broker import odd_broker
from tests.support.subscriber import until

BUTTON = "Send them again"


async def page(client: httpx.AsyncClient, shows_button: bool) -> str:
    """The page of the readers, once it has the button to release, or has it no more."""
    async with asyncio.timeout(60):
        while True:
            text = (await client.get("/readers")).text
            if (BUTTON in text) == shows_button:
                return text
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_what_the_broker_refused_for_good_is_sent_again_from_the_page(make_daemon: MakeDaemon, tmp_path: Path):
    mended = False
    refused: set[bytes] = set()

    def puback(topic: str, payload: bytes) -> int:
        if "/events/movement/" not in topic or mended:
            return 0
        refused.add(payload)
        return 0x99

    async with odd_broker(puback=puback) as broker, LlrpEmulator(population(3, 60)) as reader:
        base = f"http://127.0.0.1:{free_port()}"
        web = {"port": int(base.rpartition(":")[2])}
        daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"dock": reader}, web=web))
        await daemon.start()
        await until(lambda: len(refused) == 3)
        async with httpx.AsyncClient(base_url=base, timeout=60) as client:
            csrf = re.search(r'data-csrf="([0-9a-f]{64})"', await page(client, shows_button=True))
            assert csrf is not None
            mended = True
            headers = {"origin": base, "x-csrf-token": csrf[1]}
            assert (await client.post("/readers/release", json={}, headers=headers)).status_code == 200
            await until(lambda: refused <= set(broker.on("/events/movement/")))
            await page(client, shows_button=False)
        assert await daemon.stop() == 0, daemon.log[-4000:]
