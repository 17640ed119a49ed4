"""The subscriptions of the gateway: to its commands, to the backend's mark, to the topics of others.

Events do not wait for them. What the broker refuses, or does not answer, is asked for again after a pause that
doubles; what it ends the connection at is found, left out and named. Where it takes no wildcard, each command is
subscribed to by its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from drivers.api import Log
from gateway.errors import LinkError
from gateway.mqtt.interface import NO_ANSWER, Connection
from gateway.mqtt.suspects import Suspects
from gateway.tasks import loop_time
from gateway.text import first_of

AT_ONCE = 8
"""Filters in one SUBSCRIBE: some brokers take no more (AWS IoT Core)."""

NAMED = 5
"""Subscriptions that a log line names."""

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""Seconds until refused subscriptions are asked for again: doubled each time, up to the longest."""


class Subscriptions:
    """What is subscribed to over each connection. It outlives them."""

    def __init__(self, base: str, names: Sequence[str], others: Sequence[str], log: Log) -> None:
        self._wildcard = f"{base}cmd/+"
        self._names = [f"{base}cmd/{name}" for name in names]
        self._others = [f"{base}ack", *others]
        self._log = log
        self._suspects = Suspects()
        self._missing: list[str] = []
        self._told: list[str] = []

    @property
    def problem(self) -> str:
        """What the broker does not let the gateway subscribe to, for the operator; else nothing."""
        if not self._told:
            return ""
        return (
            f"the MQTT broker does not let the gateway subscribe to {first_of(self._told)}: what is published there, "
            "commands too, does not arrive; check its access rules"
        )

    async def open(self, connection: Connection) -> None:
        """Subscribes over a new connection, as far as the broker lets it. Raises `LinkError` when that ends.

        Where a subscription may have ended the last connection, events go first: see `keep`.
        """
        wildcards = connection.features.wildcards and not self._suspects.left_out(self._wildcard, loop_time())
        self._missing = [*self._others, *([self._wildcard] if wildcards or not self._names else self._names)]
        if not self._suspects.names:
            await self._ask_for_missing(connection)

    async def keep(self, connection: Connection) -> NoReturn:
        """Asks again and again for what was not granted, until the connection ends."""
        pause = FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            self._suspects.stands(loop_time())
            if self._missing:
                await self._ask_for_missing(connection)
                pause = min(pause * 2, LONGEST_PAUSE)

    def cut(self, blame: bool) -> bool:
        """The connection has ended; whether it was at a subscription alone. `blame`: the broker ended it, and a
        subscription may have been the cause."""
        topic = self._suspects.cut(blame, loop_time())
        if topic is not None:
            self._log.error(
                "the MQTT broker ends the connection at a subscription: it is left out for half an hour; "
                "check its access rules",
                topic=topic,
            )
        return self._suspects.found

    async def _ask_for_missing(self, connection: Connection) -> None:
        refused: dict[str, str] = {}  # and why
        try:
            for topic in [topic for topic in self._suspects.names if topic in self._missing]:
                await self._ask(connection, [topic], refused)
                if topic in refused and not await self._suspects.outlasted(connection.lost):
                    raise LinkError(
                        f"the MQTT broker has ended the connection at a subscription: {connection.lost.result()}"
                    )
            # Apart: where the connection ends at every command, the others are not to be left out with them.
            await self._ask(connection, [topic for topic in self._missing if topic in self._others], refused)
            commands = [topic for topic in self._missing if topic not in self._others]
            if await self._ask(connection, commands, refused) and self._wildcard in self._missing and self._names:
                self._missing = [*[topic for topic in self._missing if topic != self._wildcard], *self._names]
                await self._ask(connection, self._names, refused)
        finally:
            self._tell(refused)
        if self._told and not self._missing:
            self._log.info("the MQTT broker grants all subscriptions again")
        self._told = list(self._missing)

    async def _ask(self, connection: Connection, filters: list[str], refused: dict[str, str]) -> bool:
        """Takes off what is granted from what is missing, and notes what is `refused`. Returns whether the broker
        answers. Raises `LinkError`."""
        filters = [topic for topic in filters if not self._suspects.left_out(topic, loop_time())]
        for start in range(0, len(filters), AT_ONCE):
            piece = filters[start : start + AT_ONCE]
            self._suspects.awaits(piece)
            outcomes = await connection.listen(piece)
            for topic, outcome in zip(piece, outcomes, strict=True):
                if outcome.accepted:
                    self._missing.remove(topic)
                    self._suspects.answered(topic)
                else:
                    refused[topic] = str(outcome)
            self._suspects.refused([topic for topic in piece if topic in refused], loop_time())
            if NO_ANSWER in outcomes:
                return False
        return True

    def _tell(self, refused: dict[str, str]) -> None:
        """One line for all that is refused and was not before."""
        news = [topic for topic in refused if topic not in self._told]
        if news:
            self._log.error(
                "the MQTT broker refused subscriptions: check its access rules; they are asked for again",
                topics=news[:NAMED],
                number=len(news),
                reason=refused[news[0]],
            )
        self._told += news
