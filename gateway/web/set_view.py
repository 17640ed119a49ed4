"""The sets of a dock's session, package by package: what is wrong with each, and who answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.web.html import Html, el, join, moment
from gateway.web.icons import icon
from gateway.web.wording import SET_WORDS, common_unknown, number, quantity, reasons, warnings

SHOWN_LINES = {"blocked": 100, "extra": 100, "undetermined": 100, "missing": 100, "matched": 40, "returned": 40}
"""Lines of each set on the page unless all are asked for: more than anybody reads off a wall, and little enough to be
sent four times a second."""

_PROBLEMS = ("blocked", "extra", "undetermined")


def set_of(name: str, items: list[Any], state: Mapping[str, Any], *, all_lines: bool) -> Html:
    """The packages of one set of a session, each with what is known of it, under the name of the set."""
    title, meaning = SET_WORDS[name]
    limit = len(items) if all_lines else SHOWN_LINES[name]
    head = el(
        "h2",
        icon(name),
        el("span", title, class_="title"),
        " ",
        el("span", len(items), class_="count"),
        " ",
        el("span", meaning, class_="meaning"),
    )
    common, shown_items = common_unknown(items) if name == "blocked" else (None, items)
    loading = state["session"] is not None
    rows = [_item(item, name, loading=loading) for item in shown_items[:limit]]
    if common:
        rows.insert(
            0,
            el(
                "li",
                el("p", f"{number(common['count'], 'package')} without facts", class_="product"),
                el("p", common["words"], class_="reason"),
                _each_of(items, limit) if loading else None,
            ),
        )
    rest = len(shown_items) - len(shown_items[:limit])
    everything = el("a", f"Show all {len(items)}", href=f"/docks/{state['dock']}?all=1")
    more = el("p", everything, class_="more") if rest else Html("")
    return el("section", head, el("ol", rows), more, class_=f"set {name}")


def _each_of(items: list[Any], limit: int) -> Html:
    """The packages of which the same is not known, one by one, for somebody who answers for one of them."""
    rows = [
        el("li", el("p", item["product"] or "Package", class_="product"),
           el("p", _uid(item), _answer_for(item), class_="ident"))
        for item in items[:limit]
        if item["unknown"] and not item["rules"]
    ]  # fmt: skip
    return el("details", el("summary", "One by one"), el("ol", rows), id="each-unknown")


def _answer_for(item: Mapping[str, Any]) -> Html | None:
    """A button for a package of which something is not known, and nothing worse."""
    if item["rules"] or not item["unknown"] or item.get("override") is not None:
        return None
    unknown = ", ".join(dict.fromkeys(entry["missing"] for entry in item["unknown"]))
    return el(
        "button", "Answer for it", id=f"do-override-{item['uid']}", type="button", class_="small", data_ask="override",
        data_uid=item["uid"], data_product=item["product"] or "this package", data_unknown=unknown,
    )  # fmt: skip


def _item(item: Mapping[str, Any], name: str, *, loading: bool) -> Html:
    product = item["product"] or ("Unknown package" if name in _PROBLEMS else "Package")
    facts = [words for words in (quantity(item), f"Batch {item['batch']}" if item["batch"] else "") if words]
    return el(
        "li",
        el("p", product, class_="product"),
        join([el("p", reason, class_="reason") for reason in reasons(item, name)]),
        join([el("p", warning, class_="warned") for warning in warnings(item)]),
        _override(item),
        el("p", el("span", " · ".join(facts)) if facts else None, " ", _uid(item),
           _answer_for(item) if loading and name == "blocked" else None, class_="ident"),
    )  # fmt: skip


def _override(item: Mapping[str, Any]) -> Html:
    """Who answers for what is not known of a package."""
    said = item.get("override")
    if said is None:
        return Html("")
    return el("p", f"{said['by']} answers for it: {said['reason']} · ", moment(said["time"]), class_="warned")


def likely(pairs: list[Any]) -> Html:
    """Missing and extra packages that are probably one error."""
    if not pairs:
        return Html("")
    rows = [
        el(
            "li",
            el("p", pair["why"][:1].upper() + pair["why"][1:], class_="product"),
            el("p", "on the manifest ", _uid({"identifier": None, "uid": pair["missing"]}), class_="ident"),
            el("p", "passed here ", _uid({"identifier": None, "uid": pair["extra"]}), class_="ident"),
        )
        for pair in pairs
    ]
    head = el(
        "h2",
        icon("warning"),
        el("span", "Probably one error", class_="title"),
        " ",
        el("span", len(rows), class_="count"),
    )
    return el("section", head, el("ol", rows), class_="set undetermined")


def _uid(item: Mapping[str, Any]) -> Html:
    """The identifier, its end set off: people tell packages apart by the last digits."""
    name = item["identifier"] or item["uid"]
    return el("code", name[:-5], el("b", name[-5:]), class_="uid")
