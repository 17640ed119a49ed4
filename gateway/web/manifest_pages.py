"""The pages before the van: every manifest that is known, and one of them line by line, judged as if it passed now.

==========================  ==========================================================
``/manifests``              every delivery, and how many of its packages may not leave
``/manifests/one?…``        one delivery: its lines, what is staged, what is probably one error
``/manifests.csv?…``        its lines as CSV; without more: every delivery
==========================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.web import downloads
from gateway.web.alarm_views import strip
from gateway.web.dock_view import dock_names
from gateway.web.guard import Guard
from gateway.web.interface import WebPort
from gateway.web.shell import Shell
from gateway.web.table_pages import manifests
from gateway.web.templates import render
from gateway.web.wording import common_unknown, reasons, warnings

_GROUPS = (
    ("blocked", "blocked", "Must not leave", "a rule is broken"),
    ("undetermined", "undetermined", "Not known yet", "a fact is missing or too old"),
    ("last", "warning", "Warnings", "may leave all the same"),
    ("last", "last", "Nothing against it so far", ""),
)
_COLUMNS = ("manifest", "delivery", "uid", "identifier", "product", "batch", "quantity", "unit", "verdict", "warnings")


class ManifestPages:
    """The pages as routes. One delivery is judged when it is asked for, and does not follow what happens."""

    def __init__(self, port: WebPort, guard: Guard, shell: Shell) -> None:
        self._port = port
        self._guard = guard
        self._shell = shell
        self.routes = [
            Route("/manifests", self._all),
            Route("/manifests/one", self._one),
            Route("/manifests.csv", self._download),
        ]

    async def _all(self, request: Request) -> Response:
        if self._guard.who(request) is None:
            return RedirectResponse("/login?next=/manifests", 303)
        docks = dock_names(map(self._port.dock_state, self._port.docks()))
        content = render("manifests.html", manifests=self._port.manifests(), docks=docks)
        return self._page(request, "Manifests", content)

    async def _one(self, request: Request) -> Response:
        if self._guard.who(request) is None:
            return RedirectResponse("/login?next=/manifests", 303)
        found = self._found(request)
        common, known = common_unknown(found["items"])
        docks = dock_names(map(self._port.dock_state, self._port.docks()))
        content = render("manifest.html", found=found, docks=docks, common=common, groups=_groups(known, found["done"]))
        return self._page(request, "Manifest", content)

    async def _download(self, request: Request) -> Response:
        if self._guard.who(request) is None:
            raise HTTPException(401, "Log in first.")
        if not request.query_params:
            return downloads.answer("manifests", *manifests(self._port.manifests()))
        found = self._found(request)
        rows = [
            [
                *(found["manifest"], found["delivery"]),
                *(item[name] for name in _COLUMNS[2:-1]),
                "; ".join(warnings(item)),
            ]
            for item in found["items"]
        ]
        return downloads.answer("manifest", _COLUMNS, rows)

    def _found(self, request: Request) -> dict[str, Any]:
        name, delivery = request.query_params.get("manifest", ""), request.query_params.get("delivery", "")
        found = self._port.delivery(name, delivery)
        if found is None:
            raise HTTPException(404, "There is no such manifest.")
        return found | {"items": [_done(item) for item in found["items"]]} if found["done"] else found

    def _page(self, request: Request, title: str, content: Any) -> Response:
        visitor = self._guard.visitor(request)
        alarms = strip(self._port.alarms(), self._port.zones)
        response = HTMLResponse(self._shell.still("/manifests", title, content, alarms, visitor))
        self._guard.remember(request, response)
        return response


def _done(item: Mapping[str, Any]) -> dict[str, Any]:
    """A line of a delivery whose verdict was complete: nothing is looked at ahead of it any more."""
    return {**item, "rules": [], "unknown": [], "warnings": [], "verdict": "done"}


def _groups(items: Sequence[Mapping[str, Any]], done: bool) -> list[dict[str, Any]]:
    """The lines by what stands against them, the worst first; without empty groups. Those of a delivery that is
    `done` are one group."""
    if done:
        rows = [{"item": item, "reasons": [], "warnings": []} for item in items]
        return [{"name": "last", "icon": "last", "title": "Packages", "meaning": "", "rows": rows}]
    found: list[list[dict[str, Any]]] = [[], [], [], []]
    for item in items:
        warned = warnings(item)
        place = 0 if item["rules"] else 1 if item["unknown"] else 2 if warned else 3
        found[place].append({"item": item, "reasons": reasons(item, "blocked"), "warnings": warned})
    return [
        {"name": name, "icon": symbol, "title": title, "meaning": meaning, "rows": rows}
        for (name, symbol, title, meaning), rows in zip(_GROUPS, found, strict=True)
        if rows
    ]
