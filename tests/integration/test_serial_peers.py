"""Other people's clients on our emulated readers: what they read is what was sent."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from drivers.emulators.scene import InputEdge, serials
from drivers.emulators.serial.line import PtyPort, TcpPort
from drivers.emulators.serial.r2000 import R2000
from drivers.emulators.serial.uhf288 import Uhf288
from tests.support.claims import some
from tests.support.serial_peers import client, environment

SECONDS = "3"


async def run_client(emulator, name, where) -> list[dict[str, Any]]:
    """What the client says, while the emulator runs."""
    emulation = asyncio.create_task(emulator.run())
    await asyncio.sleep(0.05)
    pipe = asyncio.subprocess.PIPE
    place = where() if callable(where) else where
    process = await asyncio.create_subprocess_exec(
        *client(name, place, SECONDS), stdout=pipe, stderr=pipe, env=environment()
    )
    said, failed = await asyncio.wait_for(process.communicate(), 60)
    emulation.cancel()
    with suppress(asyncio.CancelledError):
        await emulation
    assert process.returncode == 0, failed.decode()
    return [json.loads(line) for line in said.decode().splitlines() if line.startswith("{")]


@pytest.mark.slow
async def test_pyimpinj_drives_the_r2000(tmp_path):
    scene = serials(200, [1, 2], late=0.0)
    scene.inputs = [InputEdge(0, 1, True)]
    reader = R2000(PtyPort(tmp_path / "reader"), scene)
    sent = Counter()
    reader.on_read = lambda seen, whole: sent.update([(seen.epc.hex().upper(), seen.antenna)])
    said = await run_client(reader, "pyimpinj", str(tmp_path / "reader"))
    first, last = said[0], said[-1]
    assert first == {
        "power": [True, "SUCCESS"],
        "antenna": [True, "SUCCESS"],
        "temperature": 31,
        "output": [True, "SUCCESS"],
        "input": 1,
        "identifier": "EMULATED\ufffd\ufffd\ufffd\ufffd",
        "loss": 15,
    }
    assert reader.outputs == {3: True}
    tags = [item for item in said if item.get("type") == "TAG"]
    assert Counter((tag["epc"], tag["antenna"]) for tag in tags) == sent
    assert {tag["antenna"] for tag in tags} == {1, 2}
    assert all(902 <= float(tag["frequency"]) <= 928 and -70 < tag["rssi"] < -40 for tag in some(tags))
    rounds = Counter(item["type"] for item in said if "type" in item)
    assert rounds["DONE"] > 10
    assert not rounds["ERROR"]
    assert not rounds["TIMEOUT"]
    assert last["buffered"] == last["counted"] > 0


@pytest.mark.slow
async def test_the_chafon_library_drives_the_uhfreader288(tmp_path):
    reader = Uhf288(PtyPort(tmp_path / "reader"), serials(100, [1], late=0.0))
    sent = Counter()
    reader.on_read = lambda seen, whole: sent.update([seen.epc.hex().upper()])
    info, *tags = await run_client(reader, "chafon", str(tmp_path / "reader"))
    assert info == {"type": "UHFReader288M", "power": 30, "band": "US"}
    assert Counter(tag["epc"] for tag in tags) == sent
    assert len(tags) > 100
    assert {tag["antenna"] for tag in tags} == {1}


@pytest.mark.slow
async def test_the_uhfreader18_library_hears_the_uhfreader18():
    port = TcpPort("127.0.0.1", 0)
    reader = Uhf288(port, serials(100, [1], late=0.0), model="UHFReader18")
    sent = Counter()
    reader.on_read = lambda seen, whole: sent.update([seen.epc.hex().upper()])

    def answer_and_then_report(frame: bytes) -> None:
        """The library takes the first frame that comes for the answer to its question."""
        command(frame)
        reader.realtime = True

    command, reader.command = reader.command, answer_and_then_report
    info, *tags = await run_client(reader, "uhfreader18", lambda: f"127.0.0.1:{port.port}")
    assert "18" in info["type"]
    assert len(tags) > 100
    assert all("error" not in tag for tag in some(tags))
    assert Counter(tag["epc"] for tag in tags) <= sent
