"""The floor as a plan: a box for each zone, a dot for each package in it, a door for each dock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, sqrt
from typing import Any

from markupsafe import Markup

from gateway.web.templates import render
from gateway.web.wording import shown

WIDTH, HEIGHT, GAP = 320, 220, 24
"""Of a box and the space between two, in units of the drawing."""

STEP, EDGE, TOP = 18, 22, 66
"""Between two dots, from the edge of a box to the first, and from its top, where its name stands."""

ACROSS = (WIDTH - 2 * EDGE) // STEP + 1
DOTS = ACROSS * ((HEIGHT - TOP - 36) // STEP + 1)
"""Dots that a box has room for."""


def plan_parts(zones: Iterable[Mapping[str, Any]], docks: Iterable[Mapping[str, Any]]) -> dict[str, Markup]:
    """The drawing, from `WebPort.plan` and `WebPort.dock_state` of each dock."""
    boxes = [_box(zone) for zone in zones]
    doors = [_door(state) for state in docks]
    columns = max(1, ceil(sqrt(len(boxes))), len(doors))
    for place, box in enumerate(boxes):
        box["x"] = GAP + place % columns * (WIDTH + GAP)
        box["y"] = GAP + place // columns * (HEIGHT + GAP)
        _place(box)
    bottom = GAP + ceil(len(boxes) / columns) * (HEIGHT + GAP)
    for place, door in enumerate(doors):
        door |= {"x": GAP + place * (WIDTH + GAP), "y": bottom}
    size = {"width": GAP + columns * (WIDTH + GAP), "height": bottom + (90 + GAP if doors else 0)}
    return {"plan": render("plan.html", boxes=boxes, doors=doors, size=size, width=WIDTH, height=HEIGHT)}


def _box(zone: Mapping[str, Any]) -> dict[str, Any]:
    hidden = max(0, len(zone["uids"]) - DOTS)
    return {
        "zone": zone["zone"],
        "name": zone["name"] or zone["zone"],
        "population": zone["population"],
        "watched": zone["watched"],
        "hidden": hidden,
        "uids": zone["uids"][:DOTS],
        "watch_listed": set(zone["watch_listed"]),
    }


def _place(box: dict[str, Any]) -> None:
    """Gives each package of a box its dot: in rows, by UID, so that one that stays moves as little as possible."""
    box["dots"] = [
        {
            "uid": uid,
            "x": box["x"] + EDGE + place % ACROSS * STEP,
            "y": box["y"] + TOP + place // ACROSS * STEP,
            "listed": uid in box["watch_listed"],
        }
        for place, uid in enumerate(box["uids"])
    ]


def _door(state: Mapping[str, Any]) -> dict[str, Any]:
    now = shown(state)
    return {"dock": state["dock"], "name": state["name"] or state["dock"], "tone": now.tone, "word": now.word}
