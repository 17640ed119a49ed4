"""Clock steps of every kind, while the gateway runs and between its runs, with kills among them."""

from __future__ import annotations

import asyncio
import shutil
import time
from random import Random

import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import PACKAGE_PREFIX, population, serials
from tests.e2e.site import BASE, clock_steps, config, events_of, movements, recorded, replayed, told
from tests.support.subscriber import Subscriber
from tests.support.wall_clock import WallClock

STANDING = 15
YEAR = 365 * 86_400.0
STEPS = [0.3, -0.3, 2, -2, 10, -20, 59, -59, 3_600, -3_600, 86_400, YEAR, -YEAR, -1_700_000_000]


async def test_clocks_that_are_set_and_kills_move_nothing(make_daemon, broker, tmp_path, say, long):
    random, wall, off, kills = Random(7), WallClock(tmp_path / "wall"), 0.0, 0
    number = 40 if long else 2
    async with (
        LlrpEmulator(population(STANDING, rate=150), name="vault", hold_buffer=100_000) as vault,
        LlrpEmulator(serials(rate=20), name="door", hold_buffer=100_000) as door,
    ):
        settings = config(tmp_path / "gateway", broker.port, {"vault": vault, "door": door})
        daemon = make_daemon(tmp_path / "gateway", settings | {"presence": {"shortest": 2.0}})
        daemon.program = wall.program
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            await daemon.start()
            await subscriber.until(lambda s: len(movements(events_of(s), PACKAGE_PREFIX)) >= STANDING, 30)
            for step in range(number):
                off += random.choice(STEPS)
                if off < -1_700_000_000:  # before 1970 there is no time
                    off = 0.0
                if step % 4 == 1:
                    await daemon.kill()
                    kills += 1
                    wall.set(off)
                    await daemon.start()
                    await vault.until(lambda: vault.connected and door.connected, 30)
                else:
                    wall.set(off)
                await asyncio.sleep(1.5)
            seen = len(movements(events_of(subscriber)))
            await subscriber.until(lambda s: len(movements(events_of(s))) > seen + 20, 60)
            door.switch_off()
            assert await daemon.stop() == 0, daemon.log[-4000:]
            expected = await replayed(daemon.config_file, recorded(daemon.directory / "reads"))
            await subscriber.until(lambda s: len(events_of(s)) >= len(expected), 60)
            events = events_of(subscriber)

    standing = [movement for movement, _ in movements(events, PACKAGE_PREFIX)]
    assert standing == ["arrived"] * STANDING
    assert told(events) == told(expected)
    steps = clock_steps(subscriber)
    assert steps >= number // 2
    say(
        "a clock that is set moves nothing, and nobody is blind after it",
        f"{number} steps of 0.3 s to 54 years either way, {kills} of them over a SIGKILL",
        f"{steps} steps stated, {len(events)} events equal to the replay, 0 movements of {STANDING} standing tags",
    )


async def test_reboots_at_1970_move_nothing(make_daemon, broker, tmp_path, say, long):
    """A machine without a clock of its own: it boots in 1970, NTP puts it right a while later, and what lies in memory
    is gone each time. The checkpoint on disk is older than the step, or than the time for which a reader is trusted."""
    if not long:
        pytest.skip("tests/unit/test_floor_state.py and tests/property/test_clock_steps.py are its short form")
    wall, waits = WallClock(tmp_path / "wall"), [0.0, 65.0]
    async with (
        LlrpEmulator(population(STANDING, rate=150), name="vault", hold_buffer=100_000) as vault,
        LlrpEmulator(serials(rate=20), name="door", hold_buffer=100_000) as door,
    ):
        settings = config(tmp_path / "gateway", broker.port, {"vault": vault, "door": door})
        daemon = make_daemon(tmp_path / "gateway", settings | {"presence": {"shortest": 2.0}})
        daemon.program = wall.program
        in_1970 = 1_000.0 - time.time()
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            for reboot, wait in enumerate(waits):
                wall.set(in_1970 + 600.0 * reboot)
                await daemon.start()
                seen = len(movements(events_of(subscriber)))
                await subscriber.until(lambda s, n=seen: len(movements(events_of(s))) > n + STANDING + 20, 60)
                steps = clock_steps(subscriber)
                wall.set(0.0)
                await subscriber.until(lambda s, n=steps: clock_steps(s) > n, 60)
                subscriber.publish(BASE + "cmd/count", {"zone": "vault-1", "duration": 1})  # which goes to disk at once
                await asyncio.sleep(wait)
                seen = len(movements(events_of(subscriber)))
                await subscriber.until(lambda s, n=seen: len(movements(events_of(s))) > n + 5, 60)
                await daemon.kill()
                shutil.rmtree(daemon.directory / "journal")
            await daemon.start()
            seen = len(movements(events_of(subscriber)))
            await subscriber.until(lambda s: len(movements(events_of(s))) > seen + 100, 60)
            door.switch_off()
            assert await daemon.stop() == 0, daemon.log[-4000:]
            events = events_of(subscriber)
    standing = [movement for movement, _ in movements(events, PACKAGE_PREFIX)]
    assert standing == ["arrived"] * STANDING
    say(
        "a machine that boots in 1970, and whose power fails, moves nothing",
        f"{len(waits)} boots in 1970, put right, and power cuts up to {max(waits):.0f} s behind the checkpoint on disk",
        f"{clock_steps(subscriber)} steps stated, {len(events)} events, 0 movements of {STANDING} standing tags",
    )
