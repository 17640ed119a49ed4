"""One dock as parts of a page. A part is sent again only when its text has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from gateway.web.html import Html, el, join, moment
from gateway.web.icons import icon
from gateway.web.set_view import likely, set_of
from gateway.web.templates import render
from gateway.web.wording import (
    SET_WORDS,
    SETS,
    Shown,
    counts_of,
    missing_words,
    number,
    sets_words,
    shown,
    unwatched,
)

_BAR = ("matched", "undetermined", "blocked", "missing")
_BAR_WIDTH = 1000


def dock_parts(state: Mapping[str, Any], readers: Iterable[Mapping[str, Any]], *, all_lines: bool) -> dict[str, Html]:
    """The parts of a dock's page by name, from `WebPort.dock_state` and `WebPort.readers`."""
    now = shown(state)
    counts = counts_of(state)
    lines = state["lines"]
    return {
        "alerts": _alerts(state, readers),
        "state": _state(now, state),
        "load": _load(state, counts),
        "tiles": el("ul", [_tile(name, counts) for name in _tile_order()], class_="tiles") if counts else Html(""),
        "controls": _controls(state),
        "lists": join(
            [set_of(name, lines[name], state, all_lines=all_lines) for name in SETS[:2] if lines.get(name)],
            likely(lines.get("likely", [])),
            [set_of(name, lines[name], state, all_lines=all_lines) for name in SETS[2:] if lines.get(name)],
            _waiting(state),
            _last_verdict(state),
            render("override.html", dock=state["dock"]) if state["session"] is not None else None,
        ),
    }


def dock_name(state: Mapping[str, Any]) -> str:
    """The name of a dock, for people."""
    return str(state["name"] or state["dock"])


def state_panel(now: Shown, *more: Html) -> Html:
    """The colour, with its symbol, its word and what to do. `announce` is what a screen reader says on a change."""
    return el(
        "div",
        icon(now.tone),
        el(
            "div",
            el("p", now.word, class_=f"word {_length(now.word)}"),
            el("p", now.sentence, class_="sentence"),
            class_="words",
        ),
        *more,
        class_=f"state tone-{now.tone}",
        data_announce=f"{now.word}. {now.sentence}",
        data_tone=now.tone,
    )


def _length(words: str) -> str:
    """How large a word can be written: a style sheet cannot count letters."""
    longest = max(len(word) for word in words.split())
    return "short" if longest <= 4 else "middle" if longest <= 7 else "long"


def progress_bar(counts: Mapping[str, int]) -> Html:
    """The lines of the delivery as a bar: what is loaded, unclear, blocked and still missing."""
    total = counts["lines"]
    position = 0
    pieces = []
    for name in _BAR:
        width = round(_BAR_WIDTH * min(counts[name], total) / total) if total else 0
        pieces.append(el("rect", x=position, y=0, width=width, height=20, class_=f"fill-{name}"))
        position += width
    return el(
        "svg",
        pieces,
        class_="bar",
        viewBox=f"0 0 {_BAR_WIDTH} 20",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{counts['matched']} of {total} loaded",
    )


def _alerts(state: Mapping[str, Any], readers: Iterable[Mapping[str, Any]]) -> Html:
    """What may have passed unseen: a reader is deaf now, or an antenna was while the session was open."""
    alerts = [_alert(words) for reader in readers if state["dock"] in reader["docks"] for words in _deaf(reader)]
    alerts += [_alert(f"{warning['uid']} must not leave: {warning['reason']}.") for warning in state["warnings"]]
    session = state["session"]
    if session is not None and (lengths := unwatched(session)):
        button = el("button", "Confirm", id="do-confirm", type="button", class_="do", data_ask="confirm")
        words = f"Not watched: {lengths}. Something may have passed unseen."
        alerts.append(_alert(words, button, _ask_confirm(state["dock"], lengths)))
    return join(alerts)


def _deaf(reader: Mapping[str, Any]) -> list[str]:
    if reader["status"] != "up":
        return [f"Reader {reader['reader']} is {reader['status']}: what passes now may not be seen."]
    if reader["antennas_down"]:
        ports = ", ".join(reader["antennas_down"])
        return [f"Reader {reader['reader']}: antenna {ports} is down. What passes there may not be seen."]
    return []


def _alert(words: str, *more: Html) -> Html:
    return el("div", icon("warning"), el("p", words), *more, class_="alert")


def _state(now: Shown, state: Mapping[str, Any]) -> Html:
    door = state["door"]
    return state_panel(now, el("p", f"Door {door}", class_="door") if door != "unknown" else Html(""))


def _load(state: Mapping[str, Any], counts: Mapping[str, int]) -> Html:
    """Which delivery it is, and how far it has come."""
    source = state["session"] or (state["last_verdict"] if counts else None)
    if source is None:
        return Html("")
    done = "loaded" if source["direction"] == "out" else "received"
    if source["manifest"] is None:
        title: Html = el("p", "No manifest chosen", class_="manifest")
    else:
        title = join(
            el("p", el("span", "Manifest "), el("b", source["manifest"]), class_="manifest"),
            el("p", _delivery_words(source), class_="detail"),
        )
    figure = el("p", el("b", counts["matched"]), f" of {counts['lines']} {done}", class_="figure")
    head = el("div", el("div", title), figure, class_="head")
    return el("div", head, progress_bar(counts), class_="load")


def _delivery_words(source: Mapping[str, Any]) -> str:
    words = [f"Delivery {source['delivery']}"]
    if source.get("recipient"):
        words.insert(0, f"to {source['recipient']}")
    return " · ".join(words)


def _tile_order() -> tuple[str, ...]:
    return ("matched", "missing", "undetermined", "blocked", "extra", "returned")


def _tile(name: str, counts: Mapping[str, int]) -> Html:
    count = counts[name]
    label = SET_WORDS[name][0]
    return el(
        "li",
        el("span", count, class_="count many" if count > 99 else "count"),
        " ",
        el("span", label, class_="label"),
        class_=f"tile {name}" + ("" if count else " none"),
    )


def _waiting(state: Mapping[str, Any]) -> Html:
    """Deliveries to choose from, while there is no session or it has no manifest."""
    pending = state["pending"]
    if not pending or (state["session"] and state["session"]["manifest"]):
        return Html("")
    rows = [
        el(
            "li",
            el("p", entry.get("recipient") or f"Manifest {entry['manifest']}", class_="product"),
            el(
                "p",
                f"Manifest {entry['manifest']} · delivery {entry['delivery']} · "
                f"{number(entry.get('lines', 0), 'package')}",
                class_="ident",
            ),
            _precheck(entry),
        )
        for entry in pending
    ]
    head = el("h2", icon("waiting"), el("span", "Waiting", class_="title"), el("span", len(rows), class_="count"))
    return el("section", head, el("ol", rows), class_="set waiting")


def _precheck(entry: Mapping[str, Any]) -> Html:
    """What the look ahead has found of a delivery, with the way to its lines. Never that it is complete."""
    found = [(entry.get("blocked"), "must not leave"), (entry.get("unknown"), "not known yet")]
    words = ", ".join(f"{count} {what}" for count, what in found if count)
    where = f"/manifests/one?manifest={quote(entry['manifest'])}&delivery={quote(entry['delivery'])}"
    link = el("a", words or "Look at it before the van", href=where)
    return el("p", icon("warning") if words else None, " ", link, class_="reason" if words else "ident")


def _last_verdict(state: Mapping[str, Any]) -> Html:
    last = state["last_verdict"]
    if state["session"] is not None or last is None:
        return Html("")
    counts = last["counts"]
    said = sets_words(counts, SETS)
    name = f"Manifest {last['manifest']}" if last["manifest"] else "No manifest"
    body = el(
        "li",
        el("p", f"{name}: {last['outcome']}", class_="product"),
        el("p", f"{said or 'nothing passed'} · closed ", moment(last["closed"]), class_="ident"),
    )
    head = el("h2", icon("last"), el("span", "Last verdict", class_="title"))
    return el("section", head, el("ol", [body]), class_="set last")


def _controls(state: Mapping[str, Any]) -> Html:
    """The buttons, each with the question that it asks first."""
    session = state["session"]
    if session is None:
        if not state["pending"]:
            return el("p", "Waiting for a manifest.", class_="hint")
        return join(_button("open", "Open session"), _ask_open(state, "Open a session?", "Open session"))
    if session["manifest"] is None and state["pending"]:
        choose = join(_button("open", "Choose manifest"), _ask_open(state, "Which delivery is this?", "Use this one"))
    else:
        choose = Html("")
    if session["ending"]:
        return join(choose, el("p", "Closing…", class_="hint"))
    return join(choose, _button("close", "Close session"), _ask_close(state["dock"], session))


def _button(action: str, words: str) -> Html:
    return el("button", words, id=f"do-{action}", type="button", class_="do", data_ask=action)


def _ask_open(state: Mapping[str, Any], title: str, words: str) -> Html:
    """Asks for the delivery: the values are those of `gate.open`."""
    choices = [
        el(
            "label",
            el(
                "input",
                type="radio",
                name="delivery",
                required=True,
                checked=len(state["pending"]) == 1,
                data_manifest=entry["manifest"],
                data_delivery=entry["delivery"],
            ),
            el(
                "span",
                el("b", entry.get("recipient") or f"Delivery {entry['delivery']}"),
                el("small", f"Manifest {entry['manifest']}, delivery {entry['delivery']}, "
                            f"{number(entry.get('lines', 0), 'package')}"),
            ),
            class_="choice",
        )
        for entry in state["pending"]
    ]  # fmt: skip
    return _ask("open", state["dock"], title, el("fieldset", el("legend", "Delivery"), choices), words)


def _ask_close(dock: str, session: Mapping[str, Any]) -> Html:
    counts = session["counts"]
    if session["ready"]:
        words = f"All {counts['lines']} packages are there, and nothing else. The verdict follows in a moment."
    elif session["manifest"] is None:
        words = "There is no manifest: the verdict cannot be complete."
    else:
        words = f"Not complete: {missing_words(counts) or 'not watched all the while'}. The verdict will say so."
    body = el("p", words, class_="facts" if session["ready"] else "facts bad", data_fresh="close-facts")
    return _ask("close", dock, "Close the session?", body, "Close session")


def _ask_confirm(dock: str, lengths: str) -> Html:
    body = join(
        el("p", f"Not watched: {lengths}. Look at every package in the van first.", class_="facts"),
        el("label", "What was found", for_="ask-reason"),
        el("input", id="ask-reason", name="reason", type="text", required=True, maxlength=200, autocomplete="off"),
    )
    return _ask("confirm", dock, "Have you looked into the van?", body, "I have looked")


def _ask(action: str, dock: str, title: str, body: Html, words: str) -> Html:
    form = el(
        "form",
        el("h2", title, id="ask-title"),
        body,
        el("p", "", class_="error", role="alert", id="ask-error"),
        el(
            "div",
            el("button", "Cancel", type="button", class_="cancel", data_cancel=True),
            el("button", words, type="submit", class_="do"),
            class_="buttons",
        ),
        action=f"/docks/{dock}/{action}",
        method="post",
    )
    return el("template", form, id=f"ask-{action}")
