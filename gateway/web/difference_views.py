"""The page of what does not agree: seen, and each book, side by side, with whose it is and what explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from gateway.web.templates import render

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

_STATES = (("open", "I look into it"), ("explained", "It is explained by"), ("closed", "It is closed"))


def difference_parts(state: Values) -> dict[str, Markup]:
    """The figure, and a row for each difference that has lasted."""
    names = [entry["book"] for entry in state["books"]]
    shown = state["differences"][:SHOWN]
    table = render(
        "differences.html",
        books=state["books"],
        names=names,
        columns=["Package", "What", "Seen", *names, "Whose"],
        rows=[_row(entry) for entry in shown],
        rest=len(state["differences"]) - len(shown),
        states=_STATES,
    )
    if not names:
        return {"differences": table}
    figure = render("reconciliation.html", figure=state["figure"], books=state["books"])
    return {"figure": figure, "differences": table}


def _row(entry: Values) -> dict[str, Any]:
    what = ", ".join(_WHAT[what] for what in entry["what"])
    return {"entry": entry, "what": what, "key": f"difference-{entry['uid']}"}


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
