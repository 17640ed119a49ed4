"""The MQTT side of the gateway as one thing: link, publisher, board and intake."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import NoReturn

import orjson

import gateway
from drivers.api import Log
from gateway.clock import SECOND, rfc3339
from gateway.config import Config
from gateway.errors import LinkError
from gateway.mqtt.intake import AckTaker, Handler, Intake, Listener
from gateway.mqtt.interface import Connection, Message, Outbox
from gateway.mqtt.link import Link
from gateway.mqtt.notices import remedy
from gateway.mqtt.publisher import Publisher
from gateway.mqtt.remembered import TOPIC, Remembered, mark
from gateway.mqtt.repeats import Repeats
from gateway.mqtt.retained import Board
from gateway.mqtt.settings import Will
from gateway.mqtt.stats import MqttStats
from gateway.tasks import run_together

BOARD_SECONDS = 0.25
"""A state is published at most so often: people look at it, programs take the events."""

GOODBYE_SECONDS = 2.0
"""For the last word when the gateway stops. A broker that does not take it in this time has the last will."""

TOLD_EVERY = 10 * SECOND
"""Between two statements of how far the gateway is, where nothing else has changed."""

STATE = "state/gateway"


class MqttService:
    """Publishes what is in `ledger`, keeps the retained topics of `board`, carries out commands.

    `commands`: the names of those there are. `away`: seconds since the gateway last ran, where that is known.
    `acknowledged`: the backend's mark, where each connection is to start there. `others`: filters of topics that
    are not the gateway's, and who takes what comes on them. `repeats`: what was answered in this run before.
    `on_behind(sequence)`: the broker knows of events of this epoch up to there, and the ledger did not hold them when
    it was opened; nothing is published then.
    """

    def __init__(
        self,
        config: Config,
        ledger: Outbox,
        handler: Handler,
        on_ack: AckTaker,
        now: Callable[[], int],
        log: Log,
        rng: Random | None = None,
        commands: Sequence[str] = (),
        away: float | None = None,
        acknowledged: Callable[[], int] | None = None,
        others: Mapping[str, Listener] | None = None,
        repeats: Repeats | None = None,
        on_behind: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._on_behind = on_behind
        self.base = topic_base(config)
        self.stats = MqttStats()
        self._config = config
        self._ledger = ledger
        self._now = now
        self._since = now()
        self._health: tuple[str, tuple[str, ...]] = ("ok", ())
        self._told = 0
        self._publisher = Publisher(
            ledger, self.base, config.mqtt.window, now, log, self.stats, acknowledged, self._announce
        )
        self.board = Board(self.base, BOARD_SECONDS, log, self.stats, lambda: self._publisher.outgoing.alone)
        self._intake = Intake(self.base, handler, on_ack, log, self.stats, commands, others, repeats)
        self._remembered = Remembered(self.base + TOPIC)
        self._link = Link(
            config,
            will=self._will,
            receive=self._receive,
            serve=self._serve,
            log=log,
            stats=self.stats,
            rng=rng or Random(),
            away=away,
        )

    @property
    def connected(self) -> bool:
        """Whether the broker is connected and takes events."""
        return self.stats.connected

    def worries(self) -> list[str]:
        """What the broker does not take or grant, and what is to be done there."""
        intake = self._intake
        words = remedy(self._publisher.outgoing), intake.subscriptions.problem, intake.problem, self.board.problem
        return [problem for problem in words if problem]

    def configured(self, config: Config) -> None:
        """Another configuration, of the same broker, is in force: the retained state of the gateway says which."""
        self._config = config
        if self.connected:
            self.board.set(STATE, self._birth())

    def fares(self, health: str, reasons: Sequence[str]) -> None:
        """How the gateway is, as ``/healthz`` says it: a change is retained at once, how far it is now and then."""
        if not self.connected:
            return
        if health != self._health[0] or self._now() - self._told > TOLD_EVERY:
            self._health = (health, tuple(reasons))
            self.board.set(STATE, self._birth())

    def wake(self) -> None:
        """Events were committed to the ledger. Call it on the event loop."""
        self._publisher.wake()

    def released(self) -> None:
        """Events in quarantine are to be sent again. Call it on the event loop."""
        self._publisher.released()

    def resend(self, first: int, last: int) -> None:
        """Sends events that the broker has had again. Call it on the event loop."""
        self._publisher.resend.ask(first, last)

    async def run(self) -> NoReturn:
        """Until cancelled; then says goodbye to the broker. Raises what is not an error of the link."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._intake.run(), name="mqtt-intake")
            tasks.create_task(self._link.run(), name="mqtt-link")
        raise AssertionError("unreachable: both tasks run for ever")

    async def drain(self, timeout: float) -> bool:
        """Waits until the broker has every event of the ledger; False when that takes longer than `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._publisher.drained()
        except TimeoutError:
            return False
        return True

    def _announce(self, connection: Connection) -> None:
        if not connection.lost.done():
            self.board.ahead(connection, TOPIC, mark(self._ledger))

    def _receive(self, message: Message) -> None:
        if not self._remembered.takes(message):
            self._intake.receive(message)

    async def _serve(self, connection: Connection) -> NoReturn:
        try:
            await self._open(connection)
            await self._work(connection)
        finally:
            blame = connection.ended.blames_a_message
            found = self.board.cut(blame), self._intake.cut(blame)
            if any(found):
                self._publisher.outgoing.pace.explained()  # it was no event

    async def _open(self, connection: Connection) -> None:
        # Commands first: some may have come with the session, and whoever sees the gateway come online may send more.
        await self._intake.open(connection)
        await self._remembered.ask(connection)
        newest = self._remembered.known(connection, self._ledger)
        if newest > self._ledger.opened_at and self._on_behind is not None:
            await self._on_behind(newest)
            await asyncio.get_running_loop().create_future()  # until it is stopped
        self.stats.connected = True
        self.board.set(STATE, self._birth())

    async def _work(self, connection: Connection) -> NoReturn:
        try:
            await self.board.try_suspects(connection)
            await run_together(
                _watch(connection),
                self._intake.subscriptions.keep(connection),
                self.board.serve(connection),
                self._publisher.serve(connection),
            )
        except BaseExceptionGroup as group:
            link_errors, others = group.split(LinkError)
            if others is not None or link_errors is None:
                raise
            raise LinkError(str(link_errors.exceptions[0])) from None
        except asyncio.CancelledError:
            await self._say_goodbye(connection)
            raise
        raise AssertionError("unreachable: the tasks run until the connection ends")

    async def _say_goodbye(self, connection: Connection) -> None:
        """An orderly stop is told at once and by its name; the last will is for the others."""
        with contextlib.suppress(TimeoutError, LinkError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await connection.send(self.base + STATE, self._farewell("stopped"), qos=1, retain=True)

    def _birth(self) -> bytes:
        standing = self._ledger.stats()
        self._told = self._now()
        return orjson.dumps(
            {
                "status": "online",
                "time": rfc3339(self._now()),
                "since": rfc3339(self._since),
                "version": gateway.__version__,
                "epoch": self._ledger.epoch,
                "sequence": standing.sequence,
                "published": standing.published,
                "config": self._config.digest(),
                "whole_config": self._config.whole_digest(),
                "health": self._health[0],
                "reasons": self._health[1],
            }
        )

    def _will(self) -> Will:
        return Will(self.base + STATE, self._farewell("the connection was lost"))

    def _farewell(self, reason: str) -> bytes:
        return orjson.dumps(
            {
                "status": "offline",
                "reason": reason,
                "since": rfc3339(self._since),
                "version": gateway.__version__,
                "epoch": self._ledger.epoch,
            }
        )


def topic_base(config: Config) -> str:
    """What every topic of this gateway begins with, the slash included."""
    return f"{config.mqtt.root}/v1/{config.site}/{config.gateway}/"


async def _watch(connection: Connection) -> NoReturn:
    reason = await asyncio.shield(connection.lost)
    raise LinkError(f"the connection to the MQTT broker has ended: {reason}")
