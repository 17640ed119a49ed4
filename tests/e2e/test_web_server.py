"""The page on real sockets: bounds that keep others out, certificates that say who acts, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import ssl
import time

import httpx
import pytest

from gateway.config.web import WebConfig
from gateway.web import server as servers
from gateway.web.server import WebServer
from tests.support import certificates
from tests.support.web_scene import FakeGateway, load, quiet, served

ANA = "a" * 32
OPEN = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Said:
    """A log that remembers."""

    def __init__(self):
        self.lines = []

    def info(self, event, **fields):
        self.lines.append((event, fields))

    warning = error = info

    def text(self):
        return str(self.lines)


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    return certificates.make(tmp_path_factory.mktemp("web-pems"))


def tls(pems, **more):
    return {"cert_file": str(pems.file("server.crt")), "key_file": str(pems.file("server.key"))} | more


def trusting(pems, *, client=False):
    context = ssl.create_default_context(cafile=str(pems.file("ca.crt")))
    if client:
        context.load_cert_chain(pems.file("client.crt"), pems.file("client.key"))
    return context


async def act(client, base):
    page = (await client.get(f"{base}/docks/dock-1")).text
    secret = re.search(r'data-csrf="([0-9a-f]{64})"', page)[1]
    headers = {"origin": base, "x-csrf-token": secret}
    return await client.post(f"{base}/docks/dock-1/open", json={}, headers=headers)


async def until(condition, timeout=60.0):
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_client_certificate_says_who_acts(pems):
    gateway = FakeGateway()
    gateway.manifest(load(1))
    settings = tls(pems, client_ca_file=str(pems.file("ca.crt")))
    async with served(gateway, tls=settings) as server:
        base = f"https://localhost:{server.port}"
        async with httpx.AsyncClient(verify=trusting(pems, client=True)) as client:
            assert (await act(client, base)).status_code == 200
            page = await client.get(f"{base}/docks/dock-1")
            assert page.headers.get_list("set-cookie") == [], "the certificate is asked each time"
        async with httpx.AsyncClient(verify=trusting(pems)) as stranger:
            with pytest.raises(httpx.TransportError):
                await stranger.get(base)
    assert gateway.asked == [("gate.open", {"dock": "dock-1"}, "gateway")]


async def test_with_tokens_as_well_either_will_do(pems, tmp_path):
    (tmp_path / "tokens").write_text(f"ana: {ANA}\n")
    settings = tls(pems, client_ca_file=str(pems.file("ca.crt")))
    async with served(FakeGateway(), tls=settings, token_file=str(tmp_path / "tokens")) as server:
        base = f"https://localhost:{server.port}"
        async with httpx.AsyncClient(verify=trusting(pems, client=True)) as client:
            assert (await client.get(base)).status_code == 200
        async with httpx.AsyncClient(verify=trusting(pems)) as client:
            assert (await client.get(base)).status_code == 303
            page = await client.get(f"{base}/login")
            assert re.match(
                r"__Host-rfid_visitor=[\w-]+; HttpOnly; Path=/; SameSite=strict; Secure", page.headers["set-cookie"]
            )
            csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)[1]
            data = {"token": ANA, "csrf": csrf}
            assert (await client.post(f"{base}/login", data=data, headers={"origin": base})).status_code == 303
            assert (await client.get(base)).status_code == 200


async def test_tls_is_the_only_way_in_where_it_is_configured(pems):
    async with served(FakeGateway(), tls=tls(pems)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OPEN)
        assert await reader.read(100) in (b"", b"\x15\x03\x03\x00\x02\x02F")
        writer.close()


async def test_who_is_taken_off_the_token_file_is_logged_out(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "TOKENS_AGAIN", 0.05)
    path = tmp_path / "tokens"
    path.write_text(f"ana: {ANA}\n")
    log = Said()
    async with served(FakeGateway(), log, token_file=str(path)) as server:
        base = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient() as client:
            csrf = re.search(r'name="csrf" value="(\w+)"', (await client.get(f"{base}/login")).text)[1]
            await client.post(f"{base}/login", data={"token": ANA, "csrf": csrf}, headers={"origin": base})
            assert (await client.get(base)).status_code == 200
            path.write_text("nonsense\n")
            await until(lambda: "tokens read before stay" in log.text())
            assert (await client.get(base)).status_code == 200
            path.write_text(f"ben: {'b' * 32}\n")
            async with asyncio.timeout(60):
                while (await client.get(base)).status_code == 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)


@pytest.mark.parametrize("said", [b"", OPEN[:20], OPEN + OPEN[:20]], ids=["nothing", "half a request", "and a half"])
async def test_who_says_nothing_is_cut_off(monkeypatch, said):
    monkeypatch.setattr(servers, "NEXT_REQUEST", 0.1)
    async with served(FakeGateway()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(said)
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 3)  # before uvicorn itself ends what is kept alive
        writer.close()


async def test_who_listens_is_not_cut_off(monkeypatch):
    monkeypatch.setattr(servers, "NEXT_REQUEST", 0.05)
    gateway = FakeGateway()
    async with served(gateway) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OPEN.replace(b"GET /", b"GET /events?view=docks"))
        await asyncio.wait_for(reader.readuntil(b"event: view"), 60)
        await asyncio.sleep(0.3)
        gateway.manifest(load(1))
        await asyncio.wait_for(reader.readuntil(b"event: view"), 60)
        writer.close()


async def loads(server, address="127.0.0.9"):
    """Whether the page loads for somebody at `address`."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(address, 0))
        writer.write(OPEN)
        return (await asyncio.wait_for(reader.readline(), 60)) == b"HTTP/1.1 200 OK\r\n"
    except (ConnectionError, TimeoutError):
        return False
    finally:
        writer.close()


async def test_who_trickles_keeps_nobody_out(monkeypatch):
    """As many as there are connections begin a request and do not end it, from one address and from many."""
    monkeypatch.setattr(servers, "NEXT_REQUEST", 3600.0)
    async with served(FakeGateway()) as server:
        held = []
        for number in range(servers.MAX_CONNECTIONS):
            address = "127.0.0.2" if number % 2 else f"127.0.1.{number}"
            pair = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(address, 0))
            pair[1].write(OPEN[:20])
            held.append(pair)
        async with asyncio.timeout(60):
            while not await loads(server):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for _, writer in held:
            writer.close()


async def test_who_is_let_in_stays_while_strangers_come():
    gateway = FakeGateway()
    async with served(gateway) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OPEN.replace(b"GET /", b"GET /events?view=docks"))
        await asyncio.wait_for(reader.readuntil(b"event: view"), 60)
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3 * servers.MAX_OF_ADDRESS)]
        gateway.manifest(load(1))
        await asyncio.wait_for(reader.readuntil(b"event: view"), 60)
        for _, each in [*held, (reader, writer)]:
            each.close()


async def test_a_handshake_that_never_begins_costs_nothing(pems, monkeypatch):
    """Hundreds of connections that never begin TLS: few are kept, and a browser still gets its page."""
    monkeypatch.setattr(servers, "NEXT_REQUEST", 3600.0)
    async with served(FakeGateway(), tls=tls(pems)) as server:
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(300)]
        waiting = {asyncio.create_task(reader.read()) for reader, _ in held}
        await until(lambda: sum(each.done() for each in waiting) >= 300 - servers.MAX_OF_ADDRESS, 60)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        base = f"https://localhost:{server.port}"
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.9", verify=trusting(pems))
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.get(f"{base}/login", follow_redirects=False)).status_code < 500
        for _, writer in held:
            writer.close()


async def test_headers_without_end_are_refused():
    async with served(FakeGateway()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * (servers.MAX_HEADERS + 10_000))
        with contextlib.suppress(ConnectionResetError):
            assert (await asyncio.wait_for(reader.read(), 60)).startswith(b"HTTP/1.1 400")
        writer.close()


async def test_it_ends_with_streams_open_and_leaves_signals_alone(monkeypatch):
    monkeypatch.setattr(servers, "GOODBYE", 3600)  # so that an end which waits for those who listen is none
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with served(FakeGateway()) as server:
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OPEN.replace(b"GET /", b"GET /events?view=docks"))
        await asyncio.wait_for(reader.readuntil(b"event: view"), 60)
    assert (await asyncio.wait_for(reader.read(), 60)).endswith(b"0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "127.0.0.1", "port": 1}, "their address or certificate cannot be used"),
        ({"tls": {"cert_file": "/nothing.crt", "key_file": "/nothing.key"}}, "their address or certificate cannot"),
        ({"token_file": "/nothing/tokens"}, "the token file cannot be used"),
    ],
)
async def test_what_cannot_be_used_is_told_ends_nothing_else_and_is_tried_again(settings, words, monkeypatch):
    monkeypatch.setattr(servers, "TRY_AGAIN", 0.05)
    if settings.get("port") == 1:
        taken = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        settings = settings | {"port": taken.sockets[0].getsockname()[1]}
    log, told = Said(), []
    server = WebServer(FakeGateway(), WebConfig.model_validate(settings), log)
    server.troubled = told.append
    running = asyncio.create_task(server.run())
    await until(lambda: len(told) >= 3)
    assert f"the pages are not served: {words}" in log.text()
    assert len(log.lines) == 1, "one line, not one for each attempt"
    if "port" in settings:
        taken.close()
        await asyncio.wait_for(server.ready.wait(), 60)
        assert told[-1] == ""
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_five_hundred_packages_in_a_minute_cost_little():
    gateway = FakeGateway()
    gateway.manifest(load(500))
    gateway.pass_out(1)
    server = WebServer(gateway, WebConfig(), quiet())
    hub = server.app.state.hub
    hub.reserve("dock/dock-1")
    began = time.process_time()
    for _ in range(20):
        hub._update()
    assert (time.process_time() - began) / 20 < 0.1
