"""Answers as text for a terminal: what a person reads out on the phone, every line with the event that says it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.clock import rfc3339
from gateway.history.answers import (
    Access,
    Alarm,
    Answer,
    Batch,
    Counted,
    Entry,
    Footage,
    GateDecision,
    HandRead,
    Holds,
    Item,
    Package,
    Pass,
    Source,
    Stay,
    Trail,
    Unwatched,
    Where,
    Zone,
)
from gateway.text import printable, two_digits

_WORDS = {
    "arrived": "arrived in",
    "moved": "moved to",
    "seen_again": "seen again in",
    "not_seen": "not seen any more in",
    "departed": "left from",
}


def lines(answer: Answer) -> Iterator[str]:
    """The lines of an answer. Raises TypeError for one that has no form as text."""
    match answer:
        case Where():
            yield from _where(answer)
        case Trail():
            yield from _trail(answer)
        case Zone():
            yield from _zone(answer)
        case Batch():
            yield from _batch(answer)
        case _:
            raise TypeError(f"{type(answer).__name__} has no form as text")


def clock(t: int) -> str:
    """``2026-02-14 09:00:00Z``."""
    text = rfc3339(t)
    return f"{text[:10]} {text[11:19]}Z"


def _where(answer: Where) -> Iterator[str]:
    yield from _holds(answer.holds)
    if not answer.packages:
        yield f"Nothing is known of {printable(answer.asked, 100)!r}."
        return
    if answer.by != "uid":
        yield f"Found by {answer.by}."
    if answer.unit is not None:
        yield f"The code is that of unit {answer.unit} of the package."
    for package in answer.packages:
        yield from _package(package)
    if answer.more:
        yield "… and more: ask for less."


def _package(package: Package) -> Iterator[str]:
    yield f"{package.uid}  {_here(package.here)}{_item(package.item)}"
    for alarm in package.open_alarms:
        yield f"    ALARM {_alarm(alarm)}"


def _here(stay: Stay | None) -> str:
    if stay is None:
        return "never seen in a zone"
    since = clock(stay.since)
    if stay.state == "away":
        return f"away since {since}, last in {stay.before}  {_source(stay.event)}"
    if stay.state == "unseen":
        return f"probably in {stay.zone}, but not seen since {clock(stay.evidence.last)}  {_source(stay.event)}"
    return f"in {stay.zone} since {since}, confidence {two_digits(stay.confidence)}  {_source(stay.event)}"


def _trail(answer: Trail) -> Iterator[str]:
    yield from _holds(answer.holds)
    if answer.uid is None:
        yield f"Nothing is known of {printable(answer.asked, 100)!r}."
        return
    yield f"{answer.uid}{_item(answer.item)}"
    if answer.also:
        yield f"It could also be {', '.join(answer.also)}: give more digits."
    if answer.more and answer.entries:
        yield f"… older entries: ask with --before {rfc3339(_time(answer.entries[0]))}"
    for entry in answer.entries:
        yield f"{clock(_time(entry))}  {_entry(entry)}"


def _time(entry: Entry) -> int:
    match entry:
        case Stay() | Unwatched():
            return entry.since
        case Pass():
            return entry.first
        case Alarm():
            return entry.raised
        case Footage():
            return entry.start
        case _:
            return entry.time


def _entry(entry: Entry) -> str:
    match entry:
        case Stay():
            place = entry.zone or entry.before
            portal = f" through {entry.portal}" if entry.portal else ""
            portal += " (overtaken by the next)" if entry.overtaken else ""
            proof = entry.evidence
            return (
                f"{_WORDS.get(entry.movement, entry.movement)} {place}{portal}, "
                f"confidence {two_digits(entry.confidence)}: {proof.reads} reads by {', '.join(proof.antennas)}, "
                f"{proof.strongest_rssi:g} {proof.rssi_unit} at best  {_source(entry.event)}"
            )
        case Pass():
            return (
                f"passed {entry.portal}: {entry.direction}, confidence {two_digits(entry.confidence)}, "
                f"{entry.evidence.reads} reads  {_source(entry.event)}"
            )
        case GateDecision(kind="destroyed"):
            return f"destroyed: {printable(entry.reasons, 300)}  {_source(entry.event)}"
        case GateDecision(kind="overridden"):
            where = f"at {entry.dock}, manifest {entry.manifest or 'none'}"
            return f"{where}: {printable(entry.reasons, 300)}  {_source(entry.event)}"
        case GateDecision():
            what = "verdict" if entry.kind == "verdict" else "gate"
            why = f" ({printable(entry.reasons, 300)})" if entry.reasons else ""
            return (
                f"{what} at {entry.dock}, manifest {entry.manifest or 'none'}: {entry.status or 'not loaded'}{why}  "
                f"{_source(entry.event)}"
            )
        case Counted():
            detail = f", {printable(entry.detail, 300)}" if entry.detail else ""
            return f"count of {entry.zone}: {entry.said.replace('_', ' ')}{detail}  {_source(entry.event)}"
        case HandRead():
            meant = f" while counting {', '.join(entry.zones)}" if entry.zones else ""
            how = "scanned" if entry.how == "barcode" else "read"
            return f"{how} by handheld {entry.reader}, {entry.by}{meant}  {_source(entry.event)}"
        case Alarm():
            return f"ALARM {_alarm(entry)}"
        case Unwatched():
            return _gap(entry)
        case Access():
            who = f" by {printable(entry.person, 100)}" if entry.person else ""
            return f"door {entry.door}: {entry.action}{who} (said by {entry.source})  {_source(entry.event)}"
        case Footage():
            return f"camera {entry.camera} until {clock(entry.end)}{f': {entry.url}' if entry.url else ''}"


def _zone(answer: Zone) -> Iterator[str]:
    yield from _holds(answer.holds)
    unseen = f", and {answer.unseen} probably, not seen for a while" if answer.unseen else ""
    yield f"{answer.zone} at {clock(answer.at)}: {answer.present} present{unseen}."
    if answer.watched is False:
        yield f"No antenna watches {answer.zone}: what is known of it is only what portals and people say."
    for gap in answer.unwatched:
        yield _gap(gap)
    for tag in answer.tags:
        product = f"  {printable(tag.product, 100)}" if tag.product else ""
        yield f"{tag.uid}  {_here(tag.stay)}{product}"
    if answer.more:
        yield f"… and more: ask with --after {answer.tags[-1].uid}"


def _batch(answer: Batch) -> Iterator[str]:
    yield from _holds(answer.holds)
    if not answer.packages:
        yield f"No package of batch {printable(answer.batch, 100)!r} is known."
        return
    yield "; ".join(f"{place}: {number}" for place, number in answer.zones.items())
    for package in answer.packages:
        yield from _package(package)
    if answer.more:
        yield f"… and more: ask with --after {answer.packages[-1].uid}"


def _holds(holds: Holds) -> Iterator[str]:
    if holds.epoch is None:
        yield "The history holds nothing yet."
        return
    yield f"As of event {holds.sequence} of epoch {holds.epoch}."
    for gap in holds.gaps:
        yield f"It does not hold events {gap.first} to {gap.last} of epoch {gap.epoch}: the ledger had given them up."
    if holds.unread:
        yield f"{holds.unread} events could not be understood: they may be of a newer gateway."


def _gap(gap: Unwatched) -> str:
    until = f"until {clock(gap.until)}" if gap.until is not None else "and still"
    sure = "" if gap.certain else " perhaps"
    return f"GAP{sure} {until}: {printable(gap.what, 100)}, {printable(gap.reason, 200)}  {_source(gap.event)}"


def _alarm(alarm: Alarm) -> str:
    state = alarm.state if alarm.acknowledged_by is None else f"{alarm.state}, acknowledged by {alarm.acknowledged_by}"
    return f"{alarm.kind} at {alarm.place}: {printable(alarm.reason, 300)} ({state})  {_source(alarm.event)}"


def _item(item: Item | None) -> str:
    if item is None:
        return ""
    facts = [item.product, f"batch {item.batch}" if item.batch else None, item.identifier]
    if item.quantity is not None:
        facts.append(f"{item.quantity:g} {item.unit or ''}".strip())
    said = ", ".join(printable(fact, 100) for fact in facts if fact)
    return f"  {said} (says {printable(item.source, 60)}, {clock(item.as_of)})" if said else ""


def _source(event: Source) -> str:
    return f"[event {event.sequence}]"
