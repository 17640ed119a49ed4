"""Alarms as parts of pages: the strip that stands on every page, and the page of all that are open."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.web.html import Html, el, join, moment
from gateway.web.icons import icon
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
    "beam-stuck": "Photo-eye stuck",
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
    if not count:
        return {"alarms": el("p", "No alarm is open.", class_="nothing")}
    more = el("p", f"and {count - len(shown)} more", class_="more") if count > len(shown) else Html("")
    return {"alarms": join(el("ul", [_alarm(alarm) for alarm in shown], class_="alarms"), more)}


def name_of(alarm: Mapping[str, Any]) -> str:
    """What an alarm is, in words."""
    return _NAMES.get(alarm["kind"], str(alarm["kind"]))


def _alarm(alarm: Mapping[str, Any]) -> Html:
    name = hashlib.sha256(f"{alarm['kind']} {alarm['subject']}".encode()).hexdigest()[:12]
    who = alarm["acknowledged_by"]
    noted: Html
    if who is None:
        noted = join(
            el("button", "Take note", id=f"do-{name}", type="button", class_="do", data_ask=name), _ask(alarm, name)
        )
    else:
        note = f": {alarm['note']}" if alarm["note"] else ""
        noted = el("p", f"{who} has taken note{note} · ", moment(alarm["acknowledged"]), class_="noted")
    tag = el("a", alarm["uid"], href=f"/tags/{alarm['uid']}", class_="uid") if alarm["uid"] else None
    repeats = f" · said {alarm['repeats'] + 1} times" if alarm["repeats"] else ""
    return el(
        "li",
        el("h2", icon("warning"), el("span", f"{name_of(alarm)} · {alarm['place']}")),
        el("p", alarm["reason"], class_="reason"),
        el("p", "since ", moment(alarm["since"]), repeats, " ", tag, class_="ident"),
        noted,
        class_="alarm" if who is None else "alarm taken",
    )


def _ask(alarm: Mapping[str, Any], name: str) -> Html:
    form = el(
        "form",
        el("h2", f"Take note: {name_of(alarm)}", id="ask-title"),
        el("p", alarm["reason"], class_="facts"),
        el("input", type="radio", name="which", checked=True, hidden=True, data_alarm=alarm["kind"],
           data_subject=alarm["subject"]),
        el("label", "What you found or will do", for_="ask-note"),
        el("input", id="ask-note", name="note", type="text", maxlength=200, autocomplete="off"),
        el("p", "", class_="error", role="alert", id="ask-error"),
        el("div", el("button", "Cancel", type="button", class_="cancel", data_cancel=True),
           el("button", "I have taken note", type="submit", class_="do"), class_="buttons"),
        action="/alarms/acknowledge",
        method="post",
    )  # fmt: skip
    return el("template", form, id=f"ask-{name}")
