"""The dock page of a gateway that could not start: one page for every address, which says why and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.web.assets import Assets
from gateway.web.headers import SecurityHeaders
from gateway.web.shell import Shell

_AGAIN = "10"
"""Seconds until the browser looks again."""


class _NoHub:
    """Nothing on the page is live."""

    async def run(self) -> NoReturn:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable: the future is never done")


def build(reason: Callable[[], str]) -> Starlette:
    """The application. `reason` says why the gateway could not start, for whoever looks after it."""
    assets = Assets()
    shell = Shell(assets)

    async def page(request: Request) -> Response:
        words = f"Nothing is being read at the docks. Check every load by hand, and tell whoever runs this: {reason()}"
        return HTMLResponse(shell.message(503, "The gateway could not start", words), 503, {"refresh": _AGAIN})

    async def static(request: Request) -> Response:
        found = assets.get(request.path_params["name"])
        return await page(request) if found is None else Response(found[0], media_type=found[1])

    app = Starlette(
        routes=[
            Route("/static/{name}", static),
            Route("/{path:path}", page, methods=["GET", "POST"]),
        ],
        middleware=[Middleware(SecurityHeaders)],
    )
    app.state.hub = _NoHub()
    return app
