"""What a session comes to, written down: sets of packages, never a bare pass.

The lines of the delivery are divided into matched, missing, blocked and undetermined. Beside them stand what was
loaded and is on no line (extra, or blocked where it belongs to another delivery), what is undetermined and on no
line, and, as a note, what came back (returned): a line that came back is missing too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.clock import rfc3339
from gateway.events.gate_models import Sets
from gateway.events.gate_parts import FactsAge, Item, LikelyError, Outcome, Tally
from gateway.floor.gate.likely import likely_errors
from gateway.floor.gate.manifest import Delivery, Line
from gateway.floor.gate.rules import Judgement
from gateway.floor.gate.session import Session, Status, Tag

ALGORITHM = "gate/1"

Product = Callable[[str], str]
"""UID to what the package is, empty where nobody says."""

LineOf = Callable[[str], Line | None]
"""UID to the line that names it, of whatever delivery."""

Judge = Callable[[str], tuple[Line | None, Judgement]]
"""UID to its line, and what the rules say."""


def complete(session: Session, delivery: Delivery | None, *, watched: bool) -> bool:
    """Every line of the delivery is loaded and passes every rule, and nothing else is loaded or may be: the portal was
    `watched` all the while, or somebody has looked instead."""
    counts = session.counts
    return (
        watched
        and delivery is not None
        and bool(delivery.lines)
        and counts[Status.MATCHED] == len(delivery.lines)
        and not session.red
        and not counts[Status.UNDETERMINED]
        and not session.beyond
        and not session.overrides
    )


def outcome(session: Session, delivery: Delivery | None, *, watched: bool) -> Outcome:
    """``complete``, ``mismatch`` where something is loaded that must not be, or ``incomplete``."""
    if complete(session, delivery, watched=watched):
        return "complete"
    return "mismatch" if session.red or session.beyond else "incomplete"


def tally(session: Session, delivery: Delivery | None) -> Tally:
    """How many packages are in each set."""
    lines = 0 if delivery is None else len(delivery.lines)
    return {
        "lines": lines,
        "matched": session.counts[Status.MATCHED],
        "missing": lines - session.placed,
        "extra": session.counts[Status.EXTRA],
        "blocked": session.counts[Status.BLOCKED],
        "returned": session.came_back,
        "undetermined": session.counts[Status.UNDETERMINED],
    }


def likely(sets: Sets) -> list[LikelyError]:
    """Missing and extra packages that are probably one error."""
    missing, extra = ([(item["uid"], item["product"]) for item in sets[name]] for name in ("missing", "extra"))
    return likely_errors(missing, extra)


def sets(session: Session, delivery: Delivery | None, line_of: LineOf, judge: Judge, product: Product) -> Sets:
    """The sets as lists of entries, by UID. What has passed is as it was judged last, the others are judged now;
    `product` names what is on no line."""
    found: dict[Status, list[Item]] = {status: [] for status in Status}
    lines = set() if delivery is None else {line.uid for line in delivery.lines}
    for uid in sorted(lines | session.tags.keys()):
        tag = session.tags.get(uid)
        status = Status.MISSING if tag is None else tag.status
        if status is None:
            continue
        if tag is not None and tag.judgement is not None:
            line, judgement = line_of(uid), tag.judgement
        else:
            line, judgement = judge(uid)
        item = entry(uid, line, tag, judgement)
        item["product"] = item["product"] or product(uid)
        if uid in session.overrides:
            item["override"] = session.overrides[uid]
        if status is not Status.RETURNED:
            found[status].append(item)
        if tag is not None and tag.returns and status in (Status.MISSING, Status.RETURNED):
            found[Status.RETURNED].append(item)
    return {
        "matched": found[Status.MATCHED],
        "missing": found[Status.MISSING],
        "extra": found[Status.EXTRA],
        "blocked": found[Status.BLOCKED],
        "returned": found[Status.RETURNED],
        "undetermined": found[Status.UNDETERMINED],
    }


def lines(full: Sets) -> dict[str, list[Any]]:
    """The sets for a page, without what decided where each package is, and what is ``likely`` one error."""
    found: Mapping[str, Any] = full
    plain = {
        name: [{key: value for key, value in item.items() if key != "proof"} for item in items]
        for name, items in found.items()
    }
    return {**plain, "likely": likely(full)}


def entry(uid: str, line: Line | None, tag: Tag | None, judgement: Judgement) -> Item:
    """One package: what it is, what the rules say of it, and how that is known."""
    item: Item = {
        "uid": uid,
        "identifier": line.identifier if line else None,
        "product": line.product if line else "",
        "quantity": line.quantity if line else None,
        "unit": line.unit if line else "",
        "batch": line.batch if line else "",
        "verdict": words(tag, judgement),
        "rules": [{"rule": rule, "reason": reason} for rule, reason in judgement.blocked],
        "unknown": [{"rule": rule, "missing": missing} for rule, missing in judgement.unknown],
        "passes": tag.passes if tag else 0,
        "loads": tag.loads if tag else 0,
        "returns": tag.returns if tag else 0,
        "proof": (tag.proof or None) if tag else None,
    }
    if judgement.warned:
        item["warnings"] = [{"rule": rule, "reason": reason} for rule, reason in judgement.warned]
    return item


def words(tag: Tag | None, judgement: Judgement) -> str:
    """The verdict on one package for people, such as ``blocked: hold (IsOnHold)``."""
    if tag is None or tag.status is None:
        return Status.MISSING.value if tag is None else "not loaded"
    if tag.status is Status.BLOCKED:
        return judgement.words()
    return tag.status.value


def facts_age(delivery: Delivery | None, as_of: int | None) -> FactsAge:
    """As of when the oldest facts behind a verdict were true, by kind."""
    lines = [] if delivery is None else delivery.lines
    records = [line.record.as_of for line in lines if line.record is not None]
    labs = [line.lab.as_of for line in lines if line.lab is not None]
    return {
        "manifest": None if as_of is None else rfc3339(as_of),
        "records": rfc3339(min(records)) if records else None,
        "lab_results": rfc3339(min(labs)) if labs else None,
    }
