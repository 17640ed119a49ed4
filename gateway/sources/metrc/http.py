"""HTTP to the Metrc v2 API: one GET at a time done right. Read only.

Basic authentication with vendor key and user key; a steady rate; 429 answered by waiting as long as it says; timeouts,
broken connections, 5xx and broken JSON tried again with growing delays; lists fetched page by page and checked to be
whole, because half a list is worse than none.

Errors::

    RfidError
    └── MetrcError    an answer could not be had; `permanent` says that trying again unchanged cannot help
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from types import TracebackType
from typing import Any

import httpx
import orjson

from drivers.backoff import delays
from gateway.errors import RfidError
from gateway.sources.metrc.keys import Keys, any_case, whole_number
from gateway.sources.metrc.shapes import Object
from gateway.text import printable

PAGE_SIZE = 20
"""The most that Metrc gives at a time."""

MAX_PAGES = 500
"""10,000 objects of one list: five times the longest manifest that the gate takes."""

MAX_BYTES = 16 << 20
"""Of one answer. Twenty package records are some 100 kB."""

ATTEMPTS = 5
"""For one GET, which with the delays between them is about ten seconds without the timeouts."""

THROTTLED = 12
"""Attempts that 429 may cost: it says nothing of the answer, only that others are asking too."""

MAX_RETRY_AFTER = 60.0
"""Seconds. A server that asks for more is asked again after that."""

PARALLEL = 8
"""GETs under way at once: at 100 ms each they still reach the rate."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_DRIFTS = 3
"""How often a list that changes under our hands is begun again."""

Query = Mapping[str, str | int]


class MetrcError(RfidError):
    """Metrc gave no usable answer. `status` is the HTTP status, 0 without one."""

    def __init__(self, message: str, *, status: int = 0, permanent: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.permanent = permanent


class _Again(Exception):
    """This attempt failed; the next may not. `after`: not before so many seconds."""

    def __init__(self, reason: str, status: int = 0, after: float = 0.0) -> None:
        super().__init__(reason)
        self.status = status
        self.after = after


class Pace:
    """Lets one through every ``1 / rate`` seconds."""

    def __init__(
        self,
        rate: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gap = 1.0 / rate
        self._now = now
        self._sleep = sleep
        self._next = 0.0

    async def turn(self) -> None:
        """Waits for one's turn."""
        now = self._now()
        mine = max(self._next, now)
        self._next = mine + self._gap
        if mine > now:
            await self._sleep(mine - now)

    def slow_to(self, rate: float) -> None:
        """Lets nobody through more often than ``rate`` a second."""
        self._gap = max(self._gap, 1.0 / rate)

    def hold(self, seconds: float) -> None:
        """Nobody's turn comes for so long: the server has asked for a pause."""
        self._next = max(self._next, self._now() + seconds)


class MetrcClient:
    """A connection to Metrc for one licence. Use as ``async with``."""

    def __init__(
        self,
        url: str,
        licence: str,
        keys: tuple[str, str],
        *,
        pace: Pace,
        timeout: float = 30.0,
        rng: Random | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._licence = licence
        self._pace = pace
        self._longest = 2 * timeout  # the client's own is for each read: a trickle would never end
        self._rng = rng or Random()
        self._parallel = asyncio.Semaphore(PARALLEL)
        self._http = httpx.AsyncClient(
            base_url=url,
            auth=httpx.BasicAuth(*keys),
            timeout=timeout,
            follow_redirects=False,  # the keys go nowhere else
            trust_env=False,
            transport=transport,
            headers={"Accept": "application/json"},
        )

    async def __aenter__(self) -> MetrcClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, query: Query | None = None) -> Any:
        """The JSON at `path`, its objects as `Keys`. Raises MetrcError."""
        waits = delays(self._rng, first=0.5, cap=10.0)
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._parallel:
                    await self._pace.turn()
                    return await self._attempt(path, {"licenseNumber": self._licence, **(query or {})})
            except _Again as again:
                if attempt >= (THROTTLED if again.status == 429 else ATTEMPTS):
                    raise MetrcError(
                        f"GET {path}: {again}; given up after {attempt} attempts", status=again.status
                    ) from None
                if again.after:
                    self._pace.hold(again.after)
                await asyncio.sleep(max(next(waits), again.after))

    async def _attempt(self, path: str, query: Query) -> Any:
        try:
            async with asyncio.timeout(self._longest), self._http.stream("GET", path, params=dict(query)) as response:
                _check(path, response, self._licence)
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise MetrcError(f"GET {path}: the answer is longer than {MAX_BYTES >> 20} MiB", permanent=True)
        except (httpx.TimeoutException, TimeoutError):
            raise _Again("no answer in time") from None
        except httpx.HTTPError as error:
            raise _Again(f"{type(error).__name__}: {printable(str(error), 200)}") from None
        try:
            return any_case(_json(bytes(body.removeprefix(_BYTE_ORDER_MARK))))
        except (ValueError, RecursionError) as error:
            raise _Again(f"the answer is not JSON ({error})") from None

    async def fetch_all(self, path: str, query: Query | None = None) -> list[Object]:
        """All objects of a list, from all its pages. Raises MetrcError unless it is whole."""
        for _ in range(_DRIFTS):
            found = await self._pages(path, query or {})
            if found is not None:
                return found
        raise MetrcError(f"GET {path}: the list changes faster than it can be read: try again later")

    async def _pages(self, path: str, query: Query) -> list[Object] | None:
        """None where the list changed between two pages. It ends once it has as many rows as it says, however few come
        at a time; one without totals with a page that is not full, or with one that is that before: then it was all on
        one."""
        rows: list[Object] = []
        last: list[Object] = []
        total: int | None = None
        for number in range(1, MAX_PAGES + 1):
            page = await self.get(path, {**query, "pageNumber": number, "pageSize": PAGE_SIZE})
            data, records, size = _page(path, page)
            if number > 1 and records != total:
                return None
            total = records
            is_repeated = total is None and number > 1 and data == last
            rows, last = rows if is_repeated else rows + data, data
            is_last = len(data) < size if total is None else not data or len(rows) >= total
            if is_repeated or is_last:
                ids = [identity for row in rows if (identity := whole_number(row.get("Id"))) is not None]
                whole = total is None or len(rows) == total
                return rows if whole and len(ids) == len(set(ids)) else None
        raise MetrcError(f"GET {path}: more than {MAX_PAGES} pages", permanent=True)


def _json(body: bytes) -> Any:
    """The JSON in an answer, also in UTF-16; what cannot be decoded is a replacement character, and NaN and infinity,
    which are no JSON and which some servers write, are null. Raises ValueError or RecursionError."""
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if not any(word in text for word in ("NaN", "Infinity")):
            raise
        return json.loads(text, parse_constant=lambda _: None)


def _page(path: str, page: Any) -> tuple[list[Object], int | None, int]:
    """Rows, number of all rows (None where nobody says), rows of a full page, of Metrc's wrapper around a list or of a
    bare one. A row that is no object is one that says nothing."""
    if isinstance(page, list):
        page = Keys({"Data": page})
    if isinstance(page, Keys):
        data, records = page.get("Data"), whole_number(page.get("TotalRecords"))
        records = whole_number(page.get("Total")) if records is None else records
        if data is None and records == 0:
            data = []
        if isinstance(data, list):
            size = min(whole_number(page.get("PageSize")) or PAGE_SIZE, PAGE_SIZE)
            return [row if isinstance(row, Keys) else Keys({}) for row in data], records, size
    raise MetrcError(f"GET {path}: the answer is not a page of a list as Metrc documents it", permanent=True)


def _check(path: str, response: httpx.Response, licence: str) -> None:
    """Raises unless the answer is a good one."""
    status = response.status_code
    if status == 200:
        return
    if status == 429:
        raise _Again("429, too many requests", status, _retry_after(response.headers.get("Retry-After")))
    if status >= 500 or status == 408:
        raise _Again(f"HTTP {status}", status)
    if status == 401:
        message = (
            f"GET {path}: 401: Metrc does not accept the keys: check vendor_key_file and user_key_file, and that the "
            f"user may see licence {licence}"
        )
    elif status == 403:
        message = f"GET {path}: 403: the user key may not read this for licence {licence}: ask for the permission"
    elif 300 <= status < 400:
        message = f"GET {path}: HTTP {status}: redirected; redirects are not followed: correct manifests.metrc.url"
    else:
        message = f"GET {path}: HTTP {status}"
    raise MetrcError(message, status=status, permanent=True)


def _retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for, as a number or a date; one without it."""
    if value is None:
        return 1.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return 1.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if seconds == seconds else 1.0
