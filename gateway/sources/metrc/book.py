"""The book that Metrc keeps: its packages that are active, on hold or in transit become the command `book`.

All three lists are fetched whole every now and then, and what has changed in between by windows of `lastModified`. A
list that is not whole, or an answer that cannot be had, and nothing is handed on: half a book is worse than that of
before. It only reads.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from drivers.api import Log
from gateway.clock import SECOND, micros, rfc3339
from gateway.config.books import MetrcBook
from gateway.errors import Refused
from gateway.floor.books.compare import IN_TRANSIT
from gateway.inputs import Submit
from gateway.sources.identifiers import IdentifierMap
from gateway.sources.metrc.access import Connect, connector, read_keys
from gateway.sources.metrc.http import MetrcClient
from gateway.sources.metrc.polling import keep_polling
from gateway.sources.metrc.shapes import Object, first_date, product_of
from gateway.text import printable

_LISTS = (("active", "active"), ("onhold", "on hold"), ("intransit", IN_TRANSIT))
"""Lists of ``/packages/v2`` and the status that they give; a package in two has that of the later."""

_DAY = 86_400 * SECOND
_OVERLAP = 300 * SECOND
"""By so much a window begins before the end of the one before: Metrc's clock is not ours."""


class MetrcPackages:
    """Keeps a book up to date. `now` is in microseconds."""

    def __init__(
        self,
        config: MetrcBook,
        submit: Submit,
        identifiers: IdentifierMap,
        log: Log,
        now: Callable[[], int],
        connect: Connect | None = None,
    ) -> None:
        self._config = config
        self._submit = submit
        self._identifiers = identifiers
        self._log = log
        self._now = now
        self._connect = connect or connector(config)
        self._whole = 0  # when all of it was fetched last
        self._upto = 0
        self._said = ""

    async def run(self) -> NoReturn:
        """Polls for ever. What goes wrong is logged once, and tried again; the book of before stays meanwhile."""
        await keep_polling(self.poll, self._config.poll, self._say)

    async def _say(self, problem: str) -> None:
        if problem != self._said:
            self._log.error("the book of Metrc stays as it was", book=self._config.name, reason=problem)
        self._said = problem

    async def poll(self) -> None:
        """One round. Raises MetrcError where an answer cannot be had, Refused where a key cannot be read or the book is
        not taken; nothing has changed then."""
        config, began = self._config, self._now()
        keys = await asyncio.to_thread(read_keys, config)
        whole = began - self._whole >= micros(config.whole)
        async with self._connect(keys) as client:
            packages = await (self._all(client) if whole else self._changed(client, began))
        if packages or whole:
            args = {"book": config.name, "by": "metrc", "as_of": rfc3339(began), "mode": "set" if whole else "change"}
            try:
                await self._submit("book", args | {"packages": packages})
            except Refused:
                self._whole = 0  # what the gateway has is not what was thought
                raise
        self._upto, self._said = began, ""
        if whole:
            self._whole = began

    async def _all(self, client: MetrcClient) -> list[dict[str, Any]]:
        return self._merged({name: await client.fetch_all(f"/packages/v2/{name}") for name, _ in _LISTS})

    async def _changed(self, client: MetrcClient, now: int) -> list[dict[str, Any]]:
        """What changed since the last round: Metrc looks at no more than 24 hours at a time."""
        found: dict[str, list[Object]] = {name: [] for name, _ in _LISTS}
        start = self._upto - _OVERLAP
        while start < now:
            end = min(start + _DAY, now)
            query = {"lastModifiedStart": rfc3339(start), "lastModifiedEnd": rfc3339(end)}
            for name, _ in _LISTS:
                found[name] += await client.fetch_all(f"/packages/v2/{name}", query)
            start = end
        return self._merged(found)

    def _merged(self, lists: Mapping[str, list[Object]]) -> list[dict[str, Any]]:
        """The packages of all lists, each once. Those whose label no tag can carry are left out and counted."""
        packages: dict[str, dict[str, Any]] = {}
        unknown = 0
        for name, status in _LISTS:
            for record in lists[name]:
                label = record.get("Label")
                try:
                    uid = self._identifiers.uid(label if isinstance(label, str) else "")
                except Refused:
                    unknown += 1
                    continue
                packages[uid] = {"uid": uid, "status": status} | self._facts(record)
        if unknown:
            self._log.warning(
                "packages of Metrc have no label that a tag can carry", book=self._config.name, number=unknown
            )
        return [packages[uid] for uid in sorted(packages)]

    def _facts(self, record: Object) -> dict[str, Any]:
        texts = {
            "location": record.get("LocationName"),
            "sublocation": record.get("SublocationName"),
            "unit": record.get("UnitOfMeasureName"),
            "product": product_of(record),
            "batch": record.get("ProductionBatchNumber"),
        }
        facts: dict[str, Any] = {
            name: printable(text, 200) for name, text in texts.items() if isinstance(text, str) and text
        }
        quantity = record.get("Quantity")
        if isinstance(quantity, int | float) and not isinstance(quantity, bool):
            facts["quantity"] = float(quantity)
        with contextlib.suppress(Refused):
            if expires := first_date(record, self._config.time_zone):
                facts["expires"] = expires
        return facts
