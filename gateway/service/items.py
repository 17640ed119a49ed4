"""What packages are, for pages that are made from memory: asked of the history in the background, and remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from time import monotonic

from gateway.errors import Refused
from gateway.floor.bounded import Bounded
from gateway.history.history import History

MAX_ITEMS = 20_000
"""Packages that are remembered."""

AGAIN = 60.0
"""Seconds after which it is asked again: a manifest may have said meanwhile what a package is."""

Fact = tuple[str | None, str | None]
"""Product and batch."""


class ItemFacts:
    """Product and batch by UID, as far as the history knows them. `changed` is called when more is known."""

    def __init__(self, history: History, changed: Callable[[], None]) -> None:
        self._history = history
        self._changed = changed
        self._known: Bounded[str, tuple[float, Fact]] = Bounded(MAX_ITEMS)
        self._asking: asyncio.Task[None] | None = None

    def of(self, uids: Iterable[str]) -> Mapping[str, Fact]:
        """What is known now; the rest is asked for."""
        now = monotonic()
        found: dict[str, Fact] = {}
        unknown: list[str] = []
        for uid in uids:
            entry = self._known.get(uid)
            if entry is not None:
                found[uid] = entry[1]
            if entry is None or now - entry[0] > AGAIN:
                unknown.append(uid)
        if unknown and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask(unknown[:MAX_ITEMS]), name="item facts")
        return found

    async def _ask(self, uids: list[str]) -> None:
        try:
            found = await self._history.ask(lambda questions: questions.items(uids))
        except Refused:
            found = {}
        now = monotonic()
        for uid in uids:
            self._known.renew(uid, (now, found.get(uid, (None, None))))
        if found:
            self._changed()
