"""The pages of the gateway over real sockets, asked politely and not."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
import structlog
from structlog.testing import capture_logs

from drivers.front_door import CHANCE
from gateway.ops import http as module
from gateway.ops.http import MAX_CONNECTIONS, MAX_REQUEST, Answer, Server


def broken() -> Answer:
    raise ZeroDivisionError


ROUTES = {
    "/healthz": lambda: Answer(503, "application/json", b'{"status":"failing"}'),
    "/metrics": lambda: Answer(200, "text/plain", b"x 1\n"),
    "/broken": broken,
}


@pytest.fixture
async def server():
    server = Server("127.0.0.1", 0, ROUTES, structlog.get_logger())
    await server.start()
    yield server
    await server.close()


async def ask(server: Server, request: bytes, *, step: int = 1 << 20, end: bool = False) -> tuple[int, dict, bytes]:
    """Status, headers and body of the answer to `request`, sent in pieces of `step` bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for start in range(0, len(request), step):
            writer.write(request[start : start + step])
            await writer.drain()
        if end:
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in rest), body


async def test_pages(server):
    status, headers, body = await ask(server, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (status, body, headers["Content-Length"], headers["Content-Type"]) == (200, b"x 1\n", "4", "text/plain")
    status, _, body = await ask(server, b"GET /healthz?full=1 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (status, body) == (503, b'{"status":"failing"}')
    status, headers, body = await ask(server, b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (status, body, headers["Content-Length"]) == (200, b"", "4")
    assert (await ask(server, b"GET /metrics HTTP/1.0\r\n\r\n"))[0] == 200
    assert (await ask(server, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", step=1))[0] == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /metrics/../healthz HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET http://a/metrics HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"DELETE /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"get /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /met\x00rics HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /m\xc3\xa9trics HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * MAX_REQUEST + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 2 * MAX_REQUEST, 431),
        (b"a" * 50_000, 431),
    ],
)  # fmt: skip
async def test_requests_that_are_refused(server, request_, status):
    found, headers, body = await ask(server, request_)
    assert found == status
    assert body.startswith(str(status).encode())
    assert headers["Connection"] == "close"
    assert ("Allow" in headers) == (status == 405)
    assert (await ask(server, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 200


async def test_half_a_request(server):
    assert (await ask(server, b"GET /metrics HT", end=True))[0] == 400


async def test_a_peer_that_takes_its_time_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    assert (await ask(server, b"GET /metrics HTTP/1.1\r\n"))[0] == 408


async def test_a_fault_in_a_page_is_logged_and_hidden(server):
    with capture_logs() as logs:
        status, _, body = await ask(server, b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (status, body) == (500, b"500 Internal Server Error\n")
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


@pytest.mark.slow
async def test_a_crowd_that_says_nothing_gives_way(server):
    """Twice as many as there is room for, which send nothing: a request gets its answer within a moment."""
    idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2 * MAX_CONNECTIONS)]
    async with asyncio.timeout(CHANCE + 2):
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError, IndexError):
                if (await ask(server, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 200:
                    break
            await asyncio.sleep(0.05)
    for _, writer in idle:
        writer.close()


async def test_closing_drops_what_is_open(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /metrics")
    await ask(server, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.wait_for(server.close(), 2)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 2)
    writer.close()
