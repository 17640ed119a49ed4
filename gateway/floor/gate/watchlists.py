"""Watch lists: tags that must not be where they are seen, and where each of them has been.

An alarm is raised when a tag is where it may not be, by the judgement of presence and of the portals: a stray read by
a neighbour's antenna does not move a package. It is raised again at once for each new place, and for the same one
never more often than the list allows. It is cleared when the tag has been where it may be for a while, or is taken
from the list. Only tags on a list cost anything: the others are one look into a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.clock import micros, rfc3339
from gateway.config.gate import WatchConfig
from gateway.errors import Refused
from gateway.events.envelope import Fact, alarm, gate
from gateway.events.gate_alarms import WatchAlarm
from gateway.events.gate_models import WatchChanged
from gateway.floor.bounded import renew
from gateway.floor.by_name import by_name
from gateway.floor.gate.commands import WatchListChange

ALGORITHM = "watch/2"

PLACE = "watch-lists"
"""The place of events about a list itself."""

DESTROYED = "destroyed"
"""The list of what was destroyed."""

MAX_WATCHED = 20_000
"""Tags on all lists together: a recall of forty vans. Their custody stays within some megabytes."""

MAX_CUSTODY = 8
"""Stays of a watched tag that are remembered: where it is, and how it came there."""


MAX_PLACES = 16
"""Places of one alarm for which it is remembered when it was said last; beyond it one may be said again sooner."""


@dataclass(slots=True)
class _Entry:
    """A tag on one list. `raised` is 0 while there is no alarm; `count` counts the sightings since. `said` is when it
    was said last by place; `back` since when the tag has been where it may be, 0 while it is not."""

    reason: str
    as_of: int
    raised: int = 0
    count: int = 0
    zone: str = ""
    back: int = 0
    said: dict[str, int] = field(default_factory=dict)

    def redate(self, by: int) -> None:
        """What was seen of the tag was seen `by` microseconds later than was thought."""
        self.raised += by if self.raised else 0
        self.back += by if self.back else 0
        self.said = {place: t + by for place, t in self.said.items()}

    @classmethod
    def load(cls, dump: Mapping[str, Any]) -> _Entry:
        """An entry from its fields by name; checkpoints of versions before have one time for all places."""
        said = dump["said"]
        return cls(**{**dump, "said": dict(said) if isinstance(said, dict) else {dump["zone"]: said}})


@dataclass(slots=True)
class _Tag:
    lists: dict[str, _Entry] = field(default_factory=dict)
    custody: list[list[Any]] = field(default_factory=list)  # zone, first and last time of each stay, newest last


class WatchLists:
    """The lists of a configuration. `revision` grows with every change, `changes` with those of who is on which list;
    `epcs` are the tags on any of them."""

    def __init__(self, config: Iterable[WatchConfig], digest: str) -> None:
        self._config = {entry.name: entry for entry in config}
        self._digest = digest
        self._tags: dict[str, _Tag] = {}
        self.epcs: frozenset[bytes] = frozenset()
        self.changes = 0
        self.revision = 0

    def lists(self, uid: str) -> frozenset[str]:
        """The lists that a tag is on."""
        tag = self._tags.get(uid)
        return frozenset() if tag is None else frozenset(tag.lists)

    def on(self, name: str) -> frozenset[str]:
        """The tags on a list."""
        return frozenset(uid for uid, tag in self._tags.items() if name in tag.lists)

    def admit(self, wanted: WatchListChange) -> None:
        """Raises Refused where the list is not configured or there is no room."""
        if wanted.name not in self._config:
            known = ", ".join(sorted(self._config)) or "none"
            raise Refused(f"watch: no list {wanted.name!r}: the configuration has {known}; add it under `watch`")
        named = set(wanted.uids)
        new = sum(1 for uid in named if uid not in self._tags)
        only = ({wanted.name},)  # the lists of those that no other list holds
        going = 0 if wanted.mode == "add" else sum(self.lists(uid) in only for uid in self.on(wanted.name) - named)
        if wanted.mode != "remove" and len(self._tags) + new - going > MAX_WATCHED:
            raise Refused(f"watch: more than {MAX_WATCHED} tags would be watched: take off what is resolved")

    def change(self, wanted: WatchListChange, t: int) -> list[Fact]:
        """Carries out a command that was admitted; alarms of tags that it takes off are cleared."""
        named = set(wanted.uids)
        on_list = self.on(wanted.name)
        going = {"set": on_list - named, "add": set(), "remove": on_list & named}[wanted.mode]
        facts = self._changed(wanted, set() if wanted.mode == "remove" else named - on_list, going, t)
        for uid in sorted(going):
            facts += self._take_off(uid, wanted.name, t, f"taken from the list by {wanted.by}")
        if wanted.mode != "remove":
            for uid in sorted(named):
                entry = self._tags.setdefault(uid, _Tag()).lists.setdefault(wanted.name, _Entry("", t))
                entry.reason, entry.as_of = wanted.reason, t if wanted.as_of is None else wanted.as_of
        self.revision += 1
        self._gather()
        return facts

    def destroyed(self, uid: str, method: str, t: int) -> None:
        """Puts a package on the list `destroyed`, where that is configured: from now on it may be nowhere."""
        if DESTROYED in self._config:
            entry = self._tags.setdefault(uid, _Tag()).lists.setdefault(DESTROYED, _Entry("", t))
            entry.reason, entry.as_of = f"destroyed: {method}"[:200], t
            self.revision += 1
            self._gather()

    def admit_destroyed(self, uid: str) -> None:
        """Raises Refused where the list `destroyed` is not configured, has the package already, or is full."""
        if DESTROYED in self.lists(uid):
            raise Refused(f"destroy: {uid} is on the list of destroyed packages already")
        self.admit(WatchListChange.model_validate({"list": DESTROYED, "mode": "add", "uids": [uid]}))

    def last_zone(self, uid: str) -> str | None:
        """Where a watched package was seen last."""
        tag = self._tags.get(uid)
        return tag.custody[-1][0] if tag is not None and tag.custody else None

    def _changed(self, wanted: WatchListChange, coming: set[str], going: Set[str], t: int) -> list[Fact]:
        """Who put what on a list and took what from it; nothing where it is as it was."""
        if not coming and not going:
            return []
        data: WatchChanged = {
            "gate": "watch-changed",
            "list": wanted.name,
            "added": sorted(coming),
            "removed": sorted(going),
            "by": wanted.by,
            "reason": wanted.reason,
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return [gate(PLACE, t, data)]

    def _gather(self) -> None:
        self.epcs = frozenset(bytes.fromhex(uid) for uid in self._tags)
        self.changes += 1

    def _take_off(self, uid: str, name: str, t: int, why: str) -> list[Fact]:
        tag = self._tags[uid]
        facts = self._clear(uid, name, tag, t, why)
        del tag.lists[name]
        if not tag.lists:
            del self._tags[uid]
        return facts

    def sighted(self, uid: str, zone: str, t: int) -> list[Fact]:
        """A tag is in a zone, as a sighting there or a pass has shown."""
        tag = self._tags.get(uid)
        if tag is None:
            return []
        self.revision += 1
        if tag.custody and tag.custody[-1][0] == zone:
            tag.custody[-1][2] = max(tag.custody[-1][2], t)
        else:
            tag.custody = [*tag.custody[1 - MAX_CUSTODY :], [zone, t, t]]
        facts: list[Fact] = []
        for name in sorted(tag.lists):
            if self._allowed(self._config[name], zone):
                facts += self._back(uid, name, tag, zone, t)
            else:
                facts += self._alarm(uid, name, tag, zone, t)
        return facts

    @staticmethod
    def _allowed(config: WatchConfig, zone: str) -> bool:
        return zone not in config.forbidden if config.forbidden else zone in config.allowed

    def _alarm(self, uid: str, name: str, tag: _Tag, zone: str, t: int) -> list[Fact]:
        entry = tag.lists[name]
        entry.count += 1
        entry.zone, entry.back = zone, 0
        said = entry.said.get(zone)
        if entry.raised and said is not None and t - said < micros(self._config[name].repeat):
            return []
        entry.raised = entry.raised or t
        renew(entry.said, zone, t, MAX_PLACES)
        return [self._fact(uid, name, tag, t, "raised", entry.reason or f"on the watch list {name}")]

    def _back(self, uid: str, name: str, tag: _Tag, zone: str, t: int) -> list[Fact]:
        """The tag is where it may be; that has to last before the alarm is cleared."""
        entry = tag.lists[name]
        if not entry.raised:
            return []
        entry.back = entry.back or t
        if t - entry.back < micros(self._config[name].clear_after):
            return []
        return self._clear(uid, name, tag, t, f"back in {zone}, where it may be")

    def _clear(self, uid: str, name: str, tag: _Tag, t: int, why: str) -> list[Fact]:
        entry = tag.lists[name]
        if not entry.raised:
            return []
        fact = self._fact(uid, name, tag, t, "cleared", why)
        entry.raised = entry.count = entry.back = 0
        entry.said = {}
        return [fact]

    def _fact(self, uid: str, name: str, tag: _Tag, t: int, state: Literal["raised", "cleared"], reason: str) -> Fact:
        entry = tag.lists[name]
        data: WatchAlarm = {
            "alarm": "watch-list",
            "state": state,
            "list": name,
            "uid": uid,
            "zone": entry.zone,
            "since": rfc3339(entry.raised),
            "sightings": entry.count,
            "reason": reason,
            "list_as_of": rfc3339(entry.as_of),
            "custody": [
                {"zone": zone, "first": rfc3339(first), "last": rfc3339(last)} for zone, first, last in tag.custody
            ],
            "evidence": {"config": self._digest, "algorithm": ALGORITHM},
        }
        return alarm(entry.zone, t, data)

    def redate(self, by: int) -> None:
        """Tags were seen, and alarms raised, `by` microseconds later than was thought."""
        for tag in self._tags.values():
            tag.custody = [[zone, first + by, last + by] for zone, first, last in tag.custody]
            for entry in tag.lists.values():
                entry.redate(by)
        self.revision += 1

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {
            uid: [{name: by_name(entry) for name, entry in tag.lists.items()}, tag.custody]
            for uid, tag in self._tags.items()
        }

    def load(self, dump: Mapping[str, Any]) -> None:
        """Takes over what was watched on lists that are still configured."""
        for uid, (lists, custody) in dump.items():
            kept = {name: _Entry.load(entry) for name, entry in lists.items() if name in self._config}
            if kept:
                self._tags[uid] = _Tag(kept, [list(stay) for stay in custody])
        self._gather()
