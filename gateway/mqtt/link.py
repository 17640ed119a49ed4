"""The link to the broker: connects, and connects again, for as long as the gateway runs.

The broker keeps a session for the gateway, so that commands wait for one that is away, for `mqtt.session_expiry` at
most: a command must not be carried out hours later, when nobody expects it any more. What the gateway itself has to
send again is known better by the ledger than by any session.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import NoReturn

from drivers.api import Log
from drivers.backoff import delays
from gateway.config import Config
from gateway.errors import LinkError
from gateway.mqtt.client import Client
from gateway.mqtt.features import Ladder
from gateway.mqtt.interface import Connection, Features, Receive
from gateway.mqtt.reasons import QUOTED
from gateway.mqtt.settings import Settings, Will, read_settings
from gateway.mqtt.stats import MqttStats

FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
"""Seconds, see `drivers.backoff`. A broker that is back is found within ten seconds."""

STEADY_AFTER = 10.0
"""Seconds after which a connection counts as good. A broker that takes us and drops us at once is not hurried."""

RESTLESS, LOUD = 20, 5
"""Connections in a minute from which on a broker is not hurried either that takes some events over each, such as one
that two clients of one name throw each other out of; and from which on the log does not name each."""

_MINUTE = 60.0

_PROBLEMS = 20
"""Problems that are remembered as logged. A broker may show several by turns, as it is asked for less each time."""


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
        away: float | None = None,
    ) -> None:
        self._config = config
        self._will = will
        self._receive = receive
        self._serve = serve
        self._log = log
        self._stats = stats
        self._rng = rng
        self._reported: dict[str, float] = {}  # problems by their words, and when they were logged
        self._hurry = False  # the last connection did not end for a reason of the broker's own
        self._made: deque[float] = deque(maxlen=RESTLESS)  # when the last connections were made
        self._missing: list[str] = []
        self._ladder = Ladder(config.mqtt.version)
        # When the last connection ended: of an earlier run it is only known where `away`, in seconds, is given.
        self._left = asyncio.get_running_loop().time() - away if away is not None else math.inf

    async def run(self) -> NoReturn:
        """Until cancelled. Errors of the link are logged and tried again; all others come out."""
        loop = asyncio.get_running_loop()
        waits = delays(self._rng, first=FIRST_DELAY, cap=LONGEST_DELAY)
        while True:
            started, published, self._hurry = loop.time(), self._stats.published, False
            try:
                async with self._connection() as connection:
                    started = loop.time()
                    if self._ladder.taken():
                        self._tell(connection.features)
                        await self._serve(connection)
            except LinkError as error:
                self._report(str(error))
            if loop.time() - started > STEADY_AFTER or (self._hurry and self._stats.published > published):
                waits = delays(self._rng, first=FIRST_DELAY, cap=LONGEST_DELAY)
            await asyncio.sleep(next(waits))

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        settings = await asyncio.to_thread(read_settings, self._config, self._will(), self._ladder.ask)
        if self._outdated(settings):
            settings = replace(settings, fresh=True)
            if settings.version == "3.1.1":  # what is fresh there is not kept
                await self._open_and_close(settings)
                settings = replace(settings, fresh=False)
        client = Client(settings, self._receive)
        await self._open(client)
        self._stats.connects += 1
        self._made.append(asyncio.get_running_loop().time())
        try:
            yield client
        finally:
            self._stats.connected = False
            is_ended_by_us = not client.lost.done()
            self._hurry = (is_ended_by_us or client.ended.blames_a_message) and not self._often(RESTLESS)
            self._left = asyncio.get_running_loop().time()
            await client.close()

    async def _open(self, client: Client) -> None:
        try:
            await client.open()
        except LinkError as error:
            self._stats.connect_failures += 1
            self._ladder.failed(error)
            raise

    async def _open_and_close(self, settings: Settings) -> None:
        client = Client(settings, lambda message: None)
        await self._open(client)
        await client.close()

    def _often(self, number: int) -> bool:
        """Whether so many connections were made in the last minute."""
        now = asyncio.get_running_loop().time()
        return sum(now - made < _MINUTE for made in self._made) >= number

    def _outdated(self, settings: Settings) -> bool:
        """What the broker kept may be older than the configuration allows. Brokers of MQTT 5 see to that too, in time
        of their own."""
        away = asyncio.get_running_loop().time() - self._left
        return 0 < settings.session < away < math.inf

    def _tell(self, features: Features) -> None:
        """One line for the connection, and one for what this broker has not, where that is news."""
        mqtt = self._config.mqtt
        say = self._log.debug if self._often(LOUD) else self._log.info
        say("connected to the MQTT broker", broker=f"{mqtt.host}:{mqtt.port}", version=features.version)
        missing = features.missing()
        if features.version != mqtt.version:
            missing.insert(0, f"no MQTT {mqtt.version}: MQTT {features.version} is spoken; set mqtt.version")
        if not self._ladder.ask.will:
            missing.append("no last will: nothing says so when the gateway ends without a word")
        if not self._ladder.ask.session:
            missing.append("no persistent session: a command published while the gateway is away is lost")
        if missing and missing != self._missing:
            self._log.warning("the MQTT broker does not have everything", missing=missing)
        self._missing = missing

    def _report(self, problem: str) -> None:
        """A broker that stays away is one line in the log, not one for each attempt; one that takes us and drops us for
        the same reason is one in a minute."""
        now = asyncio.get_running_loop().time()
        kind = problem.partition(QUOTED)[0]
        reported = self._reported.pop(kind, -math.inf)
        is_away = not self._made or self._made[-1] < reported
        known = reported > -math.inf and (is_away or now - reported < _MINUTE)
        report = self._log.debug if known else self._log.warning
        self._reported[kind] = reported if known else now
        if len(self._reported) > _PROBLEMS:
            del self._reported[next(iter(self._reported))]
        report("no connection to the MQTT broker: events wait in the ledger; trying again", reason=problem)
        self._stats.why_not = problem
