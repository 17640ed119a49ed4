"""The broker is away for a minute at 500 events a second: nothing lost, drained in order, memory bounded."""

from __future__ import annotations

import asyncio

import orjson
import psutil
import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from tests.e2e.site import BASE, config, events_of, movements
from tests.support.subscriber import Subscriber

AWAY = 60.0
MEMORY = 64 << 20
"""Bytes that the gateway may grow by while 30,000 events wait on disk: its caches, not its backlog."""


@pytest.mark.slow
async def test_a_minute_without_a_broker_loses_nothing(make_daemon, make_broker, tmp_path):
    broker = make_broker("allow_anonymous true", "persistence true", "max_queued_messages 10000000")
    async with LlrpEmulator(serials(rate=520, late=0.3), name="door", keep_reads=True) as door:
        daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"door": door}))
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            await daemon.start()
            await subscriber.until(lambda s: s.messages, 60)
            process = psutil.Process(daemon.pid)
            before = process.memory_info().rss
            broker.stop()
            await asyncio.sleep(AWAY)
            grown = process.memory_info().rss - before
            broker.restart()
            door.switch_off()
            made = {seen.epc.hex().upper() for seen in door.reads}
            await subscriber.until(lambda s: len(s.messages) >= len(made), 240)
            assert await daemon.stop() == 0, daemon.log[-4000:]

    events = events_of(subscriber)
    arrived = {uid for movement, uid in movements(events) if movement == "arrived"}
    assert len(made) > 450 * AWAY
    assert arrived == made
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    order = [orjson.loads(message.payload)["sequence"] for message in subscriber.messages]
    firsts = list(dict.fromkeys(order))
    assert firsts == sorted(firsts), "events came out of order"
    assert grown < MEMORY, f"{grown / 1e6:.0f} MB more while the broker was away"
