"""A download has every line, in however many parts the history answers; the parts fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.history.asking import read
from gateway.web import whole_answers
from gateway.web.whole_answers import cut, whole
from tests.support import history_events as make
from tests.support.history_events import START, History, uid

NUMBER = 9
AT = "2026-02-14T10:00:00.000000Z"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "history.db")
    arrivals = [make.movement("arrived", tag, tag // 3, target="vault") for tag in range(NUMBER)]
    moves = [make.movement("moved", 1, 10 + step // 2, source="vault", target="dock") for step in range(NUMBER)]
    raised = [
        make.alarm("watch-list", "raised", 100 + tag // 4, list="quarantine", uid=uid(tag), zone="vault")
        for tag in range(NUMBER)
    ]
    everyone = list(range(NUMBER))
    history.take(*arrivals, *moves, *raised, make.count("vault", 200, everyone[:4], everyone[4:6], everyone[6:]))
    yield history
    history.close()


QUESTIONS = {
    "zone": ({"zone": "vault", "at": "2026-02-14T09:00:09Z"}, "tags"),
    "counts": ({"zone": "vault"}, "lines"),
    "alarms": ({"open": "false"}, "alarms"),
    "trail": ({"what": uid(1)}, "entries"),
}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("question", QUESTIONS)
async def test_parts_make_the_whole(history, monkeypatch, question: str, limit: int) -> None:
    asked, name = QUESTIONS[question]
    parts = 0

    async def ask(args: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal parts
        parts += 1
        return read(question, args).answer(history.ask(), START + 3600 * 10**6).model_dump(mode="json")

    everything = (await ask(asked))[name]
    assert len(everything) >= NUMBER - 1
    parts = 0
    monkeypatch.setattr("gateway.history.questions.MAX_TAGS", limit)
    found = await whole(question, ask, asked | {"limit": limit})
    assert found is not None
    if question == "trail":  # of what happened at one moment a part may show only the newest: none is there twice
        assert {entry["event"]["sequence"] for entry in found[name]} <= {e["event"]["sequence"] for e in everything}
        assert len(found[name]) == len({str(entry) for entry in found[name]})
    if question != "trail" or limit > 2:
        assert sorted(map(str, found[name])) == sorted(map(str, everything))
    assert parts > 1
    monkeypatch.setattr(whole_answers, "MOST", 1)
    assert await whole(question, ask, asked | {"limit": 1}) is None or question == "counts"


def test_the_next_part_of_a_trail_ends_before_what_it_is_cut_at() -> None:
    gap = {"entry": "unwatched", "since": "2026-02-14T08:00:00.000000Z"}
    stay = {"entry": "stay", "since": AT}
    assert cut([gap, stay]) == AT
