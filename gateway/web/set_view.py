"""The sets of a dock's session, package by package: what is wrong with each, and who answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.web.wording import SET_WORDS, common_unknown, quantity, reasons, warnings

SHOWN_LINES = {"blocked": 100, "extra": 100, "undetermined": 100, "missing": 100, "matched": 40, "returned": 40}
"""Lines of each set on the page unless all are asked for: more than anybody reads off a wall, and little enough to be
sent four times a second."""

_PROBLEMS = ("blocked", "extra", "undetermined")


def set_of(name: str, items: list[Any], *, loading: bool, all_lines: bool) -> dict[str, Any]:
    """The packages of one set of a session, each with what is known of it, under the name of the set. What is not known
    of many alike is said once, in `common`."""
    title, meaning = SET_WORDS[name]
    limit = len(items) if all_lines else SHOWN_LINES[name]
    common, shown = common_unknown(items) if name == "blocked" else (None, items)
    if common is not None:
        common |= {"each": _each_of(items, limit) if loading else []}
    return {
        "name": name,
        "title": title,
        "meaning": meaning,
        "count": len(items),
        "common": common,
        "rows": [_row(item, name, loading=loading) for item in shown[:limit]],
        "more": len(shown) > limit,
        "likely": [],
    }


def _each_of(items: list[Any], limit: int) -> list[dict[str, Any]]:
    """The packages of which the same is not known, one by one, for somebody who answers for one of them."""
    return [{"item": item, "answer": _unknown(item)} for item in items[:limit] if item["unknown"] and not item["rules"]]


def _unknown(item: Mapping[str, Any]) -> str:
    """What somebody may answer for: what is not known of a package, where nothing worse is and nobody has yet."""
    if item["rules"] or not item["unknown"] or item.get("override") is not None:
        return ""
    return ", ".join(dict.fromkeys(entry["missing"] for entry in item["unknown"]))


def _row(item: Mapping[str, Any], name: str, *, loading: bool) -> dict[str, Any]:
    facts = (quantity(item), f"Batch {item['batch']}" if item["batch"] else "")
    return {
        "item": item,
        "product": item["product"] or ("Unknown package" if name in _PROBLEMS else "Package"),
        "reasons": reasons(item, name),
        "warnings": warnings(item),
        "override": item.get("override"),
        "facts": " · ".join(filter(None, facts)),
        "answer": _unknown(item) if loading and name == "blocked" else "",
    }
