"""The pages and actions as an ASGI application.

======================  ================================================================
``/``                   all docks; `/plan`, `/zones`, `/readers` and `/alarms` likewise
``/find, /tags, …``     what asks the history (gateway.web.history_pages)
``/manifests``          before the van (gateway.web.manifest_pages)
``/counts/{zone}``      the count that somebody takes of a zone
``/docks/{dock}``       one dock; ``?all=1`` with every line of its sets
``/events?view=…``      what changes on a page, as server-sent events
``POST …/{action}``     what is done at a dock (a session is opened or closed, a look into the van confirmed) or to a
                        count: JSON in, JSON out
``/api/v1/…``           the history's questions, JSON out (gateway.web.api)
``/login, /logout``     with a token, where the configuration has a token file
======================  ================================================================
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from drivers.front_door import same_place
from gateway.errors import Refused
from gateway.ops.logs import Logger
from gateway.web import api, downloads
from gateway.web.actions import ACTIONS, COUNT_ACTIONS, DESTROY, arguments, form, of_count, person, weight
from gateway.web.alarm_views import alarms_parts, strip
from gateway.web.assets import Assets
from gateway.web.attempts import Attempts
from gateway.web.count_views import count_parts, uids_of
from gateway.web.difference_views import ALL, KINDS, difference_parts, difference_rows
from gateway.web.dock_view import dock_name, dock_parts
from gateway.web.guard import Guard
from gateway.web.headers import SecurityHeaders
from gateway.web.history_pages import HistoryPages
from gateway.web.hub import Full, Hub, Parts
from gateway.web.interface import WebPort
from gateway.web.manifest_pages import ManifestPages
from gateway.web.plan_view import plan_parts
from gateway.web.shell import LOCAL, Shell
from gateway.web.site_views import docks_parts, readers_parts, zones_parts
from gateway.web.table_pages import TablePages
from gateway.web.wording import zone_names

_TARGET = re.compile(
    r"/(plan|zones|manifests|readers|alarms|counts|differences|(docks|counts|zones|tags)/[A-Za-z0-9._-]+)?"
)
"""Pages to which a login may lead on; any other address could be somebody else's."""


_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
"""The number of a page of a list."""

_ACTING = ("/docks/", "/alarms/", "/counts/", "/differences", "/tags/", "/readers/")
"""How paths begin to which pages post what is to be done: they want JSON, also of what goes wrong."""


def build(port: WebPort, guard: Guard, log: Logger) -> Starlette:
    """The application. Its hub is `app.state.hub`, and has to run for pages to be live."""
    return _Site(port, guard, log).app


class _Site:
    def __init__(self, port: WebPort, guard: Guard, log: Logger) -> None:
        self._port = port
        self._guard = guard
        self._log = log
        self._assets = Assets()
        self._shell = Shell(self._assets)
        self._attempts = Attempts()
        self._hub = Hub(port, self._parts, self._assets.build, log)
        self.app = Starlette(
            routes=[
                Route("/", self._overview),
                Route("/plan", self._plan),
                Route("/zones", self._zones),
                Route("/readers", self._readers),
                Route("/readers/release", self._release, methods=["POST"]),
                Route("/alarms", self._alarms),
                Route("/docks/{dock}", self._dock),
                Route("/docks/{dock}/{action}", self._act, methods=["POST"]),
                Route("/events", self._events),
                Route("/login", self._login, methods=["GET", "POST"]),
                Route("/logout", self._logout, methods=["POST"]),
                Route("/static/{name}", self._static),
                *ManifestPages(port, guard, self._shell).routes,
                *HistoryPages(port, guard, self._shell, log).routes,
                Route("/differences", self._differences),
                Route("/differences", self._deal, methods=["POST"]),
                Route("/differences.csv", self._differences_csv),
                *TablePages(port, guard).routes,
                Route("/tags/{uid}/destroy", self._destroy, methods=["POST"]),
                Route("/counts/{zone}", self._count),
                Route("/counts/{zone}/{action}", self._act_on_count, methods=["POST"]),
                *api.Api(port, guard, self._attempts).routes,
            ],
            middleware=[Middleware(SecurityHeaders)],
            exception_handlers={HTTPException: self._failed, Exception: self._fault},
        )
        self.app.state.hub = self._hub

    # ---- pages

    async def _overview(self, request: Request) -> Response:
        return self._page(request, "/", "Docks", "docks")

    async def _plan(self, request: Request) -> Response:
        return self._page(request, "/plan", "Floor", "plan")

    async def _zones(self, request: Request) -> Response:
        return self._page(request, "/zones", "Zones", "zones")

    async def _readers(self, request: Request) -> Response:
        return self._page(request, "/readers", "Readers", "readers")

    async def _alarms(self, request: Request) -> Response:
        return self._page(request, "/alarms", "Alarms", "alarms")

    async def _dock(self, request: Request) -> Response:
        dock = request.path_params["dock"]
        if self._guard.who(request) is not None and dock not in self._port.docks():
            raise HTTPException(404, f"There is no dock {dock[:64]}.")
        view = f"dock/{dock}/all" if request.query_params.get("all") == "1" else f"dock/{dock}"
        return self._page(request, f"/docks/{dock}", "", view)

    async def _differences(self, request: Request) -> Response:
        kind, page = request.query_params.get("kind", ALL), request.query_params.get("page", "1")
        return self._page(request, "/differences", "Differences", f"differences/{kind}/{page}")

    async def _differences_csv(self, request: Request) -> Response:
        if self._guard.who(request) is None:
            raise HTTPException(401, "Log in first.")
        return downloads.answer("differences", *difference_rows(self._port.books()))

    async def _deal(self, request: Request) -> Response:
        who = self._actor(request)
        args = await arguments(request, frozenset({"uid", "state", "note"}))
        owner = {"owner": who} if args.get("state") == "open" else {}
        return await self._carry_out("difference", args | owner, who)

    async def _count(self, request: Request) -> Response:
        zone = request.path_params["zone"]
        names = zone_names(self._port.zones())
        if self._guard.who(request) is not None and zone not in names:
            raise HTTPException(404, f"There is no zone {zone[:64]}.")
        return self._page(request, f"/counts/{zone}", f"Count of {names.get(zone, '')}", f"count/{zone}")

    def _page(self, request: Request, path: str, title: str, view: str) -> Response:
        visitor = self._guard.visitor(request)
        if visitor.name is None:
            return RedirectResponse(f"/login?next={path}" if _TARGET.fullmatch(path) else "/login", 303)
        parts = self._parts(view)
        title = title or dock_name(self._port.dock_state(view.split("/")[1]))
        response = HTMLResponse(self._shell.live(path, title, view, parts, visitor))
        self._guard.remember(request, response)
        return response

    def _parts(self, view: str) -> Parts:
        """Raises HTTPException 404 for a view that there is not."""
        return {"strip": strip(self._port.alarms(), self._port.zones), **self._own_parts(view)}

    def _own_parts(self, view: str) -> Parts:
        match view.split("/"):
            case ["docks"]:
                return docks_parts(self._port.dock_state(dock) for dock in self._port.docks())
            case ["plan"]:
                return plan_parts(self._port.plan(), map(self._port.dock_state, self._port.docks()))
            case ["zones"]:
                return zones_parts(self._port.zones())
            case ["alarms"]:
                return alarms_parts(self._port.alarms(), self._port.zones)
            case ["readers"]:
                return readers_parts(self._port.readers(), self._port.set_apart(), self._port.troubles())
            case ["dock", dock, *rest] if dock in self._port.docks() and rest in ([], ["all"]):
                return dock_parts(self._port.dock_state(dock), self._port.readers(), all_lines=bool(rest))
            case ["differences", kind, page] if kind in KINDS and _NUMBER.fullmatch(page):
                return difference_parts(self._port.books(), kind, int(page))
            case ["count", wanted]:
                for zone in self._port.zones():
                    if zone["zone"] == wanted:
                        live = self._port.counting(wanted)
                        return count_parts(zone, live, self._port.items(uids_of(live["data"])) if live else {})
        raise HTTPException(404, "There is no such page.")

    async def _events(self, request: Request) -> Response:
        who = self._guard.who(request)
        if who is None:
            raise HTTPException(401, "Log in first.")
        holder = f"{who} {same_place(request.client.host if request.client else '')}"
        try:
            stream = self._hub.reserve(request.query_params.get("view", ""), holder)
        except Full:
            raise HTTPException(503, "Too many screens are open: close some.") from None
        stream.allowed = lambda: self._guard.who(request) is not None
        return stream  # type: ignore[return-value]  # an ASGI application of its own is as good as a Response

    async def _static(self, request: Request) -> Response:
        found = self._assets.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "There is no such file.")
        content, media_type = found
        fresh = request.url.query == self._assets.build
        headers = {"cache-control": "public, max-age=31536000, immutable" if fresh else "no-cache"}
        return Response(content, media_type=media_type, headers=headers)

    # ---- actions

    async def _act(self, request: Request) -> Response:
        who = self._guard.who(request)
        if who is None:
            raise HTTPException(401, "Log in first.")
        self._guard.check_origin(request, request.headers.get("x-csrf-token", ""))
        dock, action = request.path_params["dock"], request.path_params["action"]
        if action not in ACTIONS or dock not in self._port.docks():
            raise HTTPException(404, "There is no such action.")
        command, allowed = ACTIONS[action]
        args = {"dock": dock} | await arguments(request, allowed)
        if "person" in allowed:
            who = person(who, args, LOCAL)
        return await self._carry_out(command, args, who)

    async def _destroy(self, request: Request) -> Response:
        who = self._actor(request)
        args = {"uid": request.path_params["uid"]} | await arguments(request, DESTROY)
        args |= {"weight": weight(args)}
        return await self._carry_out("destroy", args, person(who, args, LOCAL))

    async def _release(self, request: Request) -> Response:
        who = self._actor(request)
        await arguments(request, frozenset())
        return await self._carry_out("quarantine.release", {"all": True}, who)

    def _actor(self, request: Request) -> str:
        """Who asks for something to be done. Raises HTTPException where that is not to be believed."""
        who = self._guard.who(request)
        if who is None:
            raise HTTPException(401, "Log in first.")
        self._guard.check_origin(request, request.headers.get("x-csrf-token", ""))
        return who

    async def _act_on_count(self, request: Request) -> Response:
        who = self._actor(request)
        zone, action = request.path_params["zone"], request.path_params["action"]
        if action not in COUNT_ACTIONS or zone not in {entry["zone"] for entry in self._port.zones()}:
            raise HTTPException(404, "There is no such action.")
        command, allowed = COUNT_ACTIONS[action]
        return await self._carry_out(command, of_count(zone, action, await arguments(request, allowed)), who)

    async def _carry_out(self, command: str, args: dict[str, Any], who: str) -> Response:
        try:
            result = await self._port.command(command, args, who)
        except Refused as refusal:
            self._log.warning("an action on a page was refused", command=command, who=who, reason=str(refusal))
            return JSONResponse({"error": str(refusal)}, 409)
        self._log.info("an action on a page", command=command, who=who)
        return JSONResponse({"result": result})

    async def _login(self, request: Request) -> Response:
        visitor = self._guard.visitor(request)
        if request.method == "GET":
            target = request.query_params.get("next", "/")
            return self._login_page(request, target, visitor.csrf, 200, "")
        fields = await form(request)
        self._guard.check_origin(request, fields.get("csrf", ""))
        target = fields.get("next", "/")
        address, now = request.client.host if request.client else "", time.monotonic()
        if wait := self._attempts.wait(address, now):
            words = f"Too many attempts. Try again in {wait:.0f} seconds."
            return self._login_page(request, target, visitor.csrf, 429, words, {"retry-after": f"{wait:.0f}"})
        response = RedirectResponse(target if _TARGET.fullmatch(target) else "/", 303)
        if not self._guard.log_in(fields.get("token", ""), request, response):
            self._attempts.failed(address, now)
            self._log.warning("a login with a wrong token", address=address)
            return self._login_page(request, target, visitor.csrf, 401, "This token is not known.")
        return response

    def _login_page(
        self, request: Request, target: str, csrf: str, status: int, error: str, headers: dict[str, str] | None = None
    ) -> Response:
        page = self._shell.login(target if _TARGET.fullmatch(target) else "/", csrf, error)
        response = HTMLResponse(page, status, headers)
        self._guard.remember(request, response)
        return response

    async def _logout(self, request: Request) -> Response:
        fields = await form(request)
        self._guard.check_origin(request, fields.get("csrf", ""))
        response = RedirectResponse("/login", 303)
        self._guard.log_out(response)
        return response

    # ---- what goes wrong

    async def _failed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self._answer(request, error.status_code, error.detail, dict(error.headers or {}))

    async def _fault(self, request: Request, error: Exception) -> Response:
        self._log.error(
            "a page could not be made; this is a fault in the gateway", path=request.url.path, exc_info=error
        )
        return self._answer(request, 500, "The gateway has a fault here. Its log says more.", {})

    def _answer(self, request: Request, status: int, words: str, headers: dict[str, str]) -> Response:
        asked = request.url.path.startswith(f"{api.ROOT}/")
        if asked or (request.method == "POST" and request.url.path.startswith(_ACTING)):
            return JSONResponse({"error": words}, status, headers)
        phrase = HTTPStatus(status).phrase
        return HTMLResponse(self._shell.message(status, phrase, words if words != phrase else ""), status, headers)
