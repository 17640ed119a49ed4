"""The tables of the pages about the whole site as CSV: zones, readers, manifests, counts, and their calendar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import Refused
from gateway.web import downloads
from gateway.web.guard import Guard
from gateway.web.interface import WebPort

Values: TypeAlias = Mapping[str, Any]
Table: TypeAlias = tuple[Sequence[str], Iterable[Sequence[object]]]
"""The names of the columns, and the lines."""

_COUNT = (
    "zone", "ended", "trigger", "by", "note", "population", "expected", "found", "missing", "extra", "elsewhere",
    "duty", "confidence",
)  # fmt: skip
_MANIFEST = (
    "manifest", "delivery", "direction", "recipient", "dock", "lines", "blocked", "unknown", "warned",
    "loading", "done",
)  # fmt: skip


class TablePages:
    """The downloads as routes."""

    def __init__(self, port: WebPort, guard: Guard) -> None:
        self._port = port
        self._guard = guard
        self.routes = [
            self._route("zones", lambda: zones(port.zones())),
            self._route("readers", lambda: readers(port.readers())),
            self._route("calendar", lambda: calendar(port.zones())),
            Route("/counts.csv", self._counts),
        ]

    def _route(self, name: str, make: Callable[[], Table]) -> Route:
        async def download(request: Request) -> Response:
            self._allowed(request)
            return downloads.answer(name, *make())

        return Route(f"/{name}.csv", download)

    async def _counts(self, request: Request) -> Response:
        self._allowed(request)
        try:
            found = await self._port.ask("counts", {})
        except Refused as refusal:
            raise HTTPException(400, str(refusal)) from None
        return downloads.answer("counts", _COUNT, ([count[name] for name in _COUNT] for count in found["counts"]))

    def _allowed(self, request: Request) -> None:
        if self._guard.who(request) is None:
            raise HTTPException(401, "Log in first.")


def zones(known: Iterable[Values]) -> Table:
    """A line for each zone: how many are there, how well it is watched, and its last count."""
    columns = ("zone", "name", "present", "not_seen", "watched", "antennas", "last_count", "counted", "confidence")

    def line(zone: Values) -> list[object]:
        last = zone["last_count"] or {}
        antennas = "; ".join(f"{name} {words}" for name, words in zone["antennas"].items())
        watched = "yes" if zone["watched"] else "no"
        return [zone["zone"], zone["name"], zone["population"], zone["not_seen"], watched, antennas,
                last.get("ended"), last.get("population"), last.get("confidence")]  # fmt: skip

    return columns, map(line, known)


def readers(known: Iterable[Values]) -> Table:
    """A line for each reader: up or not and why, what is wrong with it and its antennas, its clock and its reads."""
    columns = (
        "reader", "model", "status", "since", "reason", "conditions", "antennas_down", "antennas_silent", "clock",
        "reads", "late_reads",
    )  # fmt: skip

    def line(reader: Values) -> list[object]:
        up = reader["status"] == "up"
        return [reader["reader"], reader["model"], reader["status"], reader["since"],
                None if up else reader["error"] or reader["reason"], _words(reader["conditions"]),
                _words(reader["antennas_down"]), _words(reader["antennas_silent"]), reader["clock"]["quality"],
                reader["reads"], reader["late_reads"]]  # fmt: skip

    return columns, map(line, known)


def calendar(known: Iterable[Values]) -> Table:
    """A line for each zone that is counted by the calendar: when it is due, and whether it is overdue."""
    columns = ("zone", "name", "every", "at", "due", "last_done", "overdue", "why")

    def line(zone: Values) -> list[object]:
        plan = zone["count_plan"]
        kept = [plan[name] for name in ("every", "at", "due", "last_done")]
        return [zone["zone"], zone["name"], *kept, "yes" if plan["overdue"] else "no", plan["why"]]

    return columns, (line(zone) for zone in known if zone.get("count_plan"))


def manifests(known: Iterable[Values]) -> Table:
    """A line for each delivery, with how many of its packages may not leave."""
    return _MANIFEST, ([entry[name] for name in _MANIFEST] for entry in known)


def _words(those: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {words}" if words else str(name) for name, words in those.items())
