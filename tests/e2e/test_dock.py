"""A van is loaded through an emulated dock: every package of a manifest passes the portal and gets its verdict."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import orjson
import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import SECOND, Field, Scene, Stay, Tag
from tests.e2e.site import BASE, config
from tests.support.subscriber import Subscriber

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = {
    "own": (ROOT / "tests" / "vectors" / "metrc" / "manifest.json", "810001"),
    "shared": (Path(os.environ.get("RFID_SHARED", ROOT.parent / "shared")) / "manifest-example.json", "1204477"),
}
INSIDE, OUTSIDE = 1, 2
FIRST, EVERY = 15, 2
"""Seconds of the scene: the first package comes when the manifest is known, the next ones follow one by one."""


def through_the_door(uids: list[str]) -> Scene:
    """Each package is carried from the inner to the outer antenna in three seconds."""
    tags = []
    for number, uid in enumerate(uids):
        start = (FIRST + number * EVERY) * SECOND
        tags.append(
            Tag(
                bytes.fromhex(uid),
                (
                    Stay(INSIDE, start, start + 2 * SECOND, -55.0, fade=SECOND),
                    Stay(OUTSIDE, start + SECOND, start + 3 * SECOND, -55.0, fade=SECOND),
                ),
            )
        )
    return Scene({INSIDE: Field(rate=60), OUTSIDE: Field(rate=60)}, tags, seed=7)


@pytest.mark.slow
@pytest.mark.parametrize("manifest", MANIFESTS)
async def test_a_manifest_gets_the_verdicts_written_in_it(make_daemon, broker, tmp_path, manifest):
    path, delivery = MANIFESTS[manifest]
    if not path.exists():
        pytest.skip(f"the example manifest is not at {path}: set RFID_SHARED")
    wanted = json.loads(path.read_text())["_expectedGateVerdicts"]
    switched: list[tuple[int, bool]] = []
    folder = tmp_path / "manifests"
    folder.mkdir()
    scene = through_the_door(list(wanted))
    async with LlrpEmulator(scene, name="dock", on_output=lambda port, on: switched.append((port, on))) as reader:
        settings = config(tmp_path / "gateway", broker.port, {"dock": reader})
        settings |= {
            "zones": [{"id": "vault"}],
            "portals": [{"id": "dock-door", "inside": "vault", "outside": None}],
            "docks": [
                {
                    "id": "dock-1",
                    "portal": "dock-door",
                    "lights": {
                        colour: {"reader": "dock", "port": port}
                        for port, colour in enumerate(("amber", "red", "green"), 1)
                    },
                }
            ],
            "gate": {"facts_max_age": 20 * 365 * 86_400.0},  # the file's facts are of its own time
            "manifests": {"folder": {"directory": str(folder), "settle": 0.1, "poll": 0.1}},
        }
        settings["readers"][0]["antennas"] = [
            {"port": INSIDE, "portal": "dock-door", "side": "inside"},
            {"port": OUTSIDE, "portal": "dock-door", "side": "outside"},
        ]
        daemon = make_daemon(tmp_path / "gateway", settings)
        with Subscriber(broker.port, BASE + "events/#", "answers") as subscriber:
            await daemon.start()
            shutil.copy(path, folder / "manifest.json")
            await subscriber.until(lambda s: list(gate(s, "manifest-received")), 60)
            number = next(gate(subscriber, "manifest-received"))["manifest"]
            opening = {"dock": "dock-1", "manifest": number, "delivery": delivery}
            subscriber.publish(BASE + "cmd/gate.open", opening, ResponseTopic="answers")
            await subscriber.until(lambda s: s.on("answers"), 60)
            assert orjson.loads(subscriber.on("answers")[0].payload)["status"] == "ok"
            await subscriber.until(
                lambda s: len(list(gate(s, "item"))) >= len(wanted), FIRST + EVERY * len(wanted) + 30
            )
            subscriber.publish(BASE + "cmd/gate.close", {"dock": "dock-1"})
            await subscriber.until(lambda s: list(gate(s, "verdict")), 60)
            verdict = next(gate(subscriber, "verdict"))
            assert await daemon.stop() == 0, daemon.log[-4000:]

    got = {item["uid"]: name for name in ("matched", "missing", "extra", "blocked") for item in verdict[name]}
    assert got == {uid: re.match(r"\w+", text).group() for uid, text in wanted.items()}
    assert verdict["outcome"] == "mismatch"
    assert (1, True) in switched, "amber while it was open"
    assert (2, True) in switched, "red for what is blocked"
    assert (3, True) not in switched, "never green"


def gate(subscriber: Subscriber, kind: str):
    """The data of the gate's events of one kind."""
    for message in list(subscriber.messages):
        if message.topic == "answers":
            continue
        event = orjson.loads(message.payload)
        if event["type"] == "rfid.gate.v1" and event["data"]["gate"] == kind:
            yield event["data"]
