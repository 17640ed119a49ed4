"""One portal: opens a track for each tag that is read there, closes it, and says what became of it.

::

    first read ──▶ open ──silence, or the far photo-eye cleared──▶ judged ──those beside it are closed──▶ said
                     └──longest time a pass may take──▶ judged, and goes on as standing

Everything happens in event time. A pass that is decided waits until every other tag that was in the portal at the
same time is closed, but no longer than HOLD silences: what passes together is said together, as a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from heapq import heapify, heappop, heappush
from typing import Any

from gateway.clock import SECOND, micros
from gateway.config import PortalConfig
from gateway.events import Fact
from gateway.floor.passes import Direction
from gateway.floor.places import Places
from gateway.floor.portals.beams import Beams
from gateway.floor.portals.groups import Judged, loads, with_their_load
from gateway.floor.portals.judge import Case, Verdict, again, judge
from gateway.floor.portals.profile import sides_of
from gateway.floor.portals.reports import Reports
from gateway.floor.portals.standing import Standing
from gateway.floor.portals.track import MAX_LOOKS, Track
from gateway.floor.portals.whereabouts import Whereabouts
from gateway.floor.tags import uid
from gateway.floor.timeline import NEVER
from gateway.floor.watch import Cause, Watch
from gateway.floor.windows import CENTI

MAX_TRACKS = 20_000
"""Tags in one portal at a time: a hundred pallets. A flood of invented EPCs must not take more."""

HOLD = 2
"""Silences that a decided pass waits for those beside it: a tag that is read little falls silent so much earlier."""

CLEARED = 4
"""When the far photo-eye has cleared, a fourth of the silence is enough: what was carried through is through."""

WALK = 3
"""What was standing and went is judged by the last third of the longest pass: before that it stood."""

MARGIN = 1 * SECOND
"""Around an outage, in which reads of a pass may be missing."""

MAX_OUTAGES = 64
MAX_BYSTANDERS = 4_096
"""Tags remembered as read beside what may still be said to have passed."""


class Portal:
    """The tags in one portal. `antennas` maps the numbers of its antennas to their sides."""

    def __init__(
        self, config: PortalConfig, places: Places, watch: Watch, reports: Reports, whereabouts: Whereabouts
    ) -> None:
        self.config = config
        self.antennas = {number: side for number, (name, side) in places.portal_of.items() if name == config.id}
        self.readers = {places.spots[number].reader for number in self.antennas}
        self.beams = Beams(config)
        self.standing = Standing()
        self.others: list[Portal] = []
        self._inside = frozenset(number for number, side in self.antennas.items() if side == "inside")
        self._silence = micros(config.silence)
        self._longest = micros(config.longest)
        self._watch = watch
        self._reports = reports
        self._whereabouts = whereabouts
        self._tracks: dict[bytes, Track] = {}
        self._agenda: list[tuple[int, bytes]] = []  # heap: when to look at each track
        self._waiting: list[Judged] = []
        self._bystanders: list[tuple[str, int, int]] = []  # UID, and from when to when it was read
        self._outages: list[list[int]] = []  # from when to when a reader was down; NEVER while it is

    # ---- what is read

    def see(self, epc: bytes, antenna: int, start: int, cell: list[int], unit: int, late: bool) -> None:
        """One antenna's sighting of a tag in the window that began at `start`."""
        reads, rssi, power, moment = cell
        t = start + moment // power
        track = self._tracks.get(epc)
        if track is None:
            if late or len(self._tracks) >= MAX_TRACKS:
                return
            dark = {number: self._watch.total[number] for number in self.antennas}
            track = self._tracks[epc] = Track(epc, t, t, t, dark, unit)
            heappush(self._agenda, (t + self._silence // CLEARED, epc))
        if late:
            track.late += reads
            if start < track.since:
                return
        if len(track.looks) >= MAX_LOOKS:
            track.forget_before(sorted(track.looks)[MAX_LOOKS // 2][0])
        track.see((start, antenna, reads, rssi * CENTI[unit], power, moment), t)

    def known(self, epc: bytes) -> bool:
        """Whether the tag is in the portal."""
        return epc in self._tracks

    def down(self, t: int) -> None:
        """A reader of this portal is not reading from `t` on."""
        if not self._outages or self._outages[-1][1] != NEVER:
            self._outages.append([t, NEVER])
            del self._outages[:-MAX_OUTAGES]

    def up(self, t: int, *, held: bool) -> None:
        """The readers of this portal are reading again; `held`: and will deliver what they read meanwhile."""
        if self._outages and self._outages[-1][1] == NEVER:
            if held:
                self._outages.pop()
            else:
                self._outages[-1][1] = t

    # ---- what falls due

    @property
    def due(self) -> int:
        """When something is to be looked at, NEVER while held reads are still coming in."""
        if any(Cause.HELD in self._watch.causes[antenna] for antenna in self.antennas):
            return NEVER
        first = self._agenda[0][0] if self._agenda else NEVER
        held = min((judged.closed for judged in self._waiting), default=NEVER)
        return min(first, held + HOLD * self._silence, self.beams.due)

    def fire(self, t: int) -> list[Fact]:
        """Says what is due at `t`."""
        facts = self.beams.fire(t)
        while self._agenda and self._agenda[0][0] <= t:
            track = self._tracks[heappop(self._agenda)[1]]
            ends = self._ends(track)
            if ends <= t:
                self._end(track, t)
            if track.epc in self._tracks:
                heappush(self._agenda, (max(self._ends(track), t + 1), track.epc))
        return facts + self._release(t)

    def settle(self) -> list[Fact]:
        """The end of a recording: nothing more will be read. Says what is decided by that."""
        facts: list[Fact] = []
        for track in sorted(self._tracks.values(), key=lambda track: (track.last, track.epc)):
            self._close(track, track.last)
        self._agenda = []
        return facts + self._release(NEVER)

    def _ends(self, track: Track) -> int:
        """When the track ends, if nothing more is read."""
        ends = track.ends(self._silence, self._longest)
        brief = track.last + self._silence // CLEARED
        cleared = [c.end for c in self.beams.between(track.first, track.last) if c.direction is not Direction.RETURNED]
        return min(ends, max(brief, cleared[-1])) if cleared else ends

    def _end(self, track: Track, t: int) -> None:
        """The track is over at `t`: by silence, or by the longest time that a pass takes."""
        if track.last + self._silence // CLEARED <= t < track.since + self._longest or not track.looks:
            self._close(track, t)
            return
        verdict = self._judge(track, full=True)
        if verdict.direction in (Direction.IN, Direction.OUT):
            self._decide(track, verdict, t)
            track.looks = []
            track.since = track.first = t
        else:
            if verdict.direction is Direction.STATIC:
                self._stands(track, verdict, t)
            track.forget_before(t - self._longest // 2)
        track.standing = True

    def _close(self, track: Track, t: int) -> None:
        del self._tracks[track.epc]
        if track.standing:
            track.forget_before(track.last - self._longest // WALK)
        if not track.looks:
            return
        verdict = self._judge(track, full=False)
        if verdict.direction in (Direction.IN, Direction.OUT):
            self._decide(track, verdict, t)
        elif verdict.direction is Direction.RETURNED:
            self._say(track, verdict, t)
        else:
            self._nothing(track, verdict, t)

    # ---- what is found

    def _judge(self, track: Track, *, full: bool) -> Verdict:
        inside, outside = sides_of(track.looks, self._inside, track.since)
        case = Case(
            start=track.since,
            end=track.last,
            inside=inside,
            outside=outside,
            crossings=self.beams.between(track.since - self._silence, track.last + self._silence),
            whole=1 - len(self._down(track)) / max(len(self.antennas), 1),
            cut=self._cut(track),
            full=full,
            stood=track.standing or self.standing.of(track.epc, track.last) is not None,
        )
        return judge(case, self.config.certainty)

    def _down(self, track: Track) -> list[int]:
        """Antennas that were not watching all the while."""
        watch = self._watch
        return [
            number
            for number in self.antennas
            if watch.causes[number] & (Cause.READER | Cause.ANTENNA) or watch.total[number] > track.dark.get(number, 0)
        ]

    def _cut(self, track: Track) -> str:
        start, end = track.first - MARGIN, track.last + self._silence
        if any(since <= end and until >= start for since, until in self._outages):
            return "a reader was down"
        return ""

    def _decide(self, track: Track, verdict: Verdict, t: int) -> None:
        """A pass with a direction, unless it was another portal's, or the tag went that way before and this one is no
        surer than that allows."""
        if any(other.louder(track) for other in self.others):
            verdict = replace(verdict, direction=Direction.UNDETERMINED, reason="louder at another portal")
            self._say(track, verdict, t)
            return
        place = self.config.inside if verdict.direction is Direction.IN else self.config.outside
        if self._whereabouts.there(track.epc, place):
            verdict = replace(verdict, confidence=again(verdict.confidence), reason="the same way as the time before")
            if verdict.confidence < self.config.certainty:
                verdict = replace(verdict, direction=Direction.UNDETERMINED, leaning=verdict.direction)
                self._whereabouts.lose(track.epc)
                self._say(track, verdict, t)
                return
        self._whereabouts.passed(track.epc, place)
        self.standing.forget(track.epc)
        self._say(track, verdict, t)

    def louder(self, track: Track) -> bool:
        """Whether a tag in another portal was louder in this one at the same time: it can pass through one only."""
        strongest = _strongest(track)
        mine = self._tracks.get(track.epc)
        if mine is not None and mine.looks and mine.unit == track.unit and mine.first <= track.last:
            return _strongest(mine) > strongest
        name = uid(track.epc)
        said = [judged for judged in self._waiting if judged.uid == name and judged.overlaps(track.first, track.last)]
        return any(judged.strongest > strongest for judged in said)

    def _stands(self, track: Track, verdict: Verdict, t: int) -> None:
        """The tag was there for the longest time a pass takes. Said once."""
        if self.standing.add(track.epc, track.last, _strongest(track), long=True):
            self._say(track, verdict, t)

    def _nothing(self, track: Track, verdict: Verdict, t: int) -> None:
        """Reads without a direction: said, unless the tag is known to stand there."""
        strongest = _strongest(track)
        quiet = self.standing.quiet(track.epc, track.last, strongest)
        still = verdict.direction is Direction.STATIC
        if self.standing.add(track.epc, track.last, strongest, long=still):
            verdict = replace(verdict, direction=Direction.STATIC, reason="seen again and again without passing")
        elif quiet or still:
            self._beside(uid(track.epc), track.since, track.last)
            return
        else:
            self._whereabouts.lose(track.epc)
        self._say(track, verdict, t)

    def _say(self, track: Track, verdict: Verdict, t: int) -> None:
        """What is found is said when those that were in the portal at the same time are closed."""
        data = self._reports.passed(self, track, verdict, self._down(track))
        self._waiting.append(
            Judged(
                uid=uid(track.epc),
                direction=verdict.direction,
                start=track.since,
                end=track.last,
                crossing=verdict.crossing,
                confidence=verdict.confidence,
                closed=t,
                data=data,
                strongest=_strongest(track),
                leaning=None if track.standing or verdict.confidence <= 0.5 else verdict.leaning,
            )
        )

    def _beside(self, name: str, start: int, end: int) -> None:
        self._bystanders.append((name, start, end))
        del self._bystanders[:-MAX_BYSTANDERS]

    # ---- what is said

    def _release(self, t: int) -> list[Fact]:
        """Says the passes that nothing that is still open can belong to, and those that have waited long enough."""
        young = min((track.first for track in self._tracks.values() if not track.standing), default=NEVER)
        if not any(self._ready(judged, young, t) for judged in self._waiting):
            return []
        facts: list[Fact] = []
        self._decide_by_load()
        alone = [judged for judged in self._waiting if not judged.passes and self._ready(judged, young, t)]
        for judged in sorted(alone, key=lambda judged: (judged.crossing, judged.uid)):
            facts += self._reports.alone(self.config, judged)
        said = {id(judged) for judged in alone}
        for load in loads(self._waiting):
            if all(young > judged.end for judged in load) or any(self._ready(judged, young, t) for judged in load):
                strays = self._strays(load[0].crossing - MARGIN, load[-1].crossing + MARGIN, load)
                facts += self._reports.load(self.config, load, strays)
                said |= {id(judged) for judged in load}
        for judged in alone:
            self._beside(judged.uid, judged.start, judged.end)
        self._waiting = [judged for judged in self._waiting if id(judged) not in said]
        return facts

    def _decide_by_load(self) -> None:
        """What came, crossed and went with a load, and leans its way, is on it."""
        open_ones = [judged for judged in self._waiting if judged.leaning is not None]
        if not open_ones:
            return
        for load in list(loads(self._waiting)):
            for judged, confidence in list(with_their_load(load, open_ones, self.config.certainty)):
                epc, direction = bytes.fromhex(judged.uid), load[0].direction
                place = self.config.inside if direction is Direction.IN else self.config.outside
                if not self._whereabouts.there(epc, place):
                    self._whereabouts.passed(epc, place)
                    self.standing.forget(epc)
                    self._reports.decide(self.config, judged, direction, confidence)

    def _ready(self, judged: Judged, young: int, t: int) -> bool:
        return young > judged.end or t >= judged.closed + HOLD * self._silence

    def _strays(self, start: int, end: int, load: Iterable[Judged]) -> list[str]:
        """Who was read between two times and is not known to have passed."""
        passed = {judged.uid for judged in load}
        return sorted(set(self._beside_of(start, end)) - passed)

    def _beside_of(self, start: int, end: int) -> Iterator[str]:
        yield from (name for name, first, last in self._bystanders if first <= end and last >= start)
        yield from (j.uid for j in self._waiting if not j.passes and j.overlaps(start, end))
        yield from (uid(t.epc) for t in self._tracks.values() if t.standing and t.last >= start and t.first <= end)

    # ---- state

    def dump(self) -> dict[str, Any]:
        return {
            "tracks": [track.dump() for track in self._tracks.values()],
            "agenda": [[t, epc.hex()] for t, epc in sorted(self._agenda)],
            "waiting": [asdict(judged) for judged in self._waiting],
            "bystanders": self._bystanders,
            "outages": self._outages,
            "beams": self.beams.dump(),
            "standing": self.standing.dump(),
        }

    def load(self, dump: Any, numbers: list[int]) -> None:
        """Takes over a dump in which antenna i is the one that is now called ``numbers[i]``."""
        tracks = [Track.load(entry, numbers) for entry in dump["tracks"]]
        for track in tracks:
            track.looks = [look for look in track.looks if look[1] in self.antennas]
        self._tracks = {track.epc: track for track in tracks}
        self._agenda = [(t, bytes.fromhex(epc)) for t, epc in dump["agenda"]]
        heapify(self._agenda)
        self._waiting = [_judged(entry) for entry in dump["waiting"]]
        self._bystanders = [(name, start, end) for name, start, end in dump["bystanders"]]
        self._outages = [list(outage) for outage in dump["outages"]]
        self.beams.load(dump["beams"])
        self.standing.load(dump["standing"])


def _judged(dump: dict[str, Any]) -> Judged:
    leaning = dump["leaning"]
    words = {"direction": Direction(dump["direction"]), "leaning": None if leaning is None else Direction(leaning)}
    return Judged(**(dump | words))


def _strongest(track: Track) -> int:
    return max(look[3] for look in track.looks)
