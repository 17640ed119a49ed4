"""Streams: what is sent when, to how many, and what becomes of those that do not listen. Time is virtual."""

from __future__ import annotations

import asyncio
import json

import pytest
from markupsafe import Markup

from gateway.web import hub as hubs
from gateway.web.hub import Full, Hub
from tests.support.claims import some
from tests.support.web_scene import quiet


class Source:
    """Something to look at."""

    def __init__(self):
        self.parts = {"state": Markup("idle"), "lists": Markup("none")}
        self.rendered = 0
        self.changes = asyncio.Queue()

    def render(self, view):
        self.rendered += 1
        return {name: Markup(part) for name, part in self.parts.items()}

    def set(self, **parts):
        self.parts |= parts
        self.changes.put_nowait(None)

    async def subscribe(self):
        while True:
            yield await self.changes.get()


class Listener:
    """A browser on a stream; with `deaf` it takes nothing any more."""

    def __init__(self, hub, view="docks", holder=""):
        self.stream = hub.reserve(view, holder)
        self.heard = []
        self.ended = False
        self.aborted = asyncio.Event()
        self.deaf = False
        self._gone = asyncio.Event()
        self.task = asyncio.create_task(self.stream({"state": {"abort": self.abort}}, self._receive, self._send))

    def abort(self):
        self.aborted.set()
        self._gone.set()

    def leave(self):
        self._gone.set()

    async def _receive(self):
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if self.deaf:
            await asyncio.Event().wait()
        for line in message.get("body", b"").decode().split("\n"):
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self.heard.append((kind, json.loads(line.removeprefix("data: "))))
        self.ended = message["type"] == "http.response.body" and not message["more_body"]

    def views(self):
        return [content for kind, content in self.heard if kind == "view"]


@pytest.fixture
def source():
    return Source()


def started(source):
    """A hub that runs. Not a fixture: its first timer has to be set in the test's own time."""
    hub = Hub(source, source.render, "build-1", quiet())
    running = asyncio.create_task(hub.run())
    return hub, running


pytestmark = pytest.mark.looptime


async def test_a_stream_begins_with_the_build_and_everything(source):
    hub, _ = started(source)
    listener = Listener(hub)
    await asyncio.sleep(0.01)
    assert listener.heard == [("hello", {"build": "build-1"}), ("view", {"state": "idle", "lists": "none"})]


async def test_then_it_says_what_changed_within_a_moment(source):
    hub, _ = started(source)
    listener = Listener(hub)
    await asyncio.sleep(1)
    for number in range(50):  # wherever between two renderings the change comes
        source.set(lists=f"{number}")
        await asyncio.sleep(number * 0.013)
        source.set(state=f"red {number}")
        await asyncio.sleep(hubs.REST + 0.01)
        assert listener.views()[-1]["state"] == f"red {number}"


async def test_changes_that_come_fast_are_sent_together(source):
    hub, _ = started(source)
    listener = Listener(hub)
    await asyncio.sleep(1)
    before = source.rendered
    for number in range(100):
        source.set(state=f"{number}")
        await asyncio.sleep(0.01)
    await asyncio.sleep(1)
    assert source.rendered - before <= 13
    assert listener.views()[-1] == {"state": "99"}


async def test_what_changes_with_time_alone_is_seen_too(source):
    hub, _ = started(source)
    listener = Listener(hub)
    await asyncio.sleep(0.01)
    source.parts["state"] = "off"
    await asyncio.sleep(hubs.REFRESH + hubs.REST)
    assert listener.views()[-1] == {"state": "off"}


async def test_silence_is_broken_by_beats(source):
    hub, _ = started(source)
    listener = Listener(hub)
    await asyncio.sleep(3.5 * hubs.BEAT)
    assert [kind for kind, _ in listener.heard] == ["hello", "view", "beat", "beat", "beat"]


async def test_a_view_is_rendered_once_for_all_and_not_at_all_for_nobody(source):
    hub, _ = started(source)
    await asyncio.sleep(10)
    assert source.rendered == 0
    listeners = [Listener(hub) for _ in range(10)]
    await asyncio.sleep(0.01)
    before = source.rendered
    source.set(state="red")
    await asyncio.sleep(hubs.REST + 0.01)
    assert source.rendered == before + 1
    assert all(listener.views()[-1] == {"state": "red"} for listener in some(listeners))


async def test_who_leaves_is_forgotten(source):
    hub, _ = started(source)
    listener = Listener(hub)
    await asyncio.sleep(0.01)
    listener.leave()
    await asyncio.wait_for(listener.task, 1)
    assert hub.streams == 0


async def test_who_does_not_listen_is_cut_off_and_holds_nobody_up(source):
    hub, _ = started(source)
    slow, quick = Listener(hub), Listener(hub)
    await asyncio.sleep(0.01)
    slow.deaf = True
    source.set(state="red")
    await asyncio.sleep(1)
    assert quick.views()[-1] == {"state": "red"}
    assert not slow.aborted.is_set()
    await asyncio.wait_for(slow.task, hubs.SEND_TIMEOUT + 1)
    assert slow.aborted.is_set()
    assert hub.streams == 1


async def test_there_are_only_so_many(source):
    hub, _ = started(source)
    listeners = [Listener(hub) for _ in range(hubs.MAX_STREAMS)]
    with pytest.raises(Full):
        hub.reserve("docks")
    await asyncio.sleep(0.01)
    listeners[0].leave()
    await asyncio.sleep(0.01)
    hub.reserve("docks")


async def test_who_holds_most_gives_way_to_who_holds_fewer(source):
    hub, _ = started(source)
    greedy = [Listener(hub, holder="desk") for _ in range(hubs.MAX_STREAMS)]
    await asyncio.sleep(0.01)
    with pytest.raises(Full):
        hub.reserve("docks", "desk")
    tablets = [Listener(hub, holder=f"tablet-{number}") for number in range(8)]
    await asyncio.sleep(1)
    assert [listener.ended for listener in greedy] == [True] * 8 + [False] * (hubs.MAX_STREAMS - 8)
    assert all(tablet.views() and not tablet.ended for tablet in some(tablets))
    assert hub.streams == hubs.MAX_STREAMS


async def test_who_may_not_look_any_more_is_told_to_go(source):
    hub, _ = started(source)
    listener = Listener(hub)
    listener.stream.allowed = lambda: asyncio.get_running_loop().time() < 10
    await asyncio.wait_for(listener.task, 10 + 2 * hubs.BEAT)
    assert listener.ended


async def test_a_page_that_cannot_be_made_leaves_the_others_alone(source):
    hub, _ = started(source)
    listener = Listener(hub)
    await asyncio.sleep(0.01)
    whole, source.render = source.render, lambda view: 1 / 0
    hub._render = source.render
    source.set(state="red")
    await asyncio.sleep(1)
    hub._render = whole
    source.set(state="green")
    await asyncio.sleep(1)
    assert listener.views()[-1] == {"state": "green"}


async def test_when_notices_fail_pages_still_follow(source):
    async def broken():
        raise RuntimeError("no more")
        yield

    source.subscribe = broken
    hub, running = started(source)
    listener = Listener(hub)
    await asyncio.sleep(0.01)
    source.parts["state"] = "red"
    await asyncio.sleep(2 * hubs.REFRESH)
    assert listener.views()[-1] == {"state": "red"}
    running.cancel()


async def test_streams_end_when_the_page_ends(source):
    hub, running = started(source)
    listener = Listener(hub)
    await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait_for(listener.task, 0.1)
    assert listener.ended
