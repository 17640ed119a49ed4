"""Pages that ask the history: find, a tag, a zone's contents, counts; their downloads; and taking note of an alarm.

=============================  =======================================================
``/find?what=…``               what the search field of every page finds; ``/find.csv``
``/tags/{uid}``                where a tag is and how it came there; ``.csv`` its trail
``/zones/{zone}?at=…``         who is or was in a zone; ``.csv`` likewise
``/counts``                    the calendar, and counts; ``/counts/{zone}/earlier`` those of a zone, ``.csv``
``/alarms.csv``                alarms, also those that are over
``POST /cameras/…/export``      Frigate is asked to keep a recording
``POST /alarms/acknowledge``   somebody has taken note of an alarm
=============================  =======================================================
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.errors import Refused
from gateway.ops.logs import Logger
from gateway.web import downloads
from gateway.web.actions import arguments, form
from gateway.web.alarm_views import strip
from gateway.web.count_views import calendar
from gateway.web.dock_view import dock_names
from gateway.web.guard import Guard
from gateway.web.history_views import counts, found, nothing_asked, trail, zone
from gateway.web.interface import WebPort
from gateway.web.shell import Shell
from gateway.web.templates import render
from gateway.web.whole_answers import whole
from gateway.web.wording import zone_names

Rows = Iterable[Sequence[object]]


class HistoryPages:
    """The pages as routes. They are made once for each look, and do not follow what happens."""

    def __init__(self, port: WebPort, guard: Guard, shell: Shell, log: Logger) -> None:
        self._port = port
        self._guard = guard
        self._shell = shell
        self._log = log
        self.routes = [
            Route("/find", self._find),
            Route("/find.csv", self._find_csv),
            Route("/tags/{uid}.csv", self._download(_trail_csv, "trail", "uid")),
            Route("/tags/{uid}", self._tag),
            Route("/cameras/{camera}/export", self._export, methods=["POST"]),
            Route("/zones/{zone}.csv", self._download(_zone_csv, "zone", "zone")),
            Route("/zones/{zone}", self._zone),
            Route("/counts", self._counts),
            Route("/counts/{zone}.csv", self._download(_count_csv, "counts", "zone")),
            Route("/counts/{zone}/earlier", self._counts),
            Route("/alarms.csv", self._download(_alarms_csv, "alarms", None)),
            Route("/alarms/acknowledge", self._acknowledge, methods=["POST"]),
        ]

    async def _find(self, request: Request) -> Response:
        what = request.query_params.get("what", "").strip()[:200]
        if self._guard.who(request) is None:
            return RedirectResponse("/login?next=/", 303)
        if not what:
            return self._still(request, "/find", "Find", nothing_asked())
        answer = await self._ask("where", {"what": what, "limit": 100})
        if len(answer["packages"]) == 1 and not answer["more"]:
            return RedirectResponse(f"/tags/{answer['packages'][0]['uid']}", 303)
        return self._still(request, "/find", "Find", found(answer, self._names()), what)

    async def _find_csv(self, request: Request) -> Response:
        if self._guard.who(request) is None:
            raise HTTPException(401, "Log in first.")
        answer = await self._ask("where", {"what": request.query_params.get("what", "")})
        return downloads.answer("found", *_found_csv(answer))

    async def _tag(self, request: Request) -> Response:
        uid = request.path_params["uid"]
        if self._guard.who(request) is None:
            return RedirectResponse(f"/login?next=/tags/{quote(uid, safe='')}", 303)
        asked = {"what": uid} | _given(request, "before")
        answer = await self._ask("trail", asked)
        if answer["uid"] != uid:
            raise HTTPException(404, f"Nothing is known of {uid[:64]}.")
        where = await self._ask("where", {"what": uid})
        docks = dock_names(map(self._port.dock_state, self._port.docks()))
        shown = trail(answer, where["packages"][0], self._names(), docks, self._guard.visitor(request).csrf)
        return self._still(request, f"/tags/{uid}", f"…{uid[-6:]}", shown)

    async def _export(self, request: Request) -> Response:
        """Asks Frigate to keep the range that a form on the page of a tag names."""
        who = self._guard.who(request)
        if who is None:
            raise HTTPException(401, "Log in first.")
        fields = await form(request)
        self._guard.check_origin(request, fields.get("csrf", ""))
        camera, uid = request.path_params["camera"], fields.get("uid", "")[:124]
        asked = {"camera": camera, "start": fields.get("start", ""), "end": fields.get("end", ""), "note": uid}
        try:
            kept = await self._port.command("camera.export", asked, who)
            words = f"Frigate keeps it as {kept['export']}."
        except Refused as refusal:
            words = f"It is not kept: {refusal}"
        return self._still(request, "/find", f"Recording of {camera[:64]}", render("kept.html", words=words, uid=uid))

    async def _zone(self, request: Request) -> Response:
        wanted = request.path_params["zone"]
        if self._guard.who(request) is None:
            return RedirectResponse(f"/login?next=/zones/{quote(wanted, safe='')}", 303)
        known = {entry["zone"]: entry for entry in self._port.zones()}
        answer = await self._ask("zone", {"zone": wanted, "limit": 500} | _given(request, "at", "after"))
        if wanted not in known and not answer["tags"]:
            raise HTTPException(404, f"There is no zone {wanted[:64]}.")
        name = (known[wanted]["name"] if wanted in known else "") or wanted
        content = zone(answer, name, request.query_params.get("at"))
        return self._still(request, "/zones", name, content)

    async def _counts(self, request: Request) -> Response:
        if self._guard.who(request) is None:
            return RedirectResponse("/login?next=/counts", 303)
        wanted = request.path_params.get("zone")
        answer = await self._ask("counts", {"limit": 100} | ({"zone": wanted} if wanted else {}))
        names = self._names()
        title, content = f"Counts of {names.get(wanted or '', wanted)}", counts(answer, names)
        if not wanted:
            zones = self._port.zones()
            counted = {
                zone["zone"]: live["data"]["session"]["by"]
                for zone in zones
                if (live := self._port.counting(zone["zone"])) is not None
            }
            title, content = "Counts", calendar(zones, counted) + content
        return self._still(request, "/counts", title, content)

    async def _acknowledge(self, request: Request) -> Response:
        who = self._guard.who(request)
        if who is None:
            raise HTTPException(401, "Log in first.")
        self._guard.check_origin(request, request.headers.get("x-csrf-token", ""))
        args = await arguments(request, frozenset({"alarm", "subject", "note"}))
        try:
            result = await self._port.command("alarm.acknowledge", args, who)
        except Refused as refusal:
            return JSONResponse({"error": str(refusal)}, 409)
        return JSONResponse({"result": result})

    def _download(
        self, make: Callable[[Mapping[str, Any]], tuple[Sequence[str], Rows]], question: str, key: str | None
    ) -> Callable[[Request], Any]:
        async def download(request: Request) -> Response:
            if self._guard.who(request) is None:
                raise HTTPException(401, "Log in first.")
            name = request.path_params[key] if key is not None else question
            asked = _given(request, "at", "before", "after")
            if key is not None:
                asked |= {"what" if key == "uid" else key: name}
            else:
                asked |= {"open": "false"}
            found = await whole(question, partial(self._ask, question), asked)
            if found is None:
                raise HTTPException(400, "That is too much for one file: ask for a part of it, with at or before.")
            # In a thread: a hundred thousand lines take seconds.
            title = f"{question}-{name}" if key is not None else question
            return await asyncio.to_thread(downloads.answer, title, *make(found))

        return download

    def _names(self) -> dict[str, str]:
        """What people call the zones, by id."""
        return zone_names(self._port.zones())

    async def _ask(self, question: str, args: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._port.ask(question, args)
        except Refused as refusal:
            raise HTTPException(400, str(refusal)) from None

    def _still(self, request: Request, path: str, title: str, content: Markup, what: str = "") -> Response:
        visitor = self._guard.visitor(request)
        alarms = strip(self._port.alarms(), self._port.zones)
        response = HTMLResponse(self._shell.still(path, title, content, alarms, visitor, what))
        self._guard.remember(request, response)
        return response


def _given(request: Request, *names: str) -> dict[str, str]:
    return {name: value for name in names if (value := request.query_params.get(name))}


def _trail_csv(answer: Mapping[str, Any]) -> tuple[Sequence[str], Rows]:
    """The stays and everything else, a line each; what an entry does not have is empty."""
    keys = (
        "entry", "since", "until", "first", "last", "time", "raised", "start", "end", "zone", "zones", "reader", "how",
        "by", "state", "movement", "before", "after", "portal", "direction", "dock", "manifest", "status", "verdict",
        "reasons", "said", "detail", "kind", "place", "what", "reason", "door", "person", "action", "camera",
        "confidence",
    )  # fmt: skip
    proof = ("reads", "strongest_rssi", "rssi_unit", "antennas", "clock", "algorithm", "config")
    columns = ("uid", *keys, *(f"evidence_{name}" for name in proof), "epoch", "sequence")

    def line(entry: Mapping[str, Any]) -> list[object]:
        evidence = entry.get("evidence") or {}
        source = entry.get("event") or {}
        said = [" ".join(value) if isinstance(value := evidence.get(name), list) else value for name in proof]
        values = [" ".join(value) if isinstance(value := entry.get(key), list) else value for key in keys]
        return [answer["uid"], *values, *said, source.get("epoch"), source.get("sequence")]

    return columns, (line(entry) for entry in answer["entries"])


def _found_csv(answer: Mapping[str, Any]) -> tuple[Sequence[str], Rows]:
    columns = ("uid", "product", "batch", "state", "zone", "since", "confidence", "alarms")

    def line(package: Mapping[str, Any]) -> list[object]:
        known, here = package["item"] or {}, package["here"] or {}
        alarms = " ".join(alarm["kind"] for alarm in package["open_alarms"])
        return [package["uid"], known.get("product"), known.get("batch"),
                *(here.get(name) for name in ("state", "zone", "since", "confidence")), alarms]  # fmt: skip

    return columns, (line(package) for package in answer["packages"])


def _zone_csv(answer: Mapping[str, Any]) -> tuple[Sequence[str], Rows]:
    columns = (
        "zone",
        "at",
        "uid",
        "product",
        "batch",
        "state",
        "since",
        "last_read",
        "confidence",
        "reads",
        "sequence",
    )
    return columns, (
        [answer["zone"], answer["at"], tag["uid"], tag["product"], tag["batch"], tag["stay"]["state"],
         tag["stay"]["since"], tag["stay"]["evidence"]["last"], tag["stay"]["confidence"],
         tag["stay"]["evidence"]["reads"], tag["stay"]["event"]["sequence"]]
        for tag in answer["tags"]
    )  # fmt: skip


def _count_csv(answer: Mapping[str, Any]) -> tuple[Sequence[str], Rows]:
    columns = ("zone", "ended", "uid", "said", "product", "batch", "detail")
    newest = answer["counts"][0] if answer["counts"] else {"zone": "", "ended": ""}
    return columns, (
        [newest["zone"], newest["ended"], line["uid"], line["said"], line["product"], line["batch"], line["detail"]]
        for line in answer["lines"]
    )


def _alarms_csv(answer: Mapping[str, Any]) -> tuple[Sequence[str], Rows]:
    columns = (
        "kind", "subject", "place", "uid", "state", "since", "raised", "last_said", "repeats", "reason",
        "acknowledged", "acknowledged_by", "note", "cleared", "cleared_reason",
    )  # fmt: skip
    return columns, ([alarm[name] for name in columns] for alarm in answer["alarms"])
