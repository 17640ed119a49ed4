"""The API: whoever may see the pages is answered, a stranger gets nothing, and its description fits what it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.history.asking import QUESTIONS
from gateway.web.attempts import MAX_EACH
from gateway.web.openapi import describe
from tests.support import history_events as make
from tests.support.history_events import History, uid
from tests.support.web_scene import FakeGateway
from tests.unit.test_web_site import ANA, Browser

BEARER = {"authorization": f"Bearer {ANA}"}
GOOD = {
    "where": {"what": uid(1)},
    "trail": {"what": uid(1), "limit": "5"},
    "zone": {"zone": "vault", "at": "2026-02-14T09:00:30Z"},
    "batch": {"batch": "BD-0117"},
    "alarms": {"open": "false"},
    "counts": {"zone": "vault"},
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FakeGateway]:
    history = History(tmp_path / "history.db")
    history.take(make.movement("arrived", 1, 0, target="vault"), make.gate_item(1, 10))
    gateway = FakeGateway()
    gateway.history = history.ask()
    yield gateway
    history.close()


@pytest.mark.parametrize("question", sorted(QUESTIONS))
async def test_every_question_is_answered_to_whoever_has_a_token(gateway: FakeGateway, question: str) -> None:
    async with Browser(gateway) as browser:
        answer = await browser.client.get(f"/api/v1/{question}", params=GOOD[question], headers=BEARER)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json()["holds"]["sequence"] == 2


@pytest.mark.parametrize(
    "path", [*(f"/api/v1/{question}" for question in QUESTIONS), "/api/v1/openapi.json", "/api/v1/x"]
)
@pytest.mark.parametrize("headers", [{}, {"authorization": f"Bearer {'b' * 32}"}, {"authorization": "Bearer "}])
async def test_a_stranger_gets_nothing(gateway: FakeGateway, path: str, headers: dict[str, str]) -> None:
    async with Browser(gateway) as browser:
        answer = await browser.client.get(path, params=GOOD.get(path.rpartition("/")[2], {}), headers=headers)
        assert answer.status_code == 401
        assert answer.json().keys() == {"error"}
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_tokens_cannot_be_tried_out(gateway: FakeGateway) -> None:
    async with Browser(gateway) as browser:
        for number in range(MAX_EACH):
            wrong = {"authorization": f"Bearer {number:032}"}
            assert (await browser.client.get("/api/v1/alarms", headers=wrong)).status_code == 401
        assert (await browser.client.get("/api/v1/alarms", headers=BEARER)).status_code == 429


async def test_a_login_will_do_and_without_logins_this_machine(gateway: FakeGateway) -> None:
    async with Browser(gateway) as browser:
        await browser.log_in()
        assert (await browser.get("/api/v1/alarms")).status_code == 200
    async with Browser(gateway, tokens=False) as browser:
        assert (await browser.get("/api/v1/alarms")).status_code == 200
    async with Browser(gateway, tokens=False, host="evil.example") as browser:
        assert (await browser.get("/api/v1/alarms")).status_code == 421


@pytest.mark.parametrize(
    ("question", "params"),
    [
        ("where", {}),
        ("where", {"what": ""}),
        ("where", {"what": "x" * 300}),
        ("where", {"what": uid(1), "limit": "0"}),
        ("where", {"what": uid(1), "limit": "10000000"}),
        ("where", {"what": uid(1), "drop": "table"}),
        ("zone", {"zone": "vault", "at": "noon"}),
        ("zone", {"zone": "vault", "at": "2026-02-14T09:00:30"}),
        ("alarms", {"open": "perhaps"}),
    ],
)
async def test_a_wrong_question_is_refused_with_words(
    gateway: FakeGateway, question: str, params: dict[str, str]
) -> None:
    async with Browser(gateway) as browser:
        answer = await browser.client.get(f"/api/v1/{question}", params=params, headers=BEARER)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith((question, "'noon'", "'2026"))


async def test_only_asking_is_possible(gateway: FakeGateway) -> None:
    async with Browser(gateway) as browser:
        for method in ("POST", "PUT", "DELETE"):
            assert (await browser.client.request(method, "/api/v1/alarms", headers=BEARER)).status_code == 405


async def test_the_description_names_every_question_and_argument(gateway: FakeGateway) -> None:
    async with Browser(gateway) as browser:
        document = (await browser.client.get("/api/v1/openapi.json", headers=BEARER)).json()
    assert document == describe()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {f"/api/v1/{question}" for question in QUESTIONS}
    for question, params in GOOD.items():
        parameters = {entry["name"]: entry for entry in document["paths"][f"/api/v1/{question}"]["get"]["parameters"]}
        assert params.keys() <= parameters.keys()
    what = document["paths"]["/api/v1/where"]["get"]["parameters"][0]
    assert (what["name"], what["required"], what["schema"]["type"]) == ("what", True, "string")
