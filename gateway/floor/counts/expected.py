"""Expected sets: the tags that ought to be in each zone, as the backend or a file says, and their last sightings.

The sets are part of the floor's state and go into a part of the checkpoint of their own, which is only written when
one has changed: they are large and change a few times a day.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateway.clock import CLOCK_AHEAD, read_rfc3339, rfc3339
from gateway.errors import Refused
from gateway.events.count_models import ExpectedChanged, LastSighting, LongList
from gateway.events.envelope import Fact
from gateway.events.envelope import expected as changed_set
from gateway.inputs import Command
from gateway.text import printable

MAX_EXPECTED = 100_000
"""UIDs in all sets together: the stock of a large site, 10 MB in memory and 3 MB in a checkpoint."""

MAX_SAID = 2_000
"""UIDs that the event of a change lists, coming and going each."""

MODES = ("set", "add", "remove")

_UID = re.compile(r"([0-9A-Fa-f]{2}){2,62}", re.ASCII)


@dataclass(slots=True)
class ExpectedSet:
    """The tags that ought to be in a zone, by UID in capital hex, sorted; as of a time in microseconds UTC."""

    uids: list[str]
    as_of: int
    source: str


def read_uids(command: str, uids: Any) -> list[str]:
    """UIDs as commands give them: sorted, in capitals, each once. Raises Refused."""
    if not isinstance(uids, list):
        raise Refused(f"{command}: the UIDs are not a list")
    if len(uids) > MAX_EXPECTED:
        raise Refused(f"{command}: {len(uids)} UIDs are more than the {MAX_EXPECTED} that a gateway holds")
    try:
        good = all(map(_UID.fullmatch, uids))
    except TypeError:
        good = False
    if not good:
        wrong, uid = next(
            (n, uid) for n, uid in enumerate(uids, 1) if not isinstance(uid, str) or not _UID.fullmatch(uid)
        )
        shown = repr(uid)[:60]
        raise Refused(f"{command}: UID number {wrong}, {shown}, is not an EPC in hex such as 1A4060300048D3D006913126")
    return sorted(set(map(str.upper, uids)))


def _uids_of(args: Mapping[str, Any]) -> list[str]:
    return read_uids("expected", args["uids"])


class ExpectedSets:
    """The set of each zone that has one."""

    def __init__(self) -> None:
        self._sets: dict[str, ExpectedSet] = {}
        self._zones: dict[str, str] = {}  # UID to the zone in which it is expected
        self._gone: dict[str, list[Any]] = {}  # UID of a tag that departed to its last sighting
        self._changed = True

    def admit(self, command: Command, zones: set[str]) -> None:
        """Raises Refused where the command `expected` cannot be carried out."""
        args = command.args
        unknown = sorted(set(args) - {"zone", "uids", "mode", "as_of", "source", "request", "by"})
        if unknown:
            raise Refused(
                f"expected: unknown argument {unknown[0]!r}: it takes zone, uids, mode, as_of, source, by and request"
            )
        zone = args.get("zone")
        if not isinstance(zone, str) or zone not in zones:
            raise Refused(f"expected: no zone {zone!r}: zones are {', '.join(sorted(zones))}")
        if "uids" not in args:
            raise Refused("expected: no uids: write a list, or null for a zone of which nothing is known any more")
        mode = args.get("mode", "set")
        if mode not in MODES:
            raise Refused(f"expected: mode {mode!r}: write one of {', '.join(MODES)}")
        source = args.get("source", "")
        by = args.get("by", "backend")
        if not isinstance(by, str) or not 0 < len(by) <= 64:
            raise Refused("expected: by is not a name of at most 64 characters")
        if not isinstance(source, str) or len(source) > 200:
            raise Refused("expected: source is not a text of at most 200 characters")
        request = args.get("request", "")
        if not isinstance(request, str) or len(request) > 128:
            raise Refused("expected: request is not a text of at most 128 characters")
        self._admit_content(zone, command, mode)

    def _admit_content(self, zone: str, command: Command, mode: str) -> list[str]:
        """What the command puts into the set of the zone, or takes out of it; sorted. Raises Refused."""
        args = command.args
        as_of = _as_of(args.get("as_of"), 0)
        held = self._sets.get(zone)
        if as_of > command.t + CLOCK_AHEAD:
            raise Refused(f"expected: the set is as of {rfc3339(as_of)}, in the future: set the clock there")
        if args["uids"] is None:
            if mode != "set":
                raise Refused(f"expected: mode {mode} needs a list of uids")
            return []
        uids = command.typed(_uids_of)
        if mode == "set" and held is not None and 0 < as_of < held.as_of <= command.t + CLOCK_AHEAD:
            raise Refused(
                f"expected: the set as of {rfc3339(as_of)} is older than the one that {zone} has, "
                f"as of {rfc3339(held.as_of)} from {held.source or 'the backend'}"
            )
        others = sum(len(other.uids) for name, other in self._sets.items() if name != zone)
        if mode == "add" and held is not None:
            others += len(held.uids)
            uids = [uid for uid in uids if not _is_in(held.uids, uid)]
        if mode != "remove" and others + len(uids) > MAX_EXPECTED:
            raise Refused(f"expected: all zones together would expect more than {MAX_EXPECTED} tags: send smaller sets")
        return uids

    @staticmethod
    def _merged(held: ExpectedSet | None, uids: list[str], mode: str) -> list[str]:
        """The set of a zone with what is added, or without what is removed; sorted."""
        if mode == "set" or held is None:
            return [] if mode == "remove" else uids
        if mode == "add":
            return sorted(held.uids + uids)  # two runs in order: one merge
        gone = set(uids)
        return [uid for uid in held.uids if uid not in gone]

    def change(self, command: Command) -> list[Fact]:
        """Carries out a command that was admitted, and says so. Where another overtook it so that it is not admitted
        any more, it changes nothing."""
        args, t = command.args, command.t
        zone, mode = args["zone"], args.get("mode", "set")
        try:
            uids = self._admit_content(zone, command, mode)
        except Refused:
            return []
        self._changed = True
        held = self._sets.pop(zone, None)
        uids = self._merged(held, uids, mode)
        if args["uids"] is not None:
            as_of = _as_of(args.get("as_of"), t)
            if mode != "set" and held is not None:
                as_of = max(as_of, held.as_of)
            self._sets[zone] = ExpectedSet(uids, as_of, _line(args, "source"))
        self._index()
        return [self._said(zone, held, args, t)]

    def _said(self, zone: str, before: ExpectedSet | None, args: Mapping[str, Any], t: int) -> Fact:
        """Who has changed the set of a zone, and how."""
        now = self._sets.get(zone)
        was, is_now = set(before.uids if before else ()), set(now.uids if now else ())
        data: ExpectedChanged = {
            "zone": zone,
            "mode": args.get("mode", "set"),
            "by": _line(args, "by") or "backend",
            "source": _line(args, "source"),
            "as_of": rfc3339(now.as_of) if now is not None else None,
            "request": args.get("request"),
            "number": len(now.uids) if now is not None else None,
            "sha256": _digest(now.uids) if now is not None else None,
            "added": _listed(sorted(is_now - was)),
            "removed": _listed(sorted(was - is_now)),
        }
        return changed_set(zone, t, data)

    def _index(self) -> None:
        self._zones = {uid: zone for zone in sorted(self._sets, reverse=True) for uid in self._sets[zone].uids}
        self._gone = {uid: last for uid, last in self._gone.items() if uid in self._zones}

    def get(self, zone: str) -> ExpectedSet | None:
        """The set of a zone."""
        return self._sets.get(zone)

    def zone_of(self, uid: str) -> str | None:
        """The zone in which a tag is expected; the first by name of several."""
        return self._zones.get(uid)

    def departed(self, facts: Iterable[Fact]) -> None:
        """Remembers the last sighting of expected tags that depart, which are not known to the floor any more."""
        if not self._zones:
            return
        for fact in facts:
            data = fact.data
            if data.get("movement") == "departed" and data["uid"] in self._zones:
                evidence = data["evidence"]
                unit = evidence["rssi_unit"]
                self._gone[data["uid"]] = [data["from"], evidence["last"], evidence["strongest_rssi"], unit]
                self._changed = True

    def last_seen(self, uid: str) -> LastSighting | None:
        """The last sighting of a tag that departed."""
        if uid not in self._gone:
            return None
        zone, time, rssi, unit = self._gone[uid]
        return {"zone": zone, "time": time, "rssi": rssi, "rssi_unit": unit}

    def state(self, zone: str) -> dict[str, Any] | None:
        """Which set a zone has, ready for JSON."""
        held = self._sets.get(zone)
        if held is None:
            return None
        return {"number": len(held.uids), "as_of": rfc3339(held.as_of), "source": held.source}

    def changed(self) -> bool:
        """Whether anything changed since it was asked for last."""
        changed, self._changed = self._changed, False
        return changed

    @property
    def empty(self) -> bool:
        """Whether nothing is expected anywhere."""
        return not self._sets

    def dump(self) -> dict[str, Any]:
        """The state for a checkpoint, ready for JSON."""
        return {"sets": {zone: asdict(held) for zone, held in self._sets.items()}, "gone": self._gone}

    def load(self, dump: Mapping[str, Any], zones: set[str]) -> None:
        """Takes over the sets of zones that are still there."""
        self._sets = {zone: ExpectedSet(**held) for zone, held in dump["sets"].items() if zone in zones}
        self._gone = dict(dump["gone"])
        self._index()


def _is_in(uids: list[str], uid: str) -> bool:
    """Whether a UID is among those that are sorted."""
    at = bisect_left(uids, uid)
    return at < len(uids) and uids[at] == uid


def _line(args: Mapping[str, Any], name: str) -> str:
    """A text of the command, fit to be shown."""
    return printable(args.get(name) or "", 200)


def _digest(uids: list[str]) -> str:
    return hashlib.sha256("\n".join(uids).encode()).hexdigest()


def _listed(uids: list[str]) -> LongList | list[str]:
    return uids if len(uids) <= MAX_SAID else {"number": len(uids), "sha256": _digest(uids)}


def _as_of(text: Any, t: int) -> int:
    """RFC 3339 in microseconds UTC; `t` where there is none. Raises Refused."""
    if text is None:
        return t
    try:
        return read_rfc3339(text)
    except ValueError:
        raise Refused(f"expected: as_of {text!r:.60} is not a time such as 2026-02-14T09:00:00Z") from None
