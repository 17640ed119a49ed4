"""The words of the page: what a lamp means, why a package may not leave, how many of what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.floor.gate.rules import RULES

SETS = ("blocked", "extra", "undetermined", "missing", "matched", "returned")
"""The sets of a session, those that keep a van here first."""

SET_WORDS = {
    "blocked": ("Blocked", "must not leave"),
    "extra": ("Extra", "on no manifest"),
    "undetermined": ("Direction unknown", "passed, in or out: scan by hand"),
    "missing": ("Missing", "not seen yet"),
    "matched": ("Matched", "on the manifest and loaded"),
    "returned": ("Returned", "came back out"),
}

_FIELDS = re.compile(r"(?:Is[A-Z][A-Za-z]+(?:, )?)+")
"""A reason that is but names of fields in the state's records, such as ``IsOnHold``: the rule's own words say it."""

_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""Times within a reason, as the gate writes them."""


@dataclass(slots=True, frozen=True)
class Shown:
    """What a dock shows: `tone` picks colour and symbol, `word` is read from afar, `sentence` says what to do."""

    tone: str
    word: str
    sentence: str


def shown(state: Mapping[str, Any]) -> Shown:
    """What a dock shows, from its state."""
    session = state["session"]
    return _closed(state) if session is None else _open(state["lamp"], state["word"], session)


def counts_of(state: Mapping[str, Any]) -> dict[str, int]:
    """How many packages are in each set: of the session, or of the verdict that the dock still shows; else none."""
    source = state["session"]
    if source is None and state["lamp"] != "off":
        source = state["last_verdict"]
    return dict(source["counts"]) if source else {}


def _closed(state: Mapping[str, Any]) -> Shown:
    if state["lamp"] == "green":
        done = _done(state["last_verdict"])
        return Shown("green", "Complete", f"Every package of the delivery is {done}, and nothing else.")
    if state["lamp"] == "red":
        return Shown("red", "Not complete", _what_was_wrong(state))
    waiting = len(state["pending"])
    if not waiting:
        return Shown("idle", "No session", "No delivery is waiting for this dock.")
    return Shown("idle", "No session", f"{number(waiting, 'delivery', 'deliveries')} waiting. Open a session to load.")


def _open(lamp: str, word: str, session: Mapping[str, Any]) -> Shown:
    counts = session["counts"]
    if lamp == "red":
        bad = counts["extra"] + counts["blocked"]
        what = number(bad, "package") if bad else "Too many packages"
        return Shown(
            "red", "Stop", f"{what} must {'not leave' if session['direction'] == 'out' else 'not be taken in'}."
        )
    return Shown("amber", word.capitalize(), _progress(session))


def _progress(session: Mapping[str, Any]) -> str:
    counts = session["counts"]
    done = _done(session)
    if session["ending"]:
        return "Waiting for the last passes. The verdict comes in a moment."
    if session["manifest"] is None:
        return "No manifest yet: nothing can be complete."
    if session["ready"]:
        return f"Everything is {done}. Close the session for the verdict."
    if counts["undetermined"]:
        return f"{number(counts['undetermined'], 'package')} passed, and nobody can say which way: scan by hand."
    if not counts["missing"] and (people := _answering(session)):
        return f"Everything is {done}, and {people}. Close the session: it will not be complete."
    if not counts["missing"] and unwatched(session):
        return f"Everything is {done}, but the portal was not watched all the while. Look, and confirm."
    return f"{counts['missing']} still to be {done}."


def unwatched(source: Mapping[str, Any]) -> str:
    """Which antennas were not watching, and for how long, where that keeps a session from being complete; else
    nothing."""
    lengths = source.get("unwatched_s") or {}
    return ", ".join(f"antenna {antenna} for {seconds:.0f} s" for antenna, seconds in lengths.items())


def _answering(source: Mapping[str, Any]) -> str:
    """Who answers for what was not known; nothing where nobody does."""
    people = list(source.get("answered_by") or ())
    if not people:
        return ""
    names = " and ".join(filter(None, (", ".join(people[:-1]), people[-1])))
    return f"{names} {'answers' if len(people) == 1 else 'answer'} for what was not known"


def _done(source: Mapping[str, Any]) -> str:
    return "loaded" if source["direction"] == "out" else "received"


def _what_was_wrong(state: Mapping[str, Any]) -> str:
    counts = counts_of(state)
    if wrong := missing_words(counts):
        return f"{wrong}. Fix the load or correct the manifest."
    if not counts["lines"]:
        return "There is nothing on the manifest, or there is none."
    if people := _answering(state["last_verdict"]):
        return f"Everything is {_done(state['last_verdict'])}, and {people}. That is never complete."
    return "The portal was not watched all the while. Open the session again, look, and confirm."


def missing_words(counts: Mapping[str, int]) -> str:
    """The sets that make a verdict not complete, such as ``1 blocked, 2 missing``."""
    return sets_words(counts, SETS[:4])


def sets_words(counts: Mapping[str, int], names: Iterable[str]) -> str:
    """How many packages are in each of the sets that are not empty."""
    words = {"undetermined": "with direction unknown"}
    return ", ".join(f"{counts[name]} {words.get(name, name)}" for name in names if counts.get(name))


def number(count: int, one: str, many: str = "") -> str:
    """``1 package``, ``2 packages``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def reasons(item: Mapping[str, Any], name: str) -> list[str]:
    """Why a package is in the set `name`, one line for each rule that does not pass."""
    if name == "extra":
        return [RULES["manifest"].broken]
    if name != "blocked":
        return []
    broken = [_reason(entry["rule"], entry["reason"]) for entry in item["rules"]]
    return broken + [f"Unknown: {entry['missing']}" for entry in item["unknown"]]


def warnings(item: Mapping[str, Any]) -> list[str]:
    """What somebody should know of a package that may leave all the same."""
    return [_reason(entry["rule"], entry["reason"]) for entry in item.get("warnings", ())]


FEWEST_IN_COMMON = 3
"""Lines that lack the same facts from which on it is said once for all of them."""


def common_unknown(items: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any] | None, list[Mapping[str, Any]]]:
    """What is not known of many packages alike, said once, and the packages without those reasons.

    A manifest from a sheet without facts would otherwise say seven times the same of every package.
    """
    lacking = Counter(tuple(entry["missing"] for entry in item["unknown"]) for item in items if item["unknown"])
    missing, count = lacking.most_common(1)[0] if lacking else ((), 0)
    if count < FEWEST_IN_COMMON:
        return None, list(items)
    facts = dict.fromkeys(fact.removeprefix("whether it is ") for fact in missing)
    words = f"Not known: {', '.join(facts)}."
    rest = [
        {**item, "unknown": []} if tuple(entry["missing"] for entry in item["unknown"]) == missing else item
        for item in items
    ]
    common = {"words": words, "count": count, "all": count == len(items)}
    return common, [item for item, was in zip(rest, items, strict=True) if item is was or item["rules"]]


def _reason(rule: str, reason: str) -> str:
    words = RULES[rule].broken if rule in RULES else rule.replace("_", " ").capitalize()
    reason = "" if _FIELDS.fullmatch(reason) else _TIMES.sub(lambda time: clock(time[0]), reason)
    return f"{words}: {reason}" if reason else words


def quantity(item: Mapping[str, Any]) -> str:
    """``48 Each``, or nothing where it is not known."""
    if item["quantity"] is None:
        return ""
    return f"{item['quantity']:,.6g} {item['unit'] or ''}".strip()


def clock(time: str) -> str:
    """The time of day and the date of an RFC 3339 time of ours."""
    return f"{time[11:16]} UTC, {time[:10]}"


_ALARMS = {
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


def zone_names(zones: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What people call the zones, by id: from their states."""
    return {zone["zone"]: zone["name"] or zone["zone"] for zone in zones}


def alarm_name(alarm: Mapping[str, Any]) -> str:
    """What an alarm is, in words."""
    return _ALARMS.get(alarm["kind"], str(alarm["kind"]))
