"""The gateway as the dock page sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from gateway.config import Config
from gateway.config.web import WebConfig
from gateway.floor import Floor
from gateway.history.history import History
from gateway.ops.logs import Logger
from gateway.ops.troubles import Troubles
from gateway.readers.fleet import Readers
from gateway.service.alarms import Alarms
from gateway.service.commands import Commands
from gateway.service.items import Fact, ItemFacts


class Page:
    """Answers from memory; actions go the way of all commands. `changed` after anything that may show."""

    def __init__(
        self,
        config: Callable[[], Config],
        floor: Callable[[], Floor],
        readers: Readers,
        commands: Commands,
        history: History,
        alarms: Alarms,
        now: Callable[[], int],
        set_apart: Callable[[], int],
    ) -> None:
        self._config = config
        self._set_apart = set_apart
        self.trouble = Troubles()
        self._floor = floor
        self._readers = readers
        self._commands = commands
        self._history = history
        self._alarms = alarms
        self._now = now
        self._items = ItemFacts(history, self.changed)
        self._notices: set[asyncio.Event] = set()

    def counting(self, zone: str) -> dict[str, Any] | None:
        return self._floor().counts.live(zone)

    def books(self) -> dict[str, Any]:
        return self._floor().books.state()

    def items(self, uids: Iterable[str]) -> Mapping[str, Fact]:
        return self._items.of(uids)

    def changed(self) -> None:
        for notice in self._notices:
            notice.set()

    def docks(self) -> list[str]:
        return self._floor().gate.docks()

    def dock_state(self, dock: str) -> dict[str, Any]:
        gate = self._floor().gate
        return gate.state(dock, self._now()) | {"lines": gate.lines(dock)}

    def manifests(self) -> list[dict[str, Any]]:
        return self._floor().gate.manifests()

    def delivery(self, manifest: str, delivery: str) -> dict[str, Any] | None:
        return self._floor().gate.manifest(manifest, delivery, self._now())

    def zones(self) -> list[dict[str, Any]]:
        return [self._floor().zone_state(zone.id) for zone in self._config().zones]

    def plan(self) -> list[dict[str, Any]]:
        floor = self._floor()
        inside: dict[str, list[str]] = {zone.id: [] for zone in self._config().zones}
        for uid, zone in floor.inside(inside).items():
            inside[zone].append(uid)
        return [
            floor.zone_state(zone)
            | {"uids": sorted(uids), "watch_listed": [uid for uid in uids if floor.gate.watch_listed(uid)]}
            for zone, uids in inside.items()
        ]

    def troubles(self) -> list[str]:
        return self.trouble.words()

    def set_apart(self) -> int:
        return self._set_apart()

    def readers(self) -> list[dict[str, Any]]:
        config = self._config()
        docks = {dock.portal: dock.id for dock in config.docks}
        found = []
        for reader in config.readers:
            supervisor = self._readers.get(reader.id)
            watched = {docks[antenna.portal] for antenna in reader.antennas if antenna.portal in docks}
            found.append(
                self._floor().reader_state(reader.id) | {"error": supervisor.last_error, "docks": sorted(watched)}
            )
        return found

    def alarms(self) -> tuple[int, list[dict[str, Any]], str]:
        shown = [alarm.model_dump(mode="json") for alarm in self._alarms.open]
        return self._alarms.number, shown, self._alarms.problem()

    async def ask(self, question: str, args: Mapping[str, Any]) -> dict[str, Any]:
        return await self._history.asked(question, args, self._now())

    async def command(self, name: str, args: Mapping[str, Any], who: str) -> dict[str, Any]:
        return await self._commands.handle(name, {**args, "by": who})

    async def subscribe(self) -> AsyncIterator[object]:
        notice = asyncio.Event()
        self._notices.add(notice)
        try:
            while True:
                await notice.wait()
                notice.clear()
                yield None
        finally:
            self._notices.discard(notice)


def serving(page: Page, config: WebConfig | None, log: Logger) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
    """The web server with its name, ready to run, where one is configured and the libraries for it are installed."""
    if config is None:
        return
    try:
        from gateway.web.server import WebServer
    except ImportError as error:
        log.error("no dock page: pip install 'rfid-gateway[web]'", reason=str(error))
        page.trouble.say("pages", "they are not served: pip install 'rfid-gateway[web]'")
        return
    server = WebServer(page, config, log)
    server.troubled = partial(page.trouble.say, "pages")
    yield "dock page", server.run()
