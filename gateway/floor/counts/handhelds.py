"""What handhelds have read, as events: each tag once while a handheld goes on reading, gathered for a second or two.

It says that the tags were near the handheld. It moves none: a sled reads through shelves and walls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.clock import NEVER, SECOND, rfc3339
from gateway.events.count_models import HandheldReads
from gateway.events.envelope import Fact, handheld
from gateway.floor.bounded import Bounded
from gateway.floor.by_name import by_name
from gateway.floor.counts.commands import HandReads

GATHER = 2 * SECOND
"""Reads are gathered for so long: a sled sends several messages a second."""

PAUSE = 30 * SECOND
"""Silence of a handheld after which a tag that it reads again is said again: it was put down, or carried elsewhere."""

MAX_HANDHELDS = 64
MAX_TAGS = 20_000
"""Tags of one handheld that are known to have been said; beyond it they are said again."""

MOST = 1_000
"""Tags of one event: some 50 kB."""


@dataclass(slots=True)
class _Burst:
    """The reads of one handheld, for one session or none, with short pauses at most. `waiting` are tags that are not
    said yet, and how often each was read; `said` those that are."""

    by: str
    how: str
    session: str | None
    zones: list[str]
    start: int
    last: int
    flush: int = NEVER
    foreign: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)


class Handhelds:
    """The handhelds that read lately."""

    def __init__(self) -> None:
        self._bursts: Bounded[str, _Burst] = Bounded(MAX_HANDHELDS)

    def take(
        self,
        reads: HandReads,
        uids: Mapping[str, int],
        foreign: int,
        session: tuple[str, list[str]] | None,
        when: int,
        t: int,
    ) -> list[Fact]:
        """`uids` were read, each so often, at `when` by the handheld's clock, and are heard of at `t`."""
        name, zones = session if session is not None else (None, [])
        burst = self._bursts.get(reads.reader)
        facts: list[Fact] = []
        same = burst is not None and (burst.session, burst.how, burst.by) == (name, reads.how, reads.by)
        if burst is None or not same or when - burst.last > PAUSE:
            if burst is not None:
                facts += self._flush(reads.reader, burst)
            facts += self._make_room()
            burst = _Burst(reads.by, reads.how, name, zones, when, when)
        self._bursts.renew(reads.reader, burst)
        burst.last = max(burst.last, when)
        burst.foreign += foreign
        for uid, number in uids.items():
            if uid not in burst.said:
                burst.waiting[uid] = burst.waiting.get(uid, 0) + number
        if len(burst.waiting) >= MOST:
            facts += self._flush(reads.reader, burst)
        elif burst.waiting:
            burst.flush = min(burst.flush, t + GATHER)
        return facts

    def _make_room(self) -> list[Fact]:
        """Says what the handheld that was silent for the longest has read, before it is forgotten."""
        if len(self._bursts) < MAX_HANDHELDS:
            return []
        return self._flush(*next(iter(self._bursts.items())))

    @property
    def due(self) -> int:
        """When something is said next."""
        return min((burst.flush for burst in self._bursts.values()), default=NEVER)

    def fire(self, t: int) -> list[Fact]:
        """Says what was gathered up to `t`."""
        return [
            fact for reader, burst in self._bursts.items() if burst.flush <= t for fact in self._flush(reader, burst)
        ]

    def _flush(self, reader: str, burst: _Burst) -> list[Fact]:
        burst.flush = NEVER
        if not burst.waiting:
            return []
        names = sorted(burst.waiting)
        facts = []
        for first in range(0, len(names), MOST):
            facts.append(self._fact(reader, burst, {name: burst.waiting[name] for name in names[first : first + MOST]}))
            burst.foreign = 0
        if len(burst.said) + len(names) > MAX_TAGS:
            burst.said = {}
        burst.said |= burst.waiting
        burst.waiting = {}
        burst.start = burst.last
        return facts

    @staticmethod
    def _fact(reader: str, burst: _Burst, tags: Mapping[str, int]) -> Fact:
        data: HandheldReads = {
            "reader": reader,
            "by": burst.by,
            "how": "barcode" if burst.how == "barcode" else "rfid",
            "start": rfc3339(burst.start),
            "end": rfc3339(burst.last),
            "session": burst.session,
            "zones": burst.zones,
            "tags": [{"uid": uid, "reads": reads} for uid, reads in tags.items()],
            "foreign": burst.foreign,
        }
        return handheld(reader, burst.last, data)

    def applied(self, data: Mapping[str, Any], t: int) -> dict[str, int]:
        """Takes over from an event what a handheld has read up to `t`: it is said. Returns how often each of its tags
        was read beyond what was known of already."""
        burst = self._bursts.get(data["reader"])
        found = {tag["uid"]: tag["reads"] for tag in data["tags"]}
        if burst is None or (burst.session, burst.how, burst.by) != (data["session"], data["how"], data["by"]):
            burst = _Burst(data["by"], data["how"], data["session"], list(data["zones"]), t, t)
        known = {uid: burst.waiting.pop(uid, 0) for uid in found}
        if not burst.waiting:
            burst.flush, burst.foreign = NEVER, 0
        burst.start, burst.last = max(burst.start, t), max(burst.last, t)
        burst.said = found if len(burst.said) + len(found) > MAX_TAGS else burst.said | found
        self._bursts.renew(data["reader"], burst)
        return {uid: reads - known[uid] for uid, reads in found.items() if reads > known[uid]}

    def redate(self, by: int) -> None:
        """Dates all remembered reads `by` microseconds later: the clock was set."""
        for burst in self._bursts.values():
            burst.start, burst.last = burst.start + by, burst.last + by
            burst.flush += by if burst.flush != NEVER else 0

    def dump(self) -> list[list[Any]]:
        """The state for a checkpoint, ready for JSON."""
        return [[reader, by_name(burst)] for reader, burst in self._bursts.items()]

    def load(self, dump: list[Any]) -> None:
        """Takes over what `dump` gave."""
        for reader, burst in dump:
            self._bursts.renew(
                reader, _Burst(**{**burst, "waiting": dict(burst["waiting"]), "said": dict(burst["said"])})
            )
