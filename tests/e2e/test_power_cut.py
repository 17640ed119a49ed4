"""A power cut takes the journal: manifests that were answered for are known afterwards, as is what was destroyed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import orjson
import pytest

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population
from tests.e2e.site import BASE, config
from tests.support.gate_scene import uid
from tests.support.subscriber import Subscriber

WITHIN = 60.0


@pytest.mark.slow
async def test_what_was_answered_is_known_after_a_power_cut(make_daemon, broker, tmp_path):
    async with LlrpEmulator(population(2, rate=20), name="dock") as reader:
        settings = config(tmp_path / "gateway", broker.port, {"dock": reader})
        (antenna,) = settings["readers"][0]["antennas"]
        settings |= {
            "zones": [{"id": "vault"}],
            "portals": [{"id": "dock-door", "inside": "vault", "outside": None}],
            "docks": [{"id": "dock-1", "portal": "dock-door"}],
            "watch": [{"name": "destroyed"}],
            "ledger": {"file": str(tmp_path / "gateway" / "ledger.db"), "checkpoint_every": 3600.0},
        }
        settings["readers"][0]["antennas"] = [
            {"port": antenna["port"], "portal": "dock-door", "side": "inside"},
            {"port": antenna["port"] + 1, "portal": "dock-door", "side": "outside"},
        ]
        daemon = make_daemon(tmp_path / "gateway", settings)
        with Subscriber(broker.port, BASE + "#", "answers") as subscriber:
            await daemon.start()
            await subscriber.until(lambda s: s.on(BASE + "state/gateway"), WITHIN)
            lines = [{"uid": uid(1), "product": "Seltzer"}, {"uid": uid(2), "product": "Gummies"}]
            manifest = {
                "manifest": "M1",
                "version": 1,
                "as_of": datetime.now(UTC).isoformat(),
                "deliveries": [{"delivery": "D1", "lines": lines}],
            }
            subscriber.publish(BASE + "cmd/manifest", manifest, ResponseTopic="answers")
            answer = await subscriber.until(lambda s: s.last("answers"), WITHIN)
            assert answer["result"]["saved"] is True
            destroyed = {
                "uid": uid(2), "weight": 1.5, "unit": "Grams", "method": "compost", "by": "ann", "witness": "bob",
                "photo": "p/1.jpg",
            }  # fmt: skip
            subscriber.publish(BASE + "cmd/destroy", destroyed)
            await subscriber.until(lambda s: s.on(BASE + "events/gate/destruction"), WITHIN)
            await daemon.kill()
            shutil.rmtree(tmp_path / "gateway" / "journal")
            await daemon.start()
            subscriber.publish(BASE + "cmd/gate.open", {"dock": "dock-1", "manifest": "M1"}, ResponseTopic="answers")
            await subscriber.until(lambda s: len(s.on("answers")) == 2, WITHIN)
            assert subscriber.last("answers")["status"] == "ok", subscriber.last("answers")
            subscriber.publish(BASE + "cmd/destroy", destroyed, ResponseTopic="answers")
            await subscriber.until(lambda s: len(s.on("answers")) == 3, WITHIN)
            assert "already" in subscriber.last("answers")["reason"]
            assert await daemon.stop() == 0, daemon.log[-4000:]
    said = [orjson.loads(message.payload)["data"] for message in subscriber.on(BASE + "events/gate/manifests")]
    assert [data["gate"] for data in said if data["gate"] == "manifest-received"] == ["manifest-received"]
