"""Events as rows of the history's tables: a pure function of one event, so that equal events give equal rows.

What follows from several events (until when a stay lasted, whether an alarm is open) is worked out in `store`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import orjson

from gateway.clock import parse_rfc3339
from gateway.events import former
from gateway.history.schema import EPOCH_SPAN

Event: TypeAlias = dict[str, Any]
Portion: TypeAlias = Sequence[tuple[int, bytes]]
"""Sequence numbers and payloads of events of one epoch, in order."""

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = dict[str, list[Row]]
"""Table to rows, in the order of its columns. What is in ``notice`` makes the lives in ``alarm``."""

_ON_PURPOSE = frozenset({"command", "calendar", "session"})
"""Counts that somebody wanted: every tag they name is kept. Of periodic ones only what differs is."""

_TEXT = 2_000
"""Characters of a text from outside that are kept."""


class Origins:
    """Where evidence comes from (antennas, unit of the RSSI, clock, algorithm, configuration), numbered in the order
    of first use. `new` is what was numbered since the last `kept`."""

    def __init__(self, known: Iterable[Row]) -> None:
        self._numbers: dict[Row, int] = {tuple(row[1:]): row[0] for row in known}
        self.new: list[Row] = []

    def number(self, evidence: Event) -> int:
        """The number of the origin of `evidence`. Raises KeyError where that does not say one."""
        origin = (
            " ".join(evidence["antennas"]), evidence["rssi_unit"], evidence["clock"]["quality"],
            evidence["algorithm"], evidence["config"],
        )  # fmt: skip
        number = self._numbers.get(origin)
        if number is None:
            number = self._numbers[origin] = len(self._numbers) + 1
            self.new.append((number, *origin))
        return number

    def kept(self) -> None:
        """What is new is on disk."""
        self.new = []

    def undone(self) -> None:
        """What is new is not on disk after all."""
        for row in self.new:
            del self._numbers[row[1:]]
        self.new = []


def project(epoch: int, portion: Portion, origins: Origins, rows: Rows) -> None:
    """Adds the rows of the events in `portion`, of the epoch numbered `epoch`, in order.

    An event that cannot be understood becomes a row of ``unread``, and the rest goes on.
    """
    before = 0
    for sequence, payload in portion:
        number = epoch * EPOCH_SPAN + sequence
        if before and sequence != before + 1:
            rows["gap"].append((epoch * EPOCH_SPAN + before + 1, number - 1))
        before = sequence
        try:
            event = orjson.loads(payload)
            handler = _HANDLERS.get(event["type"])
            if handler is not None:
                for table, row in list(handler(number, event, event["data"], origins)):
                    rows[table].append(row)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            rows["unread"].append((number, f"{type(error).__name__}: {error}"[:200]))


def _movement(number: int, event: Event, data: Event, origins: Origins) -> Iterator[tuple[str, Row]]:
    kind = data["movement"]
    if kind in ("passed", "revised"):
        yield from _passage(number, event, data, origins)
        return
    if kind == "group_passed":
        return  # its members' own passes say it
    evidence, uid = data["evidence"], data["uid"]
    state = _STATES[kind]
    zone = {"present": data["to"], "unseen": data["from"], "away": None}[state]
    if state != "away" and not zone:
        raise ValueError(f"{kind} names no zone")
    yield "stay", (
        uid, number, zone, state, parse_rfc3339(event["time"]), kind, data["from"], data.get("portal"),
        data["confidence"], evidence["reads"], evidence["strongest_rssi"], parse_rfc3339(evidence["first"]),
        parse_rfc3339(evidence["last"]), origins.number(evidence),
    )  # fmt: skip
    yield "tag", (uid,)


_STATES = {
    "arrived": "present",
    "moved": "present",
    "seen_again": "present",
    "not_seen": "unseen",
    "departed": "away",
}


def _passage(number: int, event: Event, data: Event, origins: Origins) -> Iterator[tuple[str, Row]]:
    evidence = data["evidence"]
    yield "pass", (
        data["uid"], number, data["portal"], former.direction(data["direction"]), data["from"], data["to"],
        data["confidence"], data["group"], evidence["reason"], evidence["reads"], evidence["strongest_rssi"],
        parse_rfc3339(data["first"]), parse_rfc3339(data["last"]), origins.number(evidence),
    )  # fmt: skip
    yield "tag", (data["uid"],)


def _gate(number: int, event: Event, data: Event, origins: Origins) -> Iterator[tuple[str, Row]]:
    time = parse_rfc3339(event["time"])
    match data["gate"]:
        case "item":
            yield _gate_item(number, data, "item", data["status"], data["previous"], data["item"], time)
            yield from _item(number, data["item"], _source(data), time)
        case "verdict":
            yield "verdict", (
                number, time, data["dock"], data["session"], data["manifest"], data["delivery"], data["outcome"],
                _json(data["counts"]), parse_rfc3339(data["opened"]), data["opened_by"], parse_rfc3339(data["closed"]),
                data["closed_by"],
            )  # fmt: skip
            for name in ("matched", "missing", "extra", "blocked", "undetermined", "returned"):
                for item in data[name]:
                    # A package that came back is on its line as missing too, and that row is the one that counts.
                    if name != "returned":
                        yield _gate_item(number, data, "verdict", name, None, item, time)
                    yield from _item(number, item, _source(data), time)
        case "overridden":
            words = f"{data['by']} answers for it: {data['reason']}"
            yield _statement(number, data, data["gate"], (data["dock"], data["session"]), words, time)
        case "destroyed":
            words = (
                f"{data['weight']:g} {data['unit']} by {data['method']}, by {data['by']} before {data['witness']}, "
                f"picture {data['photo']}"
            ) + (f": {data['reason']}" if data["reason"] else "")
            yield _statement(number, data, data["gate"], ("", ""), words, time)
            yield "tag", (data["uid"],)
        case "precheck":
            for item in data["items"]:
                yield from _item(number, item, _source(data), time)


def _gate_item(
    number: int, data: Event, kind: str, status: str | None, previous: str | None, item: Event, time: int
) -> tuple[str, Row]:  # fmt: skip
    reasons = [": ".join(filter(None, (entry["rule"], entry["reason"]))) for entry in item["rules"]]
    reasons += [f"{entry['rule']} unknown: {entry['missing']}" for entry in item["unknown"]]
    return "gate_item", (
        item["uid"], number, kind, time, data["dock"], data["session"], data["manifest"], data["delivery"], status,
        previous, item["verdict"], "; ".join(reasons)[:_TEXT],
    )  # fmt: skip


def _statement(
    number: int, data: Event, kind: str, where: tuple[str, str], words: str, time: int
) -> tuple[str, Row]:  # fmt: skip
    """What named persons said of a package; `where` is the dock and its session, if it was at one."""
    return "gate_item", (
        data["uid"], number, kind, time, *where, data.get("manifest"), data.get("delivery"), kind, None, kind,
        words[:_TEXT],
    )  # fmt: skip


def _source(data: Event) -> str:
    return f"manifest {data['manifest']}" if data["manifest"] else "gate"


def _item(number: int, item: Event, source: str, time: int) -> Iterator[tuple[str, Row]]:
    """What a package is, where the event says anything about it."""
    yield "tag", (item["uid"],)
    facts = (item["identifier"], item["product"], item["batch"], item.get("category"), item["quantity"], item["unit"])
    if any(fact not in (None, "") for fact in facts):
        known = [None if fact == "" else fact for fact in facts]
        yield "item", (item["uid"], *known, item.get("expires"), source, time, number)


def _count(number: int, event: Event, data: Event, origins: Origins) -> Iterator[tuple[str, Row]]:
    expected, session = data["expected"], data.get("session")
    sums: tuple[int | None, ...] = (None,) * 5
    if expected is not None:
        sums = (expected["number"], expected["found"], *(expected[name]["number"] for name in _DIFFERENCES))
    yield "count", (
        number, data["zone"], data["trigger"], data["request"],
        parse_rfc3339(data["started"]), parse_rfc3339(data["ended"]),
        data["population"], data["seen"], data["not_seen"], *sums, data["quality"]["duty"], data["confidence"],
        expected["source"] if expected else None, data.get("by"), session["note"] if session else None,
    )  # fmt: skip
    lines: dict[tuple[str, str], str] = {}
    if data["trigger"] in _ON_PURPOSE:
        for said, name in (("present", "uids"), ("not_seen", "not_seen_uids")):
            if isinstance(data[name], list):
                lines |= {(uid, said): "" for uid in data[name]}
        if session is not None and isinstance(session["hand"], list):
            for read in session["hand"]:
                lines[read["uid"], "present"] = f"{read['how']} by {read['reader']} while {session['by']} counted"
    if expected is not None:
        for tag in expected["missing"]["tags"]:
            last = f", last seen in {tag['last']['zone']} at {tag['last']['time']}" if tag["last"] else ""
            lines[tag["uid"], "missing"] = tag["status"] + last
        lines |= {(uid, "extra"): "" for uid in expected["extra"]["tags"]}
        lines |= {
            (tag["uid"], "elsewhere"): f"expected in {tag['expected_in']}" for tag in expected["elsewhere"]["tags"]
        }
    for (uid, said), detail in lines.items():
        yield "count_line", (uid, number, said, detail)
        yield "tag", (uid,)


def _handheld(number: int, event: Event, data: Event, origins: Origins) -> Iterator[tuple[str, Row]]:
    for tag in data["tags"]:
        yield "hand_read", (
            tag["uid"], number, parse_rfc3339(event["time"]), data["reader"], data["how"], data["by"], data["session"],
            _json(data["zones"]), tag["reads"],
        )  # fmt: skip
        yield "tag", (tag["uid"],)


def _book(number: int, event: Event, data: Event, origins: Origins) -> Iterator[tuple[str, Row]]:
    as_of, source = parse_rfc3339(data["as_of"]), f"book {data['book']}"
    for package in data["packages"]:
        yield "tag", (package["uid"],)
        yield "item", (
            package["uid"], None, package["product"], package["batch"], None, package["quantity"], package["unit"],
            package["expires"], source, as_of, number,
        )  # fmt: skip


_DIFFERENCES = ("missing", "extra", "elsewhere")


def _alarm(number: int, event: Event, data: Event, origins: Origins) -> Iterator[tuple[str, Row]]:
    if data["state"] not in ("raised", "acknowledged", "cleared"):
        raise ValueError(f"an alarm is not {data['state']!r}")
    uid = data.get("uid")
    places = data.get("places") or [data["zone"] if data.get("zone") else event["subject"]]
    since = parse_rfc3339(data["since"]) if data.get("since") else parse_rfc3339(event["time"])
    yield "notice", (
        number, parse_rfc3339(event["time"]), former.alarm(data["alarm"]), alarm_subject(data), data["state"],
        event["subject"], uid, since, str(data["reason"])[:_TEXT], _json(places), data.get("by"),
    )  # fmt: skip
    if uid is not None:
        yield "tag", (uid,)


def alarm_subject(data: Event) -> str:
    """What tells an alarm from others of its kind: the names in it that are not null, such as ``quarantine/1A4…``."""
    if data.get("subject"):
        return str(data["subject"])
    return "/".join(str(data[name]) for name in _SUBJECT if data.get(name) is not None)


_SUBJECT = ("list", "reader", "antenna", "portal", "input", "dock", "source", "name", "uid")


def _loss(number: int, event: Event, data: Event, origins: Origins) -> Iterator[tuple[str, Row]]:
    yield "loss", (
        number, data["reader"], str(data["cause"])[:_TEXT], parse_rfc3339(data["start"]), parse_rfc3339(data["end"]),
        int(data["certain"]),
    )  # fmt: skip


def _access(number: int, event: Event, data: Event, origins: Origins) -> Iterator[tuple[str, Row]]:
    yield "access", (
        number, parse_rfc3339(event["time"]), data["door"], data["person"], data["action"], data["source"]
    )  # fmt: skip


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


_HANDLERS: dict[str, Callable[[int, Event, Event, Origins], Iterator[tuple[str, Row]]]] = {
    "rfid.movement.v1": _movement,
    "rfid.gate.v1": _gate,
    "rfid.count.v1": _count,
    "rfid.handheld.v1": _handheld,
    "rfid.book.v1": _book,
    "rfid.alarm.v1": _alarm,
    "rfid.loss.v1": _loss,
    "rfid.access.v1": _access,
}
