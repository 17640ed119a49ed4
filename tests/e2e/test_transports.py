"""The same run over four networks: perfect, a byte at a time, slow, and one that breaks."""

from __future__ import annotations

import asyncio

import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from gateway.clock import rfc3339
from tests.e2e.site import BASE, config, events_of, movements
from tests.support.proxy import proxy
from tests.support.subscriber import Subscriber

NETWORKS = {
    "perfect": {},
    "a byte at a time": {"piece": 1},
    "a quarter of a second late": {"delay": 0.25},
    "stalls and breaks": {},
}


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
async def test_every_read_becomes_an_event_once_or_is_stated_as_lost(make_daemon, network, broker, tmp_path):
    async with (
        LlrpEmulator(serials(rate=100), name="door", keep_reads=True) as door,
        proxy(door.port, **NETWORKS[network]) as line,
    ):
        settings = config(tmp_path / "gateway", broker.port, {"door": door})
        settings["readers"][0]["port"] = line.port
        if network != "stalls and breaks":
            settings["readers"][0]["keepalive"] = 5.0  # a slow machine is no dead link
        daemon = make_daemon(tmp_path / "gateway", settings)
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            await daemon.start()
            await subscriber.until(lambda s: len(s.messages) > 50, 60)
            if network == "stalls and breaks":
                line.stall()
                await asyncio.sleep(2.5)  # longer than the keepalive watchdog bears
                line.flow()
            await asyncio.sleep(2.0)
            await door.until(lambda: door.connected, 60)
            door.switch_off()
            made = {seen.epc.hex().upper(): seen.time for seen in door.reads}
            last = max(made, key=made.__getitem__).encode()
            await subscriber.until(lambda s: any(last in message.payload for message in s.messages[-1000:]), 60)
            if network == "stalls and breaks":
                await asyncio.sleep(1.0)  # those that stood beside it are decided within a window
            else:  # the reader may sit on one that it made later, with an older time, until the next keepalive
                await subscriber.until(lambda s: made.keys() <= set(arrivals(s)), 60)
            assert await daemon.stop() == 0, daemon.log[-4000:]
            arrived = arrivals(subscriber)
            losses = [event["data"] for event in events_of(subscriber) if event["type"] == "rfid.loss.v1"]

    assert len(arrived) == len(set(arrived)), "a read became an event twice"
    missing = made.keys() - set(arrived)
    if network == "stalls and breaks":
        # What the network had taken and never delivered nobody can bring back: it must be said, with its range.
        unsaid = [
            uid for uid in missing if not any(loss["start"] <= rfc3339(made[uid]) <= loss["end"] for loss in losses)
        ]
        assert missing
        assert not unsaid
    else:
        assert not missing
        assert not losses


def arrivals(subscriber: Subscriber) -> list[str]:
    return [uid for movement, uid in movements(events_of(subscriber)) if movement == "arrived"]
