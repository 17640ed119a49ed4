"""Answers of the history as pages: what was found, the trail of a tag, who is in a zone, counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from gateway.text import two_digits
from gateway.web.templates import render
from gateway.web.whole_answers import cut, oldest
from gateway.web.wording import alarm_name

Values = Mapping[str, Any]
Names = Mapping[str, str]
"""Names of zones, or of docks, by id."""

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


def found(answer: Values, names: Names) -> Markup:
    """What the search field found."""
    return render("history/found.html", **answer, names=names, answered=answer["holds"])


def nothing_asked() -> Markup:
    """The page of a search field in which nothing stands."""
    return render("history/found.html", packages=[], asked="", answered=None)


def trail(answer: Values, package: Values, names: Names, docks: Names, csrf: str = "") -> Markup:
    """Where a tag is, what it is, and how it came there, newest first. `names` are those of zones, `csrf` is for what
    the page may ask for."""
    return render(
        "history/trail.html",
        uid=answer["uid"],
        package=package,
        known=answer["item"],
        product=(answer["item"] or {}).get("product") or "",
        names=names,
        entries=[_entry(entry, names, docks) for entry in reversed(answer["entries"])],
        older=cut(answer["entries"]) if answer["more"] else "",
        csrf=csrf,
        answered=answer["holds"],
    )


def zone(answer: Values, name: str, at: str | None) -> Markup:
    """Who is, or was, in a zone."""
    alerts = [_gap(gap) for gap in answer["unwatched"]]
    unwatched = answer["watched"] is False
    if unwatched:
        alerts.insert(0, f"No antenna watches {name}: what is here is only what portals and people say.")
    nobody = "Nothing is known to be there." if unwatched else "Nobody is there."
    return render("history/zone.html", answer=answer, name=name, at=at, alerts=alerts, nobody=nobody)


def counts(answer: Values, names: Names) -> Markup:
    """Counts, newest first, and what the newest of a zone said of each tag."""
    differing = [line for line in answer["lines"] if line["said"] != "present"]
    return render("history/counts.html", answer=answer, differing=differing, said=_SAID, names=names)


def _entry(entry: Values, names: Names, docks: Names) -> dict[str, Any]:
    """An entry of a trail in words, with what can be done about it."""
    words, detail = _words(entry, names, docks)
    kept = entry["entry"] == "camera" and entry["frigate"]
    return {
        "kind": entry["entry"],
        "time": oldest(entry),
        "words": words,
        "detail": detail,
        "recording": entry.get("url"),
        "number": entry["event"]["sequence"] if entry.get("event") else None,
        "camera": entry["camera"] if kept else None,
        "start": entry.get("start"),
        "end": entry.get("end"),
    }


def _words(entry: Values, names: Names, docks: Names) -> tuple[str, str]:
    """What an entry of a trail says, and what it rests on."""
    match entry["entry"]:
        case "stay":
            portal = f" through {entry['portal']}" if entry["portal"] else ""
            place = entry["zone"] or entry["before"]
            words = f"{_MOVEMENTS.get(entry['movement'], entry['movement'])} {names.get(place, place)}{portal}"
            return words, ("overtaken by what follows · " if entry["overtaken"] else "") + _evidence(entry)
        case "pass":
            return f"{entry['portal']}: {_DIRECTIONS.get(entry['direction'], entry['direction'])}", _evidence(entry)
        case "gate":
            return _decision(entry, docks.get(entry["dock"], entry["dock"]))
        case "count":
            return f"Count of {names.get(entry['zone'], entry['zone'])}: {_SAID[entry['said']]}", entry["detail"]
        case "handheld":
            zones = ", ".join(names.get(zone, zone) for zone in entry["zones"])
            meant = f" while counting {zones}" if zones else ""
            how = "scanned with" if entry["how"] == "barcode" else "read by"
            return f"{entry['by']}: {how} {entry['reader']}{meant}", "near it, which says nothing of the place"
        case "alarm":
            return (
                f"Alarm: {alarm_name(entry)} · {names.get(entry['place'], entry['place'])}",
                f"{entry['reason']} ({entry['state']})",
            )
        case "unwatched":
            return "Not watched", _gap(entry)
        case "access":
            return f"Door {entry['door']}: {entry['action']}", f"{entry['person']} · says {entry['source']}"
    return f"Camera {entry['camera']}", ""


def _decision(entry: Values, dock: str) -> tuple[str, str]:
    """What the gate, or a person at it, said of a package, and what belongs to it."""
    if entry["kind"] == "destroyed":
        return "Destroyed", entry["reasons"]
    if entry["kind"] == "overridden":
        return f"At {dock}: somebody answers for it", entry["reasons"]
    what = "Verdict" if entry["kind"] == "verdict" else "Gate"
    words = f"{what} at {dock}: {entry['status'] or 'not loaded'}"
    return words, f"{entry['reasons']} · manifest {entry['manifest'] or 'none'}".removeprefix(" · ")


def _evidence(entry: Values) -> str:
    proof = entry["evidence"]
    return (
        f"confidence {two_digits(entry['confidence'])} · {proof['reads']} reads by {', '.join(proof['antennas'])}, "
        f"{proof['strongest_rssi']:g} {proof['rssi_unit']} at best"
    )


def _gap(gap: Values) -> str:
    sure = "" if gap["certain"] else "perhaps "
    until = f"until {gap['until'][:16].replace('T', ' ')} UTC" if gap["until"] else "and still"
    return f"{sure}{gap['what']}, {gap['reason']}: {until}. What happened meanwhile was not seen."
