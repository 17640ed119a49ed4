"""A reload: the configuration is read again, compared with the present one, and applied; or nothing changes.

::

    SIGHUP ──▶ read ──▶ compare ──▶ log, floor, readers, broker ──▶ the new configuration is in force
                 │                        │ one of them fails
                 ▼                        ▼
            the present one goes on  ◀── log, floor and readers are changed back
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.config import Config
from gateway.config.file import load
from gateway.errors import ConfigError
from gateway.ops.logs import Logger, Logs
from gateway.ops.notify import Notifier
from gateway.readers.fleet import Readers
from gateway.service.outputs import Lights
from gateway.service.pipeline import Pipeline
from gateway.service.publishing import Publishing

# What these say is open or held for as long as the process lives.
_FIXED = (
    "site",
    "gateway",
    "ledger",
    "history",
    "journal",
    "recording",
    "http",
    "alarms",
    "cameras",
    "manifests",
    "expected",
    "handhelds",
    "access",
    "books",
    "web",
)

_REFUSED = "the configuration was not reloaded; the present one stays"


@dataclass(slots=True, frozen=True)
class Change:
    """`config` is what is in force after the reload: the new one, with the old one's `needs_restart` sections."""

    config: Config
    sections: list[str]
    needs_restart: list[str]
    floor: bool
    mqtt: bool


def compare(present: Config, wanted: Config) -> Change:
    """What changes from `present` to `wanted`, without a restart and with one."""
    differing = [name for name in Config.model_fields if getattr(present, name) != getattr(wanted, name)]
    fixed = [name for name in differing if name in _FIXED]
    config = wanted.model_copy(update={name: getattr(present, name) for name in fixed})
    return Change(
        config=config,
        sections=[name for name in differing if name not in fixed],
        needs_restart=fixed,
        floor=present.floor_json() != config.floor_json(),
        mqtt=present.mqtt != config.mqtt,
    )


class Parts(Protocol):
    """What a reload changes. `config` is the configuration in force."""

    config: Config
    logs: Logs
    pipeline: Pipeline
    publishing: Publishing
    readers: Readers
    lights: Lights


class Reload:
    """`ask` at any time; `run` reloads as often as it was asked, one at a time.
    systemd is told when one begins, and the gateway's `status` when it ends."""

    def __init__(
        self, parts: Parts, path: Path | None, log: Logger, notifier: Notifier, status: Callable[[], str]
    ) -> None:
        self._parts = parts
        self._path = path
        self._log = log
        self._notifier = notifier
        self._status = status
        self._one = asyncio.Lock()
        self._closed = False
        self.wanted = asyncio.Event()

    def ask(self) -> None:
        """The file is to be read again."""
        self.wanted.set()

    async def at_start(self, config: Config) -> Config:
        """While the start is refused: the configuration for the next attempt, read again where that was asked for."""
        if self.wanted.is_set() and self._path is not None:
            self.wanted.clear()
            try:
                return await asyncio.to_thread(partial(load, self._path, starting=True))
            except ConfigError as error:
                self._log.error(_REFUSED, problems=error.problems)
        return config

    async def close(self) -> None:
        """The gateway stops: returns when no reload is under way any more, and none begins from here on."""
        async with self._one:
            self._closed = True

    async def run(self) -> None:
        """Until cancelled. Whatever goes wrong is said; it never comes out."""
        while True:
            await self.wanted.wait()
            self.wanted.clear()
            self._notifier.reloading()
            await self.attempt()
            self._notifier.ready(self._status())

    async def attempt(self) -> bool:
        """Reads the file and applies it; whether it is in force now."""
        async with self._one:
            return self._path is not None and not self._closed and await self._attempt(self._path)

    async def _attempt(self, path: Path) -> bool:
        try:
            wanted = await asyncio.to_thread(load, path)
            change = compare(self._parts.config, wanted)
            for section in change.needs_restart:
                self._log.warning("a change takes effect at the next start only", section=section)
            await self._apply(change)
        except ConfigError as error:
            self._log.error(_REFUSED, problems=error.problems)
            return False
        except Exception as error:
            self._log.error(_REFUSED, reason=f"{type(error).__name__}: {error}")
            return False
        self._log.info(
            "the configuration was reloaded",
            changed=change.sections,
            config=change.config.digest(),
            whole_config=change.config.whole_digest(),
        )
        return True

    async def _apply(self, change: Change) -> None:
        """All of it, or nothing: where a step fails, what came before it is taken back."""
        parts, before, after = self._parts, self._parts.config, change.config
        try:
            await self._put_in_force(after, floor=change.floor)
            if change.mqtt:
                await parts.publishing.replace(after)
        except BaseException:
            await self._put_in_force(before, floor=change.floor)
            raise
        parts.lights.restart()
        parts.publishing.configured()

    async def _put_in_force(self, config: Config, *, floor: bool) -> None:
        """Configuration, floor and readers. Nothing comes in between before all of them know the same readers and
        zones: states are published, and pages made, while readers are being stopped."""
        parts = self._parts
        parts.config = config
        parts.logs.configure(config.log)
        if floor:
            parts.pipeline.reconfigure(config)
        await parts.readers.apply(config.readers)
