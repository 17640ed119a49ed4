"""The page of a count that somebody takes: what to do next, what was found and what was not; and the calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gateway.web.history_views import tag_link
from gateway.web.html import Child, Html, cells, el, join, moment, table
from gateway.web.icons import icon
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
_PLAN = ("Zone", "Every", "Due", "Last counted", "State")


def count_parts(zone: Values, live: Values | None, items: Items) -> dict[str, Html]:
    """The parts of the page of a zone. `live` is the count that is being taken, None where there is none."""
    name = zone["name"] or zone["zone"]
    if live is None:
        return {"state": _idle(zone, name), "scan": Html(""), "lists": Html(""), "controls": _start(zone, name)}
    data = live["data"]
    return {
        "state": _head(data, name, instruction(data, live["stay_s"], name)),
        "scan": _scan(zone["zone"]),
        "lists": join(*(_set(kind, tags, items) for kind, tags in sets(data).items())),
        "controls": _finish(zone["zone"], data, name),
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


def calendar(zones: Iterable[Values], counted: Mapping[str, str]) -> Html:
    """The cycle counts: what is due when and what is overdue, and who is counting what now. `counted` maps zones that
    are being counted to whoever does."""
    known = list(zones)
    rows = [_planned(zone) for zone in known if zone.get("count_plan")]
    overdue = sum(1 for zone in known if zone.get("count_plan") and zone["count_plan"]["overdue"])
    said = [
        el("p", icon("warning"), f"{number(overdue, 'count')} overdue", class_="status bad") if overdue else None,
        *(
            el("p", el("a", f"{who} is counting {zone}", href=f"/counts/{quote(zone)}"), class_="hint")
            for zone, who in counted.items()
        ),
    ]
    others = [
        el("li", el("a", zone["name"] or zone["zone"], href=f"/counts/{quote(zone['zone'])}"))
        for zone in known
        if not zone.get("count_plan")
    ]
    return join(
        *said,
        el("h2", "Calendar") if rows else None,
        table(_PLAN, rows) if rows else None,
        el("h2", "Count another place" if rows else "Count a place") if others else None,
        el("ul", others, class_="places") if others else None,
    )


def _planned(zone: Values) -> Html:
    plan = zone["count_plan"]
    state = (
        el("span", icon("warning"), f"overdue: {plan['why']}", class_="status bad")
        if plan["overdue"]
        else el("span", icon("matched"), "on time", class_="status good")
    )
    return cells(
        _PLAN,
        [el("a", zone["name"] or zone["zone"], href=f"/counts/{quote(zone['zone'])}")],
        [plan["every"], el("small", f"at {plan['at']}")],
        [moment(plan["due"])],
        [moment(plan["last_done"]) if plan["last_done"] else "never"],
        [state],
    )


def _idle(zone: Values, name: str) -> Html:
    last, plan = zone["last_count"], zone.get("count_plan")
    said: list[Child] = [el("p", f"Nobody is counting {name}.", class_="word-line")]
    if plan and plan["overdue"]:
        said.append(el("p", icon("warning"), f"Overdue: {plan['why']}", class_="status bad"))
    if last is not None:
        said.append(el("p", f"Last count: {number(last['population'], 'package')}, ", moment(last["ended"])))
    said.append(el("p", el("a", "Earlier counts", href=f"/counts/{quote(zone['zone'])}/earlier"), class_="more"))
    return el("section", *said, class_="set count-state")


def _head(data: Values, name: str, words: str) -> Html:
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
    tiles = [
        el("li", el("span", count, class_="count many" if count > 99 else "count"), " ",
           el("span", label, class_="label"), class_=f"tile {kind}" + ("" if count else " none"))
        for kind, label, count in figures
    ]  # fmt: skip
    devices = ", ".join(f"{device['reader']} ({device['tags']})" for device in session["devices"])
    antennas = len(data["quality"]["antennas"])
    with_what = [number(antennas, "antenna")] if antennas else []
    with_what += [devices] if devices else ["no handheld yet"]
    nothing = "" if expected is not None else " Nobody has said what ought to be here: it is counted, not compared."
    return el(
        "div",
        el("p", words, class_="instruction", data_announce=words),
        el("ul", tiles, class_="tiles"),
        el("p", f"{session['by']} is counting {name} since ", moment(session["opened"]),
           f", with {', '.join(with_what)}.{nothing}", class_="ident"),
        class_="count-state",
    )  # fmt: skip


def _scan(zone: str) -> Html:
    """The field for a barcode or QR reader that types. It never changes while a count is open, so that a scan that is
    being typed stays whole."""
    return el(
        "form",
        el("label", "Scan a label", for_="code"),
        el("input", id="code", name="code", type="text", maxlength=500, autocomplete="off", autocapitalize="off",
           spellcheck="false", enterkeyhint="send", aria_describedby="scanned"),
        el("button", "Enter", type="submit", class_="small"),
        el("p", "", id="scanned", role="status"),
        action=f"/counts/{quote(zone)}/scan", method="post", class_="scan", data_scan=True,
    )  # fmt: skip


def _set(kind: str, tags: Sequence[Values], items: Items) -> Html:
    if not tags:
        return Html("")
    look, title, meaning = _SETS[kind]
    head = [
        icon(look), el("span", title, class_="title"), " ", el("span", len(tags), class_="count"), " ",
        el("span", meaning, class_="meaning"),
    ]  # fmt: skip
    rows = [_tag(tag, items) for tag in tags[:SHOWN]]
    rest = len(tags) - len(rows)
    more = el("p", f"and {rest} more", class_="more") if rest else Html("")
    body = join(el("ol", rows), more)
    if kind == "found":
        return el("details", el("summary", *head), body, class_=f"set {look}")
    return el("section", el("h2", *head), body, class_=f"set {look}")


def _tag(tag: Values, items: Items) -> Html:
    product, batch = items.get(tag["uid"], (None, None))
    last = tag.get("last")
    where = join(f" · last seen in {last['zone']}, ", moment(last["time"])) if last else Html("")
    return el(
        "li",
        el("p", product or "Package", class_="product"),
        el("p", el("span", tag["detail"], where), class_="reason-line") if tag["detail"] or last else None,
        el("p", tag_link(tag["uid"]), el("span", f"Batch {batch}") if batch else None, class_="ident"),
    )


def _read_by(read: Values | None) -> str:
    if read is None:
        return ""
    how = "scanned with" if read["how"] == "barcode" else "read by"
    return f"{how} {read['reader']}"


def _start(zone: Values, name: str) -> Html:
    body = el("p", "What the antennas and the handhelds read from now on is counted, under your name.", class_="facts")
    return join(_button("open", "Start a count"), _ask("open", zone["zone"], f"Count {name}?", body, "Start"))


def _finish(zone: str, data: Values, name: str) -> Html:
    expected = data["expected"]
    missing = expected["missing"]["number"] if expected is not None else 0
    words = f"{number(missing, 'package')} not found: the count will say so." if missing else "Nothing is missing."
    body = join(
        el("p", words if expected is not None else "The count says what was read.", class_="facts", data_fresh="facts"),
        el("label", "Note (what was seen, what was moved)", for_="ask-note"),
        el("input", id="ask-note", name="note", type="text", maxlength=200, autocomplete="off"),
    )
    return join(
        _button("close", "Finish the count"), _ask("close", zone, f"Finish the count of {name}?", body, "Finish")
    )


def _button(action: str, words: str) -> Html:
    return el("button", words, id=f"do-{action}", type="button", class_="do", data_ask=action)


def _ask(action: str, zone: str, title: str, body: Html, words: str) -> Html:
    form = el(
        "form",
        el("h2", title, id="ask-title"),
        body,
        el("p", "", class_="error", role="alert", id="ask-error"),
        el("div", el("button", "Cancel", type="button", class_="cancel", data_cancel=True),
           el("button", words, type="submit", class_="do"), class_="buttons"),
        action=f"/counts/{quote(zone)}/{action}",
        method="post",
    )  # fmt: skip
    return el("template", form, id=f"ask-{action}")
