"""What leaves over MQTT: the service for the broker that is configured, and the retained topics it keeps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from gateway.config import Config
from gateway.errors import Refused
from gateway.mqtt.service import MqttService
from gateway.ops.logs import Logger
from gateway.readers.fleet import Readers
from gateway.service.alarms import of_nothing
from gateway.service.commands import Commands
from gateway.service.state_topics import StateTopics
from gateway.service.storage import Storage
from gateway.sources.handheld import listeners

_STATE_INTERVAL = 1.0
"""Seconds between two looks at what the retained topics should say."""


def mqtt_service(
    config: Config, *, storage: Storage, commands: Commands, now: Callable[[], int], log: Logger
) -> MqttService:
    """The MQTT service of a configuration, which publishes what `storage` holds and takes `commands` in."""
    away, storage.away = storage.away, None  # the first connection only
    return MqttService(
        config,
        storage.ledger,
        commands.handle,
        lambda epoch, sequence: storage.ledger.acknowledge(sequence, epoch),
        now,
        log,
        commands=commands.names,
        away=away,
        acknowledged=storage.acknowledged,
        others=listeners(config, commands.submit, log),
        repeats=commands.repeats,
        on_behind=storage.behind,
    )


class Publishing:
    """`start` once; `replace` when the broker of the configuration changes. `mqtt` is the present service."""

    mqtt: MqttService

    def __init__(
        self,
        group: asyncio.TaskGroup,
        config: Callable[[], Config],
        make: Callable[[Config], MqttService],
        storage: Storage,
        readers: Readers,
        commands: Commands,
    ) -> None:
        self._group = group
        self._config = config
        self._make = make
        self._storage = storage
        self._readers = readers
        self._commands = commands
        self._over: set[tuple[str, str]] = set()

    def start(self) -> None:
        """Connects, and stays connected, until `stop`."""
        self._begin(self._make(self._config()))

    async def replace(self, config: Config) -> None:
        """Goes on with the broker of `config`. Raises, with nothing changed, where it cannot be set up."""
        service = self._make(config)
        await self.stop()
        self._begin(service)

    def configured(self) -> None:
        """Another configuration is in force: what is retained says so now."""
        self.mqtt.configured(self._config())
        self._topics.update(self._config())

    async def stop(self) -> None:
        """Says goodbye to the broker."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def run(self, health: Callable[[], tuple[int, dict[str, Any]]]) -> None:
        """Keeps the retained topics up to date, until cancelled. `health` is what ``/healthz`` answers."""
        while True:
            self._topics.update(self._config())
            await self._end_alarms_of_nothing()
            _, said = health()
            self.mqtt.fares(said["status"], said["reasons"])
            await asyncio.sleep(_STATE_INTERVAL)

    async def _end_alarms_of_nothing(self) -> None:
        """Ends the open alarms about what a reload, or a start, has taken out of the configuration."""
        alarms = self._commands.alarms.open
        over = {(it.kind, it.subject): it for it in alarms if of_nothing(it.kind, it.subject, self._config())}
        for name in sorted(over.keys() - self._over):
            with contextlib.suppress(Refused):
                await self._commands.over(over[name], "it is configured no more")
        self._over = set(over)

    def look(self) -> None:
        """A package that must not leave is no news for a second later. Called at every tick."""
        self._topics.update_warnings()

    def _begin(self, service: MqttService) -> None:
        self.mqtt = service
        self._topics = StateTopics(
            service.board, self._storage.pipeline, self._storage.ledger, self._readers, self._commands.alarms
        )
        self._task = self._group.create_task(service.run(), name="mqtt")
