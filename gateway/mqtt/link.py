"""The link to the broker: connects, and connects again, for as long as the gateway runs.

Every connection starts clean and leaves no session behind (MQTT 5: clean start, session expiry 0). What has to be
sent again is known better by the ledger than by any session; and a command that waited at the broker while the
gateway was away must not be carried out hours later, when nobody expects it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import NoReturn

from drivers.api import Log
from drivers.backoff import delays
from gateway.config import Config, MqttConfig, TlsConfig
from gateway.errors import LinkError
from gateway.mqtt.client import Client, Settings, Will
from gateway.mqtt.interface import Connection, Receive
from gateway.mqtt.stats import MqttStats

FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
"""Seconds, see `drivers.backoff`. A broker that is back is found within ten seconds."""

STEADY_AFTER = 10.0
"""Seconds after which a connection counts as good. A broker that takes us and drops us at once is not hurried."""

MAX_PASSWORD = 65_535
"""Bytes: the longest that MQTT can carry."""


class Link:
    """Keeps one connection to the broker open and has `serve` use it until it ends."""

    def __init__(
        self,
        config: Config,
        *,
        will: Callable[[], Will],
        receive: Receive,
        serve: Callable[[Connection], Awaitable[NoReturn]],
        log: Log,
        stats: MqttStats,
        rng: Random,
    ) -> None:
        self._config = config
        self._will = will
        self._receive = receive
        self._serve = serve
        self._log = log
        self._stats = stats
        self._rng = rng
        self._last_problem = ""

    async def run(self) -> NoReturn:
        """Until cancelled. Errors of the link are logged and tried again; all others come out."""
        loop = asyncio.get_running_loop()
        waits = delays(self._rng, first=FIRST_DELAY, cap=LONGEST_DELAY)
        while True:
            started = loop.time()
            try:
                async with self._connection() as connection:
                    started = loop.time()
                    await self._serve(connection)
            except LinkError as error:
                self._report(str(error))
            if loop.time() - started > STEADY_AFTER:
                waits = delays(self._rng, first=FIRST_DELAY, cap=LONGEST_DELAY)
            await asyncio.sleep(next(waits))

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        settings = await asyncio.to_thread(read_settings, self._config, self._will())
        client = Client(settings, self._receive)
        try:
            with _heeding_cancellation():
                await client.open()
        except LinkError:
            self._stats.connect_failures += 1
            raise
        except asyncio.CancelledError:
            await client.close()
            raise
        self._stats.connects += 1
        self._stats.connected = True
        self._last_problem = ""
        self._log.info("connected to the MQTT broker", broker=settings.address, version=settings.version)
        try:
            yield client
        finally:
            self._stats.connected = False
            with _heeding_cancellation():
                await client.close()

    def _report(self, problem: str) -> None:
        """A broker that stays away is one line in the log, not one for each attempt."""
        report = self._log.debug if problem == self._last_problem else self._log.warning
        report("no connection to the MQTT broker", why=problem, what="trying again; events wait in the ledger")
        self._last_problem = problem


@contextlib.contextmanager
def _heeding_cancellation() -> Iterator[None]:
    """asyncio.wait_for of Python 3.11, by which aiomqtt connects and disconnects, forgets a cancellation that comes
    together with the result. Without this, a stop in that moment would be waited for without end."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    yield
    if task.cancelling() > before:
        raise asyncio.CancelledError


def read_settings(config: Config, will: Will) -> Settings:
    """What the next connection needs. Reads the password and the certificates, so not on the event loop."""
    mqtt = config.mqtt
    return Settings(
        host=mqtt.host,
        port=mqtt.port,
        version=mqtt.version,
        client_id=mqtt.client_id or f"rfid-{config.site}-{config.gateway}",
        keepalive=mqtt.keepalive,
        will=will,
        username=mqtt.username,
        password=_read_password(mqtt),
        tls=_tls_context(mqtt.tls) if mqtt.tls is not None else None,
    )


def _read_password(mqtt: MqttConfig) -> str | None:
    if mqtt.password_file is None:
        return None
    if mqtt.username is None:
        raise LinkError("mqtt.password_file is set but mqtt.username is not: set both or neither")
    try:
        with mqtt.password_file.open("rb") as file:
            content = file.read(MAX_PASSWORD + 1)
        password = content.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise LinkError(f"the password file {mqtt.password_file} cannot be read: {_brief(error)}") from error
    if not password or len(content) > MAX_PASSWORD:
        raise LinkError(f"the password file {mqtt.password_file} must hold one line with the password")
    return password


def _brief(error: Exception) -> str:
    """Without the content, which in the case of a password has no place in a log."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not UTF-8 text"


def _tls_context(tls: TlsConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if tls.ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(tls.ca_file, lambda path: context.load_verify_locations(path))
    if tls.cert_file is not None and tls.key_file is not None:
        key = tls.key_file
        _load(tls.cert_file, lambda path: context.load_cert_chain(path, key, password=_no_passphrase), key)
    return context


def _load(path: Path, load: Callable[[Path], None], *others: Path) -> None:
    names = " and ".join(str(name) for name in (path, *others))
    try:
        load(path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise LinkError(f"TLS: {names} cannot be used: {error}") from error


def _no_passphrase() -> str:
    """Without this OpenSSL would ask for it on the terminal and wait."""
    raise ValueError("the key has a passphrase; give a key file without one, readable only by the service")
