"""The books of a configuration, what they say, and what of it does not agree with what is seen.

A book comes whole or as a change, in one command, so that half of one is never compared. All are held against presence
every now and then in event time, with one look at each package: some milliseconds for thousands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.clock import CLOCK_AHEAD, NEVER, micros, parse_rfc3339, rfc3339
from gateway.config import Config
from gateway.config.counts import PlannedCount
from gateway.errors import Refused
from gateway.events.book_models import (
    BookData,
    BookPackage,
    BookView,
    Difference,
    DifferenceState,
    Reconciliation,
    SeenState,
)
from gateway.events.envelope import Fact, book, difference, reconciliation
from gateway.floor.books.commands import MAX_PACKAGES, Book, DealWith
from gateway.floor.books.compare import NOWHERE, Entry, Seen, differ, entry_of
from gateway.floor.books.differences import Differences, Life
from gateway.floor.counts.plan import Calendar
from gateway.floor.evidence import by_windows
from gateway.floor.gate.commands import read
from gateway.floor.places import Places
from gateway.floor.presence.presence import Presence
from gateway.floor.presence.states import State
from gateway.floor.tags import uid as uid_of
from gateway.inputs import Command

PART = 500
"""Packages of one event: some 100 kB."""

PLACE = "books"
"""The place of what is about no zone."""


class Books:
    """The books, by name, each with the time as of which it is true."""

    def __init__(self, config: Config, places: Places, presence: Presence) -> None:
        books = config.books
        self._zones = {
            source.name: {place.lower(): zone for place, zone in source.zones.items()}
            for source in (books.sources if books is not None else ())
        }
        self._own = {zone.id.lower(): zone.id for zone in config.zones}
        self._own |= {zone.name.lower(): zone.id for zone in config.zones if zone.name}
        self._ids = {zone.id for zone in config.zones}
        self._blind = frozenset(
            zone.id for number, zone in enumerate(config.zones) if not places.in_zone[number]
        )  # fmt: skip
        self._every = micros(books.every) if books is not None else 0
        self._calendar = (
            Calendar(PlannedCount(zone=PLACE, every="1d", at=books.at), books.time_zone) if books is not None else None
        )
        self._places = places
        self._presence = presence
        self._books: dict[str, dict[str, Entry]] = {}
        self._as_of: dict[str, int] = {}
        self.differences = Differences(micros(books.lag) if books is not None else 0)
        self._next = 0
        self._daily = 0
        self._agree = 0
        self._changed = {"content": True, "differences": True}

    # ---- commands

    def admit(self, command: Command) -> None:
        """Raises Refused where the command cannot be carried out."""
        if command.name == "difference":
            self._dealt(command)
        else:
            self._readable(read(Book, command), command.t)

    def _dealt(self, command: Command) -> DealWith:
        wanted = read(DealWith, command)
        life = self.differences.lives.get(wanted.uid)
        if life is None or not life.said:
            raise Refused(f"difference: {wanted.uid} has no difference")
        if wanted.state == "explained" and not (wanted.note or life.note):
            raise Refused("difference: explained by what? write a note")
        return wanted

    def _readable(self, wanted: Book, t: int) -> None:
        if wanted.book not in self._zones:
            known = ", ".join(sorted(self._zones)) or "none"
            raise Refused(f"book: no book {wanted.book!r}: the configuration has {known}; add it under `books.sources`")
        if wanted.as_of > t + CLOCK_AHEAD:
            raise Refused(f"book: {wanted.book} is as of {rfc3339(wanted.as_of)}, in the future: set the clock there")
        held = self._as_of.get(wanted.book, 0)
        if wanted.as_of < held <= t + CLOCK_AHEAD:
            raise Refused(
                f"book: {wanted.book} as of {rfc3339(wanted.as_of)} is older than the one held, {rfc3339(held)}"
            )
        if wanted.mode == "set" and wanted.removed:
            raise Refused("book: a whole book removes nothing: leave out `removed`, or write mode change")
        if wanted.mode == "change" and wanted.book not in self._books:
            raise Refused(f"book: {wanted.book} was never read as a whole: send it with mode set first")
        twice = len({package.uid for package in wanted.packages}) < len(wanted.packages)
        if twice:
            raise Refused("book: a package is there twice")
        kept = self._books.get(wanted.book, {}).keys() if wanted.mode == "change" else set()
        if len((kept | {package.uid for package in wanted.packages}) - set(wanted.removed)) > MAX_PACKAGES:
            raise Refused(f"book: more than {MAX_PACKAGES} packages")
        for package in wanted.packages:
            if package.zone is not None and package.zone not in self._ids:
                raise Refused(f"book: no zone {package.zone!r}: zones are {', '.join(sorted(self._ids))}")

    def carry_out(self, command: Command) -> list[Fact]:
        """Carries out a command; one that cannot be carried out any more changes nothing."""
        try:
            if command.name == "difference":
                return self._deal(self._dealt(command), command.t)
            wanted = read(Book, command)
            self._readable(wanted, command.t)
        except Refused:
            return []
        return self._take(wanted, command.t)

    def _take(self, wanted: Book, t: int) -> list[Fact]:
        before = self._books.get(wanted.book, {})
        coming = {package.uid: entry_of(package, self._zone(wanted.book, package)) for package in wanted.packages}
        now = coming if wanted.mode == "set" else {**before, **coming}
        for name in wanted.removed:
            now.pop(name, None)
        self._books[wanted.book], self._as_of[wanted.book] = now, wanted.as_of
        self._changed = {"content": True, "differences": True}
        self._next = t  # it is compared at the next moment
        changed = sorted(name for name, entry in now.items() if before.get(name) != entry)
        removed = sorted(before.keys() - now.keys())
        if not changed and not removed:
            return []
        parts = max(-(-max(len(changed), len(removed)) // PART), 1)
        return [
            book(wanted.book, t, self._data(wanted, now, part, parts, changed, removed)) for part in range(parts)
        ]  # fmt: skip

    def _data(
        self, wanted: Book, now: Mapping[str, Entry], part: int, parts: int, changed: list[str], removed: list[str]
    ) -> BookData:
        portion = slice(part * PART, (part + 1) * PART)
        return {
            "book": wanted.book,
            "by": wanted.by,
            "as_of": rfc3339(wanted.as_of),
            "number": len(now),
            "part": part + 1,
            "parts": parts,
            "packages": [_package(name, now[name]) for name in changed[portion]],
            "removed": removed[portion],
        }

    def _zone(self, name: str, package: Any) -> str | None:
        """The zone that a place of a book means."""
        if package.zone is not None:
            return str(package.zone)
        meant = self._zones[name]
        for place in (f"{package.location}/{package.sublocation}", package.sublocation, package.location):
            found = meant.get(place.lower()) or self._own.get(place.lower())
            if place and found is not None:
                return found if found in self._ids else None
        return None

    def _deal(self, wanted: DealWith, t: int) -> list[Fact]:
        life = self.differences.lives[wanted.uid]
        life.state = wanted.state or life.state
        life.owner = life.owner if wanted.owner is None else wanted.owner or None
        life.note = wanted.note or life.note
        self._changed["differences"] = True
        return [self._fact(wanted.uid, life, life.state, wanted.by, t)]

    # ---- time

    @property
    def due(self) -> int:
        """When books are compared next, or the figure of the day is said."""
        if not self._books:
            return NEVER
        return min(self._next, self._daily or NEVER)

    def fire(self, t: int) -> list[Fact]:
        """Compares, where it is time to."""
        facts: list[Fact] = []
        self._changed["differences"] = True
        if self._next <= t:
            self._next = (t // self._every + 1) * self._every
            facts += self.reconcile(t)
        assert self._calendar is not None
        if not self._daily:
            self._daily = self._calendar.after(t)
        elif self._daily <= t:
            self._daily = self._calendar.after(t)
            facts.append(reconciliation(PLACE, t, self.figure()))
        return facts

    def skip(self, t: int) -> None:
        """Nobody was comparing up to `t`: once is enough for all that time."""
        self._next = max(self._next, t)
        self._changed["differences"] = True

    def reconcile(self, t: int) -> list[Fact]:
        """Holds every package against every book; says what has begun to count, and what agrees again."""
        known_here = self._all_seen()
        blind, books = self._blind, self._books
        found = {}
        known = known_here.keys() | {name for entries in books.values() for name in entries}
        for name in sorted(known):
            views = {title: entries.get(name) for title, entries in books.items()}
            if what := differ(known_here.get(name, NOWHERE), views, blind):
                found[name] = what
        self._agree = len(known) - len(found)
        facts: list[Fact] = []

        def say(name: str, life: Life, state: DifferenceState, by: str) -> None:
            facts.append(self._fact(name, life, state, by, t, known_here.get(name, NOWHERE)))

        self.differences.renew(found, t, say)
        return facts

    def _all_seen(self) -> dict[str, Seen]:
        """What presence knows of every tag that has arrived."""
        tags, zone_of, zones = self._presence.tags, self._places.zone_of, self._places.zones
        known_here: dict[str, Seen] = {}
        for epc, slot in tags.slots.items():
            state = tags.state[slot]
            if state != State.SETTLING:
                word: SeenState = "not seen" if state == State.UNSEEN else "present"
                known_here[uid_of(epc)] = Seen(
                    word, zones[zone_of[tags.antenna[slot]]].id, tags.last[slot], tags.windows[slot]
                )  # fmt: skip
        return known_here

    def _seen(self, name: str) -> Seen:
        tags = self._presence.tags
        slot = tags.slots.get(bytes.fromhex(name))
        if slot is None or tags.state[slot] == State.SETTLING:
            return NOWHERE
        word: SeenState = "not seen" if tags.state[slot] == State.UNSEEN else "present"
        zone = self._places.zones[self._places.zone_of[tags.antenna[slot]]].id
        return Seen(word, zone, tags.last[slot], tags.windows[slot])

    # ---- words

    def _fact(self, name: str, life: Life, state: DifferenceState, by: str, t: int, seen: Seen | None = None) -> Fact:
        data = self._described(name, life, state, by, seen or self._seen(name))
        return difference(data["seen"]["zone"] or self._expected(name) or PLACE, t, data)

    def _expected(self, name: str) -> str | None:
        entries = (entries.get(name) for entries in self._books.values())
        return next((entry.zone for entry in entries if entry is not None and entry.zone is not None), None)

    def _described(self, name: str, life: Life, state: DifferenceState, by: str, seen: Seen) -> Difference:
        return {
            "uid": name,
            "state": state,
            "what": life.what,
            "since": rfc3339(life.since),
            "seen": {
                "state": seen.state,
                "zone": seen.zone,
                "last": rfc3339(seen.last) if seen.last else None,
                "confidence": round(by_windows(seen.windows), 3) if seen.windows else None,
            },
            "books": {title: self._view(title, entries.get(name)) for title, entries in sorted(self._books.items())},
            "owner": life.owner,
            "note": life.note,
            "by": by,
        }

    def _view(self, title: str, entry: Entry | None) -> BookView | None:
        if entry is None:
            return None
        return {
            "status": entry.status,
            "location": entry.location,
            "zone": entry.zone,
            "quantity": entry.quantity,
            "unit": entry.unit,
            "as_of": rfc3339(self._as_of[title]),
        }

    def state(self) -> dict[str, Any]:
        """Books and differences for a page, ready for JSON: the oldest first, those that are closed last."""
        order = {"open": 0, "explained": 1, "closed": 2}
        lives = sorted(self.differences.said().items(), key=lambda one: (order[one[1].state], one[1].since, one[0]))
        return {
            "books": [
                {"book": name, "number": len(self._books.get(name, ())), "as_of": self._when(name)}
                for name in sorted(self._zones)
            ],
            "figure": self.figure(),
            "differences": [
                {**self._described(name, life, life.state, "", self._seen(name)), **self._item(name)}
                for name, life in lives
            ],
        }

    def _when(self, name: str) -> str | None:
        return rfc3339(self._as_of[name]) if name in self._as_of else None

    def _item(self, name: str) -> dict[str, Any]:
        found = next((entry for entries in self._books.values() if (entry := entries.get(name))), None)
        return {"product": found.product if found else None, "batch": found.batch if found else None}

    def figure(self) -> Reconciliation:
        """How many packages agree, and how many do not, by state and kind."""
        said = self.differences.said()
        kinds: dict[str, int] = {}
        for life in said.values():
            for what in life.what if life.state != "closed" else ():
                kinds[what] = kinds.get(what, 0) + 1
        beyond = self.differences.beyond
        figure: Reconciliation = {
            "packages": self._agree + len(self.differences.lives) + beyond,
            "agree": self._agree,
            "waiting": len(self.differences.lives) - len(said),
            "open": self.differences.number("open"),
            "explained": self.differences.number("explained"),
            "closed": self.differences.number("closed"),
            "kinds": dict(sorted(kinds.items())),
            "books": {name: len(entries) for name, entries in sorted(self._books.items())},
        }
        return figure | {"beyond": beyond} if beyond else figure

    # ---- state

    def apply(self, data: Mapping[str, Any], t: int) -> None:
        """Takes over from an event how it stands with a difference."""
        self.differences.apply(data, parse_rfc3339(data["since"]), t)
        self._changed["differences"] = True

    def redate(self, by: int) -> None:
        """Dates all remembered times `by` microseconds later: the clock was set."""
        self.differences.redate(by)
        self._next += by if self._next else 0
        self._daily += by if self._daily else 0
        self._changed["differences"] = True

    def checkpoint(self, *, whole: bool = False) -> dict[str, Any]:
        """The parts that changed since the last call; or all, and the next call gives none the less."""
        parts: dict[str, Any] = {}
        if self._changed["content"] or whole:
            parts["books/content"] = {"as_of": self._as_of, "books": self._books}
        if self._changed["differences"] or whole:
            parts["books/differences"] = {
                "lives": self.differences.dump(), "next": self._next, "daily": self._daily, "agree": self._agree,
                "beyond": self.differences.beyond,
            }  # fmt: skip
        if not whole:
            self._changed = {"content": False, "differences": False}
        return parts

    def load(self, content: Mapping[str, Any]) -> None:
        """Takes over the books that are still configured; nothing where there was none."""
        if not content:
            return
        held, rest = content["content"], content["differences"]
        self._as_of = {name: t for name, t in held["as_of"].items() if name in self._zones}
        self._books = {
            name: {uid: Entry(*entry) for uid, entry in entries.items()}
            for name, entries in held["books"].items()
            if name in self._zones
        }
        self.differences.load(rest["lives"] if self._books else {})
        self._next, self._daily, self._agree = rest["next"], rest["daily"], rest["agree"]
        self.differences.beyond = rest.get("beyond", 0)


def _package(name: str, entry: Entry) -> BookPackage:
    return {
        "uid": name,
        "status": entry.status,
        "location": entry.location,
        "zone": entry.zone,
        "quantity": entry.quantity,
        "unit": entry.unit,
        "product": entry.product,
        "batch": entry.batch,
        "expires": entry.expires,
    }
