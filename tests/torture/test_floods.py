"""Floods of connections: strangers take neither the gateway's memory nor anybody's place."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from pathlib import Path

import httpx

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from tests.e2e.site import BASE, config, events_of
from tests.e2e.test_service import get
from tests.support import certificates
from tests.support.mosquitto import free_port
from tests.support.subscriber import Subscriber

MOST = 100 << 20
"""Bytes by which a flood may enlarge the gateway."""


def resident(pid: int) -> int:
    return int(re.findall(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[0]) << 10


async def test_floods_of_connections_shut_nobody_out(make_daemon, broker, tmp_path, say, long):
    number = 2_000 if long else 120
    pems = certificates.make(tmp_path / "pems")
    async with LlrpEmulator(serials(rate=20), name="door", hold_buffer=100_000) as door:
        settings = config(tmp_path / "gateway", broker.port, {"door": door})
        web = free_port()
        settings |= {"http": {"port": free_port()}}
        settings |= {
            "web": {
                "port": web,
                "tls": {"cert_file": str(pems.file("server.crt")), "key_file": str(pems.file("server.key"))},
            }
        }
        daemon = make_daemon(tmp_path / "gateway", settings)
        with Subscriber(broker.port, BASE + "events/#") as seen:
            await daemon.start()
            await seen.until(lambda s: len(events_of(s)) >= 10, 60)
            before = resident(daemon.pid)
            most, tried = before, []
            for port, words in ((web, b""), (web, b"\x16\x03"), (settings["http"]["port"], b"GET /he")):
                held = await flood(port, words, number)
                async with asyncio.timeout(60):
                    while not await page(web, pems):  # noqa: ASYNC110 - it is asked again and again
                        await asyncio.sleep(0.2)
                    while (await get_well(settings["http"]["port"])) != 200:  # noqa: ASYNC110
                        await asyncio.sleep(0.2)
                heard = len(events_of(seen))
                await seen.until(lambda s, heard=heard: len(events_of(s)) >= heard + 20, 60)
                most = max(most, resident(daemon.pid))
                tried.append(len(held))
                for writer in held:
                    writer.close()
            assert most - before < MOST
            assert len(daemon.log) < 1 << 20
            assert await daemon.stop() == 0, daemon.log[-3000:]
    say("floods of connections shut nobody out and cost little",
        f"{tried[0]:,} that never begin TLS, {tried[1]:,} that begin and do not go on, {tried[2]:,} that trickle HTTP",
        f"page and health answered meanwhile, events went on; {(most - before) >> 20} MB more, "
        f"{len(daemon.log) >> 10} kB of log")  # fmt: skip


async def flood(port: int, words: bytes, number: int) -> list[asyncio.StreamWriter]:
    held = []
    for _ in range(number):
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
            writer.write(words)
            held.append(writer)
    return held


async def page(port: int, pems: certificates.Certificates) -> bool:
    context = ssl.create_default_context(cafile=str(pems.file("ca.crt")))
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.9", verify=context)
    with contextlib.suppress(httpx.HTTPError):
        async with httpx.AsyncClient(transport=transport) as client:
            return (await client.get(f"https://localhost:{port}/")).status_code < 500
    return False


async def get_well(port: int) -> int:
    with contextlib.suppress(OSError):
        return (await get(port, "/healthz"))[0]
    return 0
