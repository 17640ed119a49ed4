"""The gateway whose start was refused: it says so wherever somebody looks, and tries again.

A wrong configuration, a damaged ledger, a full disk, a journal that cannot be written: nothing that a restart mends. So
the process stays up *failing*: ``/healthz`` answers 503 with the reason and what to do, the metrics and the retained
`state/gateway` say it, and so does the dock page. Readers are not connected, so that those which hold their reads go on
holding them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from gateway.config import Config
from gateway.errors import ConfigError, LedgerError
from gateway.mqtt.announcement import announce
from gateway.ops.http import Answer, Server
from gateway.ops.logs import Logger
from gateway.ops.metrics import CONTENT_TYPE
from gateway.ops.notify import Notifier

FIRST_RETRY, LAST_RETRY = 2.0, 60.0
"""Seconds between two attempts to start, each twice the one before: a disk that has room again is found soon."""


class Grounded:
    """Shows why the start was refused, from the first `wait` on until `end`. Where `site` is empty, to no broker."""

    def __init__(self, config: Config, notifier: Notifier, log: Logger) -> None:
        self.reason = ""
        self._config = config
        self._notifier = notifier
        self._log = log
        self._retry = FIRST_RETRY
        self._shown: list[asyncio.Task[None]] = []
        self._said = asyncio.Event()
        self._served = asyncio.Event()

    async def wait(self, error: Exception, *wakes: asyncio.Event) -> None:
        """Says why, and returns when it is time to try again or something wakes it."""
        known = isinstance(error, LedgerError | ConfigError)
        reason = "; ".join(str(error).splitlines()) if known else f"a fault in the gateway: {error!r}; keep its log"
        if reason != self.reason:
            self.reason = reason
            self._log.error(
                "the gateway cannot start; it stays up to say so, reads nothing and tries again",
                reason=reason,
                exc_info=None if known else error,
            )
            self._said.set()
        if not self._shown:
            self._show()
            await self._served.wait()
        self._notifier.ready(f"failing, nothing is read: {reason}")
        waiting = [asyncio.create_task(wake.wait()) for wake in wakes]
        await asyncio.wait(waiting, timeout=self._retry, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        self._retry = min(self._retry * 2, LAST_RETRY)

    async def end(self) -> None:
        """Gives back what the gateway itself is to use."""
        for task in self._shown:
            task.cancel()
        await asyncio.gather(*self._shown, return_exceptions=True)
        self._shown.clear()

    def _show(self) -> None:
        work: list[Coroutine[Any, Any, None]] = [
            self._notifier.watchdog(lambda: True),  # it does not hang
            self._serve(),
        ]
        if self._config.site:
            work.append(announce(self._config, self._state, self._said, self._log))
        if self._config.web is not None:
            with contextlib.suppress(ImportError):
                from gateway.web.closed import build
                from gateway.web.server import WebServer

                app = build(lambda: self.reason)
                work.append(WebServer(app, self._config.web, self._log).run())
        self._shown = [asyncio.create_task(one, name="grounded") for one in work]

    async def _serve(self) -> None:
        http = self._config.http
        server = Server(http.host, http.port, {"/healthz": self._healthz, "/metrics": self._metrics}, self._log)
        try:
            await server.start()
        except OSError as error:
            self._log.error("no metrics: the address cannot be used", host=http.host, port=http.port, reason=str(error))
        self._served.set()
        await server.start_when_free()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await server.close()

    def _healthz(self) -> Answer:
        body = {"status": "failing", "reasons": [f"the gateway cannot start: {self.reason}"], "readers": {}}
        return Answer(503, "application/json", orjson.dumps(body))

    def _metrics(self) -> Answer:
        registry = CollectorRegistry()
        Gauge("rfid_gateway_start_refused", "1 while the gateway cannot start.", registry=registry).set(1)
        return Answer(200, CONTENT_TYPE, generate_latest(registry))

    def _state(self) -> bytes:
        return orjson.dumps({"status": "failing", "reason": f"the gateway cannot start: {self.reason}"})
