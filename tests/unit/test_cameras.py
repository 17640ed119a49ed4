"""Cameras: the ranges in a trail, and the request to a Frigate (a small server that answers as its API says)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.cameras import CameraConfig
from gateway.errors import Refused
from gateway.history.answers import Footage
from gateway.history.footage import with_footage
from gateway.service.cameras import export
from tests.support import history_events as make
from tests.support.history_events import START, History, uid
from tests.support.http_peer import Answer, http_peer

SECOND = 1_000_000
RANGE = {"camera": "dock-1", "start": "2026-02-14T09:00:10.500Z", "end": "2026-02-14T09:00:40.500Z", "by": "Dana"}


class Frigate:
    """Frigate's export endpoint: keeps what it was asked, answers with `status` and `answer`."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.status, self.answer = 200, {"success": True, "message": "Starting export.", "export_id": "dock_1_x"}

    def reply(self, *request: Any) -> Answer:
        self.asked.append(request)
        return self.status, self.answer


@pytest.fixture
def frigate() -> Iterator[Frigate]:
    frigate = Frigate()
    with http_peer(frigate.reply) as frigate.url:
        yield frigate


def camera(**changes: Any) -> CameraConfig:
    return CameraConfig.model_validate(
        {"id": "dock-1", "places": ["dock", "door"], "link": "https://nvr/?a={start}&b={end}", "before": 10.0} | changes
    )


def test_each_change_of_place_that_a_camera_saw_has_its_range_in_the_trail(tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    history.take(
        make.movement("arrived", 1, 0, target="vault"),
        make.movement("moved", 1, 100, source="vault", target="dock"),
        make.movement("not_seen", 1, 200, source="dock"),
        make.passage(1, 300),
    )
    trail = with_footage(history.ask().trail(uid(1)), [camera()])
    history.close()
    assert [entry.entry for entry in trail.entries] == ["stay", "camera", "stay", "stay", "camera", "pass"]
    moved, passed = (entry for entry in trail.entries if isinstance(entry, Footage))
    assert (moved.start, moved.end) == (START + 90 * SECOND, START + 115 * SECOND)
    assert moved.url == f"https://nvr/?a={(START // SECOND) + 90}&b={(START // SECOND) + 115}"
    assert (passed.start, passed.end) == (START + 289 * SECOND, START + 315 * SECOND)
    assert with_footage(trail, []) is trail


async def test_a_range_is_exported_where_frigate_keeps_it(frigate: Frigate, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    there = camera(frigate={"url": frigate.url, "camera": "dock_1", "token_file": str(tmp_path / "token")})
    answer = await export([there], RANGE | {"note": "QA-17"})
    assert answer["export"] == "dock_1_x"
    ((path, headers, body),) = frigate.asked
    assert path == "/api/export/dock_1/start/1771059610/end/1771059641"
    assert headers["Authorization"] == "Bearer secret"
    assert (body["playback"], body["source"]) == ("realtime", "recordings")
    assert "QA-17" in body["name"]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (404, {"success": False, "message": "No recordings found for time range"}),
        (200, {"success": False, "message": "no"}),
        (200, "nonsense"),
        (302, {}),
    ],
)
async def test_what_frigate_does_not_do_is_refused(frigate: Frigate, status: int, answer: Any) -> None:
    frigate.status, frigate.answer = status, answer
    with pytest.raises(Refused, match="Frigate"):
        await export([camera(frigate={"url": frigate.url, "camera": "dock_1"})], RANGE)


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": "dock-2"},
        {"camera": "../../api/config"},
        {"start": RANGE["end"]},
        {"end": "2026-02-14T10:00:11Z"},
        {"start": "yesterday"},
        {"by": ""},
        {"note": "<b>"},
        {"url": "http://elsewhere"},
    ],
)
async def test_a_wrong_range_asks_nobody(frigate: Frigate, changes: dict[str, str]) -> None:
    with pytest.raises(Refused):
        await export([camera(frigate={"url": frigate.url, "camera": "dock_1"})], RANGE | changes)
    assert frigate.asked == []
