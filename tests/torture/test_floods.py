"""Floods of connections: strangers take neither the gateway's memory nor anybody's place."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from gateway.web.hub import MAX_STREAMS
from tests.e2e.site import BASE, config, events_of, movements
from tests.e2e.test_service import get
from tests.support import certificates
from tests.support.mosquitto import free_port
from tests.support.subscriber import Subscriber

MOST = 100 << 20
"""Bytes by which a flood may enlarge the gateway."""

ANA, BOB = secrets.token_hex(16), secrets.token_hex(16)
CALLER = "E200CA11"
"""How the EPCs begin of the reader that calls."""


@dataclass(slots=True, frozen=True)
class Site:
    """A gateway with a page behind TLS and tokens, health, and a port that readers call."""

    web: int
    health: int
    calls: int
    pems: certificates.Certificates

    def settings(self, folder: Path, broker: int, door: LlrpEmulator) -> dict[str, Any]:
        tokens = folder / "tokens"
        folder.mkdir(parents=True, exist_ok=True)
        tokens.write_text(f"ana: {ANA}\nbob: {BOB}\n")
        made = config(folder, broker, {"door": door})
        made["zones"].append({"id": "called"})
        made["readers"].append(
            {
                "id": "caller",
                "driver": "llrp",
                "connect": "in",
                "listen_host": "127.0.0.1",
                "listen_port": self.calls,
                "peer": "127.0.0.1",
                "antennas": [{"port": 1, "zone": "called"}],
            }
        )
        tls = {"cert_file": str(self.pems.file("server.crt")), "key_file": str(self.pems.file("server.key"))}
        return made | {
            "http": {"port": self.health},
            "web": {"port": self.web, "tls": tls, "token_file": str(tokens)},
        }

    @contextlib.asynccontextmanager
    async def browser(self, address: str) -> AsyncIterator[httpx.AsyncClient]:
        context = ssl.create_default_context(cafile=str(self.pems.file("ca.crt")))
        transport = httpx.AsyncHTTPTransport(local_address=address, verify=context, limits=httpx.Limits())
        base = f"https://localhost:{self.web}"
        async with httpx.AsyncClient(transport=transport, base_url=base, timeout=10) as browser:
            yield browser


async def log_in(browser: httpx.AsyncClient, token: str) -> int:
    """Gives the status: 303 for who is let in."""
    page = (await browser.get("/login")).text
    csrf = re.findall(r'name="csrf" value="([0-9a-f]{64})"', page)
    if not csrf:
        return 0
    origin = {"origin": str(browser.base_url).rstrip("/")}
    return (await browser.post("/login", data={"token": token, "csrf": csrf[0]}, headers=origin)).status_code


async def test_floods_of_connections_shut_nobody_out(make_daemon, broker, tmp_path, say, long):
    number = 2_000 if long else 120
    site = Site(free_port(), free_port(), free_port(), certificates.make(tmp_path / "pems"))
    async with (
        LlrpEmulator(serials(rate=20), name="door", hold_buffer=100_000) as door,
        LlrpEmulator(serials(rate=20, run=0xCA11), name="caller", call=("127.0.0.1", site.calls)),
    ):
        daemon = make_daemon(tmp_path / "gateway", site.settings(tmp_path / "gateway", broker.port, door))
        with Subscriber(broker.port, BASE + "events/#") as seen:
            await daemon.start()
            await seen.until(lambda s: len(movements(events_of(s), CALLER)) >= 10, 60)
            async with site.browser("127.0.0.9") as ana:
                assert await log_in(ana, ANA) == 303
                before = most = resident(daemon.pid)
                tried = []
                for flooded in (silent, half_a_handshake, trickled, called, streams, wrong_passwords):
                    async with flooded(site, number) as figure:
                        tried.append(figure)
                        await until_served(ana, site)
                        heard = len(movements(events_of(seen), CALLER))
                        await seen.until(lambda s, heard=heard: len(movements(events_of(s), CALLER)) > heard + 10, 60)
                        most = max(most, resident(daemon.pid))
            assert most - before < MOST
            assert len(daemon.log) < 1 << 20
            assert await daemon.stop() == 0, daemon.log[-3000:]
    say("floods of connections shut nobody out and cost little", ", ".join(tried),
        "who is logged in had the page and a stream, health answered, a reader that calls was read; "
        f"{(most - before) >> 20} MB more, {len(daemon.log) >> 10} kB of log")  # fmt: skip


async def until_served(browser: httpx.AsyncClient, site: Site) -> None:
    """The page, one live stream of it, and health are there for who comes now."""
    async with asyncio.timeout(60):
        while not await served(browser, site):  # noqa: ASYNC110 - it is asked again and again
            await asyncio.sleep(0.2)


async def served(browser: httpx.AsyncClient, site: Site) -> bool:
    with contextlib.suppress(httpx.HTTPError, OSError):
        if (await browser.get("/zones")).status_code != 200:
            return False
        async with browser.stream("GET", "/events?view=zones") as stream:
            async for line in stream.aiter_lines():
                if line == "event: view":
                    return (await get(site.health, "/healthz"))[0] == 200
    return False


@contextlib.asynccontextmanager
async def silent(site: Site, number: int) -> AsyncIterator[str]:
    async with connections(site.web, b"", number) as held:
        yield f"{held:,} that never begin TLS"


@contextlib.asynccontextmanager
async def half_a_handshake(site: Site, number: int) -> AsyncIterator[str]:
    async with connections(site.web, b"\x16\x03", number) as held:
        yield f"{held:,} that begin it and do not go on"


@contextlib.asynccontextmanager
async def trickled(site: Site, number: int) -> AsyncIterator[str]:
    async with connections(site.health, b"GET /he", number) as held:
        yield f"{held:,} that trickle HTTP"


@contextlib.asynccontextmanager
async def called(site: Site, number: int) -> AsyncIterator[str]:
    """As strangers, and as somebody at the reader's own address."""
    async with (
        connections(site.calls, b"", number // 2) as strangers,
        connections(site.calls, b"\x04\x3f", number // 2, address="127.0.0.1") as neighbours,
    ):
        yield f"{strangers + neighbours:,} to the port that readers call"


@contextlib.asynccontextmanager
async def streams(site: Site, number: int) -> AsyncIterator[str]:
    """Of somebody who is logged in and opens one after the other, from three addresses."""
    async with contextlib.AsyncExitStack() as stack:
        opened = 0
        for address in ("127.0.0.3", "127.0.0.4", "127.0.0.5")[: number // 100]:
            bob = await stack.enter_async_context(site.browser(address))
            assert await log_in(bob, BOB) == 303
            for _ in range(MAX_STREAMS):
                with contextlib.suppress(httpx.HTTPError):
                    await stack.enter_async_context(bob.stream("GET", "/events?view=zones"))
                    opened += 1
        assert opened >= MAX_STREAMS
        yield f"{opened} event streams of one user"


@contextlib.asynccontextmanager
async def wrong_passwords(site: Site, number: int) -> AsyncIterator[str]:
    """And somebody at another address logs in all the same."""
    tries, last = 0, 32 if number > 1_000 else 23
    for address in range(20, last):
        async with site.browser(f"127.0.0.{address}") as guesser:
            while await log_in(guesser, secrets.token_hex(16)) == 401:
                tries += 1
    async with site.browser("127.0.0.50") as bob:
        assert await log_in(bob, BOB) == 303
    yield f"{tries} wrong passwords from {last - 20} addresses"


@contextlib.asynccontextmanager
async def connections(port: int, words: bytes, number: int, address: str = "127.0.0.2") -> AsyncIterator[int]:
    """So many that say no more than `words`; gives how many came to be."""
    held = []
    for _ in range(number):
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
            writer.write(words)
            held.append(writer)
    yield len(held)
    for writer in held:
        writer.close()


def resident(pid: int) -> int:
    return int(re.findall(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[0]) << 10
