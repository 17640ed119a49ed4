"""Pages that ask the history, downloads and alarms: what they show, to whom, and nothing in them is carried out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Refused
from gateway.web import downloads
from tests.support import history_events as make
from tests.support.history_events import History, uid
from tests.support.web_scene import FakeGateway
from tests.unit.test_web_site import JSON, Browser

EVIL = "<script>alert(1)</script>\"'&"
PAGES = [
    "/find", f"/find?what={uid(1)[:10]}", f"/tags/{uid(1)}", "/zones/vault", "/counts", "/counts/vault/earlier",
    "/alarms",
]  # fmt: skip
FILES = [
    f"/tags/{uid(1)}.csv", "/zones/vault.csv", "/counts/vault.csv", "/alarms.csv", "/find.csv?what=00001",
    "/zones.csv", "/readers.csv", "/counts.csv",
]  # fmt: skip


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FakeGateway]:
    history = History(tmp_path / "history.db")
    history.take(
        make.movement("arrived", 1, 0, target="vault"),
        make.movement("arrived", 2, 1, target="vault"),
        make.gate_item(1, 10, product=EVIL, batch='=HYPERLINK("http://evil")'),
        make.count("vault", 60, [1, 3], [2], [3]),
        make.alarm("watch-list", "raised", 61, list="quarantine", uid=uid(1), zone="vault", reason=EVIL),
    )
    gateway = FakeGateway()
    gateway.history = history.ask()
    gateway.open_alarms = [
        alarm.model_dump(mode="json") for alarm in gateway.history.alarms().alarms
    ]  # fmt: skip
    yield gateway
    history.close()


async def test_the_search_field_of_every_page_leads_to_a_tag(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        for path in ("/", "/zones", "/readers", "/docks/dock-1", *PAGES):
            assert 'role="search"' in (await browser.client.get(path, follow_redirects=True)).text
        found = await browser.client.get("/find", params={"what": uid(1)[-6:]})
        assert (found.status_code, found.headers["location"]) == (303, f"/tags/{uid(1)}")
        tag = (await browser.get(f"/tags/{uid(1)}")).text
        assert "Arrived in Vault A" in tag
        assert "In Vault A since" in tag
        assert "Count of Vault A: counted" in tag
        assert '/counts/vault/earlier">Vault A<' in (await browser.get("/counts")).text, "zones have their names"
        several = (await browser.client.get("/find", params={"what": uid(1)[:-1][-7:]})).text
        assert "Nothing is known" in several


async def test_a_zone_shows_who_is_in_it_and_who_was(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        now = (await browser.get("/zones/vault?at=2026-02-14T09:30:00Z")).text
        assert uid(2)[-5:] in now
        before = (await browser.client.get("/zones/vault", params={"at": "2026-02-14T08:00:00Z"})).text
        assert "Nobody is there." in before
        assert (await browser.get("/zones/nowhere")).status_code == 404
        assert (await browser.get("/zones/vault?at=noon")).status_code == 400
        assert (await browser.get(f"/tags/{uid(77)}")).status_code == 404


async def test_text_from_outside_is_text_on_every_page(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        for path in PAGES:
            page = (await browser.client.get(path, follow_redirects=True)).text
            assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in (await browser.get(f"/tags/{uid(1)}")).text
        found = await browser.client.get("/find", params={"what": EVIL})
        assert "<script>alert" not in found.text


@pytest.mark.parametrize("path", [*PAGES, *FILES])
async def test_strangers_see_none_of_it(gateway: FakeGateway, path: str) -> None:
    async with Browser(gateway) as browser:
        answer = await browser.get(path)
        assert answer.status_code in (303, 401)
        assert uid(1) not in answer.text


@pytest.mark.parametrize("path", FILES)
async def test_a_download_is_a_table_without_formulas(gateway: FakeGateway, path: str) -> None:
    async with Browser(gateway, tokens=False) as browser:
        answer = await browser.get(f"{path}?at=2026-02-14T09:30:00Z" if "zones/" in path else path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment;")
    head, *lines = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert lines
    assert {len(line) for line in lines} == {len(head)}
    assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "@", "\t"))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("  @SUM(A1)", "'  @SUM(A1)"),
        ("-2", "'-2"),
        ("+49 1", "'+49 1"),
        ("\tx", "'\tx"),
        ("1A4060300048D3D000000001", "1A4060300048D3D000000001"),
        ("100000000000000000000001", "'100000000000000000000001"),
        ("1234567890123456", "'1234567890123456"),
        ("0009000017", "'0009000017"),
        ("0", "0"),
        ("11-12", "'11-12"),
        ("3/4/26", "'3/4/26"),
        ("2026-11-27T09:00:00.000000Z", "2026-11-27T09:00:00.000000Z"),
        ("BD-0117", "BD-0117"),
        ("12345678E90123456789012", "'12345678E90123456789012"),
        ("Blue Dream", "Blue Dream"),
        (-58.5, -58.5),
        (None, ""),
    ],
)
def test_a_cell_is_what_it_says(value: Any, expected: Any) -> None:
    assert downloads.cell(value) == expected


async def test_the_strip_says_what_is_alarming_on_every_page(gateway: FakeGateway) -> None:
    async with Browser(gateway, tokens=False) as browser:
        for path in ("/", "/docks/dock-1", "/readers", f"/tags/{uid(1)}"):
            assert "1 alarm open: On a watch list, Vault A" in (await browser.get(path)).text
        gateway.problem = "disk full"
        assert "Alarms may be missing" in (await browser.get("/")).text
        gateway.problem, gateway.open_alarms = "", []
        assert "alarm open" not in (await browser.get("/")).text
        assert "No alarm is open." in (await browser.get("/alarms")).text


async def test_taking_note_of_an_alarm_names_who(gateway: FakeGateway) -> None:
    noted = {"alarm": "watch-list", "subject": f"quarantine/{uid(1)}", "note": "on my way"}

    async def take(name: str, args: Any, who: str) -> dict[str, Any]:
        gateway.asked.append((name, dict(args), who))
        if args["subject"] == "gone":
            raise Refused("no such alarm is open")
        return {}

    gateway.command = take  # type: ignore[method-assign]
    async with Browser(gateway) as browser:
        await browser.log_in()
        headers = JSON | {"origin": browser.origin, "x-csrf-token": await browser.secret("/alarms")}
        post = browser.client.post
        assert (await post("/alarms/acknowledge", json=noted, headers=headers)).status_code == 200
        assert gateway.asked == [("alarm.acknowledge", noted, "ana")]
        gone = await post("/alarms/acknowledge", json=noted | {"subject": "gone"}, headers=headers)
        assert (gone.status_code, gone.json()) == (409, {"error": "no such alarm is open"})
        assert (await post("/alarms/acknowledge", json=noted | {"by": "boss"}, headers=headers)).status_code == 400
        forged = headers | {"x-csrf-token": "0" * 64}
        assert (await post("/alarms/acknowledge", json=noted, headers=forged)).status_code == 403
    async with Browser(gateway) as browser:
        assert (await browser.client.post("/alarms/acknowledge", json=noted, headers=headers)).status_code == 401


async def test_a_recording_is_kept_from_the_page_of_a_tag(gateway: FakeGateway) -> None:
    camera = {
        "entry": "camera", "camera": "dock-1", "start": "2026-02-14T09:00:00Z", "end": "2026-02-14T09:00:30Z",
        "url": None, "frigate": True,
    }  # fmt: skip
    asked: list[tuple[str, dict[str, Any], str]] = []
    ask = gateway.ask

    async def with_footage(question: str, args: Any) -> dict[str, Any]:
        answer = await ask(question, args)
        return answer | {"entries": [*answer["entries"], camera]} if question == "trail" else answer

    async def command(name: str, args: Any, who: str) -> dict[str, Any]:
        asked.append((name, dict(args), who))
        if len(asked) > 1:
            raise Refused(EVIL)
        return {"export": EVIL}

    gateway.ask = with_footage  # type: ignore[method-assign]
    gateway.command = command  # type: ignore[method-assign,assignment]
    async with Browser(gateway, tokens=False) as browser:
        assert "Keep this recording" in (await browser.get(f"/tags/{uid(1)}")).text
        fields = {"csrf": await browser.secret(f"/tags/{uid(1)}"), "uid": uid(1)} | {
            key: camera[key] for key in ("start", "end")
        }
        for words in ("Frigate keeps it", "It is not kept"):
            answer = await browser.client.post(
                "/cameras/dock-1/export", data=fields, headers={"origin": browser.origin}
            )  # fmt: skip
            assert words in answer.text
            assert "<script>alert" not in answer.text
        wrong = await browser.client.post(
            "/cameras/dock-1/export", data=fields | {"csrf": "x"}, headers={"origin": browser.origin}
        )  # fmt: skip
        assert wrong.status_code == 403
    assert asked[0] == (
        "camera.export",
        {"camera": "dock-1", "start": camera["start"], "end": camera["end"], "note": uid(1)},
        "local",
    )
    async with Browser(gateway) as browser:
        assert (await browser.client.post("/cameras/dock-1/export", data=fields)).status_code == 401
