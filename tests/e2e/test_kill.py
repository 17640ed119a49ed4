"""SIGKILL at random moments: what was published is what a replay of the recording says, neither more nor less."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import PACKAGE_PREFIX, population, serials
from gateway.clock import rfc3339
from tests.e2e.site import BASE, config, events_of, movements, recorded, replayed, told
from tests.support.subscriber import Subscriber

KILLS = 20
STANDING = 25


@pytest.mark.slow
@pytest.mark.parametrize("broker_away", [False, True], ids=["broker up", "broker down half of the time"])
async def test_twenty_kills_leave_no_trace_in_the_events(make_daemon, broker_away, make_broker, tmp_path):
    random = Random(20261 + broker_away)
    broker = make_broker("allow_anonymous true", "persistence true", "max_queued_messages 10000000")
    async with (
        LlrpEmulator(serials(rate=150), name="door", hold_buffer=100_000, keep_reads=True) as door,
        LlrpEmulator(population(STANDING, rate=200), name="vault", hold_buffer=100_000) as vault,
    ):
        daemon = make_daemon(
            tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"door": door, "vault": vault})
        )
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            for kill in range(KILLS):
                if broker_away and kill % 2:
                    broker.stop()
                await daemon.start()
                await asyncio.sleep(random.uniform(0.0, 1.5))  # the moment of the kill is what is tried
                await daemon.kill()
                if broker_away and kill % 2:
                    broker.restart()
            await daemon.start()
            await door.until(lambda: door.connected and vault.connected, 60)
            door.switch_off()
            last = max(door.reads, key=lambda seen: seen.time).epc.hex().upper().encode()
            await subscriber.until(lambda s: any(last in message.payload for message in s.messages[-1000:]), 120)
            await asyncio.sleep(1.0)  # those that stood beside it are decided within a window
            assert await daemon.stop() == 0, daemon.log[-4000:]

            expected = await replayed(daemon.config_file, recorded(daemon.directory / "reads"))
            await subscriber.until(
                lambda s: len({message.payload for message in list(s.messages)}) >= len(expected), 120
            )
            events = events_of(subscriber)

    assert len(movements(expected)) > 500, "there was hardly any load"
    assert told(events) == told(expected)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert Counter(movements(events, PACKAGE_PREFIX)).keys() == {
        ("arrived", epc.hex().upper()) for epc in vault.reader.counters.tags
    }, "a standing tag flapped"
    assert len(movements(events, PACKAGE_PREFIX)) == STANDING
    # What the kernel had taken from the door's reader and nobody had read is lost: all of it must be stated.
    arrived = {uid for movement, uid in movements(events)}
    ranges = [
        (event["data"]["start"], event["data"]["end"])
        for event in events
        if event["type"] == "rfid.loss.v1" and event["data"]["reader"] == "door"
    ]
    missing = {
        seen.epc.hex().upper(): rfc3339(seen.time) for seen in door.reads if seen.epc.hex().upper() not in arrived
    }
    assert len(ranges) >= KILLS // 2, "a crash must say what it may have lost"
    unstated = {uid: t for uid, t in missing.items() if not any(start <= t <= end for start, end in ranges)}
    assert not unstated, f"lost from {min(unstated.values())} to {max(unstated.values())}; stated: {ranges}"
