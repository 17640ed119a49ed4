"""The history's questions over HTTP, read-only: ``GET /api/v1/{question}``, JSON out.

Whoever may see the pages may ask. Programs send a token of the token file as ``Authorization: Bearer …``. A stranger
gets nothing, the description (``/api/v1/openapi.json``) included.
"""

from __future__ import annotations

import time

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import Refused
from gateway.history.asking import QUESTIONS
from gateway.web.attempts import Attempts
from gateway.web.guard import Guard
from gateway.web.interface import WebPort
from gateway.web.openapi import describe

ROOT = "/api/v1"

MAX_QUERY = 2_000
"""Bytes of a question: its longest arguments, percent-encoded."""

_BEARER = {"www-authenticate": 'Bearer realm="rfid-gateway"'}


class Api:
    """The questions as routes. Wrong tokens count as failed logins in `attempts`."""

    def __init__(self, port: WebPort, guard: Guard, attempts: Attempts) -> None:
        self._port = port
        self._guard = guard
        self._attempts = attempts
        self.routes = [
            Route(f"{ROOT}/openapi.json", self._description),
            Route(f"{ROOT}/{{question}}", self._answer),
        ]

    async def _description(self, request: Request) -> Response:
        self._admit(request)
        return _json(describe())

    async def _answer(self, request: Request) -> Response:
        self._admit(request)
        question = request.path_params["question"]
        if question not in QUESTIONS:
            raise HTTPException(404, f"There is no such question; there are: {', '.join(QUESTIONS)}.")
        if len(request.url.query) > MAX_QUERY:
            raise HTTPException(414, f"The question is longer than {MAX_QUERY} bytes.")
        try:
            return _json(await self._port.ask(question, dict(request.query_params)))
        except Refused as refusal:
            raise HTTPException(400, str(refusal)) from None

    def _admit(self, request: Request) -> None:
        """Raises HTTPException where nobody who may ask asks."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            if self._guard.who(request) is None:
                raise HTTPException(401, "Log in, or send a token.", _BEARER)
            return
        address, now = request.client.host if request.client else "", time.monotonic()
        if wait := self._attempts.wait(address, now):
            raise HTTPException(429, "Too many attempts.", {"retry-after": f"{wait:.0f}"})
        if self._guard.bearer(token.strip(), request) is None:
            self._attempts.failed(address, now)
            raise HTTPException(401, "This token is not known.", _BEARER)


def _json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
