"""All readers of the configuration: started, stopped and, on a reload, only the changed ones restarted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from drivers.api import Antenna, Driver, DriverContext, Item
from drivers.backoff import delays
from drivers.polls import Polls
from gateway.config import ReaderConfig
from gateway.config.drivers import factory, settings_for
from gateway.errors import Refused
from gateway.ops.logs import Logger
from gateway.readers.supervisor import Supervisor


@dataclass(slots=True)
class _Running:
    config: ReaderConfig
    supervisor: Supervisor
    task: asyncio.Task[None] | None = None  # none while it waits for the one in its place to stop


class Readers:
    """The supervisors by reader id. All methods belong to the event loop."""

    def __init__(
        self, group: asyncio.TaskGroup, sink: Callable[[Item], None], now: Callable[[], int], log: Logger
    ) -> None:
        self._group = group
        self._sink = sink
        self._now = now
        self._log = log
        self._running: dict[str, _Running] = {}
        self._held = False
        self._polls = Polls()

    def __iter__(self) -> Iterator[Supervisor]:
        return (running.supervisor for running in self._running.values())

    def get(self, reader: str) -> Supervisor:
        """Raises `Refused` for a reader that is not in the configuration."""
        running = self._running.get(reader)
        if running is None:
            known = ", ".join(sorted(self._running)) or "none"
            raise Refused(f"there is no reader {reader!r}; the configuration has: {known}")
        return running.supervisor

    async def apply(self, configs: Iterable[ReaderConfig]) -> None:
        """Makes the running readers those of `configs`: unchanged ones go on, changed ones are down meanwhile. From the
        first moment on those of `configs`, and no others, are there to be asked. Raises, with nothing changed, where a
        driver cannot be built."""
        wanted = {config.id: config for config in configs}
        leaving = [running for running in self._running.values() if wanted.get(running.config.id) != running.config]
        staying = self._running.keys() - {running.config.id for running in leaving}
        built = [self._build(config) for config in wanted.values() if config.id not in staying]
        for running in leaving:
            del self._running[running.config.id]
        for config, supervisor, _ in built:
            self._running[config.id] = _Running(config, supervisor)
        await self._stopped(leaving)
        for running in leaving:
            if running.config.id in wanted:
                running.supervisor.say_down("its configuration has changed")
        for config, supervisor, driver in built:
            if self._held:
                supervisor.pause()
            task = self._group.create_task(supervisor.run(driver), name=f"reader {config.id}")
            self._running[config.id].task = task

    async def stop(self) -> None:
        """Stops every reader in order, all at the same time. They can still be asked, and are stopped."""
        await self._stopped(list(self._running.values()))

    def poll(self) -> None:
        """Takes what has gathered on links that are read once for each tick."""
        self._polls.poll()

    def hold(self, why: str) -> None:
        """Holds every reader back for as long as `why` says something: what cannot be kept must not be taken."""
        if bool(why) == self._held:
            return
        self._held = bool(why)
        if why:
            self._log.warning("readers are held back", reason=why)
        else:
            self._log.info("readers go on")
        for supervisor in self:
            if why:
                supervisor.pause()
            else:
                supervisor.resume()

    def _build(self, config: ReaderConfig) -> tuple[ReaderConfig, Supervisor, Driver]:
        rng = random.Random()
        supervisor = Supervisor(config.id, self._sink, lambda: delays(rng), self._now, self._log)
        context = DriverContext(
            reader=config.id,
            antennas=tuple(Antenna(antenna.port, antenna.power) for antenna in config.antennas),
            sink=supervisor.hear,
            now=self._now,
            log=self._log.bind(reader=config.id),
            polls=self._polls,
        )
        return config, supervisor, factory(config.driver).build(context, settings_for(config))

    async def _stopped(self, leaving: list[_Running]) -> None:
        tasks = [running.task for running in leaving if running.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for running in leaving:
            self._log.info("reader stopped", reader=running.config.id)
