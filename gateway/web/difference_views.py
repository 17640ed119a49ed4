"""The page of what does not agree: seen, and each book, side by side, with whose it is and what explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.web.history_views import tag_link
from gateway.web.html import Child, Html, cells, el, join, moment, table
from gateway.web.icons import icon
from gateway.web.wording import number

Values = Mapping[str, Any]

SHOWN = 200
"""Differences on the page; the download has all."""

_WHAT = {
    "not seen": "Not seen here",
    "seen elsewhere": "Seen in another place",
    "in no book": "Seen, and in no book",
    "not in every book": "Not in every book",
    "in transit": "Seen here, on the road by the book",
    "place": "The books name different places",
    "quantity": "The books have different quantities",
}


def difference_parts(state: Values) -> dict[str, Html]:
    """The figure, and a row for each difference that has lasted."""
    if not state["books"]:
        return {"differences": el("p", "No books are configured, so there is nothing to compare.", class_="nothing")}
    names = [entry["book"] for entry in state["books"]]
    columns = ("Package", "What", "Seen", *names, "Whose")
    shown = state["differences"][:SHOWN]
    rows = [_row(entry, names, columns) for entry in shown]
    rest = len(state["differences"]) - len(rows)
    return {
        "figure": _figure(state),
        "differences": join(
            table(columns, rows) if rows else el("p", "Everything agrees.", class_="nothing"),
            el("p", f"and {rest} more in the download", class_="more") if rest else None,
            el("p", el("a", "Download all differences", href="/differences.csv"), class_="more"),
            *(_ask(entry) for entry in shown),
        ),
    }


def _figure(state: Values) -> Html:
    figure = state["figure"]
    words = (
        f"{figure['agree']} of {number(figure['packages'], 'package')} agree. {figure['open']} open, "
        f"{figure['explained']} explained, {figure['closed']} closed, {figure['waiting']} waiting for the books."
    )
    books = [
        el("span", f"{entry['book']}: {number(entry['number'], 'package')}, ", moment(entry["as_of"]))
        if entry["as_of"]
        else el("span", icon("warning"), f"{entry['book']}: not read yet", class_="status bad")
        for entry in state["books"]
    ]
    return join(el("p", words, class_="hint"), *(el("p", book, class_="ident") for book in books))


def _row(entry: Values, names: Sequence[str], columns: Sequence[str]) -> Html:
    seen = entry["seen"]
    here: list[Child] = [seen["state"] + (f" in {seen['zone']}" if seen["zone"] else "")]
    if seen["last"]:
        here.append(el("small", "last read ", moment(seen["last"])))
    if seen["confidence"] is not None:
        here.append(el("small", f"confidence {seen['confidence']:.2f}"))
    key = _key(entry)
    whose: list[Child] = [
        el("b", entry["state"]),
        el("small", entry["owner"]) if entry["owner"] else None,
        el("small", entry["note"]) if entry["note"] else None,
        el("button", "Deal with it", id=f"do-{key}", type="button", class_="small", data_ask=key),
    ]
    return cells(
        columns,
        [tag_link(entry["uid"]), el("small", entry["product"] or ""),
         el("small", f"Batch {entry['batch']}") if entry["batch"] else None],
        [", ".join(_WHAT[what] for what in entry["what"]), el("small", "since ", moment(entry["since"]))],
        here,
        *(_view(entry["books"].get(name)) for name in names),
        whose,
    )  # fmt: skip


def _view(view: Values | None) -> list[Child]:
    if view is None:
        return [el("span", "not in it", class_="muted")]
    quantity = f"{view['quantity']:,.6g} {view['unit'] or ''}".strip() if view["quantity"] is not None else ""
    place = view["zone"] or view["location"] or "no place"
    return [place, el("small", view["location"]) if view["zone"] and view["location"] else None,
            el("small", view["status"]), el("small", quantity)]  # fmt: skip


def _key(entry: Values) -> str:
    return f"difference-{entry['uid']}"


def _ask(entry: Values) -> Html:
    def choice(state: str, words: str, *, checked: bool = False) -> Html:
        return el(
            "label",
            el("input", type="radio", name="state", required=True, checked=checked, data_uid=entry["uid"],
               data_state=state),
            el("span", words),
            class_="choice",
        )  # fmt: skip

    form = el(
        "form",
        el("h2", f"…{entry['uid'][-6:]}: {', '.join(_WHAT[what] for what in entry['what'])}", id="ask-title"),
        el("fieldset", el("legend", "What is so"),
           choice("open", "I look into it", checked=True), choice("explained", "It is explained by"),
           choice("closed", "It is closed")),
        el("label", "Note", for_="ask-note"),
        el("input", id="ask-note", name="note", type="text", maxlength=200, autocomplete="off", value=entry["note"]),
        el("p", "", class_="error", role="alert", id="ask-error"),
        el("div", el("button", "Cancel", type="button", class_="cancel", data_cancel=True),
           el("button", "Save", type="submit", class_="do"), class_="buttons"),
        action="/differences",
        method="post",
    )  # fmt: skip
    return el("template", form, id=f"ask-{_key(entry)}")


def difference_rows(state: Values) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
    """All differences as a table: columns, and lines."""
    names = [entry["book"] for entry in state["books"]]
    kept = ("status", "location", "zone", "quantity", "unit", "as_of")
    columns = (
        "uid", "product", "batch", "state", "what", "since", "owner", "note", "seen", "seen_zone", "seen_last",
        "seen_confidence", *(f"{name}_{key}" for name in names for key in kept),
    )  # fmt: skip

    def line(entry: Values) -> list[object]:
        seen = entry["seen"]
        views = [(entry["books"].get(name) or {}).get(key) for name in names for key in kept]
        return [
            entry["uid"], entry["product"], entry["batch"], entry["state"], ", ".join(entry["what"]), entry["since"],
            entry["owner"], entry["note"], seen["state"], seen["zone"], seen["last"], seen["confidence"], *views,
        ]  # fmt: skip

    return columns, (line(entry) for entry in state["differences"])
