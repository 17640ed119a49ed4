"""SIGKILL at random moments: nothing lost, nothing invented, nothing doubled."""

from __future__ import annotations

import asyncio
from random import Random

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import PACKAGE_PREFIX, population, serials
from tests.e2e.site import BASE, config, events_of, movements, recorded, replayed, told
from tests.support.subscriber import Subscriber

STANDING = 25


async def test_kills_leave_no_trace_in_the_events(make_daemon, broker, tmp_path, say, long):
    random = Random(11)
    kills = 200 if long else 2
    async with (
        LlrpEmulator(serials(rate=100), name="door", hold_buffer=100_000) as door,
        LlrpEmulator(population(STANDING, rate=100), name="vault", hold_buffer=100_000) as vault,
    ):
        daemon = make_daemon(
            tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"door": door, "vault": vault})
        )
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            for _ in range(kills):
                await daemon.start()
                await asyncio.sleep(random.uniform(0.0, 0.6))  # the moment of the kill is what is tried
                await daemon.kill()
            await daemon.start()
            await door.until(lambda: door.connected and vault.connected, 60)
            door.switch_off()
            await asyncio.sleep(3.0)
            assert await daemon.stop() == 0, daemon.log[-4000:]
            expected = await replayed(daemon.config_file, recorded(daemon.directory / "reads"))
            await subscriber.until(lambda s: len(events_of(s)) >= len(expected), 120)
            events = events_of(subscriber)

    assert told(events) == told(expected)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert [movement for movement, _ in movements(events, PACKAGE_PREFIX)] == ["arrived"] * STANDING
    say(
        "SIGKILL at any moment loses, invents and doubles nothing",
        f"{kills} kills between 0 and 0.6 s after the start, two readers",
        f"{len(events)} events, contiguous, equal to the replay of the recording",
    )
