"""What the page needs of the gateway: a few questions and commands, and a nudge when something may have changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol


class WebPort(Protocol):
    """The gateway as the page sees it. The questions are asked often and answered at once, from memory."""

    def docks(self) -> list[str]:
        """The ids of the docks, in the order in which they are shown."""

    def dock_state(self, dock: str) -> dict[str, Any]:
        """``Gate.state(dock, now)`` with ``"lines": Gate.lines(dock)``."""

    def zones(self) -> list[dict[str, Any]]:
        """``Floor.zone_state`` of every zone."""

    def plan(self) -> list[dict[str, Any]]:
        """`zones`, each with `uids`, the packages that are in it, sorted, and `watch_listed`, those on a watch list."""

    def counting(self, zone: str) -> dict[str, Any] | None:
        """``Counts.live`` of a zone: the count that somebody takes of it, None where nobody does."""

    def books(self) -> dict[str, Any]:
        """``Floor.books.state``: the books, and what does not agree with them."""

    def items(self, uids: Iterable[str]) -> Mapping[str, tuple[str | None, str | None]]:
        """Product and batch of packages by UID, as far as they are known by now."""

    def troubles(self) -> list[str]:
        """What could not start or does not work, beside readers, and what was lost within a day, in words."""

    def set_apart(self) -> int:
        """How many events are in quarantine."""

    def readers(self) -> list[dict[str, Any]]:
        """``Floor.reader_state`` of every reader with the `error` of its supervisor, and `docks`: the ids of
        the docks whose portal it watches."""

    def manifests(self) -> list[dict[str, Any]]:
        """``Gate.manifests()``."""

    def delivery(self, manifest: str, delivery: str) -> dict[str, Any] | None:
        """``Gate.manifest(manifest, delivery, now)``."""

    def alarms(self) -> tuple[int, list[dict[str, Any]], str]:
        """How many alarms are open, the newest of them as `gateway.history.answers.Alarm` has them, and why that is
        not known, or nothing."""

    async def ask(self, question: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """The history's answer to a question of `gateway.history.asking`, ready for JSON. Raises `Refused`."""

    async def command(self, name: str, args: Mapping[str, Any], who: str) -> dict[str, Any]:
        """Carries out a command that the pages know (``gate.open``, ``count.close``, …) for `who`, who belongs into the
        event as `by`.

        Raises `Refused`, with words for whoever pressed the button.
        """

    def subscribe(self) -> AsyncIterator[object]:
        """Yields whenever anything above may have changed. What it yields is not looked at; several changes may be
        one notice."""
