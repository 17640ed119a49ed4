"""A small fake of the Metrc v2 API over a real socket: lists in pages, package records, lab results, and trouble.

Give it objects in Metrc's shapes. `trouble` maps a path to answers that come before the good one, in order: an HTTP
status, ``"broken"`` (JSON cut off), ``"slow"`` (headers, then a byte a second), ``"hang"``, ``"close"``, or a tuple of
status and headers. A list ending with ``...`` goes on with the answer before it for ever.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

VENDOR, USER, LICENCE = "vendor-key-1", "user-key-1", "TEST-SHIP-1"

Rows = list[dict[str, Any]]


class FakeMetrc:
    """Use as ``async with``; `url` is where it listens."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.trouble: dict[str, list[Any]] = {}
        self.gets: Counter[str] = Counter()
        self.queries: list[tuple[str, dict[str, str]]] = []
        self.asked = asyncio.Event()
        self.between_pages: Callable[[], None] = lambda: None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FakeMetrc:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode("ascii"), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        assert method == "GET", "the client is read-only"
        url = urlsplit(target)
        path, query = unquote(url.path), {key: values[0] for key, values in parse_qs(url.query).items()}
        self.gets[path] += 1
        self.asked.set()
        self.queries.append((path, query))
        headers: dict[str, str] = {}
        status, body = 200, b""
        trouble = self._next_trouble(path)
        if trouble == "hang":
            await asyncio.Event().wait()
        elif trouble == "close":
            writer.close()
            return
        elif isinstance(trouble, tuple):
            status, headers = trouble
        elif isinstance(trouble, int):
            status = trouble
        elif not self._allowed(head, query):
            status = 401
        else:
            found = self._find(path, query)
            status, body = (404, b"") if found is None else (200, json.dumps(found).encode())
        if trouble == "broken":
            body = body[: len(body) // 2]
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        if trouble == "slow":
            for index in range(len(body)):
                writer.write(body[index : index + 1])
                await writer.drain()
                await asyncio.sleep(1)
        writer.write(body)
        await writer.drain()

    def _next_trouble(self, path: str) -> Any:
        waiting = self.trouble.get(path)
        if not waiting:
            return None
        if waiting[1:] == [...]:
            return waiting[0]
        return waiting.pop(0)

    @staticmethod
    def _allowed(head: str, query: dict[str, str]) -> bool:
        wanted = base64.b64encode(f"{VENDOR}:{USER}".encode()).decode()
        return f"authorization: basic {wanted}".lower() in head.lower() and query.get("licenseNumber") == LICENCE

    def _find(self, path: str, query: dict[str, str]) -> Any:
        document = self.document
        if path == "/transfers/v2/outgoing":
            modified = document["transfer"]["LastModified"]
            inside = query["lastModifiedStart"] <= modified.replace("+00:00", ".000000Z") < query["lastModifiedEnd"]
            return self._page([document["transfer"]] if inside else [], query)
        if path == f"/transfers/v2/{document['transfer']['Id']}/deliveries":
            rows = [{k: v for k, v in stop.items() if not k.startswith("_")} for stop in document["deliveries"]]
            return self._page(rows, query)
        if match := re.fullmatch(r"/transfers/v2/deliveries/(\d+)/packages", path):
            stops = [stop for stop in document["deliveries"] if stop["Id"] == int(match[1])]
            return self._page(stops[0]["_packages"]["Data"], query) if stops else None
        if match := re.fullmatch(r"/transfers/v2/deliveries/package/(\d+)/requiredlabtestbatches", path):
            rows = [row for stop in document["deliveries"] for row in stop["_requiredLabTestBatches"]["Data"]]
            return self._page([row for row in rows if row["PackageId"] == int(match[1])], query)
        if (rows := document.get("packages", {}).get(path.removeprefix("/packages/v2/"))) is not None:
            return self._page(rows, query)
        if match := re.fullmatch(r"/packages/v2/(\w+)", path):
            return next((row for row in document["packageRecords"]["items"] if row["Label"] == match[1]), None)
        if path == "/labtests/v2/results":
            rows = document["labResults"]["Data"]
            return self._page([row for row in rows if row["PackageId"] == int(query["packageId"])], query)
        return None

    def _page(self, rows: Rows, query: dict[str, str]) -> dict[str, Any]:
        number, size = int(query.get("pageNumber", 1)), int(query.get("pageSize", 10))
        assert size <= 20, "Metrc allows at most 20"
        page = rows[(number - 1) * size : number * size]
        answer = {
            "Data": page,
            "Total": len(rows),
            "TotalRecords": len(rows),
            "PageSize": size,
            "RecordsOnPage": len(page),
            "Page": number,
            "CurrentPage": number,
            "TotalPages": -(-len(rows) // size),
        }
        self.between_pages()
        return answer
