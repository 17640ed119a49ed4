"""Answers of the history with all their parts, for downloads: each part is bounded, and `more` says that it is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import orjson

from gateway.clock import parse_rfc3339, rfc3339

Ask: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""A question with its arguments; gives one part of the answer, ready for JSON."""

MOST = 200
"""Parts of one answer: 200,000 packages in a zone, 40,000 alarms."""

_OWN = ("stay", "pass", "gate", "count", "handheld", "alarm")
"""Entries of a trail that its parts are cut at; times without a watch and cameras stand between them."""


async def whole(question: str, ask: Ask, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer with every row of its list; None where that would be more than `MOST` parts."""
    name = _LISTS[question]
    answer = await ask(asked)
    rows = {_key(row): row for row in answer[name]}
    if question == "zone":  # all parts are of one time, and of one count
        asked = {**asked, "at": answer["at"]}
    elif question == "counts" and answer["counts"]:
        asked = {**asked, "before": _later(answer["counts"][0]["ended"])}
    part, further = answer[name], answer["more"]
    for _ in range(MOST):
        if not further or not part:
            kept = list(rows.values())
            answer[name] = sorted(kept, key=oldest) if question == "trail" else kept
            return answer
        cursor = _behind(question, part)
        more = await ask({**asked, **cursor})
        fresh = {_key(row): row for row in more[name] if _key(row) not in rows}
        if not fresh and question == "trail":  # a whole part of one moment: go on before it
            more = await ask({**asked, "before": rfc3339(parse_rfc3339(cursor["before"]) - 1)})
            fresh = {_key(row): row for row in more[name] if _key(row) not in rows}
        rows |= fresh
        part, further = more[name] if fresh else [], more["more"]
    return None


def oldest(entry: Mapping[str, Any]) -> str:
    """The time by which an entry of a trail is sorted."""
    return str(entry.get("since") if entry["entry"] in ("stay", "unwatched") else
               entry.get("first") or entry.get("raised") or entry.get("start") or entry.get("time"))  # fmt: skip


def cut(entries: list[dict[str, Any]]) -> str:
    """The time before which the next part of a trail ends: that of the oldest entry that parts are cut at."""
    return min(oldest(entry) for entry in entries if entry["entry"] in _OWN)


def _behind(question: str, part: list[dict[str, Any]]) -> dict[str, str]:
    """What is asked for the next part. Times are cut a moment late, so that nothing of the same moment is left out."""
    match question:
        case "zone":
            return {"after": part[-1]["uid"]}
        case "counts":
            return {"after": f"{part[-1]['said']}/{part[-1]['uid']}"}
        case "alarms":
            return {"before": _later(part[-1]["raised"]), "after": f"{part[-1]['kind']}/{part[-1]['subject']}"}
        case _:
            return {"before": _later(cut(part))}


def _later(time: str) -> str:
    return rfc3339(parse_rfc3339(time) + 1)


def _key(row: Mapping[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


_LISTS = {"zone": "tags", "counts": "lines", "alarms": "alarms", "trail": "entries"}
