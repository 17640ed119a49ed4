"""Serves the dock page inside the gateway's event loop, within bounds, until it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from drivers.front_door import FrontDoor, Place, listening
from drivers.plain_files import check_plain
from gateway.config.web import WebConfig
from gateway.errors import ConfigError
from gateway.ops.http import TRY_AGAIN
from gateway.ops.logs import Logger
from gateway.text import printable
from gateway.web.guard import Guard
from gateway.web.interface import WebPort
from gateway.web.site import build
from gateway.web.tokens import Tokens, read_tokens

MAX_STRANGERS = 48
"""Connections at the same time of those who have not shown yet that they may see the page."""

MAX_OF_ADDRESS = 16
"""The same of one address: two browsers that load a page at once open twelve."""

MAX_CONNECTIONS = MAX_STRANGERS + 96
"""At the same time, with the reserve of those who are logged in: every stream, and two more for each browser's pages
and actions. Further ones are cut off."""

NEXT_REQUEST = 10.0
"""Seconds between two looks at a connection: one that has begun no request since the last is cut off."""

MAX_HEADERS = 16 << 10
"""Bytes of a request's headers: what browsers send is about 1 kB."""

BACKLOG = 128
"""Connections that the kernel keeps until they are accepted."""

TOKENS_AGAIN = 10.0
"""Seconds between two looks at the token file: who is taken off it is logged out within them."""

GOODBYE = 2
"""Seconds that connections have to end when the gateway stops."""


class WebServer:
    """The page of a configuration. `run` until cancelled. `shown` is what there is to show, or a page of its own."""

    def __init__(self, shown: WebPort | Starlette, config: WebConfig, log: Logger) -> None:
        self._config = config
        self._log = log
        self._tokens = Tokens({})
        if isinstance(shown, Starlette):
            self.app: Starlette = shown
        else:
            self.app = build(shown, Guard(config, lambda: self._tokens), log)
        self.ready = asyncio.Event()
        self.troubled: Callable[[str], None] = lambda trouble: None
        """Is told why the page is not there."""
        self._sockets: list[socket.socket] = []

    @property
    def port(self) -> int:
        """The port in use. Only while it is `ready`."""
        return int(self._sockets[0].getsockname()[1])

    async def run(self) -> None:
        """Serves until it is cancelled. Where address, certificate or tokens cannot be used the gateway runs without
        the pages, the log says so, and they are tried again: reads and events are worth more."""
        said = ""
        while True:
            try:
                context = await self._opened()
                break
            except ConfigError as error:
                reason = "the token file cannot be used"
                if said != reason:
                    self._log.error(f"the pages are not served: {reason}", problems=error.problems)
            except OSError as error:  # ssl.SSLError is one
                reason = f"the address or the certificate cannot be used ({error})"
                if said != reason:
                    self._log.error(
                        "the pages are not served: their address or certificate cannot be used",
                        host=self._config.host,
                        port=self._config.port,
                        reason=str(error),
                    )
            said = reason
            self.troubled(f"not served: {reason}")
            await asyncio.sleep(TRY_AGAIN)
        self.troubled("")
        await self._serve(context)

    async def _opened(self) -> ssl.SSLContext | None:
        """Reads tokens and certificates, and listens. Raises ConfigError and OSError."""
        if self._config.token_file is not None:
            self._tokens = await asyncio.to_thread(read_tokens, self._config.token_file)
        context = await asyncio.to_thread(self._tls)
        self._sockets = await listening(self._config.host, self._config.port, BACKLOG)
        return context

    async def _serve(self, context: ssl.SSLContext | None) -> None:
        server = _Server(self._uvicorn(), self._sockets, context, self._up, self._log)
        serving = asyncio.create_task(server.serve(sockets=[]), name="web server")
        others = [
            asyncio.create_task(self.app.state.hub.run(), name="web hub"),
            asyncio.create_task(self._read_tokens_again(), name="web tokens"),
        ]
        try:
            await asyncio.shield(serving)
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await serving

    def _up(self) -> None:
        self._log.info("the pages are served", host=self._config.host, port=self.port)
        self.ready.set()

    def _uvicorn(self) -> uvicorn.Config:
        return uvicorn.Config(
            self.app,
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=MAX_HEADERS,
            timeout_graceful_shutdown=GOODBYE,
        )

    def _tls(self) -> ssl.SSLContext | None:
        tls = self._config.tls
        if tls is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        check_plain(tls.cert_file, tls.key_file, tls.client_ca_file)
        context.load_cert_chain(tls.cert_file, tls.key_file)
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)
            # Where there are tokens as well, either will do.
            context.verify_mode = ssl.CERT_REQUIRED if self._config.token_file is None else ssl.CERT_OPTIONAL
        return context

    async def _read_tokens_again(self) -> None:
        path = self._config.token_file
        problems: list[str] = []
        while path is not None:
            await asyncio.sleep(TOKENS_AGAIN)
            try:
                self._tokens = await asyncio.to_thread(read_tokens, path)
                problems = []
            except ConfigError as error:
                if error.problems != problems:
                    problems = error.problems
                    self._log.error("the token file cannot be used; the tokens read before stay", problems=problems)


class _Server(uvicorn.Server):
    """Takes its connections from a front door, says when it is up, and leaves signals to the gateway."""

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: list[socket.socket],
        context: ssl.SSLContext | None,
        up: Callable[[], None],
        log: Logger,
    ) -> None:
        super().__init__(config)
        self._listening = sockets
        self._up = up
        self._door = FrontDoor(self._connection, log, each=MAX_OF_ADDRESS, strangers=MAX_STRANGERS, tls=context)

    def _connection(self, place: Place) -> _Connection:
        state = self.lifespan.state | {"proved": place.proved}
        return _Connection(config=self.config, server_state=self.server_state, app_state=state)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._door.open(self._listening)
        self._up()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._door.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connection(H11Protocol):
    """A connection within the bounds above, which tells the application whose certificate it came with and how to
    cut it off."""

    _look: asyncio.TimerHandle | None = None
    _cycle_before: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self.app_state = {**self.app_state, "abort": transport.abort, "subject": _subject(transport)}
        self._look = self.loop.call_later(NEXT_REQUEST, self._cut_off_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _cut_off_if_silent(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.cycle is self._cycle_before:
            self.transport.abort()
            return
        self._cycle_before = self.cycle
        self._look = self.loop.call_later(NEXT_REQUEST, self._cut_off_if_silent)


def _subject(transport: asyncio.Transport) -> str | None:
    """The common name of the client certificate, or all of its subject; None without one."""
    certificate: dict[str, Any] | None = transport.get_extra_info("peercert")
    if not certificate:
        return None
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    common = next((value for key, value in pairs if key == "commonName"), None)
    return printable(common or ", ".join(f"{key}={value}" for key, value in pairs) or "certificate", 64)
