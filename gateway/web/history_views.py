"""Answers of the history as pages: what was found, the trail of a tag, who is in a zone, counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.web.alarm_views import name_of
from gateway.web.html import Child, Html, cells, el, join, moment, table
from gateway.web.icons import icon
from gateway.web.templates import render
from gateway.web.wording import number

Values = Mapping[str, Any]

_FOUND = ("Package", "Product", "Where", "Alarms")
_INSIDE = ("Package", "Product", "Since")
_DIFFERING = ("Package", "Said", "Product", "Detail")
_COUNTS = ("Zone", "Ended", "Counted", "Found", "Missing", "Extra", "Elsewhere", "Confidence")

_MOVEMENTS = {
    "arrived": "Arrived in",
    "moved": "Moved to",
    "seen_again": "Seen again in",
    "not_seen": "Not seen any more in",
    "departed": "Left from",
}
_DIRECTIONS = {
    "in": "went in",
    "out": "went out",
    "turned_back": "turned back",
    "standing": "stood there",
    "undetermined": "direction unknown",
}
_SAID = {
    "present": "counted",
    "not_seen": "not seen",
    "missing": "missing",
    "extra": "extra",
    "elsewhere": "belongs elsewhere",
}


def found(answer: Values) -> Html:
    """What the search field found."""
    packages = answer["packages"]
    if not packages:
        return join(
            el("p", f"Nothing is known of “{answer['asked']}”.", class_="nothing"),
            el("p", "Search for a UID or its last four digits, a batch, a product, or scan a code.", class_="hint"),
            _holds(answer["holds"]),
        )
    unit = f" The code is that of unit {answer['unit']} of the package." if answer["unit"] is not None else ""
    more = " There are more: search for more of it." if answer["more"] else ""
    head = el("p", f"{number(len(packages), 'package')}, found by {answer['by']}.{unit}{more}", class_="hint")
    rows = [
        cells(_FOUND, [tag_link(package["uid"])], _item(package["item"]), _here(package["here"]),
              [_open_alarm(alarm) for alarm in package["open_alarms"]])
        for package in packages
    ]  # fmt: skip
    return join(head, table(_FOUND, rows), _holds(answer["holds"]))


def trail(answer: Values, package: Values, csrf: str = "") -> Html:
    """Where a tag is, what it is, and how it came there, newest first. `csrf` is for what the page may ask for."""
    entries = [_entry(entry, _keep(entry, answer["uid"], csrf)) for entry in reversed(answer["entries"])]
    older = Html("")
    if answer["more"]:
        before = quote(_time(answer["entries"][0]))
        older = el("p", el("a", "Older entries", href=f"/tags/{answer['uid']}?before={before}"), class_="more")
    facts = el(
        "section",
        el("p", *_here(package["here"]), class_="figure-line"),
        el("p", *_item(answer["item"])),
        el("p", el("a", "Download the trail", href=f"/tags/{answer['uid']}.csv"), class_="more"),
        render("destroy.html", uid=answer["uid"], product=(answer["item"] or {}).get("product") or ""),
        class_="set",
    )
    return join(facts, el("ol", entries, class_="trail"), older, _holds(answer["holds"]))


def zone(answer: Values, name: str, at: str | None) -> Html:
    """Who is, or was, in a zone."""
    gaps = [el("div", icon("warning"), el("p", _gap(gap)), class_="alert") for gap in answer["unwatched"]]
    unseen = f", {answer['unseen']} probably there, not seen for a while" if answer["unseen"] else ""
    path = f"/zones/{quote(answer['zone'])}"
    when = el(
        "form",
        el("label", "At", for_="at"),
        el("input", id="at", name="at", type="text", value=at or answer["at"], maxlength=40,
           placeholder="2026-02-14T09:00:00Z"),
        el("button", "Show", type="submit", class_="small"),
        action=path, method="get", class_="when",
    )  # fmt: skip
    rows = [
        cells(_INSIDE, [tag_link(tag["uid"])], _product(tag), _here(tag["stay"]))
        for tag in answer["tags"]
    ]  # fmt: skip
    query = f"?at={quote(answer['at'])}"
    more = (
        el("p", el("a", "The next", href=f"{path}{query}&after={answer['tags'][-1]['uid']}"), class_="more")
        if answer["more"] else Html("")
    )  # fmt: skip
    return join(
        join(gaps),
        el("p", f"{number(answer['present'], 'package')} in {name}{unseen}, ", moment(answer["at"]), class_="hint"),
        when,
        table(_INSIDE, rows) if rows else el("p", "Nobody is there.", class_="nothing"),
        more,
        el("p", el("a", "Download the list", href=f"{path}.csv{query}"), class_="more"),
        _holds(answer["holds"]),
    )


def counts(answer: Values) -> Html:
    """Counts, newest first, and what the newest of a zone said of each tag."""
    if not answer["counts"]:
        return join(el("p", "Nothing has been counted yet.", class_="nothing"), _holds(answer["holds"]))
    lines = answer["lines"]
    differing = [line for line in lines if line["said"] != "present"]
    sections: list[Html] = []
    if lines:
        rows = [
            cells(_DIFFERING, [tag_link(line["uid"])], [_SAID[line["said"]]], _product(line), [line["detail"]])
            for line in differing
        ]  # fmt: skip
        where = quote(answer["counts"][0]["zone"])
        sections += [
            el("h2", "Differences of the last count"),
            table(_DIFFERING, rows)
            if rows else el("p", "None: what was expected was found.", class_="hint"),
            el("p", el("a", "Download every line", href=f"/counts/{where}.csv"), class_="more"),
        ]  # fmt: skip
    rows = [_count(count) for count in answer["counts"]]
    return join(*sections, el("h2", "Counts"), table(_COUNTS, rows), _holds(answer["holds"]))


def _count(count: Values) -> Html:
    sums = [count[name] for name in ("found", "missing", "extra", "elsewhere")]
    return cells(
        _COUNTS,
        [el("a", count["zone"], href=f"/counts/{quote(count['zone'])}/earlier")],
        [
            moment(count["ended"]),
            el("small", count["by"] or count["trigger"]),
            el("small", count["note"]) if count["note"] else None,
        ],
        [count["population"]],
        *(["not compared" if value is None else value] for value in sums),
        [f"{count['confidence']:.2f}", el("small", f"watched {count['duty']:.0%}")],
    )


def _product(known: Values) -> list[Child]:
    return [known["product"] or "", el("small", f"Batch {known['batch']}") if known["batch"] else None]


def tag_link(uid: str) -> Html:
    """A UID, its end set off, that leads to its page."""
    return el("a", el("code", uid[:-5], el("b", uid[-5:]), class_="uid"), href=f"/tags/{uid}")


def _item(item: Values | None) -> list[Child]:
    if item is None:
        return [el("span", "not known", class_="muted")]
    facts = [item["product"] or "Package", el("small", f"Batch {item['batch']}") if item["batch"] else None]
    if item["quantity"] is not None:
        facts.append(el("small", f"{item['quantity']:,.6g} {item['unit'] or ''}".strip()))
    return [*facts, el("small", f"says {item['source']}, ", moment(item["as_of"]))]


def _here(stay: Values | None) -> list[Child]:
    if stay is None:
        return [el("span", "never seen in a zone", class_="muted")]
    if stay["state"] == "away":
        return [f"Left from {stay['before']} ", moment(stay["since"])]
    if stay["state"] == "unseen":
        return [f"Probably in {stay['zone']}; last seen ", moment(stay["evidence"]["last"])]
    return [f"In {stay['zone']} since ", moment(stay["since"])]


def _open_alarm(alarm: Values) -> Html:
    return el("p", el("a", f"{name_of(alarm)} · {alarm['place']}", href="/alarms"), class_="reason")


def _keep(entry: Values, uid: str, csrf: str) -> Html | None:
    """Asks Frigate to keep the range of a camera, where the camera has one."""
    if entry["entry"] != "camera" or not entry["frigate"]:
        return None
    values = {"csrf": csrf, "uid": uid, "start": entry["start"], "end": entry["end"]}
    return el(
        "form",
        [el("input", type="hidden", name=name, value=value) for name, value in values.items()],
        el("button", "Keep this recording", type="submit", class_="small"),
        action=f"/cameras/{quote(entry['camera'])}/export",
        method="post",
    )


def _entry(entry: Values, action: Html | None = None) -> Html:
    """An entry of a trail, told apart by its class, with what can be done about it."""
    kind, words, detail = entry["entry"], "", ""
    match kind:
        case "stay":
            portal = f" through {entry['portal']}" if entry["portal"] else ""
            words = f"{_MOVEMENTS.get(entry['movement'], entry['movement'])} {entry['zone'] or entry['before']}{portal}"
            detail = ("overtaken by what follows · " if entry["overtaken"] else "") + _evidence(entry)
        case "pass":
            words = f"{entry['portal']}: {_DIRECTIONS.get(entry['direction'], entry['direction'])}"
            detail = _evidence(entry)
        case "gate":
            words, detail = _decision(entry)
        case "count":
            words, detail = f"Count of {entry['zone']}: {_SAID[entry['said']]}", entry["detail"]
        case "handheld":
            meant = f" while counting {', '.join(entry['zones'])}" if entry["zones"] else ""
            how = "scanned with" if entry["how"] == "barcode" else "read by"
            words, detail = f"{entry['by']}: {how} {entry['reader']}{meant}", "near it, which says nothing of the place"
        case "alarm":
            words, detail = f"Alarm: {name_of(entry)} · {entry['place']}", f"{entry['reason']} ({entry['state']})"
        case "unwatched":
            words, detail = "Not watched", _gap(entry)
        case "access":
            words, detail = f"Door {entry['door']}: {entry['action']}", f"{entry['person']} · says {entry['source']}"
        case "camera":
            words, detail = f"Camera {entry['camera']}", ""
    number = entry["event"]["sequence"] if entry.get("event") else None
    link = el("a", "Recording", href=entry["url"], rel="noreferrer") if entry.get("url") else None
    return el(
        "li",
        moment(_time(entry)),
        el("p", words, class_="what"),
        el("p", detail, " ", link, el("span", f" event {number}", class_="muted") if number else None, class_="detail"),
        action,
        class_=f"entry {kind}",
    )


def _decision(entry: Values) -> tuple[str, str]:
    """What the gate, or a person at it, said of a package, and what belongs to it."""
    if entry["kind"] == "destroyed":
        return "Destroyed", entry["reasons"]
    if entry["kind"] == "overridden":
        return f"At {entry['dock']}: somebody answers for it", entry["reasons"]
    what = "Verdict" if entry["kind"] == "verdict" else "Gate"
    words = f"{what} at {entry['dock']}: {entry['status'] or 'not loaded'}"
    return words, f"{entry['reasons']} · manifest {entry['manifest'] or 'none'}".removeprefix(" · ")


def _time(entry: Values) -> str:
    return str(entry.get("since") if entry["entry"] in ("stay", "unwatched") else
               entry.get("first") or entry.get("raised") or entry.get("start") or entry.get("time"))  # fmt: skip


def _evidence(entry: Values) -> str:
    proof = entry["evidence"]
    return (
        f"confidence {entry['confidence']:.2f} · {proof['reads']} reads by {', '.join(proof['antennas'])}, "
        f"{proof['strongest_rssi']:g} {proof['rssi_unit']} at best"
    )


def _gap(gap: Values) -> str:
    sure = "" if gap["certain"] else "perhaps "
    until = f"until {gap['until'][:16].replace('T', ' ')} UTC" if gap["until"] else "and still"
    return f"{sure}{gap['what']}, {gap['reason']}: {until}. What happened meanwhile was not seen."


def _holds(holds: Values) -> Html:
    """Up to where the page is true, in small print, and what it cannot know."""
    words = f"As of event {holds['sequence']} of {holds['epoch']}." if holds["epoch"] else "The history is empty yet."
    gaps = "".join(f" Events {gap['first']} to {gap['last']} of {gap['epoch']} are not in it." for gap in holds["gaps"])
    return el("p", words + gaps, class_="holds")
