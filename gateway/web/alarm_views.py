"""Alarms as parts of pages: the strip that stands on every page, and the page of all that are open."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.web.html import Html, el
from gateway.web.icons import icon
from gateway.web.templates import render
from gateway.web.wording import number

_NAMES = {
    "watch-list": "On a watch list",
    "no-session": "Left without a session",
    "unread-crossing": "Something went through without a tag",
    "closed-hours": "Moved while closed",
    "manifest-refused": "Manifest not taken",
    "reader-down": "Reader down",
    "antenna-down": "Antenna not working",
    "antenna-silent": "Antenna reads nothing",
    "photo-eye-stuck": "Photo-eye stuck",
}
"""What an alarm is, in the words of a loader. Others are called what the event calls them."""


def strip(alarms: tuple[int, Sequence[Mapping[str, Any]], str]) -> Html:
    """What needs somebody now, on every page. Empty where nothing does."""
    count, shown, problem = alarms
    if problem:
        words = "Alarms may be missing here: the history cannot be read. Its log says why."
        return el("div", icon("warning"), el("p", words), class_="strip", role="status")
    if not count:
        return Html("")
    raised = [alarm for alarm in shown if alarm["state"] == "raised"]
    newest = f": {name_of((raised or shown)[0])}, {(raised or shown)[0]['place']}" if shown else ""
    words = f"{number(count, 'alarm')} open{newest}"
    return el(
        "div",
        icon("warning"),
        el("p", el("a", words, href="/alarms")),
        class_="strip" if raised or not shown else "strip noted",
        role="status",
    )


def alarms_parts(alarms: tuple[int, Sequence[Mapping[str, Any]], str]) -> dict[str, Html]:
    """The open alarms, newest first, each with a button to take note of it."""
    count, shown, _ = alarms
    listed = [{**alarm, "name": name_of(alarm), "key": _key(alarm)} for alarm in shown] if count else []
    return {"alarms": render("alarms.html", alarms=listed, more=max(0, count - len(shown)))}


def name_of(alarm: Mapping[str, Any]) -> str:
    """What an alarm is, in words."""
    return _NAMES.get(alarm["kind"], str(alarm["kind"]))


def _key(alarm: Mapping[str, Any]) -> str:
    """Names the alarm in the page: what it is about may hold anything."""
    return hashlib.sha256(f"{alarm['kind']} {alarm['subject']}".encode()).hexdigest()[:12]
