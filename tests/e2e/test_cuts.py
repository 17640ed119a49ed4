"""Six cuts of the reader's connection in ten seconds: no read is missing, as the numbers in the EPCs prove."""

from __future__ import annotations

import asyncio

import pytest

from drivers.api import Batch
from drivers.emulators.llrp import LlrpEmulator
from drivers.emulators.scene import serials
from gateway.records import open_reads, read_items
from tests.e2e.site import BASE, config, events_of, movements
from tests.support.subscriber import Subscriber, until


@pytest.mark.slow
async def test_six_cuts_in_ten_seconds_lose_no_read(make_daemon, broker, tmp_path):
    async with LlrpEmulator(serials(rate=500), name="door", keep_reads=True) as door:
        daemon = make_daemon(tmp_path / "gateway", config(tmp_path / "gateway", broker.port, {"door": door}))
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            await daemon.start()
            await door.until(lambda: door.connected, 20)
            for _ in range(6):
                await asyncio.sleep(10 / 6)  # the cuts are spread over the ten seconds
                await door.until(lambda: door.connected, 10)
                door.drop()
            await door.until(lambda: door.connected, 10)
            door.switch_off()
            made = {seen.epc.hex().upper() for seen in door.reads}
            assert len(made) > 4_000, "the reader did not read"
            try:
                await until(lambda: len(subscriber.messages) >= len(made), 120)
            finally:
                await daemon.stop()
            arrived = [uid for movement, uid in movements(events_of(subscriber)) if movement == "arrived"]

    assert door.reader.counters.cuts == 6
    assert set(made) - set(arrived) == set(), "reads are missing"
    assert len(arrived) == len(set(arrived)) == len(made)
    received = []
    for path in sorted((daemon.directory / "reads").glob("*.jsonl")):
        with open_reads(path) as lines:
            received += [
                row[0].hex().upper() for item in read_items(lines) if isinstance(item, Batch) for row in item.rows
            ]
    assert sorted(received) == sorted(made), "every read is recorded once"
