"""Alarms by webhook: in order and each once, across refusals and restarts, in the forms of the two receivers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.config.alarms import AlarmsConfig, WebhookConfig
from gateway.history.history import History
from gateway.ops.troubles import Troubles
from gateway.service import webhook as webhooks
from gateway.service.webhook import Webhook
from tests.support import history_events as make
from tests.support.history_events import EPOCH, sealed, uid
from tests.support.http_peer import Answer, http_peer
from tests.support.ledgers import until

EVIL = '"}]\r\nX-Injected: 1\n<script>\x1b[2J'


class Receiver:
    """A server that answers with the next of `answers` (`always`, or 200, when there are none left) and keeps what it
    took. What has the word that it `dislikes` is answered with `status`."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[int] = []
        self.always = 0
        self.dislikes, self.status = "", 0
        self.refused = 0
        self.got: list[tuple[str, dict[str, str], Any]] = []

    def reply(self, *request: Any) -> Answer:
        status = self.answers.pop(0) if self.answers else self.always or 200
        if self.dislikes and self.dislikes in json.dumps(request[2]):
            status = self.status
        if status == 200:
            self.got.append(request)
        else:
            self.refused += 1
        return status, None


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with http_peer(receiver.reply) as receiver.url:
        yield receiver


class Site:
    """A history that follows a list of events, and a webhook that follows it."""

    def __init__(self, folder: Path, receiver: Receiver, form: str = "ntfy", **more: Any) -> None:
        self.events: list[tuple[int, bytes]] = []
        self.troubles = Troubles()
        self._folder = folder
        url = f"{receiver.url}/{'api/v2/alerts' if form == 'alertmanager' else 'topic'}"
        self._config = WebhookConfig.model_validate({"name": "night", "url": url, "form": form, **more})

    def say(self, *facts: Any) -> None:
        self.events += sealed(list(facts), len(self.events) + 1)
        if hasattr(self, "history"):
            self.history.wake()

    @property
    def noted(self) -> int:
        """Up to where the webhook knows that everything has been sent."""
        return int(json.loads((self._folder / "history.db-webhook-night").read_bytes())["sequence"])

    @contextlib.asynccontextmanager
    async def running(self) -> Any:
        async def read(after: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]]:
            return self.events[after : after + limit]

        log = structlog.get_logger()
        path = self._folder / "history.db"
        self.history = History(path, EPOCH, read, log)
        tasks = [asyncio.create_task(self.history.run())]
        await self.history.until(len(self.events))  # what the history takes in later is news
        tasks.append(
            asyncio.create_task(Webhook(self._config, self.history, path, "site/gw", log, self.troubles).run())
        )
        await until(lambda: (self._folder / "history.db-webhook-night").exists())
        yield self
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.history.close()


def said(state: str, second: float, reason: str = "QA-17", **more: Any) -> Any:
    return make.alarm("watch-list", state, second, list="quarantine", uid=uid(1), zone="dock", reason=reason, **more)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(webhooks, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr("gateway.history.history.GATHER", 0.0)


async def test_every_word_in_order_though_the_receiver_was_away(tmp_path: Path, receiver: Receiver) -> None:
    site = Site(tmp_path, receiver)
    receiver.answers = [503, 500, 429]
    async with site.running():
        site.say(said("raised", 1), said("acknowledged", 5, by="Dana"), said("cleared", 9))
        await until(lambda: len(receiver.got) == 3)
    titles = [content["title"] for _, _, content in receiver.got]
    assert titles == [
        "watch-list at dock", "watch-list at dock, noted by Dana", "watch-list at dock, cleared",
    ]  # fmt: skip
    path, headers, first = receiver.got[0]
    assert (path, headers["Content-Type"]) == ("/", "application/json")
    assert (first["topic"], first["priority"]) == ("topic", 5)


async def test_what_was_before_is_nobodys_news_and_a_restart_repeats_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    site = Site(tmp_path, receiver)
    site.say(said("raised", 1))
    async with site.running():
        site.say(said("cleared", 2))
        await until(lambda: len(receiver.got) == 1 and site.noted == 2)  # a kill before that sends it again
    site.say(said("raised", 30))  # while nobody sends
    async with site.running():
        await until(lambda: len(receiver.got) == 2)
        site.say(said("cleared", 40))
        await until(lambda: len(receiver.got) == 3)
    assert [content["title"].endswith("cleared") for _, _, content in receiver.got] == [True, False, True]


@pytest.mark.parametrize("status", [302, 307, 401, 403, 404, 405, 409, 451])
async def test_until_somebody_mends_it_an_alarm_is_kept(tmp_path: Path, receiver: Receiver, status: int) -> None:
    """The token, the address, or what stands in between: all alarms would be refused, and each is worth the wait."""
    receiver.always = status
    site = Site(tmp_path, receiver)
    async with site.running():
        site.say(said("raised", 1), said("cleared", 2))
        await until(lambda: receiver.refused >= 4 and bool(site.troubles.words()), 60)
        assert f"HTTP status {status}" in site.troubles.words()[0]
        receiver.always = 0
        await until(lambda: len(receiver.got) == 2 and not site.troubles.words(), 60)
    titles = [content["title"] for _, _, content in receiver.got]
    assert titles == ["watch-list at dock", "watch-list at dock, cleared"]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_one_whose_content_is_refused_holds_up_nothing(tmp_path: Path, receiver: Receiver, status: int) -> None:
    receiver.dislikes, receiver.status = "QA-17", status
    site = Site(tmp_path, receiver)
    async with site.running():
        site.say(said("raised", 1), said("acknowledged", 2, by="Dana"), said("cleared", 3, "all well"))
        await until(lambda: len(receiver.got) == 1, 60)
        await until(lambda: site.noted == 3, 60)
    assert receiver.got[0][2]["title"] == "watch-list at dock, cleared"


async def test_where_the_content_of_all_is_refused_none_is_passed_over(tmp_path: Path, receiver: Receiver) -> None:
    """As by a server that is spoken to in the wrong way, or on the wrong port."""
    receiver.always = 400
    site = Site(tmp_path, receiver)
    async with site.running():
        site.say(said("raised", 1), said("cleared", 2))
        await until(lambda: receiver.refused >= 4, 60)
        receiver.always = 0
        await until(lambda: len(receiver.got) == 2, 60)


async def test_alertmanager_is_told_when_it_began_and_ended(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "token").write_text("secret-token\n")
    site = Site(tmp_path, receiver, "alertmanager", token_file=str(tmp_path / "token"))
    async with site.running():
        site.say(said("raised", 1, EVIL), said("acknowledged", 2, by="Dana"), said("cleared", 60))
        await until(lambda: len(receiver.got) == 2)
    path, headers, (raised,) = receiver.got[0]
    assert (path, headers["Authorization"]) == ("/api/v2/alerts", "Bearer secret-token")
    assert raised["labels"]["alertname"] == "rfid-watch-list"
    assert raised["annotations"]["description"] == EVIL
    assert raised["startsAt"] == "2026-02-14T09:00:01.000000Z"
    assert raised["endsAt"] > "2026-02-21"
    assert receiver.got[1][2][0]["endsAt"] == "2026-02-14T09:01:00.000000Z"
    assert receiver.got[1][2][0]["labels"] == raised["labels"]


@pytest.mark.parametrize(
    "webhook",
    [
        {"name": "a", "url": "ftp://host/x", "form": "ntfy"},
        {"name": "a", "url": "http://user:secret@host/x", "form": "ntfy"},
        {"name": "a", "url": "http://host/x y", "form": "ntfy"},
        {"name": "a", "url": "http://host/x", "form": "slack"},
    ],
)
def test_a_wrong_webhook_is_refused(webhook: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="webhooks"):
        AlarmsConfig.model_validate({"webhooks": [webhook]})
