"""A package on no manifest comes near an open dock and goes back: the daemon says so at once, and no pass is said."""

from __future__ import annotations

import os
import shutil
import time

import orjson
import pytest

from demo.stage import Actor, Spot, Stage
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import Field, Scene
from tests.e2e.site import BASE, config
from tests.e2e.test_dock import INSIDE, MANIFESTS, OUTSIDE
from tests.support.gate_scene import uid
from tests.support.mosquitto import free_port
from tests.support.subscriber import Subscriber
from tests.support.web_browser import expect, launched

STRANGER = uid(0x999)
AWAY, INSIDE_SPOT = Spot("dock", 3), Spot("dock", INSIDE)
STATE = BASE + "state/dock/dock-1"
WORDS = f"{STRANGER} must not leave: on no manifest."


@pytest.mark.slow
async def test_what_must_not_leave_is_shown_near_the_door_and_no_more_when_it_goes_back(make_daemon, broker, tmp_path):
    path, delivery = MANIFESTS["own"]
    folder, page_port = tmp_path / "manifests", free_port()
    folder.mkdir()
    shutil.copy(path, folder / "manifest.json")
    scene = Scene(dict.fromkeys((INSIDE, OUTSIDE, 3), Field(rate=60)))
    async with LlrpEmulator(scene, name="dock") as reader, launched() as browser:
        stage = Stage({"dock": Actor(reader.reader.scene, lambda: reader.reader.elapsed)}, INSIDE_SPOT, AWAY)
        stage.put(STRANGER, AWAY)
        settings = config(tmp_path / "gateway", broker.port, {"dock": reader})
        settings |= {
            "floor": {},
            "zones": [{"id": "vault"}],
            "portals": [{"id": "dock-door", "inside": "vault", "outside": None}],
            "docks": [{"id": "dock-1", "portal": "dock-door"}],
            "gate": {"facts_max_age": 20 * 365 * 86_400.0},  # the file's facts are of its own time
            "manifests": {"folder": {"directory": str(folder), "settle": 0.1, "poll": 0.1}},
            "web": {"port": page_port},
        }
        settings["readers"][0]["antennas"] = [
            {"port": INSIDE, "portal": "dock-door", "side": "inside"},
            {"port": OUTSIDE, "portal": "dock-door", "side": "outside"},
            {"port": 3, "zone": "vault"},
        ]
        daemon = make_daemon(tmp_path / "gateway", settings)
        with Subscriber(broker.port, BASE + "events/#", BASE + "state/dock/#", "answers") as subscriber:
            await daemon.start()
            await subscriber.until(lambda s: gate(s, "manifest-received"), 60)
            number = gate(subscriber, "manifest-received")[0]["manifest"]
            opening = {"dock": "dock-1", "manifest": number, "delivery": delivery}
            subscriber.publish(BASE + "cmd/gate.open", opening, ResponseTopic="answers")
            await subscriber.until(lambda s: s.on("answers"), 60)
            assert orjson.loads(subscriber.on("answers")[0].payload)["status"] == "ok"
            await subscriber.until(lambda s: (s.last(STATE) or {}).get("session"), 60)
            page = await browser.new_page()
            await page.goto(f"http://127.0.0.1:{page_port}/docks/dock-1")
            for _ in range(int(os.environ.get("WARNING_TRIALS", "1"))):
                began = time.monotonic()
                stage.put(STRANGER, INSIDE_SPOT)
                state = await subscriber.until(lambda s: _warned(s), 60)
                told = time.monotonic() - began
                await expect(page.get_by_text(WORDS)).to_be_visible(timeout=60_000)
                shown = time.monotonic() - began
                assert [(entry["uid"], entry["reason"]) for entry in state["warnings"]] == [
                    (STRANGER, "on no manifest")
                ]
                assert (state["word"], state["lamp"]) == ("must not leave", "amber")
                stage.put(STRANGER, AWAY)
                await subscriber.until(lambda s: not _warned(s), 60)
                await expect(page.get_by_text(WORDS)).to_be_hidden(timeout=60_000)
                print(f"MQTT {told:.2f} s, page {shown:.2f} s")
            assert await daemon.stop() == 0, daemon.log[-4000:]
    assert STRANGER not in {item["uid"] for item in gate(subscriber, "item")}, "nothing is said to have passed"


def _warned(subscriber: Subscriber) -> dict[str, object]:
    """The newest state of the dock, where it warns of something."""
    state = subscriber.last(STATE) or {}
    return state if state.get("warnings") else {}


def gate(subscriber: Subscriber, kind: str) -> list[dict[str, str]]:
    """The data of the gate's events of one kind."""
    events = [orjson.loads(m.payload) for m in list(subscriber.messages) if m.topic.startswith(BASE + "events/gate/")]
    return [event["data"] for event in events if event["data"]["gate"] == kind]
