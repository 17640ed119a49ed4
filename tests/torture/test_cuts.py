"""Power cuts that took a part of the ledger's write-ahead log, with what lies in memory or without it."""

from __future__ import annotations

import os
import shutil
from random import Random

import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from tests.e2e.site import BASE, config
from tests.e2e.test_cut_log import numbered
from tests.support.daemon import Daemon
from tests.support.subscriber import Subscriber, until


async def test_logs_that_are_cut_off_give_no_number_to_two_events(make_daemon, broker, tmp_path, say, long):
    if not long:
        pytest.skip("tests/e2e/test_cut_log.py is its short form; all of it is make torture")
    random, cuts, reboots = Random(5), 9, 0
    async with LlrpEmulator(serials(rate=50), name="door", hold_buffer=100_000) as door:
        daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"door": door}))
        log = daemon.directory / "ledger.db-wal"
        with Subscriber(broker.port, BASE + "events/#") as seen:
            for cut in range(cuts):
                await goes_on(daemon, seen)
                await daemon.kill()
                os.truncate(log, random.randrange(log.stat().st_size + 1))
                if cut % 3 == 1:
                    shutil.rmtree(daemon.directory / "journal")
                    reboots += 1
            await goes_on(daemon, seen)
            door.switch_off()
            assert await daemon.stop() == 0, daemon.log[-4000:]
        said = numbered(seen)
    twice = [number for number, payloads in said.items() if len(payloads) > 1]
    assert not twice, f"one number, two events: {twice[:10]}"
    epochs: dict[str, list[int]] = {}
    for epoch, number in said:
        epochs.setdefault(epoch, []).append(number)
    for numbers in epochs.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
    say(
        "a write-ahead log that is cut off gives no number to two events",
        f"{cuts} times SIGKILL and a cut anywhere in it, {reboots} of them with the loss of everything in memory",
        f"{len(said):,} events in {len(epochs)} epochs, each number once and none missing",
    )


async def goes_on(daemon: Daemon, seen: Subscriber) -> None:
    """Starts it and waits for events; it is started once more where it ends to begin a new epoch, as systemd would."""
    while True:
        before, runs = len(seen.messages), daemon.log.count("the gateway runs")
        await daemon.start(ready=False)

        def goes(before: int = before, runs: int = runs) -> bool:
            """What it said before may still be on its way."""
            return daemon.log.count("the gateway runs") > runs and len(seen.messages) > before + 60

        await until(lambda goes=goes: daemon.ended is not None or goes(), 60, lambda: daemon.log[-2000:])
        if daemon.ended is None:
            return
        assert daemon.ended == 0, daemon.log[-4000:]
