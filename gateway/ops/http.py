"""A very small HTTP/1.1 server for ``GET /metrics`` and ``GET /healthz``.

It answers one request a connection, takes no body, and gives a peer little memory and little time; RFC 9112 says what
a request looks like. There is no authentication: it belongs on a loopback address.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from drivers.front_door import FrontDoor, Place, listening
from gateway.ops.logs import Logger

MAX_REQUEST = 8192
"""Bytes of request line and headers together: what common servers allow; a scraper sends about 300."""

MAX_CONNECTIONS = 16
"""At the same time: a scraper, a health check and some people. One that takes its time gives way to the next."""

BACKLOG = 64
"""Connections that the kernel keeps until they are accepted."""

TIMEOUT = 5.0
"""Seconds for the whole request, and again for the whole answer."""

TRY_AGAIN = 5.0
"""Seconds until an address, or what is to be served there, that cannot be used is tried again."""

_LINGER_BYTES = 1 << 16
_LINGER = 1.0
"""What a peer still sends after an error is read and thrown away, within these bounds: closing with bytes unread
resets the connection, and the peer would never see the answer."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/(\d)\.(\d)")
_HEADER = re.compile(rb"(" + _TOKEN + rb"):[\t \x21-\x7e\x80-\xff]*")


@dataclass(slots=True, frozen=True)
class Answer:
    """What a request is answered with."""

    status: int
    content_type: str
    body: bytes


Routes = Mapping[str, Callable[[], Answer]]


class Server:
    """Serves `routes` on `host:port` between `start` and `close`; with port 0 the system chooses one."""

    def __init__(self, host: str, port: int, routes: Routes, log: Logger) -> None:
        self._host = host
        self._wanted = port
        self._routes = routes
        self._log = log
        self._sockets: list[socket.socket] = []
        self._door = FrontDoor(self._build, log, each=MAX_CONNECTIONS, strangers=MAX_CONNECTIONS)
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port in use. Only after `start`."""
        return int(self._sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Raises `OSError` when the address cannot be used."""
        self._sockets = await listening(self._host, self._wanted, BACKLOG)
        self._door.open(self._sockets)

    async def start_when_free(self) -> None:
        """Returns once it has its address: whoever has that may end."""
        while not self._sockets:
            await asyncio.sleep(TRY_AGAIN)
            with contextlib.suppress(OSError):
                await self.start()

    async def close(self) -> None:
        """Stops listening and drops what is still open."""
        self._door.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _build(self, place: Place) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=MAX_REQUEST), self._connected)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # a stream callback always runs in a task
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the peer went away or was too slow, or the server is closing: there is nobody to tell
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b""
        try:
            async with asyncio.timeout(TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
            answer = self._answer(head)
        except asyncio.LimitOverrunError:
            answer = _refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                return  # connected and left, as port checks do
            answer = _refusal(HTTPStatus.BAD_REQUEST)
        except TimeoutError:
            answer = _refusal(HTTPStatus.REQUEST_TIMEOUT)
        async with asyncio.timeout(TIMEOUT):
            writer.write(_encode(answer, head_only=head.startswith(b"HEAD ")))
            await writer.drain()
            writer.write_eof()
        async with asyncio.timeout(_LINGER):
            thrown_away = 0
            while thrown_away < _LINGER_BYTES and (data := await reader.read(4096)):
                thrown_away += len(data)

    def _answer(self, head: bytes) -> Answer:
        request, *headers = head[:-4].split(b"\r\n")
        line = _REQUEST_LINE.fullmatch(request)
        if line is None or not all(_HEADER.fullmatch(header) for header in headers):
            return _refusal(HTTPStatus.BAD_REQUEST)
        method, target, major, minor = line.groups()
        if major != b"1":
            return _refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        hosts = sum(header.lower().startswith(b"host:") for header in headers)
        if hosts > 1 or (hosts == 0 and minor != b"0"):
            return _refusal(HTTPStatus.BAD_REQUEST)
        route = self._routes.get(target.split(b"?", 1)[0].decode("ascii"))
        if route is None:
            return _refusal(HTTPStatus.NOT_FOUND)
        if method not in (b"GET", b"HEAD"):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return route()
        except Exception as error:  # a fault in a metric must not end the server
            self._log.error("a page could not be made; this is a fault in the gateway", exc_info=error)
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)


def _refusal(status: HTTPStatus) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{status.value} {status.phrase}\n".encode())


def _encode(answer: Answer, *, head_only: bool) -> bytes:
    headers = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append("Allow: GET, HEAD")
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + (b"" if head_only else answer.body)
