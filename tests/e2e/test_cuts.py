"""The reader's connection is cut, or the gateway held up: no read is missing, as the numbers in the EPCs prove."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from drivers.api import Batch
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from gateway.recording.files import recordings
from gateway.recording.read import open_items
from tests.e2e.site import BASE, config, events_of, movements
from tests.support.daemon import Daemon
from tests.support.subscriber import Subscriber, until

STALL = 3.0
"""Seconds: six keepalives. The reader may give up on the gateway in that time, and then closes in order."""


@pytest.mark.slow
async def test_six_cuts_in_ten_seconds_lose_no_read(make_daemon, broker, tmp_path):
    async with LlrpEmulator(serials(rate=500), name="door", keep_reads=True) as door:
        daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"door": door}))
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            await daemon.start()
            await door.until(lambda: door.connected, 60)
            for _ in range(6):
                await asyncio.sleep(10 / 6)  # the cuts are spread over the ten seconds
                await door.until(lambda: door.connected, 60)
                door.drop()
            await door.until(lambda: door.connected, 60)
            door.switch_off()
            made = {seen.epc.hex().upper() for seen in door.reads}
            assert len(made) > 4_000, "the reader did not read"
            arrived = await arrivals(daemon, subscriber, len(made))

    assert door.reader.counters.cuts == 6
    assert made - set(arrived) == set(), f"reads are missing:\n{daemon.log[-4000:]}"
    assert len(arrived) == len(set(arrived)) == len(made)
    received = []
    for path in recordings(daemon.directory / "reads"):
        with open_items(path) as items:
            received += [row[0].hex().upper() for _, item in items if isinstance(item, Batch) for row in item.rows]
    assert sorted(received) == sorted(made), "every read is recorded once"


async def test_a_gateway_that_is_held_up_does_not_hang_up(make_daemon, broker, tmp_path):
    """A process that was stopped for longer than three keepalives finds them in its socket, and the reads too."""
    async with LlrpEmulator(serials(rate=200), name="door", keep_reads=True) as door:
        daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"door": door}))
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            await daemon.start()
            await door.until(lambda: len(door.reads) > 200, 60)
            os.kill(daemon.pid, signal.SIGSTOP)
            await asyncio.sleep(STALL)
            os.kill(daemon.pid, signal.SIGCONT)
            stalled = len(door.reads)
            await door.until(lambda: len(door.reads) > stalled + 200, 60)
            assert "keepalives are missing" not in daemon.log
            door.switch_off()
            made = {seen.epc.hex().upper() for seen in door.reads}
            arrived = await arrivals(daemon, subscriber, len(made))

    assert sorted(arrived) == sorted(made)


async def arrivals(daemon: Daemon, subscriber: Subscriber, expected: int) -> list[str]:
    """The UIDs that arrived, once there are as many as `expected` or none has come for long; the gateway is stopped."""

    def have_come() -> bool:
        """A broker may deliver a message twice."""
        messages = subscriber.messages
        return len(messages) >= expected and len({message.payload for message in messages}) >= expected

    try:
        await until(
            have_come,
            240,  # a reader that was cut off again and again is called less and less often
            lambda: f"{len(subscriber.messages)} of {expected} messages came:\n{daemon.log[-4000:]}",
        )
    finally:
        await daemon.stop()
    return [uid for movement, uid in movements(events_of(subscriber)) if movement == "arrived"]
