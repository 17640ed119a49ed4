"""The whole gateway on a reader that is not ours: llrpkit's emulator, as its command line starts it."""

from __future__ import annotations

import asyncio
import shutil

import orjson
import pytest

from tests.e2e.site import BASE
from tests.support.mosquitto import free_port
from tests.support.subscriber import Subscriber


@pytest.mark.slow
async def test_the_gateway_inventories_llrpkits_emulator(make_daemon, broker, tmp_path):
    program = shutil.which("llrpkit")
    assert program, "llrpkit is a development dependency and must be on the PATH: run this by `make test`"
    port = free_port()
    emulator = await asyncio.create_subprocess_exec(
        *(program, "emulate", "--port", str(port), "--tags", "20", "--rate", "200"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        daemon = make_daemon(
            tmp_path / "gateway",
            {
                "site": "test",
                "gateway": "gw",
                "mqtt": {"port": broker.port},
                "zones": [{"id": "shelf"}],
                "readers": [
                    {
                        "id": "peer",
                        "driver": "llrp",
                        "host": "127.0.0.1",
                        "port": port,
                        "antennas": [{"port": number, "zone": "shelf"} for number in (1, 2, 3, 4)],
                    }
                ],
            },
        )
        with Subscriber(broker.port, BASE + "events/#") as subscriber:
            await daemon.start()
            await subscriber.until(lambda s: len(s.messages) >= 20, 60)
            await asyncio.sleep(5.0)  # what is told in this time must not be a departure
            assert await daemon.stop() == 0, daemon.log[-4000:]
    finally:
        emulator.terminate()
        await emulator.wait()
    events = [orjson.loads(message.payload) for message in subscriber.messages]
    assert [event["data"]["movement"] for event in events] == ["arrived"] * 20
    assert len({event["data"]["uid"] for event in events}) == 20
