"""One dock as parts of a page. A part is sent again only when its text has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from gateway.web.set_view import set_of
from gateway.web.templates import render
from gateway.web.wording import SET_WORDS, SETS, Shown, counts_of, missing_words, sets_words, shown, unwatched

_BAR = ("matched", "undetermined", "blocked", "missing")
_BAR_WIDTH = 1000
_TILES = ("matched", "missing", "undetermined", "blocked", "extra", "returned")


def dock_parts(state: Mapping[str, Any], readers: Iterable[Mapping[str, Any]], *, all_lines: bool) -> dict[str, Markup]:
    """The parts of a dock's page by name, from `WebPort.dock_state` and `WebPort.readers`."""
    now, counts, session = shown(state), counts_of(state), state["session"]
    pending = [{"recipient": "", "lines": 0} | dict(entry) for entry in state["pending"]]
    return {
        "alerts": render(
            "dock/alerts.html",
            alerts=_alerts(state, readers),
            unwatched=unwatched(session) if session is not None else "",
            dock=state["dock"],
        ),
        "state": render("dock/state.html", now=now, length=_length(now), door=state["door"]),
        "load": _load(state, counts),
        "tiles": render("dock/tiles.html", tiles=[(name, SET_WORDS[name][0]) for name in _TILES], counts=counts)
        if counts
        else Markup(),
        "controls": render(
            "dock/controls.html",
            dock=state["dock"],
            session=session,
            pending=pending,
            closing=_closing(session) if session is not None else "",
        ),
        "lists": render(
            "dock/lists.html",
            dock=state["dock"],
            sections=_sections(state, all_lines=all_lines),
            waiting=[] if session and session["manifest"] else [entry | _precheck(entry) for entry in pending],
            last=_last_verdict(state),
            loading=session is not None,
        ),
    }


def dock_names(states: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What people call the docks, by id: from their states."""
    return {state["dock"]: dock_name(state) for state in states}


def dock_name(state: Mapping[str, Any]) -> str:
    """The name of a dock, for people."""
    return str(state["name"] or state["dock"])


def progress_bar(counts: Mapping[str, int]) -> dict[str, Any]:
    """The lines of the delivery as a bar: what is loaded, unclear, blocked and still missing, in thousandths of its
    width; and in words."""
    total = counts["lines"]
    position = 0
    pieces = []
    for name in _BAR:
        width = round(_BAR_WIDTH * min(counts[name], total) / total) if total else 0
        pieces.append({"name": name, "x": position, "width": width})
        position += width
    return {"pieces": pieces, "words": f"{counts['matched']} of {total} loaded"}


def _length(now: Shown) -> str:
    """How large the word can be written: a style sheet cannot count letters."""
    longest = max(len(word) for word in now.word.split())
    return "short" if longest <= 4 else "middle" if longest <= 7 else "long"


def _alerts(state: Mapping[str, Any], readers: Iterable[Mapping[str, Any]]) -> list[str]:
    """What may pass unseen now, and what must not leave and is near the door."""
    return [
        *(words for reader in readers if state["dock"] in reader["docks"] for words in _deaf(reader)),
        *(f"{warning['uid']} must not leave: {warning['reason']}." for warning in state["warnings"]),
    ]


def _deaf(reader: Mapping[str, Any]) -> list[str]:
    if reader["status"] != "up":
        return [f"Reader {reader['reader']} is {reader['status']}: what passes now may not be seen."]
    if reader["antennas_down"]:
        ports = ", ".join(reader["antennas_down"])
        return [f"Reader {reader['reader']}: antenna {ports} is down. What passes there may not be seen."]
    return []


def _load(state: Mapping[str, Any], counts: Mapping[str, int]) -> Markup:
    """Which delivery it is, and how far it has come."""
    source = state["session"] or (state["last_verdict"] if counts else None)
    if source is None:
        return Markup()
    return render("dock/load.html", source={"recipient": ""} | dict(source), counts=counts, bar=progress_bar(counts))


def _sections(state: Mapping[str, Any], *, all_lines: bool) -> list[dict[str, Any]]:
    """The sets that are not empty, and behind the worst two of them what is probably one error."""
    lines, loading = state["lines"], state["session"] is not None
    found = [
        set_of(name, lines[name], loading=loading, all_lines=all_lines) if lines.get(name) else None for name in SETS
    ]
    likely = [{"likely": lines["likely"]}] if lines.get("likely") else []
    return [section for section in (*found[:2], *likely, *found[2:]) if section is not None]


def _precheck(entry: Mapping[str, Any]) -> dict[str, str]:
    """What the look ahead has found of a delivery. Never that it is complete."""
    found = [(entry.get("blocked"), "must not leave"), (entry.get("unknown"), "not known yet")]
    return {"precheck": ", ".join(f"{count} {what}" for count, what in found if count)}


def _last_verdict(state: Mapping[str, Any]) -> dict[str, Any] | None:
    last = state["last_verdict"]
    if state["session"] is not None or last is None:
        return None
    name = f"Manifest {last['manifest']}" if last["manifest"] else "No manifest"
    return {**last, "name": name, "said": sets_words(last["counts"], SETS)}


def _closing(session: Mapping[str, Any]) -> str:
    """What the verdict would be if the session were closed now."""
    counts = session["counts"]
    if session["ready"]:
        return f"All {counts['lines']} packages are there, and nothing else. The verdict follows in a moment."
    if session["manifest"] is None:
        return "There is no manifest: the verdict cannot be complete."
    return f"Not complete: {missing_words(counts) or 'not watched all the while'}. The verdict will say so."
