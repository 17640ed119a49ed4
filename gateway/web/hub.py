"""Live pages: what is looked at is rendered when something changes, once for all who look, and streamed to each.

A stream sends the parts that differ from what it sent before, so that a slow browser misses what was in between and
nothing waits in memory for it. Server-sent events as in the HTML standard, section 9.2.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson
from markupsafe import Markup
from starlette.types import Receive, Scope, Send

from gateway.ops.logs import Logger
from gateway.web.interface import WebPort

MAX_STREAMS = 32
"""Browsers that look at the same time: a tablet at each dock and a few desks. Each costs a connection. When all places
are taken, whoever holds most gives its oldest to somebody who holds fewer."""

REST = 0.1
"""Seconds between two renderings: changes come faster than anybody reads, and red has to be seen within a second."""

SHARE = 5
"""The rest is at least so many times as long as the rendering took, so that reads are never held up by who looks."""

REFRESH = 2.0
"""Seconds after which what is looked at is rendered even without a notice: lamps go out with time alone."""

BEAT = 3.0
"""Seconds after which a stream says that it is alive. The page calls itself not live after three of them."""

SEND_TIMEOUT = 10.0
"""Seconds that a browser may take to accept what is sent; then its connection is dropped."""

Parts = Mapping[str, Markup]


class Full(Exception):
    """There are `MAX_STREAMS` streams already."""


@dataclass(slots=True)
class _View:
    """Something that is looked at. `watchers` are set on every change."""

    parts: Parts
    watchers: set[asyncio.Event] = field(default_factory=set)


class Hub:
    """Views by name, while somebody looks at them. `render` gives the parts of a view now."""

    def __init__(self, port: WebPort, render: Callable[[str], Parts], build: str, log: Logger) -> None:
        self._port = port
        self._render = render
        self.build = build
        self._log = log
        self._views: dict[str, _View] = {}
        self._streams: list[Stream] = []
        self._nudge = asyncio.Event()
        self.closing = False

    @property
    def streams(self) -> int:
        """Streams that are open and go on."""
        return sum(not stream.given_up for stream in self._streams)

    async def run(self) -> None:
        """Keeps the views up to date until it is cancelled; then ends every stream."""
        loop = asyncio.get_running_loop()
        listening = asyncio.create_task(self._listen(), name="web notices")
        try:
            while True:
                try:
                    async with asyncio.timeout(REFRESH):
                        await self._nudge.wait()
                except TimeoutError:
                    pass
                self._nudge.clear()
                began = loop.time()
                self._update()
                await asyncio.sleep(max(REST, SHARE * (loop.time() - began)))
        finally:
            self.closing = True
            listening.cancel()
            for view in self._views.values():
                _wake(view)

    async def _listen(self) -> None:
        try:
            async for _ in self._port.subscribe():
                self._nudge.set()
        except Exception as error:  # pages still follow, at the pace of REFRESH
            self._log.error("the dock page hears of no changes; this is a fault in the gateway", exc_info=error)

    def _update(self) -> None:
        for name, view in self._views.items():
            try:
                parts = self._render(name)
            except Exception as error:  # one page that cannot be made must not stop the others
                self._log.error("a page could not be made; this is a fault in the gateway", page=name, exc_info=error)
                continue
            if parts != view.parts:
                view.parts = parts
                _wake(view)

    def reserve(self, name: str, holder: str = "") -> Stream:
        """A place for one more stream on a view, for `holder`. Raises Full, or whatever `render` raises."""
        if self.streams >= MAX_STREAMS:
            self._make_room(holder)
        view = self._views.get(name) or _View(self._render(name))
        self._views[name] = view
        wake = asyncio.Event()
        view.watchers.add(wake)
        stream = Stream(self, name, view, wake, holder)
        self._streams.append(stream)
        return stream

    def _make_room(self, holder: str) -> None:
        """Ends the oldest stream of whoever holds most. Raises Full where that is `holder` or holds as few."""
        held = Counter(stream.holder for stream in self._streams if not stream.given_up)
        most, number = held.most_common(1)[0]
        if number <= held[holder] + 1:
            raise Full
        next(stream for stream in self._streams if stream.holder == most and not stream.given_up).give_up()

    def release(self, stream: Stream) -> None:
        """Forgets a stream that has ended."""
        self._streams.remove(stream)
        view = self._views[stream.name]
        view.watchers.discard(stream.wake)
        if not view.watchers:
            del self._views[stream.name]


class Stream:
    """The answer to one browser: an ASGI application that runs as long as it listens and `allowed` says so."""

    def __init__(self, hub: Hub, name: str, view: _View, wake: asyncio.Event, holder: str) -> None:
        self.name = name
        self.wake = wake
        self.holder = holder
        self.given_up = False
        self._hub = hub
        self._view = view
        self._gone = False
        self.allowed: Callable[[], bool] = lambda: True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with the stream until the visitor leaves."""
        leaving = asyncio.create_task(self._leave(receive), name="web stream")
        try:
            await self._say(send, {"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._say(send, _body(b"retry: 1000\n\n" + _event("hello", {"build": self._hub.build})))
            await self._follow(send)
            if not self._gone:
                await self._say(send, {"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            abort = scope.get("state", {}).get("abort")
            if abort is not None:
                abort()
                await asyncio.wait([leaving], timeout=1)  # or the server would think that we forgot the end
        finally:
            leaving.cancel()
            self._hub.release(self)

    async def _leave(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self.wake.set()

    def give_up(self) -> None:
        """Ends the stream at its next turn: its place is somebody else's."""
        self.given_up = True
        self.wake.set()

    async def _follow(self, send: Send) -> None:
        sent: dict[str, Markup] = {}
        while not self._gone and not self.given_up and not self._hub.closing and self.allowed():
            parts = dict(self._view.parts)
            changed = {name: part for name, part in parts.items() if sent.get(name) != part}
            sent = parts
            await self._say(send, _body(_event("view" if changed else "beat", changed)))
            try:
                async with asyncio.timeout(BEAT):
                    await self.wake.wait()
            except TimeoutError:
                pass
            self.wake.clear()

    async def _say(self, send: Send, message: dict[str, object]) -> None:
        async with asyncio.timeout(SEND_TIMEOUT):
            await send(message)


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),  # or a proxy in front would collect events before it passes them on
]


def _event(kind: str, content: Mapping[str, str]) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(content) + b"\n\n"


def _body(content: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": content, "more_body": True}


def _wake(view: _View) -> None:
    for watcher in view.watchers:
        watcher.set()
