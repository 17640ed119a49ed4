"""What a page may ask to be done, read from what a browser sends: small, of few words, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY = 4096
"""Bytes of a request: the longest names of a manifest and a delivery, or the longest token, several times."""

BODY_TIMEOUT = 10.0
"""Seconds for the whole of it."""

ACTIONS = {
    "open": ("gate.open", frozenset({"manifest", "delivery"})),
    "close": ("gate.close", frozenset[str]()),
    "confirm": ("gate.confirm", frozenset({"reason"})),
    "override": ("gate.override", frozenset({"uid", "reason", "person"})),
}
"""The last step of an action's path to the command, and the arguments that it takes beside the dock."""

COUNT_ACTIONS = {
    "open": ("count.open", frozenset[str]()),
    "close": ("count.close", frozenset({"note"})),
    "scan": ("reads", frozenset({"code"})),
}
"""The same for the page of a count."""


def of_count(zone: str, action: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of a command about the count of a zone."""
    if action == "open":
        return {"zones": [zone]}
    if action == "scan":
        return {"zone": zone, "reader": SCANNER, "codes": [given.get("code", "")]}
    return {"zone": zone, **given}


DESTROY = frozenset({"person", "witness", "weight", "unit", "method", "photo", "reason"})
"""What the page of a package asks for where it was destroyed."""


def person(who: str, args: dict[str, Any], local: str) -> str:
    """Who answers for an action that needs a name: whoever is logged in; where nobody logs in (`local`), the name that
    was typed. Takes that out of `args`. Raises HTTPException where there is none."""
    typed = str(args.pop("person", "")).strip()
    if who != local:
        return who
    if not typed:
        raise HTTPException(400, "Write your name: this needs a person who answers for it.")
    return typed


def weight(args: dict[str, Any]) -> float:
    """The weight that was typed. Raises HTTPException for what is no number."""
    try:
        return float(args.get("weight", ""))
    except ValueError:
        raise HTTPException(400, "The weight is not a number: write it like 28.5.") from None


SCANNER = "page"
"""The handheld that types into the page of a count, as events name it."""


async def arguments(request: Request, allowed: frozenset[str]) -> dict[str, Any]:
    """The arguments of an action: a JSON object of texts. Raises HTTPException where it is anything else."""
    content = await body(request, "application/json")
    try:
        args = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, "The request is not JSON.") from error
    if not isinstance(args, dict) or not args.keys() <= allowed or not all(isinstance(v, str) for v in args.values()):
        raise HTTPException(400, "The request is not one that a page of this gateway makes.")
    return args


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, the first of each name."""
    content = await body(request, "application/x-www-form-urlencoded")
    try:
        fields = parse_qs(content.decode("ascii"), keep_blank_values=True, max_num_fields=10)
    except ValueError as error:
        raise HTTPException(400, "The form cannot be read.") from error
    return {name: values[0] for name, values in fields.items()}


async def body(request: Request, media_type: str) -> bytes:
    """At most `MAX_BODY` bytes within `BODY_TIMEOUT`."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != media_type:
        raise HTTPException(415, f"The request has to be {media_type}.")
    content = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                content += chunk
                if len(content) > MAX_BODY:
                    raise HTTPException(413, "The request is too long.", {"connection": "close"})
    except TimeoutError:
        raise HTTPException(408, "The request took too long.", {"connection": "close"}) from None
    return content
