"""The service: wires readers, pipeline, ledger and MQTT together, and brings them up and down in order.

Up: ledger and journal first (what the last run left), then MQTT and the readers. Down: the readers first, told to hold
their reads where they can; then what they gave is judged, kept and published, as far as the broker takes it in time.
Anything that fails in a way that nobody foresaw ends the process: systemd starts it again, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from drivers.api import Item, ReaderUp
from gateway.config import Config
from gateway.errors import InUse
from gateway.mqtt.service import MqttService
from gateway.ops.logs import Logger, Logs
from gateway.ops.notify import Notifier
from gateway.readers.fleet import Readers
from gateway.service.alarms import Alarms
from gateway.service.cameras import export
from gateway.service.checkpoints import Checkpoints
from gateway.service.commands import Commands
from gateway.service.delivery import DeliveryCommands
from gateway.service.dock_page import Page, serving
from gateway.service.event_clock import EventClock
from gateway.service.grounded import Grounded
from gateway.service.monitor import Vitals
from gateway.service.outputs import Lights
from gateway.service.pipeline import Pipeline
from gateway.service.publishing import Publishing, mqtt_service
from gateway.service.reload import Reload
from gateway.service.storage import Storage
from gateway.service.webhook import webhooks
from gateway.sources.start import identifiers, sources

_RECOVERY = 120.0
"""Seconds that a start may take on a slow machine: the state of a million tags, and judging a full journal again."""

_DRAIN = 5.0
"""Seconds that an orderly stop waits for the broker: what it has not taken by then stays in the ledger."""


class App:
    """One gateway. `run` until `stop`; `reload` at any time between."""

    def __init__(self, config: Config, logs: Logs, path: Path | None = None) -> None:
        self.config, self.logs = config, logs
        self.clock = EventClock()
        self.ready = asyncio.Event()
        self._log: Logger = logs.logger
        self._now, self._stopping, self._why = self.clock.now, asyncio.Event(), ""
        self.notifier = Notifier(os.environ, self._log)
        self._reload = Reload(self, path, self._log, self.notifier, self._status)

    def stop(self, why: str) -> None:
        """Ends `run` in order. `why` is for the log."""
        self._why = self._why or why
        self._stopping.set()

    def reload(self) -> None:
        """Reads the configuration again and takes over what has changed; keeps the present one if it is wrong."""
        self._reload.ask()

    @property
    def mqtt(self) -> MqttService:
        """The MQTT service of the configuration in force."""
        return self.publishing.mqtt

    async def run(self) -> None:
        """Until `stop`. A start that is refused is said, and tried again. Raises `InUse` where another process has the
        ledger or the journal: that one is the gateway."""
        self.notifier.extend_timeout(_RECOVERY)
        grounded = Grounded(self.config, self.notifier, self._log)
        try:
            while not await self._opened(grounded):
                if self._stopping.is_set():
                    return
        finally:
            await grounded.end()
        try:
            async with asyncio.TaskGroup() as group:
                await self._live(group)
        finally:
            await self.storage.close()
        self._log.info("stopped")

    async def _opened(self, grounded: Grounded) -> bool:
        """Opens what the last run left; False where that is refused and it is time to try again."""
        self.storage = Storage(self.config, self._committed, self.stop, self.clock, self._log)
        try:
            self.pipeline: Pipeline = await self.storage.open()
        except Exception as error:
            await self.storage.close()
            if isinstance(error, InUse):
                raise
            await grounded.wait(error, self._stopping, self._reload.wanted)
            self.config = await self._reload.at_start(self.config)
            return False
        self.ledger, self.history = self.storage.ledger, self.storage.history
        return True

    async def _live(self, group: asyncio.TaskGroup) -> None:
        self.readers = Readers(group, self._take, self.clock.steady, self._log)
        self.alarms = Alarms(self.history, lambda: self.page.changed(), self._log)
        self.commands = Commands(self.pipeline, self.readers, self.history, self.alarms, self._now)
        self.commands.add(DeliveryCommands(self.ledger, lambda: self.mqtt).handlers)
        self.commands.add({"camera.export": partial(export, self.config.cameras)})
        self.lights = Lights(lambda: self.pipeline.floor.gate, self.readers, self._log)
        self.page: Page = Page(
            lambda: self.config,
            lambda: self.pipeline.floor,
            self.readers,
            self.commands,
            self.history,
            self.alarms,
            self._now,
            lambda: self.ledger.stats().quarantined,
        )
        self.commands.identifiers = await asyncio.to_thread(identifiers, self.config, self._log, self.page.trouble)
        self.checkpoints = Checkpoints(self.pipeline, self.ledger, self.storage.failed)
        make = partial(mqtt_service, storage=self.storage, commands=self.commands, now=self._now, log=self._log)
        self.publishing = Publishing(group, lambda: self.config, make, self.storage, self.readers, self.commands)
        self.publishing.start()
        self.vitals = Vitals(self, self._log)
        await self.vitals.start()
        background = [group.create_task(work, name=name) for name, work in self._background()]
        history = group.create_task(self.history.run(), name="history")
        await self.readers.apply(self.config.readers)
        self.notifier.ready(self._status())
        self._log.info("the gateway runs", readers=len(self.config.readers), config=self.config.digest())
        self.ready.set()
        await self._stopping.wait()
        self._log.info("stopping", reason=self._why)
        self.notifier.stopping("stopping: readers first, then what they gave is published")
        await self._reload.close()  # or it would start readers again
        await self.readers.stop()
        self.commands.close()
        for task in background:
            task.cancel()
        await self._settle()
        history.cancel()
        await self.publishing.stop()
        await self.vitals.stop()

    def _background(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs as long as the gateway does, and what the configuration asks for."""
        yield "ticks", self._tick()
        yield "checkpoints", self.checkpoints.run()
        yield "state topics", self.publishing.run(self.vitals.health.report)
        yield "reload", self._reload.run()
        yield "watchdog", self.notifier.watchdog(self.vitals.health.progress)
        yield "lights", self.lights.run()
        yield "alarms", self.alarms.run()
        commands, trouble = self.commands, self.page.trouble
        yield from webhooks(self.config, self.history, self._log, trouble)
        yield from sources(self.config, commands.submit, commands.identifiers, self._now, self._log, trouble)
        yield from serving(self.page, self.config.web, self._log)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self.pipeline.until_tick)
            self.readers.poll()
            self.pipeline.tick()
            self.checkpoints.look()
            self.vitals.health.turned()
            self.lights.look()
            self.publishing.look()
            self.page.changed()
            self.readers.hold(self.pipeline.congestion)

    async def _settle(self) -> None:
        """What the readers gave becomes events, the state is saved as of an orderly stop, the broker gets its share."""
        self.pipeline.tick()
        if not await self.checkpoints.take(clean=True):
            self._log.error("the last checkpoint is not on disk; the next start recovers from the journal")
            return
        await self.storage.history_caught_up()
        if not await self.mqtt.drain(_DRAIN):
            self._log.warning("events wait in the ledger for the next start", events=self.ledger.stats().pending)

    def _take(self, item: Item) -> None:
        self.pipeline.hear(item)
        if isinstance(item, ReaderUp):
            self.lights.renew(item.reader)

    def _committed(self, sequence: int) -> None:
        """Events up to `sequence` are on disk."""
        if self.ready.is_set():
            self.mqtt.wake()
            self.history.wake()

    def _status(self) -> str:
        config = self.config
        return f"{len(config.readers)} readers, {len(config.zones)} zones, configuration {config.whole_digest()}"
