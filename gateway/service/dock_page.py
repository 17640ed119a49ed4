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
        """The open count session of a zone, ready for JSON, or None."""
        return self._floor().counts.live(zone)

    def books(self) -> dict[str, Any]:
        """What books say against what is seen, ready for JSON."""
        return self._floor().books.state()

    def items(self, uids: Iterable[str]) -> Mapping[str, Fact]:
        """What is known of packages, by UID."""
        return self._items.of(uids)

    def changed(self) -> None:
        """Something that pages show has changed."""
        for notice in self._notices:
            notice.set()

    def docks(self) -> list[str]:
        """The ids of the docks."""
        return self._floor().gate.docks()

    def dock_state(self, dock: str) -> dict[str, Any]:
        """The state of a dock with the lines of its delivery, ready for JSON."""
        gate = self._floor().gate
        return gate.state(dock, self._now()) | {"lines": gate.lines(dock)}

    def manifests(self) -> list[dict[str, Any]]:
        """The deliveries that are known, ready for JSON."""
        return self._floor().gate.manifests()

    def delivery(self, manifest: str, delivery: str) -> dict[str, Any] | None:
        """A delivery with its lines and what is known of them, or None."""
        return self._floor().gate.manifest(manifest, delivery, self._now())

    def zones(self) -> list[dict[str, Any]]:
        """The state of every zone, ready for JSON."""
        return [self._floor().zone_state(zone.id) for zone in self._config().zones]

    def plan(self) -> list[dict[str, Any]]:
        """Every zone with the packages that are in it, ready for JSON."""
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
        """What is wrong with the gateway itself, in words for people, and what was lost within a day."""
        return [*self.trouble.words(), *self._alarms.losses(self._now())]

    def set_apart(self) -> int:
        """How many events are in quarantine."""
        return self._set_apart()

    def readers(self) -> list[dict[str, Any]]:
        """The state of every reader, with its last error and the docks that it watches."""
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
        """How many alarms are open, the newest of them, and what is wrong with the list itself."""
        shown = [alarm.model_dump(mode="json") for alarm in self._alarms.open]
        return self._alarms.number, shown, self._alarms.problem()

    async def ask(self, question: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """The history's answer to a question. Raises Refused."""
        return await self._history.asked(question, args, self._now())

    async def command(self, name: str, args: Mapping[str, Any], who: str) -> dict[str, Any]:
        """Does a command for a person. Raises Refused."""
        return await self._commands.handle(name, {**args, "by": who})

    async def subscribe(self) -> AsyncIterator[object]:
        """Yields whenever something that pages show has changed."""
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
        log.error("the pages are not served: pip install 'rfid-gateway[web]'", reason=str(error))
        page.trouble.say("pages", "not served, the extra `web` is not installed: pip install 'rfid-gateway[web]'")
        return
    server = WebServer(page, config, log)
    server.troubled = partial(page.trouble.say, "pages")
    yield "dock page", server.run()
