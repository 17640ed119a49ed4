"""The pages about the whole site: all docks at a glance, zones with their counts, readers and their health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from gateway.web.dock_view import dock_name, progress_bar
from gateway.web.templates import render
from gateway.web.wording import counts_of, number, shown


def docks_parts(states: Iterable[Mapping[str, Any]]) -> dict[str, Markup]:
    """Every dock as a card that leads to its page."""
    return {"docks": render("docks.html", cards=[_card(state) for state in states])}


def _card(state: Mapping[str, Any]) -> dict[str, Any]:
    now, counts, session = shown(state), counts_of(state), state["session"]
    return {
        "dock": state["dock"],
        "name": dock_name(state),
        "now": now,
        "detail": f"Manifest {session['manifest']}" if session and session["manifest"] else now.sentence,
        "counts": counts,
        "bar": progress_bar(counts) if counts else None,
    }


def zones_parts(zones: Iterable[Mapping[str, Any]]) -> dict[str, Markup]:
    """A row for each zone: how many are there, how well it is watched, and its last count."""
    return {"zones": render("zones.html", zones=[_zone(zone) for zone in zones])}


def _zone(zone: Mapping[str, Any]) -> dict[str, Any]:
    """A zone with what its antennas do that do not watch, in words."""
    dark = ", ".join(f"{name} {words}" for name, words in zone["antennas"].items() if words != "watching")
    count = zone["last_count"]
    return {**zone, "dark": dark, "last_count": None if count is None else {"confidence": None, **count}}


def readers_parts(
    readers: Iterable[Mapping[str, Any]], set_apart: int = 0, troubles: Iterable[str] = ()
) -> dict[str, Markup]:
    """A row for each reader: up or not, what is wrong with it, its clock and its reads; and a line where the office has
    not taken `set_apart` events, and one for each of `troubles`."""
    lines = [f"{words[:1].upper()}{words[1:]}" for words in troubles]
    if set_apart:
        count = number(set_apart, "message")
        lines.insert(0, f"{count} not taken by the office system. Nothing is lost: they are kept here. Tell IT.")
    return {"readers": render("readers.html", readers=list(readers), lines=lines, kept=set_apart)}
