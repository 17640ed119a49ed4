"""Books and differences of a gateway that runs: over a real broker, a kill, and a replay of what it was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population
from gateway.clock import rfc3339, wall
from tests.e2e.site import BASE, config, events_of, movements, recorded, replayed, told
from tests.e2e.test_counting import ask, said
from tests.support.subscriber import Subscriber

GONE = "1A4060300048D3D0BB000001"


async def test_a_difference_outlives_a_kill_with_whoever_deals_with_it(make_daemon, broker, tmp_path: Path) -> None:
    directory = tmp_path / "gateway"
    books: dict[str, Any] = {"sources": [{"name": "erp", "kind": "mqtt"}], "lag": 1.0, "every": 1.0}
    async with LlrpEmulator(population(3, rate=50), name="vault") as vault:
        daemon = make_daemon(directory, config(directory, broker.port, {"vault": vault}, books=books))
        with Subscriber(broker.port, BASE + "events/#") as subscriber, Subscriber(
            broker.port, "answers/#", client_id="office"
        ) as office:  # fmt: skip
            await daemon.start()
            await subscriber.until(lambda it: len(movements(events_of(it))) >= 3, 60)
            seen = sorted({uid for _, uid in movements(events_of(subscriber))})
            packages = [{"uid": uid, "location": "vault-1", "quantity": 48.0} for uid in [*seen[:2], GONE]]
            taken = await ask(office, "book", book="erp", as_of=rfc3339(wall()), packages=packages)
            assert taken["status"] == "ok", taken
            await subscriber.until(lambda it: len(said(it, "rfid.difference.v1")) >= 2, 60)
            found = {data["uid"]: data["what"] for data in said(subscriber, "rfid.difference.v1")}
            assert found == {seen[2]: ["in no book"], GONE: ["not seen"]}
            dealt = await ask(office, "difference", uid=GONE, by="Kim", state="explained", note="sold", owner="Kim")
            assert dealt["status"] == "ok", dealt
            await subscriber.until(lambda it: said(it, "rfid.difference.v1")[-1]["state"] == "explained", 60)
            await daemon.kill()
            await daemon.start()
            noted = await ask(office, "difference", uid=GONE, by="Dana", note="sold, and shipped")
            assert noted["status"] == "ok", noted
            await subscriber.until(lambda it: said(it, "rfid.difference.v1")[-1]["by"] == "Dana", 60)
            last = said(subscriber, "rfid.difference.v1")[-1]
            assert (last["state"], last["owner"], last["note"]) == ("explained", "Kim", "sold, and shipped")
            where = await ask(office, "where", what=GONE)
            assert where["result"]["packages"][0]["item"]["source"] == "book erp"
            assert await daemon.stop() == 0, daemon.log[-3000:]
            events = events_of(subscriber)
        again = await replayed(daemon.config_file, recorded(directory / "reads"))
        differences = [event for event in told(again) if "what" in event[2]]
        assert [data for _, _, data in differences] == [
            event["data"] for event in events if event["type"] == "rfid.difference.v1"
        ]
