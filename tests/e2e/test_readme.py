"""The configuration in the README runs as it stands there, against the emulated reader that stands beside it."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
from ruamel.yaml import YAML

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population
from gateway.config.file import load
from tests.support.subscriber import Subscriber

README = Path(__file__).resolve().parents[2] / "README.md"
TAGS = 5


def configuration() -> str:
    (found,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    return str(found)


def test_it_is_fifteen_lines_and_good(tmp_path):
    assert len(configuration().splitlines()) == 15
    path = tmp_path / "gateway.yaml"
    path.write_text(configuration())
    load(path)


@pytest.mark.slow
async def test_it_runs(make_daemon, broker, tmp_path):
    settings = YAML(typ="safe").load(configuration())
    async with LlrpEmulator(population(TAGS, rate=100), name="shelf") as reader:
        settings["mqtt"]["port"] = broker.port
        settings["readers"][0]["port"] = reader.port
        settings["web"]["port"] = 0
        settings["ledger"] = settings["journal"] = None
        daemon = make_daemon(tmp_path / "gateway", {key: value for key, value in settings.items() if value})
        with Subscriber(broker.port, "rfid/v1/leafworks/first/events/#") as subscriber:
            await daemon.start()
            await subscriber.until(lambda it: len(it.messages) >= TAGS, 60)
            assert await daemon.stop() == 0, daemon.log[-4000:]
    arrived = [orjson.loads(message.payload)["data"]["movement"] for message in subscriber.messages[:TAGS]]
    assert arrived == ["arrived"] * TAGS
