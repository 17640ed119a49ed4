"""The page of what does not agree: seen, and each book, side by side, with whose it is and what explains it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from gateway.web.templates import render

Values = Mapping[str, Any]

SHOWN = 25
"""Differences on a page: what a phone shows in some ten screens. The download has all."""

ALL = "all"
"""The name of the choice of every kind."""

_WHAT = {
    "not seen": "Not seen here",
    "seen elsewhere": "Seen in another place",
    "in no book": "Seen, and in no book",
    "not in every book": "Not in every book",
    "in transit": "Seen here, on the road by the book",
    "place": "The books name different places",
    "quantity": "The books have different quantities",
}

KINDS = {ALL, *(what.replace(" ", "-") for what in _WHAT)}
"""What may be chosen: every kind, or one of them."""

_STATES = (("open", "I look into it"), ("explained", "It is explained by"), ("closed", "It is closed"))


def difference_parts(state: Values, kind: str = ALL, page: int = 1) -> dict[str, Markup]:
    """The figure, the kinds to choose from, and the differences of `kind` (of `KINDS`) on a page, counted from one; of
    a page behind the last, the last."""
    names = [entry["book"] for entry in state["books"]]
    if not names:
        return {"differences": render("differences.html", books=[])}
    found = [entry for entry in state["differences"] if kind == ALL or kind.replace("-", " ") in entry["what"]]
    pages = max(1, -(-len(found) // SHOWN))
    page = min(max(page, 1), pages)
    first = (page - 1) * SHOWN
    shown = found[first : first + SHOWN]
    return {
        "figure": render("reconciliation.html", figure=state["figure"], books=state["books"]),
        "kinds": render("difference_kinds.html", choices=_choices(state["differences"], kind)),
        "differences": render(
            "differences.html",
            books=state["books"],
            names=names,
            columns=["Package", "What", "Seen", *names, "Whose"],
            rows=[_row(entry) for entry in shown],
            kind=kind,
            page=page,
            pages=pages,
            span=f"{first + 1} to {first + len(shown)} of {len(found)}",
            states=_STATES,
        ),
    }


def _choices(differences: Sequence[Values], kind: str) -> list[tuple[str, str, int, bool]]:
    """Each kind that there is: its name in addresses, in words, how many there are, and whether it is shown."""
    numbers = Counter(what for entry in differences for what in entry["what"])
    there = [(what.replace(" ", "-"), words, numbers[what]) for what, words in _WHAT.items() if numbers[what]]
    return [(name, words, number, name == kind) for name, words, number in [(ALL, "All", len(differences)), *there]]


def _row(entry: Values) -> dict[str, Any]:
    return {"entry": entry, "what": ", ".join(_WHAT[what] for what in entry["what"])}


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
