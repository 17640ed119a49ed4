"""The questions that the history answers, each from one consistent view of its file.

Every answer is bounded, and says so with `more` where there is more. None takes longer for a history of ten years than
for one of a week: each looks only at rows of the tags, or of the moments, that it is about.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson

from gateway.errors import Refused
from gateway.history.answers import (
    Alarms,
    Batch,
    Counts,
    Gap,
    Holds,
    Inside,
    Line,
    Notice,
    Package,
    Source,
    Trail,
    Unwatched,
    Where,
    Zone,
)
from gateway.history.identify import LONGEST, identify
from gateway.history.lookup import By, lookups
from gateway.history.rows import Parts, item
from gateway.history.schema import EPOCH_SPAN, LENGTHS, LONG, OPEN
from gateway.text import did_you_mean

MAX_PACKAGES = 200
"""Packages in one answer of `where` and `batch`."""

MAX_TAGS = 1_000
"""Tags in one answer of `zone`, and lines of a count."""

MAX_ENTRIES = 500
"""Entries in one answer of `trail`."""

MAX_ALSO = 20
"""Packages that a question for a trail could have meant, which are named."""

MAX_LISTED = 200
"""Alarms or counts in one answer."""

BLIND = ("reader-down", "antenna-down", "antenna-silent", "photo-eye-stuck")
"""Alarms that say that something did not see."""

_STAY = "SELECT stay.*, origin.* FROM stay JOIN origin ON origin.number = stay.origin"
_PASS = "SELECT pass.*, origin.* FROM pass JOIN origin ON origin.number = pass.origin"

_ROW = TypeVar("_ROW")


class Questions:
    """Asks over `connection`, which `schema.open_reader` has opened, in one thread at a time. Raises `Refused` for a
    question that cannot be answered, and `sqlite3.Error`. `zones` are those of the configuration, where that is known,
    and whether an antenna watches each: of a zone that neither it nor the history knows nothing is said, least of all
    that it is empty."""

    def __init__(self, connection: sqlite3.Connection, zones: Mapping[str, bool] | None = None) -> None:
        self._db = connection
        self._zones = zones or {}

    # ---- questions

    def where(self, asked: str, limit: int = MAX_PACKAGES) -> Where:
        """The packages that `asked` names (UID, last digits, identifier, Retail ID, batch, product), and where."""
        with self._view() as (parts, holds):
            by, uids, unit, more = self._find(asked, limit)
            packages = [self._package(uid, parts) for uid in uids]
            return Where(holds=holds, asked=asked[:LONGEST], by=by, unit=unit, packages=packages, more=more)

    def trail(self, asked: str, before: int | None = None, limit: int = MAX_ENTRIES) -> Trail:
        """How the one package that `asked` names came where it is, up to the time `before`."""
        with self._view() as (parts, holds):
            _, uids, _, _ = self._find(asked, MAX_ALSO)
            if not uids:
                return Trail(
                    holds=holds, asked=asked[:LONGEST], uid=None, item=None, also=[], entries=[], more=False
                )  # fmt: skip
            uid, end = uids[0], 1 << 62 if before is None else before
            came = "min(since, coalesce(until, since))"
            stays = self._newest(f"{_STAY} WHERE uid = ? AND {came} < ? ORDER BY event DESC", uid, end)
            passes = self._newest(f"{_PASS} WHERE uid = ? AND first < ? ORDER BY event DESC", uid, end)
            gates = self._newest("SELECT * FROM gate_item WHERE uid = ? AND time < ? ORDER BY event DESC", uid, end)
            counts = self._newest(
                "SELECT * FROM count_line JOIN count USING (event) WHERE uid = ? AND ended < ? ORDER BY event DESC",
                uid, end,
            )  # fmt: skip
            reads = self._newest("SELECT * FROM hand_read WHERE uid = ? AND time < ? ORDER BY event DESC", uid, end)
            alarms = self._newest(
                "SELECT * FROM alarm WHERE uid = ? AND raised < ? ORDER BY raised_event DESC", uid, end
            )
            entries: list[tuple[int, int, Any]] = []
            # What was overtaken stands before what overtook it.
            entries += [
                (min(row["since"], row["until"] or row["since"]), row["event"], parts.stay(row)) for row in stays
            ]
            entries += [(row["first"], row["event"], parts.passage(row)) for row in passes]
            entries += [(row["time"], row["event"], parts.decision(row)) for row in gates]
            entries += [(row["ended"], row["event"], parts.counted(row)) for row in counts]
            entries += [(row["time"], row["event"], parts.hand_read(row)) for row in reads]
            entries += [(row["raised"], row["raised_event"], parts.alarm(row)) for row in alarms]
            entries.sort(key=lambda entry: entry[:2])
            more = len(entries) > limit
            start = entries[-limit:][0][0] if entries else 0
            # Nothing of the first moment is left for the next part, which ends before it.
            entries = [entry for entry in entries if entry[0] >= start]
            antennas = {name for row in [*stays, *passes] for name in row["antennas"].split()}
            zones = {row["zone"] for row in stays if row["zone"]}
            entries += [(gap.since, 0, gap) for gap in self._unwatched(antennas, zones, start, end, parts)]
            changes = [row["since"] for row in stays] + [row["last"] for row in passes]
            entries += [(row["time"], row["event"], parts.access(row)) for row in self._access(changes, start)]
            entries.sort(key=lambda entry: entry[:2])
            return Trail(
                holds=holds, asked=asked[:LONGEST], uid=uid, item=item(self._item(uid)), also=uids[1:],
                entries=[entry for _, _, entry in entries], more=more,
            )  # fmt: skip

    def zone(self, zone: str, at: int, after: str = "", limit: int = MAX_TAGS) -> Zone:
        """Who was in `zone` at the time `at`, by UID from behind `after`."""
        inside, values = _inside(zone, at)
        with self._view() as (parts, holds):
            self._known(zone)
            found = [tuple(row) for row in self._all(f"{inside} SELECT uid, event, state FROM inside", values)]
            sums = Counter(state for _, state in {(uid, state) for uid, _, state in found})
            wanted = sorted((uid, event) for uid, event, _ in found if uid > after)[: limit + 1]
            rows = self._all(
                "SELECT stay.*, origin.*, product, batch FROM json_each(?) AS one "
                "JOIN stay ON stay.uid = one.value ->> 0 AND stay.event = one.value ->> 1 "
                "JOIN origin ON origin.number = stay.origin LEFT JOIN item ON item.uid = stay.uid ORDER BY one.key",
                (orjson.dumps(wanted).decode(),),
            )
            tags = {
                row["uid"]: Inside(
                    uid=row["uid"], product=row["product"], batch=row["batch"], stay=parts.stay(row)
                )
                for row in rows[:limit]
            }  # fmt: skip
            antennas = {name for names in {row["antennas"] for row in rows} for name in names.split()}
            return Zone(
                holds=holds, zone=zone, at=at, watched=self._zones.get(zone),
                present=sums.get("present", 0), unseen=sums.get("unseen", 0), tags=list(tags.values()),
                unwatched=self._unwatched(antennas, {zone}, at, at + 1, parts), more=len(rows) > limit,
            )  # fmt: skip

    def _known(self, zone: str) -> None:
        """Raises `Refused` for a zone that there is not and never was."""
        once = "SELECT 1 FROM (SELECT zone FROM stay UNION ALL SELECT zone FROM count) WHERE zone = ? LIMIT 1"
        if self._zones and zone not in self._zones and not self._all(once, (zone,)):
            raise Refused(f"there is no zone `{zone}`: {did_you_mean(zone, self._zones)}")

    def batch(self, batch: str, after: str = "", limit: int = MAX_PACKAGES) -> Batch:
        """Where the packages of `batch` are, by UID from behind `after`."""
        with self._view() as (parts, holds):
            zones: dict[str, int] = {}
            for row in self._all(
                "SELECT stay.zone AS zone, stay.uid IS NULL AS never, count(*) AS number FROM item "
                "LEFT JOIN stay ON stay.uid = item.uid "
                "AND stay.event = (SELECT max(event) FROM stay AS own WHERE own.uid = item.uid) "
                "WHERE batch = ? COLLATE NOCASE GROUP BY 1, 2 ORDER BY 1, 2",
                (batch,),
            ):
                zones["never seen" if row["never"] else row["zone"] or "away"] = row["number"]
            uids = [
                row["uid"]
                for row in self._all(
                    "SELECT uid FROM item WHERE batch = ? COLLATE NOCASE AND uid > ? ORDER BY uid LIMIT ?",
                    (batch, after, limit + 1),
                )
            ]
            packages = [self._package(uid, parts) for uid in uids[:limit]]
            return Batch(holds=holds, batch=batch, zones=zones, packages=packages, more=len(uids) > limit)

    def alarms(
        self, *, open_only: bool = True, before: int | None = None, limit: int = MAX_LISTED, after: str = ""
    ) -> Alarms:
        """Open alarms, or all raised before `before`; of the last microsecond those behind `after` (kind/subject)."""
        end = 1 << 62 if before is None else before
        # Open ones are found by the index of those that are, and sorted.
        only, order = ("cleared IS NULL AND", "+raised") if open_only else ("", "raised")
        with self._view() as (parts, holds):
            number = self._one("SELECT count(*) FROM alarm WHERE cleared IS NULL")
            rows = self._all(
                f"SELECT * FROM alarm WHERE {only} raised < ? AND (raised < ? OR (kind, subject) > (?, ?)) "
                f"ORDER BY {order} DESC, kind, subject LIMIT ?",
                (end, end - 1, *after.partition("/")[::2], limit + 1),
            )
            alarms = [parts.alarm(row) for row in rows[:limit]]
            return Alarms(holds=holds, open=number, alarms=alarms, more=len(rows) > limit)

    def counts(
        self, zone: str | None = None, before: int | None = None, limit: int = MAX_LISTED, after: str = ""
    ) -> Counts:
        """Counts that ended before the time `before`, of one zone with the lines of the newest (only those behind
        `after`, which is said/UID), or of all."""
        end = 1 << 62 if before is None else before
        with self._view() as (parts, holds):
            if zone is not None:
                self._known(zone)
            of_zone, values = ("zone = ? AND", (zone,)) if zone is not None else ("", ())
            rows = self._all(
                f"SELECT * FROM count WHERE {of_zone} ended < ? ORDER BY event DESC LIMIT ?",
                (*values, end, limit + 1),
            )
            rows, more = rows[:limit], len(rows) > limit
            if more:  # nothing of the last moment is left for the next part, which ends before it
                earlier = f"SELECT * FROM count WHERE {of_zone} event < ? ORDER BY event DESC LIMIT {MAX_TAGS}"
                last = rows[-1]
                rows += self._all(f"SELECT * FROM ({earlier}) WHERE ended = ?", (*values, last["event"], last["ended"]))
            lines = []
            if zone is not None and rows:
                lines = [
                    Line(**dict(line))
                    for line in self._all(
                        "SELECT uid, said, detail, product, batch FROM count_line LEFT JOIN item USING (uid) "
                        "WHERE count_line.event = ? AND (said, uid) > (?, ?) ORDER BY said, uid LIMIT ?",
                        (rows[0]["event"], *after.partition("/")[::2], MAX_TAGS + 1),
                    )
                ]
                more, lines = more or len(lines) > MAX_TAGS, lines[:MAX_TAGS]
            return Counts(holds=holds, counts=[parts.count(row) for row in rows], lines=lines, more=more)

    def items(self, uids: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
        """Product and batch of packages, by UID, where anything is known of them."""
        rows = self._all(
            "SELECT item.uid, product, batch FROM json_each(?) JOIN item ON item.uid = value",
            (orjson.dumps(list(uids)).decode(),),
        )
        return {row["uid"]: (row["product"], row["batch"]) for row in rows}

    def notices(self, after: Source | None, limit: int = MAX_LISTED) -> list[Notice]:
        """What was said of alarms behind the event `after`, in order; without one, from the beginning. An epoch that
        the history does not know is taken to be before all that it does."""
        with self._view() as (parts, _):
            number = 0
            if after is not None:
                epochs = self._all("SELECT number FROM epoch WHERE name = ?", (after.epoch,))
                number = epochs[0][0] * EPOCH_SPAN + after.sequence if epochs else 0
            rows = self._all("SELECT * FROM notice WHERE event > ? ORDER BY event LIMIT ?", (number, limit))
            return [parts.notice(row) for row in rows]

    def losses(self, since: int, limit: int = MAX_LISTED) -> list[Unwatched]:
        """What was lost, or may be, in a time that ended after `since`, newest first."""
        with self._view() as (parts, _):
            rows = self._all("SELECT * FROM loss WHERE ended >= ? ORDER BY event DESC LIMIT ?", (since, limit))
            return [parts.loss(row) for row in rows]

    def newest(self) -> Source | None:
        """The newest event that the history holds."""
        with self._view() as (_, holds):
            return None if holds.epoch is None else Source(epoch=holds.epoch, sequence=holds.sequence)

    # ---- what they are made of

    @contextmanager
    def _view(self) -> Iterator[tuple[Parts, Holds]]:
        """One consistent view, however much is written meanwhile."""
        self._db.execute("BEGIN")
        try:
            rows = self._all("SELECT number, name, sequence FROM epoch ORDER BY number", ())
            epochs = {row["number"]: row["name"] for row in rows}
            gaps = [
                Gap(epoch=epochs[row["first"] // EPOCH_SPAN], first=row["first"] % EPOCH_SPAN,
                    last=row["last"] % EPOCH_SPAN)
                for row in self._all("SELECT first, last FROM gap ORDER BY first DESC LIMIT 20", ())
            ]  # fmt: skip
            newest = rows[-1] if rows else None
            yield (
                Parts(epochs),
                Holds(
                    epoch=newest["name"] if newest is not None else None,
                    sequence=newest["sequence"] if newest is not None else 0,
                    gaps=gaps,
                    unread=self._one("SELECT count(*) FROM unread"),
                ),
            )
        finally:
            self._db.execute("ROLLBACK")

    def _find(self, asked: str, limit: int) -> tuple[By, list[str], int | None, bool]:
        """As what `asked` names packages, their UIDs, the index of a retail unit, and whether there are more."""
        wanted = identify(asked)
        if not wanted.text:
            raise Refused("nothing was asked for: give a UID, its last digits, a batch, a product or a Retail ID")
        for by, query, values in lookups(wanted):
            uids = [row[0] for row in self._all(f"{query} LIMIT ?", (*values, limit + 1))]
            if uids:
                return by, uids[:limit], wanted.index, len(uids) > limit
        return "nothing", [], wanted.index, False

    def _package(self, uid: str, parts: Parts) -> Package:
        alarms = self._all(
            "SELECT * FROM alarm WHERE uid = ? AND cleared IS NULL ORDER BY raised_event DESC LIMIT 20", (uid,)
        )
        return Package(
            uid=uid,
            item=item(self._item(uid)),
            here=self._last(f"{_STAY} WHERE uid = ? ORDER BY event DESC", uid, parts.stay),
            last_pass=self._last(f"{_PASS} WHERE uid = ? ORDER BY event DESC", uid, parts.passage),
            last_decision=self._last(
                "SELECT * FROM gate_item WHERE uid = ? ORDER BY event DESC", uid, parts.decision
            ),
            open_alarms=[parts.alarm(row) for row in alarms],
        )  # fmt: skip

    def _item(self, uid: str) -> sqlite3.Row | None:
        rows = self._all("SELECT * FROM item WHERE uid = ?", (uid,))
        return rows[0] if rows else None

    def _unwatched(
        self, antennas: set[str], zones: set[str], start: int, end: int, parts: Parts
    ) -> list[Unwatched]:  # fmt: skip
        """Times between `start` and `end` in which one of the antennas, or one of the zones, was not watched."""
        readers = {antenna.rpartition("/")[0] for antenna in antennas}
        names = sorted(antennas | readers)
        found = [
            parts.unwatched(row)
            for row in self._all(
                f"SELECT * FROM alarm WHERE kind IN ({_marks(BLIND)}) AND since < ? "
                f"AND coalesce(cleared, {1 << 62}) >= ? AND (subject IN ({_marks(names)}) OR EXISTS "
                f"(SELECT 1 FROM json_each(places) WHERE value IN ({_marks(zones)}))) "
                f"ORDER BY raised_event DESC LIMIT ?",
                (*BLIND, end, start, *names, *sorted(zones), MAX_ENTRIES),
            )
        ]
        found += [
            parts.loss(row)
            for row in self._all(
                f"SELECT * FROM loss WHERE ended >= ? AND started < ? AND (reader IN ({_marks(readers)}) "
                f"OR cause IN ('ledger-full', 'journal-lost')) ORDER BY event DESC LIMIT ?",
                (start, end, *sorted(readers), MAX_ENTRIES),
            )
        ]
        return found

    def _access(self, changes: Iterable[int], start: int) -> list[sqlite3.Row]:
        """What was said of doors near changes of place, each once."""
        found: dict[int, sqlite3.Row] = {}
        for moment in sorted({moment for moment in changes if moment >= start})[-MAX_ENTRIES:]:
            query = "SELECT * FROM access WHERE time BETWEEN ? AND ? ORDER BY time LIMIT 20"
            for row in self._all(query, (moment - ACCESS_NEAR, moment + ACCESS_NEAR)):
                found[row["event"]] = row
        return list(found.values())

    def _newest(self, query: str, *values: object) -> list[sqlite3.Row]:
        return self._all(f"{query} LIMIT ?", (*values, MAX_ENTRIES + 1))

    def _last(self, query: str, uid: str, make: Callable[[sqlite3.Row], _ROW]) -> _ROW | None:
        rows = self._all(f"{query} LIMIT 1", (uid,))
        return make(rows[0]) if rows else None

    def _all(self, query: str, values: Iterable[object]) -> list[sqlite3.Row]:
        return self._db.execute(query, tuple(values)).fetchall()

    def _one(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])


ACCESS_NEAR = 120_000_000
"""Microseconds before and after a change of place in which a door's events belong to it: a walk to the next door."""


def _inside(zone: str, at: int) -> tuple[str, tuple[object, ...]]:
    """SQL that names the stays in `zone` at the time `at`: one range of `since` for each class of length. The index
    has all that it looks at."""
    bounds: list[tuple[int, int]] = [(number, at - bound * 1_000_000) for number, bound in enumerate(LENGTHS)]
    bounds += [(LONG, -1), (OPEN, -1)]
    ranges = " UNION ALL ".join(
        "SELECT uid, event, state FROM stay WHERE zone = ? AND length = ? AND since > ? AND since <= ? "
        "AND (until IS NULL OR until > ?)"
        for _ in bounds
    )
    values = tuple(value for number, start in bounds for value in (zone, number, start, at, at))
    return f"WITH inside AS ({ranges})", values


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values) or "NULL"
