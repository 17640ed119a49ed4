"""A day of an inventory coordinator, on the real daemon: a count, a manifest, its correction, a load, quarantine,
destruction, a reconciliation, a search and an alarm. Emulated readers, a sled, a barcode reader, a real broker, a fake
Metrc and a browser."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from demo.stage import Actor, Spot, Stage
from drivers.emulators.llrp.emulator import LlrpEmulator
from drivers.emulators.scene import Field, Scene
from gateway.clock import rfc3339, wall
from tests.e2e.site import BASE
from tests.e2e.test_counting import sled
from tests.support.fake_metrc import LICENCE, USER, VENDOR, FakeMetrc
from tests.support.gate_scene import uid
from tests.support.mosquitto import free_port
from tests.support.subscriber import Subscriber
from tests.support.web_browser import expect, launched

VECTOR = Path(__file__).parents[1] / "vectors" / "metrc" / "manifest.json"
WITHIN = 90.0
SHELF = 180
MISSING, WRONG = 6, 0x900
LOAD = [0x501, 0x502, 0x503, 0x504]
MISTYPED, NO_COA = 0x502, 0x503
CAGED, DESTROYED, LOST = 0x701, 0x702, 0x703

VAULT, CAGE = Spot("vault", 1), Spot("vault", 2)
STAGING, DOOR_IN, DOOR_OUT = Spot("dock", 1), Spot("dock", 2), Spot("dock", 3)


def document(*, corrected: bool) -> dict[str, Any]:
    """What Metrc knows of the load: at first one label has a wrong digit, and one package has no lab results."""
    told = json.loads(VECTOR.read_text())
    stop, package = told["deliveries"][0], told["deliveries"][0]["_packages"]["Data"][0]
    record, result = told["packageRecords"]["items"][0], told["labResults"]["Data"][0]
    batch = stop["_requiredLabTestBatches"]["Data"][0]
    labels = {number: uid(number) for number in LOAD}
    if not corrected:
        labels[MISTYPED] = uid(MISTYPED)[:-1] + "A"
    numbers = {number: 9100 + place for place, number in enumerate(LOAD)}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    told["transfer"] |= {"LastModified": now, "DeliveryCount": 1}
    stop["DeliveryPackageCount"] = len(LOAD)
    stop["_packages"]["Data"] = [package | {"PackageLabel": labels[n], "PackageId": numbers[n]} for n in LOAD]
    stop["_requiredLabTestBatches"]["Data"] = [batch | {"PackageId": numbers[n]} for n in LOAD]
    told["deliveries"] = [stop]
    told["packageRecords"]["items"] = [record | {"Label": labels[n], "Id": numbers[n]} for n in LOAD]
    tested = [number for number in LOAD if corrected or number != NO_COA]
    told["labResults"]["Data"] = [result | {"PackageId": numbers[n]} for n in tested]
    return copy.deepcopy(told)


def settings(folder: Path, broker: int, page: int, metrc: str, readers: dict[str, int]) -> dict[str, Any]:
    (folder / "keys").mkdir(parents=True)
    for name, key in (("vendor", VENDOR), ("user", USER)):
        (folder / "keys" / name).write_text(key)
        (folder / "keys" / name).chmod(0o600)
    places = {
        "vault": [{"port": 1, "zone": "vault"}, {"port": 2, "zone": "cage"}, {"port": 3, "zone": "shelf"}],
        "dock": [
            {"port": 1, "zone": "staging"},
            {"port": 2, "portal": "door", "side": "inside"},
            {"port": 3, "portal": "door", "side": "outside"},
        ],
    }
    return {
        "site": "test",
        "gateway": "gw",
        "mqtt": {"port": broker},
        "floor": {"lateness": 0.5},
        "presence": {"smoothing": 1.0, "dwell": 0.5, "shortest": 1.5},
        "zones": [{"id": "shelf"}, {"id": "vault"}, {"id": "cage"}, {"id": "staging"}],
        "portals": [{"id": "door", "inside": "staging", "outside": None}],
        "docks": [{"id": "dock-1", "name": "Dock 1", "portal": "door", "settle": 1.0}],
        "gate": {"staging": ["staging"]},
        "watch": [{"name": "quarantine", "allowed": ["cage"], "clear_after": 2.0}, {"name": "destroyed"}],
        "manifests": {
            "metrc": {
                "url": metrc,
                "license": LICENCE,
                "vendor_key_file": str(folder / "keys" / "vendor"),
                "user_key_file": str(folder / "keys" / "user"),
                "poll": 5.0,
                "rate": 50.0,
            }
        },
        "handhelds": {
            "topics": ["acme/DATA/clients/data1event/+"],
            "names": {"RFD40-212735201D0053": "sled-1"},
        },
        "books": {"sources": [{"name": "erp", "kind": "mqtt"}], "lag": 1.0, "every": 1.0},
        "readers": [
            {
                "id": name,
                "driver": "llrp",
                "host": "127.0.0.1",
                "port": port,
                "keepalive": 0.5,  # how a session knows that it was watched
                "antennas": places[name],
            }
            for name, port in readers.items()
        ],
        "web": {"port": page},
    }


class Day:
    """The coordinator's hands: commands over MQTT, and what the gateway says of them."""

    def __init__(self, subscriber: Subscriber, stage: Stage) -> None:
        self.subscriber = subscriber
        self.stage = stage

    def events(self, kind: str, **wanted: Any) -> list[dict[str, Any]]:
        """The data of events of one kind: of the gate's, an alarm's, a movement's or a count's."""
        found = []
        for message in list(self.subscriber.messages):
            if message.topic.startswith(BASE + "events/"):
                data = orjson.loads(message.payload)["data"]
                said = (data.get("gate"), data.get("alarm"), data.get("movement"), data.get("trigger"))
                if kind in said and all(data.get(key) == value for key, value in wanted.items()):
                    found.append(data)
        return found

    def by_hand(self) -> set[str]:
        """What handhelds are said to have read."""
        events = [m.payload for m in list(self.subscriber.messages) if m.topic.startswith(BASE + "events/handheld/")]
        return {tag["uid"] for event in events for tag in orjson.loads(event)["data"]["tags"]}

    async def said(self, kind: str, number: int = 1, **wanted: Any) -> dict[str, Any]:
        """The newest event of one kind, once there are so many."""
        await self.subscriber.until(lambda _: len(self.events(kind, **wanted)) >= number, WITHIN)
        return self.events(kind, **wanted)[-1]

    async def do(self, name: str, **args: Any) -> None:
        before = len(self.subscriber.on("answers"))
        self.subscriber.publish(BASE + f"cmd/{name}", args, ResponseTopic="answers")
        await self.subscriber.until(lambda it: len(it.on("answers")) > before, WITHIN)
        answer = self.subscriber.last("answers")
        assert answer["status"] == "ok", (name, answer)


@pytest.mark.slow
async def test_a_day(make_daemon, broker, tmp_path):
    page_port = free_port()
    scenes = {
        "vault": Scene(dict.fromkeys((1, 2, 3), Field(rate=100))),
        "dock": Scene(dict.fromkeys((1, 2, 3), Field(rate=100))),
    }
    async with (
        FakeMetrc(document(corrected=False)) as metrc,
        LlrpEmulator(scenes["vault"], name="vault") as vault,
        LlrpEmulator(scenes["dock"], name="dock") as dock,
        launched() as browser,
    ):
        stage = Stage(
            {
                "vault": Actor(vault.reader.scene, lambda: vault.reader.elapsed),
                "dock": Actor(dock.reader.scene, lambda: dock.reader.elapsed),
            },
            DOOR_IN,
            DOOR_OUT,
        )
        for number in LOAD:
            stage.put(uid(number), STAGING)
        for number in (CAGED, DESTROYED):
            stage.put(uid(number), CAGE)
        readers = {"vault": vault.port, "dock": dock.port}
        daemon = make_daemon(tmp_path / "gateway", settings(tmp_path, broker.port, page_port, metrc.url, readers))
        with Subscriber(broker.port, BASE + "#", "answers") as subscriber:
            await daemon.start()
            await subscriber.until(lambda it: it.on(BASE + "state/gateway"), WITHIN)
            day = Day(subscriber, stage)
            page = await browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(WITHIN * 1000)
            site = f"http://127.0.0.1:{page_port}"
            await counts(day, page, site)
            await before_the_van(day, page, site)
            metrc.document = document(corrected=True)
            await loads(day, page, site)
            await walks_out(day, page, site)
            await destroys(day, page, site)
            await reconciles(day, page, site)
            await searches(page, site)
            assert await daemon.stop() == 0, daemon.log[-4000:]


async def counts(day: Day, page: Any, site: str) -> None:
    """The shelf of 180, by sled, and by barcode where the sled hears nothing: six are missing, and one is there that
    belongs elsewhere."""
    shelf = [uid(number) for number in range(1, SHELF + 1)]
    await day.do("expected", zone="shelf", uids=shelf, by="ana")
    await day.do("count.open", zones=["shelf"], by="ana", devices=["sled-1"])
    *found, foil = shelf[:-MISSING]
    found.append(uid(WRONG))
    for start in range(0, len(found), 60):
        sled(day.subscriber, *found[start : start + 60])
    await day.subscriber.until(lambda _: len(day.by_hand()) == len(found), WITHIN)
    await page.goto(f"{site}/counts/shelf")
    await page.locator("#code").fill(foil)
    await page.locator("#code").press("Enter")
    await expect(page.locator("#scanned")).to_contain_text("is counted")
    await day.subscriber.until(lambda _: foil in day.by_hand(), WITHIN)
    await day.do("count.close", zone="shelf", by="ana", note="six short")
    said = await day.said("session", zone="shelf")
    assert sorted(tag["uid"] for tag in said["expected"]["missing"]["tags"]) == shelf[-MISSING:]
    assert said["expected"]["extra"]["tags"] == [uid(WRONG)]
    assert (said["session"]["confirmed_by_barcode"], said["by"]) == (1, "ana")


async def before_the_van(day: Day, page: Any, site: str) -> None:
    """A manifest comes from Metrc: one package has no COA, and one label has a wrong digit."""
    said = await day.said("precheck")
    assert [item["verdict"].split(":")[0] for item in said["items"] if item["unknown"]] == ["blocked"]
    staged = await day.said("staging")
    assert [(pair["missing"][-1], pair["extra"]) for pair in staged["likely"]] == [("A", uid(MISTYPED))]
    await page.goto(f"{site}/manifests")
    await page.get_by_role("link", name=said["manifest"]).click()
    await expect(page.locator("main")).to_contain_text("Probably one error: the UIDs differ in one digit")
    await expect(page.locator("main")).to_contain_text("lab results")
    assert day.events("verdict") == []


async def loads(day: Day, page: Any, site: str) -> None:
    """The correction comes, the van is loaded, and the light turns green."""
    await day.said("precheck", blocked=0, unknown=0)
    await page.goto(f"{site}/docks/dock-1")
    await page.get_by_role("button", name="Open session").click()
    await page.get_by_role("dialog").get_by_role("button", name="Open session").click()
    await day.said("opened")
    for number in LOAD:
        day.stage.carry_out(uid(number))
        await day.said("item", uid=uid(number), status="matched")
    await page.get_by_role("button", name="Close session").click()
    await page.get_by_role("dialog").get_by_role("button", name="Close session").click()
    verdict = await day.said("verdict")
    assert (verdict["outcome"], len(verdict["matched"])) == ("complete", len(LOAD)), json.dumps(verdict["evidence"])
    await expect(page.locator(".state")).to_have_attribute("data-tone", "green", timeout=WITHIN * 1000)


async def walks_out(day: Day, page: Any, site: str) -> None:
    """A package leaves its cage; somebody sees the strip, takes note, and brings it back."""
    await day.do("watch", list="quarantine", uids=[uid(CAGED)], by="ana")
    day.stage.put(uid(CAGED), VAULT)
    await day.said("watch-list", state="raised", uid=uid(CAGED))
    await page.locator(".strip a").click()
    await page.get_by_role("button", name="Take note").click()
    await page.locator("#ask-note").fill("taking it back")
    await page.get_by_role("button", name="I have taken note").click()
    noted = await day.said("watch-list", state="acknowledged")
    assert (noted["by"], noted["reason"]) == ("local", "taking it back")
    day.stage.put(uid(CAGED), CAGE)
    await day.said("watch-list", state="cleared", uid=uid(CAGED))


async def destroys(day: Day, page: Any, site: str) -> None:
    """Two people, a weight and a picture, on the page of the package; seen again, it is an alarm."""
    day.stage.take_away(uid(DESTROYED))
    await day.said("not_seen", uid=uid(DESTROYED))
    await page.goto(f"{site}/tags/{uid(DESTROYED)}")
    await page.get_by_role("button", name="It was destroyed").click()
    question = page.get_by_role("dialog")
    for label, words in (
        ("Destroyed by", "ana"),
        ("Witness, another person", "ben"),
        ("Weight", "28"),
        ("How", "ground and mixed"),
        ("Where the picture is kept", "p/1.jpg"),
    ):
        await question.get_by_label(label, exact=True).fill(words)
    await question.get_by_role("button", name="It was destroyed").click()
    said = await day.said("destroyed", uid=uid(DESTROYED))
    assert (said["by"], said["witness"], said["weight"], said["unit"]) == ("ana", "ben", 28.0, "Grams")
    day.stage.put(uid(DESTROYED), VAULT)
    await day.said("watch-list", state="raised", uid=uid(DESTROYED), list="destroyed")


async def reconciles(day: Day, page: Any, site: str) -> None:
    """The book has one that nobody sees, and lacks one that is seen; somebody explains the first."""
    packages = [{"uid": uid(number), "location": "cage-1", "quantity": 1.0} for number in (CAGED, LOST)]
    await day.do("book", book="erp", as_of=rfc3339(wall()), packages=packages)
    await page.goto(f"{site}/differences")
    lost = page.locator("tr", has_text=uid(LOST)[-5:])
    await expect(lost).to_contain_text("Not seen here", timeout=WITHIN * 1000)
    await expect(page.locator("tr", has_text=uid(DESTROYED)[-5:])).to_contain_text("Seen, and in no book")
    await lost.get_by_role("button", name="Deal with it").click()
    question = page.get_by_role("dialog")
    await question.get_by_label("It is explained by").check()
    await question.get_by_label("Note").fill("sold over the counter")
    await question.get_by_role("button", name="Save").click()
    await expect(lost).to_contain_text("explained")
    await expect(lost).to_contain_text("sold over the counter")


async def searches(page: Any, site: str) -> None:
    """The last digits of a package lead to its trail."""
    await page.goto(site)
    await page.get_by_role("search").locator("input").fill(uid(LOAD[0])[-6:])
    await page.get_by_role("search").locator("input").press("Enter")
    await expect(page.locator("main")).to_contain_text("went out")
    await expect(page.locator("main")).to_contain_text("Arrived in staging")
