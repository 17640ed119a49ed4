"""The page of a count that somebody takes: what to do next, what was found and what was not; and the calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from gateway.web.templates import render
from gateway.web.wording import number

Values = Mapping[str, Any]
Items = Mapping[str, tuple[str | None, str | None]]
"""Product and batch by UID."""

SHOWN = 200
"""Packages of a list that are shown; the number says how many there are."""

LONGEST_STAY = 120
"""Seconds for which it makes sense to stand there. Beyond it hands are quicker."""

_SETS = {
    "missing": ("missing", "Missing", "expected here, not read yet"),
    "extra": ("extra", "Extra", "read, and expected nowhere"),
    "elsewhere": ("returned", "Belongs elsewhere", "read here, expected in another place"),
    "found": ("matched", "Found", "expected and read"),
}


def count_parts(zone: Values, live: Values | None, items: Items) -> dict[str, Markup]:
    """The parts of the page of a zone. `live` is the count that is being taken, None where there is none."""
    name = zone["name"] or zone["zone"]
    if live is None:
        return {
            "state": _idle(zone, name),
            "scan": Markup(),
            "lists": Markup(),
            "controls": render("count/controls.html", zone=zone["zone"], name=name, open=False, words=""),
        }
    data = live["data"]
    return {
        "state": _head(data, name, instruction(data, live["stay_s"], name)),
        "scan": render("count/scan.html", zone=zone["zone"]),
        "lists": render("count/lists.html", groups=[_group(*entry, items) for entry in sets(data).items() if entry[1]]),
        "controls": render("count/controls.html", zone=zone["zone"], name=name, open=True, words=_outcome(data)),
    }


def sets(data: Values) -> dict[str, list[dict[str, Any]]]:
    """The tags of a count by what is so with them, each with its `uid` and a `detail`."""
    expected = data["expected"]
    hand = {read["uid"]: read for read in data["session"]["hand"]} if isinstance(data["session"]["hand"], list) else {}
    uids = data["uids"] if isinstance(data["uids"], list) else []
    if expected is None:
        return {"found": [{"uid": uid, "detail": _read_by(hand.get(uid))} for uid in uids]}
    other = {*expected["extra"]["tags"], *(tag["uid"] for tag in expected["elsewhere"]["tags"])}
    return {
        "missing": [
            {"uid": tag["uid"], "detail": tag["status"], "last": tag["last"]} for tag in expected["missing"]["tags"]
        ],
        "extra": [{"uid": uid, "detail": _read_by(hand.get(uid))} for uid in expected["extra"]["tags"]],
        "elsewhere": [
            {"uid": tag["uid"], "detail": f"expected in {tag['expected_in']}"} for tag in expected["elsewhere"]["tags"]
        ],
        "found": [{"uid": uid, "detail": _read_by(hand.get(uid))} for uid in uids if uid not in other],
    }  # fmt: skip


def uids_of(data: Values) -> Iterable[str]:
    """The packages whose names the page needs."""
    return (tag["uid"] for tags in sets(data).values() for tag in tags[:SHOWN])


def instruction(data: Values, stay_s: float | None, name: str) -> str:
    """What whoever counts is to do next, from the estimate of what was missed."""
    guess, expected = data["estimate"], data["expected"]
    missing = expected["missing"]["number"] if expected is not None else 0
    if guess is None or stay_s is None:
        return f"Nothing to judge by yet: walk along {name} with the handheld."
    if not guess["covered"]:
        return "New packages keep coming. Go on until they stop."
    about = number(max(round(guess["missed"]), 1), "package")
    if 0 < stay_s <= LONGEST_STAY:
        return f"About {about} more can still be heard. Stay {stay_s:.0f} s more, or sweep {name} by hand."
    if stay_s > LONGEST_STAY or guess["missed"] >= 1:
        return f"About {about} more cannot be heard from here. Sweep {name} by hand, box by box."
    if missing:
        return "All that can be heard were read. Look for those that are missing, and scan the label of each."
    return "Complete, as far as can be told. Finish the count."


def calendar(zones: Iterable[Values], counted: Mapping[str, str]) -> Markup:
    """The cycle counts: what is due when and what is overdue, and who is counting what now. `counted` maps zones that
    are being counted to whoever does."""
    known = list(zones)
    planned = [zone for zone in known if zone.get("count_plan")]
    names = {zone["zone"]: zone["name"] or zone["zone"] for zone in known}
    return render(
        "count/calendar.html",
        planned=planned,
        overdue=sum(1 for zone in planned if zone["count_plan"]["overdue"]),
        counted=counted,
        names=names,
        others=[zone for zone in known if not zone.get("count_plan")],
    )


def _idle(zone: Values, name: str) -> Markup:
    plan = zone.get("count_plan")
    overdue = plan["why"] if plan and plan["overdue"] else ""
    return render("count/idle.html", zone=zone["zone"], name=name, last=zone["last_count"], overdue=overdue)


def _head(data: Values, name: str, words: str) -> Markup:
    """Who counts, how far they are, and what to do next, which is what a screen reader says on a change."""
    expected, session = data["expected"], data["session"]
    figures: list[tuple[str, str, int]] = [("matched", "Counted", data["population"])]
    if expected is not None:
        figures = [
            ("matched", "Found", expected["found"]),
            ("missing", "Missing", expected["missing"]["number"]),
            ("extra", "Extra", expected["extra"]["number"]),
            ("returned", "Belongs elsewhere", expected["elsewhere"]["number"]),
        ]
    antennas = len(data["quality"]["antennas"])
    with_what = [number(antennas, "antenna")] if antennas else []
    with_what += [f"{device['reader']} ({device['tags']})" for device in session["devices"]] or ["no handheld yet"]
    return render(
        "count/head.html",
        words=words,
        figures=figures,
        session=session,
        name=name,
        with_what=", ".join(with_what),
        compared=expected is not None,
    )


def _group(kind: str, tags: Sequence[Values], items: Items) -> dict[str, Any]:
    """The tags of one kind with what is known of them."""
    look, title, meaning = _SETS[kind]
    shown = [
        {"last": None, **tag, "product": product, "batch": batch}
        for tag in tags[:SHOWN]
        for product, batch in (items.get(tag["uid"], (None, None)),)
    ]
    return {
        "icon": look,
        "title": title,
        "meaning": meaning,
        "count": len(tags),
        "tags": shown,
        "rest": len(tags) - len(shown),
        "folded": kind == "found",
    }


def _read_by(read: Values | None) -> str:
    if read is None:
        return ""
    how = "scanned with" if read["how"] == "barcode" else "read by"
    return f"{how} {read['reader']}"


def _outcome(data: Values) -> str:
    """What the count says if it is finished now."""
    if data["expected"] is None:
        return "The count says what was read."
    missing = data["expected"]["missing"]["number"]
    return f"{number(missing, 'package')} not found: the count will say so." if missing else "Nothing is missing."
