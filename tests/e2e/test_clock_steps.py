"""The machine's clock is set while the gateway runs and between its runs: no movement comes of it, and it sees on."""

from __future__ import annotations

import asyncio

import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import PACKAGE_PREFIX, population, serials
from tests.e2e.site import BASE, clock_steps, config, events_of, movements, recorded, replayed, told
from tests.support.subscriber import Subscriber
from tests.support.wall_clock import WallClock

STANDING = 20
YEAR = 365 * 86_400.0
STEPS = [2.0, -20.0, 12.0, 3_610.0, YEAR, -YEAR]
"""Seconds by which the clock is off the true time, one after the other."""

SETTLED = 3.0
"""Seconds of what may come of a step: `presence.shortest` and some."""


def passed_by(subscriber: Subscriber) -> int:
    """How many of the tags that come one after the other were seen."""
    return sum(not uid.startswith(PACKAGE_PREFIX) for _, uid in movements(events_of(subscriber)))


@pytest.mark.slow
async def test_a_clock_that_is_set_moves_nothing(make_daemon, make_broker, tmp_path):
    broker = make_broker("allow_anonymous true")
    wall = WallClock(tmp_path / "wall")
    async with (
        LlrpEmulator(population(STANDING, rate=200), name="vault", hold_buffer=100_000) as vault,
        LlrpEmulator(serials(rate=20), name="door", hold_buffer=100_000) as door,
    ):
        settings = config(tmp_path / "gateway", broker.port, {"vault": vault, "door": door})
        daemon = make_daemon(tmp_path / "gateway", settings | {"presence": {"shortest": 2.0}})
        daemon.program = wall.program
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            await daemon.start()
            await subscriber.until(lambda s: len(movements(events_of(s), PACKAGE_PREFIX)) >= STANDING, 60)
            for number, off in enumerate(STEPS, start=1):
                wall.set(off)
                await subscriber.until(lambda s, n=number: clock_steps(s) == n, 60)
                seen = passed_by(subscriber)
                await asyncio.sleep(SETTLED)
                assert passed_by(subscriber) > seen, "blind after the clock was set"

            await daemon.kill()
            wall.set(-2 * YEAR)  # and it is put right once more while nothing runs
            await daemon.start()
            seen = passed_by(subscriber)
            await subscriber.until(lambda s: passed_by(s) > seen + 20, 60)
            door.switch_off()
            assert await daemon.stop() == 0, daemon.log[-4000:]
            expected = await replayed(daemon.config_file, recorded(daemon.directory / "reads"))
            await subscriber.until(lambda s: len(events_of(s)) >= len(expected), 60)
            events = events_of(subscriber)

    assert told(events) == told(expected)
    assert [movement for movement, _ in movements(events, PACKAGE_PREFIX)] == ["arrived"] * STANDING
    times = [event["time"] for event in events if event["type"] == "rfid.clock-step.v1"]
    assert times == sorted(times)
