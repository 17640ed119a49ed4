"""A power cut that took the ledger's write-ahead log, and the reboot everything in memory: the broker knows better."""

from __future__ import annotations

import shutil
from collections import defaultdict

import orjson

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import serials
from tests.e2e.site import BASE, config, events_of
from tests.support.claims import some
from tests.support.subscriber import Subscriber, until


async def test_a_ledger_whose_log_was_cut_gives_no_number_twice(make_daemon, broker, tmp_path):
    async with LlrpEmulator(serials(rate=20), name="door") as door:
        daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"door": door}))
        with (
            Subscriber(broker.port, BASE + "events/#") as seen,
            Subscriber(broker.port, BASE + "state/ledger", client_id="watcher") as state,
        ):
            await daemon.start()
            await seen.until(lambda s: len(events_of(s)) >= 20, 60)
            assert await daemon.stop() == 0, daemon.log[-4000:]  # what the log had is in the file now
            kept = max(event["sequence"] for event in events_of(seen))
            await daemon.start()
            await state.until(lambda s: (s.last(BASE + "state/ledger") or {"sequence": 0})["sequence"] > kept + 30, 60)
            await daemon.kill()
            (daemon.directory / "ledger.db-wal").unlink()
            shutil.rmtree(daemon.directory / "journal")
            newest = state.last(BASE + "state/ledger")

            await daemon.start(ready=False)
            await until(lambda: daemon.ended is not None, 60, lambda: daemon.log[-4000:])
            assert daemon.ended == 0
            assert "the ledger is older than what was published" in daemon.log
            await daemon.start()
            assert "the ledger was damaged; a new epoch begins" in daemon.log
            first = newest["epoch"]
            await seen.until(lambda s: len({number for epoch, number in numbered(s) if epoch != first}) >= 20, 60)
            assert await daemon.stop() == 0, daemon.log[-4000:]
        said = numbered(seen)
        assert len({epoch for epoch, _ in said}) == 2
        assert all(len(payloads) == 1 for payloads in some(said.values())), "one number, two events"
        later = sorted(number for epoch, number in said if epoch != first)
        assert later == list(range(1, len(later) + 1))


def numbered(subscriber: Subscriber) -> dict[tuple[str, int], set[bytes]]:
    """What was published by epoch and number."""
    payloads = defaultdict(set)
    for message in subscriber.messages:
        event = orjson.loads(message.payload)
        payloads[event["epoch"], event["sequence"]].add(message.payload)
    return payloads
