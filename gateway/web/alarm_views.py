"""Alarms as parts of pages: the strip that stands on every page, and the page of all that are open."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from markupsafe import Markup

from gateway.web.templates import render
from gateway.web.wording import alarm_name, number, zone_names

Zones: TypeAlias = Callable[[], Iterable[Mapping[str, Any]]]
"""Gives the states of the zones, with their names."""


def strip(alarms: tuple[int, Sequence[Mapping[str, Any]], str], zones: Zones) -> Markup:
    """What needs somebody now, on every page. Empty where nothing does; the `zones` are asked for their names only
    where something does."""
    count, shown, problem = alarms
    if problem:
        words = "Alarms may be missing here: the history cannot be read. Its log says why."
        return render("strip.html", words=words, href="", noted=False)
    if not count:
        return Markup()
    raised = [alarm for alarm in shown if alarm["state"] == "raised"]
    newest = f": {alarm_name((raised or shown)[0])}, {_place((raised or shown)[0], zones)}" if shown else ""
    words = f"{number(count, 'alarm')} open{newest}"
    return render("strip.html", words=words, href="/alarms", noted=bool(shown) and not raised)


def alarms_parts(alarms: tuple[int, Sequence[Mapping[str, Any]], str], zones: Zones) -> dict[str, Markup]:
    """The open alarms, newest first, each with a button to take note of it."""
    count, shown, _ = alarms
    names = zone_names(zones()) if count else {}
    listed = [
        {**alarm, "name": alarm_name(alarm), "place": names.get(alarm["place"], alarm["place"]), "key": _key(alarm)}
        for alarm in (shown if count else ())
    ]
    return {"alarms": render("alarms.html", alarms=listed, more=max(0, count - len(shown)))}


def _place(alarm: Mapping[str, Any], zones: Zones) -> str:
    """What people call the place that an alarm is about."""
    return zone_names(zones()).get(alarm["place"], str(alarm["place"]))


def _key(alarm: Mapping[str, Any]) -> str:
    """Names the alarm in the page: what it is about may hold anything."""
    return hashlib.sha256(f"{alarm['kind']} {alarm['subject']}".encode()).hexdigest()[:12]
