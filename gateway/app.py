"""The service: wires readers, pipeline, ledger and MQTT together, and brings them up and down in order.

Up: ledger and journal first (what the last run left), then MQTT and the readers. Down: the readers first, told to hold
their reads where they can; then what they gave is judged, kept and published, as far as the broker takes it in time.
Anything that fails in a way that nobody foresaw ends the process: systemd starts it again, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

from drivers.api import Item, ReaderUp
from gateway.clock import SECOND
from gateway.config import Config
from gateway.config.file import load
from gateway.errors import ConfigError, InUse, LedgerError
from gateway.events.envelope import source_of
from gateway.history.history import History
from gateway.ledger.journal import Journal
from gateway.ledger.ledger import Ledger
from gateway.mqtt.service import MqttService
from gateway.ops.logs import Logger, Logs
from gateway.ops.notify import Notifier
from gateway.readers.fleet import Readers
from gateway.recording.recorder import Recorder
from gateway.service.alarms import Alarms
from gateway.service.cameras import export
from gateway.service.commands import Commands
from gateway.service.delivery import DeliveryCommands
from gateway.service.dock_page import Page
from gateway.service.event_clock import EventClock
from gateway.service.grounded import Grounded
from gateway.service.monitor import Vitals
from gateway.service.outputs import Lights
from gateway.service.pipeline import Pipeline
from gateway.service.recovery import recover
from gateway.service.reload import Change, carry_over, compare
from gateway.service.state_topics import StateTopics
from gateway.service.webhook import Webhook
from gateway.sources.start import identifiers, sources

_STATE_INTERVAL = 1.0
"""Seconds between two looks at what the retained topics should say."""

_RECOVERY = 120.0
"""Seconds that a start may take: checking a large ledger after a crash, and judging a full journal again."""

_DRAIN = 5.0
"""Seconds that an orderly stop waits for the broker: what it has not taken by then stays in the ledger."""

_HISTORY = 2.0
"""Seconds that an orderly stop waits for the history to take in the last events."""


def serve(path: Path) -> int:
    """Runs the gateway on the configuration at `path` until SIGTERM or SIGINT. SIGHUP reads the file again."""
    config = load(path)
    logs = Logs(config.log)
    try:
        with asyncio.Runner(loop_factory=_uvloop()) as runner:
            runner.run(_serve(path, config, logs))
    except LedgerError as error:
        logs.logger.error("the gateway cannot run", reason=str(error))
        return 1
    except Exception as error:
        logs.logger.critical("the gateway ends; this is a fault in it", exc_info=error)
        return 1
    finally:
        logs.close()
    return 0


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The faster event loop where the extra is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)


async def _serve(path: Path, config: Config, logs: Logs) -> None:
    # What is there now stays: the collector need not look at it again. Reads are tuples that live for a moment, and
    # the default threshold makes it look for cycles among them every few milliseconds: 3 % of the time, for nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
    app = App(config, logs, path)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, app.stop, "SIGTERM")
    loop.add_signal_handler(signal.SIGINT, app.stop, "SIGINT")
    loop.add_signal_handler(signal.SIGHUP, app.reload)
    await app.run()


class App:
    """One gateway. `run` until `stop`; `reload` at any time between."""

    def __init__(self, config: Config, logs: Logs, path: Path | None = None) -> None:
        self.config = config
        self._path = path
        self.logs = logs
        self.clock = EventClock()
        self._log: Logger = logs.logger
        self._now = self.clock.now
        self._stopping = asyncio.Event()
        self._reload_wanted = asyncio.Event()
        self._checkpoint_wanted = asyncio.Event()
        self.ready = asyncio.Event()
        self._why = ""

    def stop(self, why: str) -> None:
        """Ends `run` in order. `why` is for the log."""
        self._why = self._why or why
        self._stopping.set()

    def reload(self) -> None:
        """Reads the configuration again and takes over what has changed; keeps the present one if it is wrong."""
        self._reload_wanted.set()

    async def run(self) -> None:
        """Until `stop`. A start that is refused is said, and tried again. Raises `InUse` where another process has the
        ledger or the journal: that one is the gateway."""
        self.notifier = Notifier(os.environ, self._log)
        self.notifier.extend_timeout(_RECOVERY)
        grounded = Grounded(self.config, self.notifier, self._log)
        try:
            while not await self._opened(grounded):
                if self._stopping.is_set():
                    return
        finally:
            await grounded.end()
        async with self._open_files, asyncio.TaskGroup() as group:
            await self._live(group)
        self._log.info("stopped")

    async def _opened(self, grounded: Grounded) -> bool:
        """Opens what the last run left; False where that is refused and it is time to try again."""
        async with contextlib.AsyncExitStack() as files:
            try:
                await self._open(files)
            except InUse:
                raise
            except Exception as error:
                await files.aclose()
                await grounded.wait(error, self._stopping, self._reload_wanted)
                await self._read_again()
                return False
            self._open_files = files.pop_all()
        return True

    async def _read_again(self) -> None:
        """A reload while the start is refused: the next attempt is made under the configuration as it is now."""
        if self._reload_wanted.is_set() and self._path is not None:
            self._reload_wanted.clear()
            with contextlib.suppress(ConfigError):
                self.config = await asyncio.to_thread(load, self._path)

    async def _open(self, files: contextlib.AsyncExitStack) -> None:
        """Raises `LedgerError` where ledger or journal cannot be used; `files` has what is to be closed."""
        self.ledger = Ledger(
            self.config.ledger,
            source_of(self.config.site, self.config.gateway),
            on_commit=self._committed,
            on_dropped=self._dropped,
            on_error=self._ledger_failed,
            now=self._now,
            age=self.clock.age,
        )
        self.journal = Journal(self.config.journal)
        self.recorder = Recorder(self.config.recording, self._log) if self.config.recording else None
        files.callback(self.journal.close)
        found = self.ledger.start()
        files.push_async_callback(self._close_ledger)
        self.history = History(
            self.config.history_file,
            found.epoch,
            self.ledger.committed,
            self._log,
            lambda: self.ledger.busy,
            self.config.cameras,
            self.config.history.keep,
        )
        files.push_async_callback(self.history.close)
        if self.recorder is not None:
            files.push_async_callback(asyncio.to_thread, self.recorder.close)
        self.pipeline: Pipeline = await recover(
            self.config, found, self.ledger, self.journal, self.recorder, self.clock, self._log
        )
        await self.ledger.flush()
        last = int(found.meta.get("last_tick", 0))
        self._away = max(0.0, (self._now() - last) / SECOND) if last else None

    async def _live(self, group: asyncio.TaskGroup) -> None:
        self.readers = Readers(group, self._take, self.clock.steady, self._log)
        self.alarms = Alarms(self.history, lambda: self.page.changed(), self._log)
        self.commands = Commands(self.pipeline, self.readers, self.history, self.alarms, self._now)
        self.commands.add(DeliveryCommands(self.ledger, lambda: self.mqtt).handlers)
        self.commands.add({"camera.export": partial(export, self.config.cameras)})
        self.commands.identifiers = await asyncio.to_thread(identifiers, self.config.manifests)
        self.lights = Lights(lambda: self.pipeline.floor.gate, self.readers, self._log)
        self.page = Page(
            lambda: self.config,
            lambda: self.pipeline.floor,
            self.readers,
            self.commands,
            self.history,
            self.alarms,
            self._now,
        )
        self._group = group
        self._start_mqtt(self._away)
        self.vitals = Vitals(self, self._log)
        await self.vitals.start()
        background = [
            group.create_task(self._tick(), name="ticks"),
            group.create_task(self._checkpoint(), name="checkpoints"),
            group.create_task(self._publish_state(), name="state topics"),
            group.create_task(self._reload_when_wanted(), name="reload"),
            group.create_task(self.notifier.watchdog(self.vitals.health.progress), name="watchdog"),
            group.create_task(self.lights.run(), name="lights"),
            group.create_task(self.history.run(), name="history"),
            group.create_task(self.alarms.run(), name="alarms"),
            *(group.create_task(work, name=name) for name, work in self._optional()),
        ]
        await self.readers.apply(self.config.readers)
        self.notifier.ready(self._status())
        self._log.info("the gateway runs", readers=len(self.config.readers), config=self.config.digest())
        self.ready.set()
        await self._stopping.wait()
        self._log.info("stopping", why=self._why)
        self.notifier.stopping("stopping: readers first, then what they gave is published")
        await self.readers.stop()
        await self._settle()
        for task in [*background, self._mqtt_task]:
            task.cancel()
        await self.vitals.stop()

    def _optional(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs only where the configuration asks for it, with the libraries that only it needs."""
        source = source_of(self.config.site, self.config.gateway)
        for webhook in self.config.alarms.webhooks:
            sender = Webhook(webhook, self.history, self.config.history_file, source, self._log)
            yield f"webhook {webhook.name}", sender.run()
        yield from sources(self.config, self.commands.submit, self.commands.identifiers, self._now, self._log)
        if self.config.web is not None:
            try:
                from gateway.web.server import WebServer
            except ImportError as error:
                self._log.error("no dock page: pip install 'rfid-gateway[web]'", reason=str(error))
                return
            yield "dock page", WebServer(self.page, self.config.web, self._log).run()

    def _take(self, item: Item) -> None:
        self.pipeline.hear(item)
        if isinstance(item, ReaderUp):
            self.lights.renew(item.reader)

    async def _settle(self) -> None:
        """What the readers gave becomes events, the state is saved as of an orderly stop, the broker gets its share."""
        self.pipeline.tick()
        position = self.pipeline.checkpoint(clean=True)
        try:
            await self.ledger.flush()
        except LedgerError as error:
            self._log.error("the last checkpoint is not on disk; the next start recovers from the journal")
            self._ledger_failed(error)
            return
        self.pipeline.release(position)
        with contextlib.suppress(TimeoutError):  # what it does not hold then, it takes in at the next start
            async with asyncio.timeout(_HISTORY):
                await self.history.until(self.ledger.stats().sequence)
        if not await self.mqtt.drain(_DRAIN):
            self._log.warning("events wait in the ledger for the next start", events=self.ledger.stats().pending)

    async def _close_ledger(self) -> None:
        with contextlib.suppress(LedgerError):
            await self.ledger.close()

    def _acknowledged(self) -> int:
        return self.ledger.stats().acknowledged

    def _start_mqtt(self, away: float | None = None) -> None:
        """`away`: seconds since the run before, for which the broker may have kept commands."""
        self.mqtt = MqttService(
            self.config,
            self.ledger,
            self.commands.handle,
            lambda epoch, sequence: self.ledger.acknowledge(sequence, epoch),
            self._now,
            self._log,
            commands=self.commands.names,
            away=away,
            acknowledged=self._acknowledged if self.config.ledger.keep_until == "ack" else None,
        )
        self.state = StateTopics(self.mqtt.board, self.pipeline, self.readers, self.alarms)
        self._mqtt_task = self._group.create_task(self.mqtt.run(), name="mqtt")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self.config.floor.tick)
            self.pipeline.tick()
            if self.pipeline.checkpoint_due:
                self._checkpoint_wanted.set()
            self.vitals.health.turned()
            self.lights.look()
            self.page.changed()
            if why := self.pipeline.congestion:
                self.readers.pause(why)
            else:
                self.readers.resume()

    async def _checkpoint(self) -> None:
        while True:
            await self._checkpoint_wanted.wait()
            self._checkpoint_wanted.clear()
            position = self.pipeline.checkpoint()
            try:
                await self.ledger.flush()
            except LedgerError as error:
                self.pipeline.not_saved()
                self._ledger_failed(error)
            else:
                self.pipeline.release(position)

    async def _publish_state(self) -> None:
        while True:
            self.state.update(self.config)
            await asyncio.sleep(_STATE_INTERVAL)

    def _committed(self, sequence: int) -> None:
        if self.ready.is_set():
            self.mqtt.wake()
            self.history.wake()

    def _dropped(self, first: int, last: int, start: int, end: int) -> None:
        self._log.error("the ledger is full: its oldest events were given up", first=first, last=last)
        self.pipeline.dropped(first, last, start, end)

    def _ledger_failed(self, error: LedgerError) -> None:
        self._log.error("the ledger cannot be written; readers wait, and it is tried again", reason=str(error))

    async def _reload_when_wanted(self) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            self.notifier.reloading()
            await self._reload()
            self.notifier.ready(self._status())

    async def _reload(self) -> None:
        if self._path is None:
            return
        try:
            wanted = await asyncio.to_thread(load, self._path)
        except ConfigError as error:
            self._log.error("the configuration was not reloaded; the present one stays", problems=error.problems)
            return
        change = compare(self.config, wanted)
        for section in change.needs_restart:
            self._log.warning("a change takes effect at the next start only", section=section)
        await self._apply(change)

    async def _apply(self, change: Change) -> None:
        self.config = change.config
        self.logs.set_level(self.config.log.level)
        if change.floor:
            await self._replace_floor()
        if change.mqtt:
            self._mqtt_task.cancel()
            await asyncio.wait([self._mqtt_task])
            self._start_mqtt()
        await self.readers.apply(self.config.readers)
        self._log.info("the configuration was reloaded", changed=change.sections, config=self.config.digest())

    async def _replace_floor(self) -> None:
        """A floor of the new configuration takes over the state of the old one, at a checkpoint: what is in the journal
        behind it was judged under the new configuration, and would be again after a crash."""
        self.pipeline.checkpoint()
        self.pipeline.reconfigure(self.config, carry_over(self.pipeline.floor, self.config))
        self.pipeline.checkpoint()
        await self.ledger.flush()

    def _status(self) -> str:
        return (
            f"{len(self.config.readers)} readers, {len(self.config.zones)} zones, configuration {self.config.digest()}"
        )
