"""A person counts a place with a gateway, a sled and a barcode reader, over a real broker and a kill."""

from __future__ import annotations

from typing import Any

from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import population
from tests.e2e.site import BASE, config, events_of, movements
from tests.support.subscriber import Subscriber

SLED = "acme/DATA/clients/data1event/RFD40-212735201D0053"
SHELF = [f"1A4060300048D3D0AA{number:06d}" for number in range(6)]


def said(subscriber: Subscriber, kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in events_of(subscriber) if event["type"] == kind]


async def ask(subscriber: Subscriber, name: str, **args: Any) -> Any:
    before = len(subscriber.on("answers/here"))
    subscriber.publish(BASE + f"cmd/{name}", args, ResponseTopic="answers/here")
    await subscriber.until(lambda it: len(it.on("answers/here")) > before, 60)
    return subscriber.last("answers/here")


async def test_a_count_by_sled_and_barcode_outlives_a_kill(make_daemon, broker, tmp_path):
    directory = tmp_path / "gateway"
    async with LlrpEmulator(population(3, rate=50), name="vault") as vault:
        handhelds = {"topics": ["acme/DATA/clients/data1event/+"], "names": {"RFD40-212735201D0053": "sled-1"},
                     "zones": ["shelf"]}  # fmt: skip
        settings = config(directory, broker.port, {"vault": vault}, handhelds=handhelds)
        settings["zones"].append({"id": "shelf"})
        daemon = make_daemon(directory, settings)
        with (
            Subscriber(broker.port, BASE + "events/#") as subscriber,
            Subscriber(broker.port, "answers/#", client_id="office") as office,
        ):
            await daemon.start()
            await subscriber.until(lambda it: len(movements(events_of(it))) >= 3, 60)  # it is there
            expected = await ask(office, "expected", zone="shelf", uids=SHELF[:5], source="erp", by="Kim")
            assert expected["status"] == "ok"
            opened = await ask(office, "count.open", zones=["shelf"], by="Dana", request="shelf-3")
            assert opened["status"] == "ok"
            sled(subscriber, *SHELF[:2])
            await subscriber.until(lambda it: said(it, "rfid.handheld.v1"), 60)
            await daemon.kill()
            await daemon.start()
            sled(subscriber, SHELF[2], SHELF[5])
            scanned = await ask(office, "reads", zone="shelf", reader="wedge", codes=[SHELF[3]], by="Dana")
            assert scanned["status"] == "ok"
            refused = await ask(office, "reads", zone="shelf", reader="wedge", codes=["036000291452"], by="Dana")
            assert refused["status"] == "refused"
            await subscriber.until(lambda it: len(tags(it)) == 5, 60)
            closed = await ask(office, "count.close", zone="shelf", by="Dana", note="box 5 is wet")
            assert closed["status"] == "ok"
            [count] = await subscriber.until(lambda it: said(it, "rfid.count.v1"), 60)
            assert [tag["uid"] for tag in count["expected"]["missing"]["tags"]] == [SHELF[4]]
            assert count["expected"]["extra"]["tags"] == [SHELF[5]]
            session = count["session"]
            assert (session["by"], session["note"], count["request"]) == ("Dana", "box 5 is wet", "shelf-3")
            assert {device["reader"] for device in session["devices"]} == {"sled-1", "wedge"}
            assert session["confirmed_by_barcode"] == 1
            assert not [uid for _, uid in movements(events_of(subscriber)) if uid in SHELF]
            trail = await ask(office, "trail", what=SHELF[3])
            while not [entry for entry in trail["result"]["entries"] if entry["entry"] == "count"]:
                trail = await ask(office, "trail", what=SHELF[3])
            assert {entry["entry"] for entry in trail["result"]["entries"]} == {"handheld", "count"}
        assert await daemon.stop() == 0, daemon.log[-3000:]


def tags(subscriber: Subscriber) -> set[str]:
    """What handhelds are said to have read."""
    return {tag["uid"] for data in said(subscriber, "rfid.handheld.v1") for tag in data["tags"]}


def sled(subscriber: Subscriber, *uids: str) -> None:
    records = [{"EPC": uid, "EPCid": uid, "eventNum": number, "peakRssi": -51} for number, uid in enumerate(uids)]
    subscriber.publish(SLED, {"type": "CYCLE_COUNT", "data": {"tagData": records}})
